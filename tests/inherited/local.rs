//! What only a `Local` of the crate's own has to show.

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::thread;

use seedbed::testing::explore;
use seedbed::{Error, Local, Yielder, context_manager, generator, nursery, with, yield_now};

use crate::support::{Log, poll_once, run};

static NUMBER: Local<u32> = Local::new();
static SHARED: Local<Rc<Cell<u32>>> = Local::new();
static TEXT: Local<String> = Local::new();
static UNIT: Local<()> = Local::new();

#[test]
fn x05_each_local_has_its_own_value() {
    run(NUMBER.scope(1, async {
        TEXT.scope("one".into(), async {
            assert_eq!((NUMBER.get(), TEXT.with(String::len)), (Some(1), Some(3)));
            let inner = NUMBER.scope(
                2,
                UNIT.scope((), async {
                    yield_now().await?;
                    assert_eq!((NUMBER.get(), TEXT.with(String::len)), (Some(2), Some(3)));
                    assert_eq!(UNIT.get(), Some(()));
                    Ok::<_, Error>(())
                }),
            );
            assert_eq!(NUMBER.get(), Some(1), "it is not polled yet");
            inner.await?;
            assert_eq!((NUMBER.get(), UNIT.get()), (Some(1), None));
            Ok::<_, Error>(())
        })
        .await?;
        assert_eq!((NUMBER.get(), TEXT.get()), (Some(1), None));
        Ok(())
    }))
    .unwrap();
    assert_eq!(NUMBER.get(), None);
}

/// It need be neither `Clone` nor `Send`.
#[test]
fn x05_a_value_is_lent_and_not_copied() {
    struct Counter(Cell<u32>);
    static COUNTER: Local<Counter> = Local::new();
    let log = Log::new();
    let value = Rc::new(Cell::new(0));
    run(COUNTER.scope(Counter(Cell::new(0)), async {
        nursery(async |n| {
            for _ in 0..3 {
                n.spawn(async {
                    yield_now().await?;
                    COUNTER.with(|counter| counter.0.set(counter.0.get() + 1));
                    Ok(())
                });
            }
            Ok(())
        })
        .await?;
        assert_eq!(COUNTER.with(|counter| counter.0.get()), Some(3));
        let count = || Rc::strong_count(&value);
        let inner = SHARED.scope(value.clone(), async {
            assert_eq!(count(), 2);
            let got = SHARED.get().unwrap();
            assert_eq!(count(), 3);
            got.set(7);
        });
        inner.await;
        assert_eq!((count(), value.get()), (1, 7));
        Ok(())
    }))
    .unwrap();
    assert_eq!(log.take(), [""; 0]);
}

/// The value outlasts the future, whose destructors may look at it, in either way to end.
#[test]
fn x05_the_value_is_dropped_after_the_future() {
    struct Logs(Log, &'static str);
    impl Drop for Logs {
        fn drop(&mut self) {
            self.0.add(self.1);
        }
    }
    struct Looks(Log);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.add(LOGS.with(|logs| logs.1).unwrap_or("no value"));
        }
    }
    static LOGS: Local<Logs> = Local::new();
    for polls in 0..3 {
        let log = Log::new();
        run(async {
            let looks = Looks(log.clone());
            let mut future = Box::pin(LOGS.scope(Logs(log.clone(), "the value"), async {
                let _looks = looks;
                yield_now().await
            }));
            for _ in 0..polls {
                let _ = poll_once(future.as_mut()).await;
            }
            drop(future);
            Ok(())
        })
        .unwrap();
        assert_eq!(log.take(), ["the value", "the value"], "{polls} polls");
    }
}

/// Both while the value is set, and while it is lent.
#[test]
fn x05_a_panic_restores_the_value_before() {
    NUMBER.sync_scope(1, || {
        let panics = || NUMBER.sync_scope(2, || panic_any(5));
        let payload = catch_unwind(panics).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&5));
        assert_eq!(NUMBER.get(), Some(1));
        let panics = || NUMBER.with(|_| NUMBER.sync_scope(3, || panic_any(6)));
        catch_unwind(panics).unwrap_err();
        assert_eq!(NUMBER.get(), Some(1));
        let mut future = pin!(NUMBER.scope(4, async { panic_any(7) }));
        let mut cx = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx).is_ready()));
        polled.unwrap_err();
        assert_eq!(NUMBER.get(), Some(1));
    });
    assert_eq!(NUMBER.get(), None);
}

#[test]
fn x05_a_value_may_be_lent_and_set_within() {
    NUMBER.sync_scope(1, || {
        let inner = NUMBER.with(|outer| {
            let inner = NUMBER.sync_scope(outer + 1, || NUMBER.with(|inner| (*outer, *inner)));
            (inner, NUMBER.get())
        });
        assert_eq!(inner, Some((Some((1, 2)), Some(1))));
    });
}

/// Half-way, so that its binding would be left if it were kept anywhere but on the stack.
#[test]
fn x05_a_future_that_is_forgotten_leaves_nothing() {
    run(async {
        let mut forgotten = Box::pin(TEXT.scope("forgotten".into(), async { yield_now().await }));
        assert!(poll_once(forgotten.as_mut()).await.is_none());
        mem::forget(forgotten);
        assert_eq!(TEXT.get(), None);
        yield_now().await
    })
    .unwrap();
}

/// Also without a run.
#[test]
fn x05_each_thread_has_its_own_value() {
    NUMBER.sync_scope(1, || {
        let there = thread::spawn(|| (NUMBER.get(), NUMBER.sync_scope(2, || NUMBER.get())));
        assert_eq!(there.join().unwrap(), (None, Some(2)));
        assert_eq!(NUMBER.get(), Some(1));
        run(async {
            assert_eq!(NUMBER.get(), Some(1));
            Ok(())
        })
        .unwrap();
    });
}

/// It takes no decision, so a program has the same schedules with it as without.
#[test]
fn x05_explore_has_as_many_schedules() {
    async fn program(look: impl Fn()) -> seedbed::Result<()> {
        nursery(async |n| {
            for _ in 0..2 {
                n.spawn(async {
                    yield_now().await?;
                    look();
                    Ok(())
                });
            }
            Ok(())
        })
        .await
    }
    let without = explore(|| program(|| ()));
    let with = explore(|| NUMBER.scope(1, program(|| assert_eq!(NUMBER.get(), Some(1)))));
    assert!(with.is_complete(), "{with}");
    assert_eq!(with.to_string(), without.to_string());
}

/// A yield in a `scope` is none in a cancel scope: it is not refused.
#[test]
fn x05_a_scope_of_a_local_forbids_no_yield() {
    let seen = RefCell::new(Vec::new());
    run(async {
        let mut numbers = generator(async |y: Yielder<u32>| {
            NUMBER.scope(1, async { y.yield_(2).await.map(drop) }).await
        });
        assert_eq!(numbers.anext().await?, Some(2));
        assert_eq!(NUMBER.get(), None);
        assert_eq!(numbers.anext().await?, None);
        let manager = context_manager(async |y: Yielder<()>| {
            NUMBER.scope(3, async { y.yield_(()).await.map(drop) }).await
        });
        with(manager, async |()| {
            seen.borrow_mut().push(NUMBER.get());
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(seen.take(), [None]);
}
