//! F3: every generator is closed before `run` returns.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use futures::future::{FutureExt, LocalBoxFuture, TryFutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Error, GeneratorMisused, GeneratorState, Result, Yielder, generator, nursery, sleep,
    sleep_forever, yield_now,
};

use super::{Kept, Numbers, begun, keep, left_at, quiet, quiet_on};
use crate::support::{
    Drops, Log, count, counting, poll_once, recording, run, run_on, secs, shielded, slow_to_close,
};

thread_local! {
    static KEPT: RefCell<Vec<Numbers>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn f03_every_generator_still_alive_is_closed_before_run_returns() {
    let (outcome, records) = recording(|| {
        let log = Log::new();
        let cell = Kept::default();
        let clock = VirtualClock::new();
        let returned = run_on(&clock, async {
            // In a cell that outlives the run, in a cycle with itself, in a thread-local, leaked,
            // and in the value that is returned.
            keep(&cell, begun(slow_to_close(&log)).await?);
            let cycle = Kept::default();
            keep(&cycle, begun(slow_to_close(&log)).await?);
            let (own, inside) = (cycle.clone(), log.clone());
            let in_itself = begun(async move |y: Yielder<u32>| {
                let _own = own;
                slow_to_close(&inside)(y).await
            });
            keep(&cycle, in_itself.await?);
            let in_a_thread_local = begun(slow_to_close(&log)).await?;
            KEPT.with_borrow_mut(|kept| kept.push(in_a_thread_local));
            std::mem::forget(begun(slow_to_close(&log)).await?);
            begun(slow_to_close(&log)).await
        })
        .unwrap();
        let lines = log.take();
        assert_eq!(lines, ["cleaning", "cleaned"].repeat(6), "one at a time, to the end");
        assert_eq!(clock.elapsed(), secs(6));
        assert_eq!(returned.state(), GeneratorState::Finished);
        assert_eq!(cell.borrow()[0].state(), GeneratorState::Finished);
        KEPT.with_borrow_mut(|kept| {
            assert_eq!(kept.pop().unwrap().state(), GeneratorState::Finished)
        });
        Ok::<_, Error>(())
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn f03_the_bodies_of_those_closed_are_dropped() {
    let drops = Drops::default();
    run(async {
        for _ in 0..3 {
            let guard = drops.guard();
            let g = begun(async move |y: Yielder<u32>| {
                let _guard = guard;
                count(&y).await
            });
            std::mem::forget(g.await?);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 3);
}

#[test]
fn f03_those_made_while_finalizing_included() {
    let log = Log::new();
    let cell = Kept::default();
    fn chain(depth: u32, log: Log, cell: Kept) -> Numbers {
        generator(async move |y: Yielder<u32>| {
            let outcome = y.yield_(1).await.map(drop);
            log.add(format!("closing {depth}"));
            if depth > 0 {
                let mut next = chain(depth - 1, log.clone(), cell.clone());
                next.anext().await?;
                cell.borrow_mut().push(next);
            }
            outcome
        })
    }
    run(async {
        for _ in 0..2 {
            let mut first = chain(3, log.clone(), cell.clone());
            first.anext().await?;
            cell.borrow_mut().push(first);
        }
        Ok(())
    })
    .unwrap();
    let mut lines = log.take();
    lines.sort();
    let mut expected = ["closing 0", "closing 1", "closing 2", "closing 3"].repeat(2);
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert!(cell.borrow().iter().all(|g| g.state() == GeneratorState::Finished));
    cell.take();
}

#[test]
fn f03_those_dropped_while_finalizing_included() {
    let log = Log::new();
    quiet(async {
        let inside = log.clone();
        let holder = begun(async move |y: Yielder<u32>| {
            let held = begun(slow_to_close(&inside)).await?;
            let outcome = y.yield_(1).await;
            drop(held); // goes to its own finalizer
            outcome.map(drop)
        });
        std::mem::forget(holder.await?);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
}

#[test]
fn f03_whichever_way_the_main_future_ends() {
    let log = Log::new();
    let leak = async || -> Result<()> {
        std::mem::forget(begun(slow_to_close(&log)).await?);
        Ok(())
    };
    let error = run(async {
        leak().await?;
        Err::<(), _>(Error::msg("main failed"))
    });
    assert_eq!(error.unwrap_err().to_string(), "main failed");
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            leak().await?;
            panic!("main panicked");
            #[expect(unreachable_code, reason = "for the type")]
            Ok(())
        })
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "main panicked");
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            nursery(async |n| {
                leak().await?;
                n.spawn::<_, ()>(async { panic!("a child panicked") }).await
            })
            .await
        })
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "a child panicked");
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
}

#[test]
fn f03_one_that_is_dropped_as_the_main_future_ends() {
    // It is closed once, by one of the two ways.
    for turns in 0..6 {
        let log = Log::new();
        let clock = VirtualClock::new();
        quiet_on(&clock, async {
            let g = begun(slow_to_close(&log)).await?;
            drop(g);
            for _ in 0..turns {
                yield_now().await?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(log.take(), ["cleaning", "cleaned"]);
        assert_eq!(clock.elapsed(), secs(1));
    }
}

#[test]
fn f03_one_that_wraps_another_dropped_as_the_main_future_ends() {
    // The outer one's clean-up closes the inner one, in a task of the runtime's, while all that
    // are alive are closed: nobody takes the inner one from under it.
    for (turns, closing) in (0..6).flat_map(|turns| [(turns, true), (turns, false)]) {
        let log = Log::new();
        let inside = log.clone();
        quiet(async {
            let outer = begun(async move |y: Yielder<u32>| {
                let mut inner = begun(async move |y: Yielder<u32>| {
                    let outcome = count(&y).await;
                    sleep(secs(1)).await?; // shielded by whoever closes it, or cancelled
                    inside.add("inner cleaned");
                    outcome
                })
                .await?;
                let outcome = count(&y).await;
                if closing {
                    shielded(inner.aclose()).await?;
                } else {
                    shielded(sleep(secs(1))).await?;
                    drop(inner);
                }
                outcome
            });
            drop(outer.await?);
            for _ in 0..turns {
                yield_now().await?;
            }
            Ok(())
        })
        .unwrap();
        let lines = log.take();
        if closing && turns > 2 {
            assert_eq!(lines, ["inner cleaned"], "{turns}");
        }
    }
}

#[test]
fn f03_a_clean_up_that_drives_what_is_being_finalized() {
    // The inner one was picked first. The outer one's `anext` is refused, as it is in Python, and
    // its `aclose` waits.
    let log = Log::new();
    quiet(async {
        let shared: Rc<RefCell<Option<Numbers>>> = Rc::default();
        shared.replace(Some(begun(slow_to_close(&log)).await?));
        let (theirs, inside) = (shared.clone(), log.clone());
        let outer = begun(async move |y: Yielder<u32>| {
            let outcome = count(&y).await;
            let mut inner = theirs.take().unwrap();
            let error = inner.anext().await.unwrap_err();
            inside.add(format!("refused: {}", error.is::<GeneratorMisused>()));
            shielded(inner.aclose()).await?;
            inside.add(format!("closed: {:?}", inner.state()));
            outcome
        });
        drop(outer.await?);
        Ok(())
    })
    .unwrap();
    let lines = log.take();
    assert_eq!(lines, ["cleaning", "refused: true", "cleaned", "closed: Finished"]);
}

/// Even behind something that polls only what was woken.
#[test]
fn f03_whoever_drives_what_is_finalized_meanwhile_hears_of_it() {
    type Drive = for<'a> fn(&'a mut Numbers) -> LocalBoxFuture<'a, Result<()>>;
    let drives: [(&str, Drive); 4] = [
        ("anext", |g| g.anext().map_ok(drop).boxed_local()),
        ("asend", |g| g.asend(()).map_ok(drop).err_into().boxed_local()),
        ("athrow", |g| g.athrow(Error::msg("thrown in")).map_ok(drop).boxed_local()),
        ("aclose", |g| g.aclose().boxed_local()),
    ];
    let test = |how: &str, drive: Drive, in_nursery: bool| {
        let (log, clock, kept) = (Log::new(), VirtualClock::new(), Kept::default());
        let (slow, inside) = (log.clone(), log.clone());
        let main = async {
            // It is iterated first, and so it is closed first.
            let mut inner = begun(async move |y: Yielder<u32>| {
                let outcome = y.yield_(0).await;
                shielded(sleep(secs(1))).await?;
                slow.add("cleaned");
                outcome.map(drop)
            })
            .await?;
            let mut outer = generator(async move |y: Yielder<u32>| {
                let drive = async {
                    let outcome = drive(&mut inner).await;
                    inside.add("heard");
                    outcome
                };
                if in_nursery {
                    return shielded(nursery(async |n| {
                        n.spawn(drive);
                        Ok(())
                    }))
                    .await;
                }
                let all = FuturesUnordered::new();
                all.push(drive.boxed_local());
                all.push(y.yield_(1).map_ok(drop).boxed_local());
                all.collect::<Vec<_>>().await.into_iter().collect()
            });
            assert_eq!(poll_once(outer.anext()).await.is_some(), !in_nursery);
            keep(&kept, outer);
            Ok(())
        };
        let (outcome, _) = recording(|| run_on(&clock, main));
        assert!(outcome.is_ok(), "{how}, in a nursery: {in_nursery}: {outcome:?}");
        assert_eq!(log.take(), ["cleaned", "heard"], "{how}, in a nursery: {in_nursery}");
        assert_eq!(clock.elapsed(), secs(1));
    };
    for (how, drive) in drives {
        test(how, drive, false);
        test(how, drive, true);
    }
}

#[test]
fn f03_a_clean_up_that_drops_what_is_being_finalized() {
    let log = Log::new();
    let clock = VirtualClock::new();
    quiet_on(&clock, async {
        let shared: Rc<RefCell<Option<Numbers>>> = Rc::default();
        shared.replace(Some(begun(slow_to_close(&log)).await?));
        let (theirs, inside) = (shared.clone(), log.clone());
        let outer = begun(async move |y: Yielder<u32>| {
            let outcome = count(&y).await;
            drop(theirs.take());
            inside.add("dropped");
            outcome
        });
        drop(outer.await?);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "dropped", "cleaned"]);
    assert_eq!(clock.elapsed(), secs(1));
}

#[test]
fn f03_one_whose_clean_up_closes_itself() {
    // Python: "aclose(): asynchronous generator is already running".
    let log = Log::new();
    let inside = log.clone();
    run(async {
        let itself = Kept::default();
        let own = itself.clone();
        let g = begun(async move |y: Yielder<u32>| {
            let outcome = count(&y).await;
            let mut me = own.take().pop().unwrap();
            inside.add(me.aclose().await.unwrap_err().to_string());
            inside.add(me.anext().await.unwrap_err().to_string());
            outcome
        });
        keep(&itself, g.await?);
        Ok(())
    })
    .unwrap();
    let lines = log.take();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("from inside of its own body"), "{}", lines[0]);
}

#[test]
fn f03_one_that_was_left_in_flight() {
    let log = Log::new();
    let inside = log.clone();
    quiet(async {
        let mut g = generator(async move |_: Yielder<u32>| {
            let outcome = sleep_forever().await;
            inside.add(format!("cancelled: {}", outcome.as_ref().unwrap_err().is_cancelled()));
            outcome
        });
        assert!(poll_once(g.anext()).await.is_none());
        std::mem::forget(g);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cancelled: true"]);
}

#[test]
fn f03_ten_thousand() {
    let drops = Drops::default();
    run(async {
        for _ in 0..10_000 {
            let guard = drops.guard();
            let g = begun(async move |y: Yielder<u32>| {
                let _guard = guard;
                count(&y).await
            });
            std::mem::forget(g.await?);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 10_000);
}

#[test]
fn f03_the_next_run_begins_with_none() {
    let cell = Kept::default();
    let log = Log::new();
    run(async {
        cell.borrow_mut().push(generator(counting(&log))); // not begun
        keep(&cell, begun(counting(&log)).await?);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), [left_at(0)]);
    run(async {
        let mut kept = cell.take();
        assert_eq!(kept.pop().unwrap().anext().await?, None);
        let mut unbegun = kept.pop().unwrap();
        assert_eq!(unbegun.anext().await?, Some(0), "a later run may begin it");
        std::mem::forget(unbegun);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), [left_at(0)]);
}
