//! Wakers whose `wake` does what a test tells it to, on the thread of the test.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures::FutureExt;
use futures::task::noop_waker;
use seedbed::{NurseryHandle, Started, Task, checkpoint, sleep_forever, yield_now};

use super::{Slot, open_nursery, run};

thread_local! {
    static HOOK: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

struct Hooked;

impl Wake for Hooked {
    fn wake(self: Arc<Self>) {
        CALLS.set(CALLS.get() + 1);
        if let Some(hook) = HOOK.take() {
            hook();
        }
    }
}

fn hooked(hook: impl FnOnce() + 'static) -> Waker {
    HOOK.set(Some(Box::new(hook)));
    CALLS.set(0);
    Arc::new(Hooked).into()
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Does {
    Nothing,
    Spawns,
    Cancels,
    Drops,
    Polls,
    Starts,
    Panics,
}

const ALL: [Does; 7] = [
    Does::Nothing,
    Does::Spawns,
    Does::Cancels,
    Does::Drops,
    Does::Polls,
    Does::Starts,
    Does::Panics,
];

fn hook(does: Does, slot: &Slot, handle: &NurseryHandle) -> Waker {
    let (slot, handle) = (slot.clone(), handle.clone());
    hooked(move || match does {
        Does::Nothing => {}
        Does::Spawns => drop(handle.spawn(checkpoint())),
        Does::Cancels => handle.cancel(),
        Does::Drops => drop(slot.take()),
        Does::Polls => {
            let waker = noop_waker();
            let _ = slot.poll(&mut Context::from_waker(&waker));
        }
        Does::Starts => {
            let start = handle.start(async |started: Started<()>| {
                started.ready(());
                sleep_forever().await
            });
            if let Ok(start) = start {
                let _ = start.now_or_never();
            }
        }
        Does::Panics => panic_any("a hook"),
    })
}

/// Ends what is left, and checks that it has ended.
async fn wind_up(does: Does, slot: &Slot, handle: &NurseryHandle) {
    assert_eq!(CALLS.get(), 1, "{does:?}: the waker was woken");
    handle.cancel();
    let gone = slot.0.borrow().is_none();
    let outcome = AssertUnwindSafe(slot.finish()).catch_unwind().await;
    // Where the panic came out depends on what called the waker.
    if !gone && does != Does::Panics {
        outcome.unwrap().unwrap();
    }
    assert!(!handle.is_open());
}

/// The nursery is polled with a foreign waker, which a spawn wakes.
#[test]
fn n04_the_waker_of_the_nursery_reenters() {
    for does in ALL {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let waker = hook(does, &slot, &handle);
            assert!(slot.poll(&mut Context::from_waker(&waker)).is_pending());
            let spawned = catch_unwind(AssertUnwindSafe(|| handle.spawn(checkpoint())));
            assert_eq!(spawned.is_err(), does == Does::Panics, "{does:?}");
            drop(spawned);
            wind_up(does, &slot, &handle).await;
            Ok(())
        })
        .unwrap();
    }
}

/// An operation in a child is polled with a foreign waker, which a cancellation wakes.
#[test]
fn n04_the_waker_of_a_cancelled_operation_reenters() {
    for does in ALL {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let waker = hook(does, &slot, &handle);
            drop(handle.spawn(async move {
                let mut operation = Box::pin(sleep_forever());
                poll_fn(|_| operation.as_mut().poll(&mut Context::from_waker(&waker))).await
            })?);
            assert!(slot.poll_once().await.is_pending());
            yield_now().await?;
            assert!(slot.poll_once().await.is_pending());
            let cancelled = catch_unwind(AssertUnwindSafe(|| handle.cancel()));
            assert_eq!(cancelled.is_err(), does == Does::Panics, "{does:?}");
            wind_up(does, &slot, &handle).await;
            Ok(())
        })
        .unwrap();
    }
}

/// A task handle is polled with a foreign waker, which the child's end wakes.
#[test]
fn n04_the_waker_of_a_join_reenters() {
    for does in ALL {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let waker = hook(does, &slot, &handle);
            let mut task = handle.spawn(async { Ok(7) })?;
            assert!(task.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
            yield_now().await?;
            let _ = AssertUnwindSafe(slot.poll_once()).catch_unwind().await;
            assert_eq!(task.await?, 7, "{does:?}");
            wind_up(does, &slot, &handle).await;
            Ok(())
        })
        .unwrap();
    }
}

/// The same, and what ends the child is that its nursery is dropped.
#[test]
fn n04_the_waker_of_a_join_reenters_a_dropped_nursery() {
    for does in ALL {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let waker = hook(does, &slot, &handle);
            let mut tasks = Vec::new();
            for _ in 0..3 {
                tasks.push(handle.spawn(sleep_forever())?);
            }
            assert!(tasks[1].poll_unpin(&mut Context::from_waker(&waker)).is_pending());
            yield_now().await?;
            assert!(slot.poll_once().await.is_pending());
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(slot.take())));
            assert_eq!(dropped.is_err(), does == Does::Panics, "{does:?}");
            assert!(tasks.iter().all(Task::is_finished), "{does:?}");
            wind_up(does, &slot, &handle).await;
            Ok(())
        })
        .unwrap();
    }
}

/// A child that is handed over wakes what it left with the caller's scope.
#[test]
fn n04_the_waker_of_an_operation_handed_over_reenters() {
    for does in ALL {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let waker = hook(does, &slot, &handle);
            let start = handle.start(async move |started: Started<()>| {
                let mut operation = Box::pin(sleep_forever());
                let mut cx = Context::from_waker(&waker);
                assert!(operation.as_mut().poll(&mut cx).is_pending());
                yield_now().await?;
                started.ready(());
                operation.await
            })?;
            let started = AssertUnwindSafe(start).catch_unwind().await;
            assert!(does == Does::Panics || matches!(started, Ok(Ok(()))), "{does:?}");
            wind_up(does, &slot, &handle).await;
            Ok(())
        })
        .unwrap();
    }
}

/// The drop of a waker is foreign code too.
#[test]
fn n04_a_waker_that_does_things_when_it_is_dropped() {
    struct InDrop(Unsendable);
    struct Unsendable;
    impl Drop for Unsendable {
        fn drop(&mut self) {
            if let Some(hook) = HOOK.take() {
                hook();
            }
        }
    }
    impl Wake for InDrop {
        fn wake(self: Arc<Self>) {}
    }
    for does in ALL {
        if does == Does::Panics {
            continue;
        }
        for as_host in [false, true] {
            run(async {
                let slot = Slot::default();
                let handle = open_nursery(&slot).await;
                drop(hook(does, &slot, &handle));
                let waker = Waker::from(Arc::new(InDrop(Unsendable)));
                let mut task = handle.spawn(sleep_forever())?;
                let mut cx = Context::from_waker(&waker);
                if as_host {
                    assert!(slot.poll(&mut cx).is_pending());
                } else {
                    assert!(task.poll_unpin(&mut cx).is_pending());
                }
                drop(waker);
                // Another waker takes its place.
                let _ = slot.poll_once().await;
                if !task.is_finished() {
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(task.poll_unpin(&mut cx).is_pending());
                }
                drop(task);
                handle.cancel();
                slot.finish().await?;
                Ok(())
            })
            .unwrap();
        }
    }
}
