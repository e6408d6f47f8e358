//! F4: errors and panics while finalizing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use seedbed::{
    AsyncgenHooks, Error, Unfinished, Yielder, cancel_scope, set_asyncgen_hooks, sleep, yield_now,
};
use tracing::Level;

use super::{begun, errors};
use crate::support::{Log, recording, run, said, secs, slow_to_close};

#[test]
fn f04_an_error_while_finalizing_is_reported_and_never_raised() {
    let (outcome, records) = recording(|| {
        run(async {
            let dropped = begun(async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                Err(Error::msg("dropped"))
            });
            dropped.await?.set_qualname("unused");
            yield_now().await?;
            sleep(secs(1)).await?; // nothing has been cancelled
            let left = begun(async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                Err(Error::msg("left"))
            });
            let left = left.await?;
            left.set_qualname("left");
            std::mem::forget(left);
            let stubborn = begun(async |y: Yielder<u32>| {
                loop {
                    drop(y.yield_(1).await);
                }
            });
            drop(stubborn.await?);
            let breaking = begun(async |y: Yielder<u32>| {
                let exit = y.yield_(1).await;
                cancel_scope(async |_| y.yield_(2).await).await?;
                exit.map(drop)
            });
            drop(breaking.await?);
            Ok(7)
        })
    });
    assert_eq!(outcome.unwrap(), 7);
    let errors = errors(&records);
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(errors[0], "dropped");
    for wanted in ["left", "pass `GeneratorExit` on", "is inside a cancel scope"] {
        assert!(errors.iter().any(|error| error.contains(wanted)), "{wanted}: {errors:?}");
    }
    let record = records
        .iter()
        .find(|record| record.level == Level::ERROR && record.field("error") == "left");
    let record = record.unwrap();
    assert_eq!(record.field("generator"), "left");
    assert!(record.field("made_at").starts_with("tests/finalize/main.rs"), "in `begun`");
}

#[test]
fn f04_a_cancellation_while_finalizing_is_no_error() {
    let (outcome, records) = recording(|| {
        run(async {
            let g = begun(async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                sleep(secs(1)).await
            });
            std::mem::forget(g.await?);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn f04_a_panic_while_finalizing_does_not_keep_the_others_from_it() {
    for dropped in [true, false] {
        let log = Log::new();
        let outcome = recording(|| {
            catch_unwind(AssertUnwindSafe(|| {
                run(async {
                    std::mem::forget(begun(slow_to_close(&log)).await?);
                    let panics = begun(async |y: Yielder<u32>| {
                        drop(y.yield_(1).await);
                        panic!("while it was finalized")
                    });
                    if dropped {
                        drop(panics.await?);
                        // seedbed-lint: allow(swallowed-cancellation)
                        drop(sleep(secs(5)).await); // may be cancelled
                    } else {
                        std::mem::forget(panics.await?);
                    }
                    std::mem::forget(begun(slow_to_close(&log)).await?);
                    Ok(())
                })
            }))
        })
        .0;
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "while it was finalized");
        assert_eq!(log.take(), ["cleaning", "cleaned"].repeat(2), "dropped: {dropped}");
    }
}

#[test]
fn f04_the_first_panic_is_the_one_that_goes_on() {
    let (outcome, records) = recording(|| {
        catch_unwind(AssertUnwindSafe(|| {
            run(async {
                for _ in 0..2 {
                    let g = begun(async |y: Yielder<u32>| {
                        drop(y.yield_(1).await);
                        panic!("a finalizer's")
                    });
                    std::mem::forget(g.await?);
                }
                panic!("the main future's");
                #[expect(unreachable_code, reason = "for the type")]
                Ok(())
            })
        }))
    });
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "the main future's");
    let lost = records.iter().filter(|record| record.message().contains("only the first"));
    assert_eq!(lost.count(), 2, "{records:?}");
}

/// A hook that gives the generator up skips its clean-up, and that is reported.
#[test]
fn f04_a_hook_that_drops_what_it_gets_is_reported() {
    let (_, records) = recording(|| {
        run(async {
            let hooks = AsyncgenHooks { finalizer: Some(Rc::new(drop)), ..Default::default() };
            let before = set_asyncgen_hooks(hooks);
            let g = begun(async |y| y.yield_(1).await.map(drop)).await?;
            drop(g);
            set_asyncgen_hooks(before);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(said(&records, "a finalizer has given a generator up"), 1);
}

/// A destructor has nobody to pass a panic on to.
#[test]
fn f04_a_hook_that_panics_is_reported() {
    let (_, records) = recording(|| {
        run(async {
            let hook: Rc<dyn Fn(Unfinished<'static>)> = Rc::new(|_| panic!("a hook panicked"));
            let hooks = AsyncgenHooks { finalizer: Some(hook), ..Default::default() };
            let before = set_asyncgen_hooks(hooks);
            let g = begun(async |y| y.yield_(1).await.map(drop)).await?;
            drop(g);
            set_asyncgen_hooks(before);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(said(&records, "a finalizer hook has panicked"), 1);
}
