//! N4: safe code cannot make nurseries unsound. Each test does what a hostile, careless or
//! unlucky program could do; that nothing touches freed memory is seen best under
//! `.ci/sanitize`, but most of them check what happened as well.
//!
//! Tests that leak on purpose are in `leaks`, which the sanitizer runs without looking for leaks.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};
use futures::task::noop_waker;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Cancelled, Error, Event, NotRunning, Nursery, NurseryClosed,
    NurseryHandle, Result, Started, Task, cancel_scope, cancellable, checkpoint, nursery, sleep,
    sleep_forever, yield_now,
};

/// Runs on a virtual clock; what would wait for ever is an error.
#[track_caller]
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(&VirtualClock::new()).ctrl_c(false).detect_deadlock(true).run(main)
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// A nursery's future that may be polled or dropped from anywhere.
#[derive(Clone, Default)]
struct Slot(Rc<RefCell<Option<Boxed<'static>>>>);

impl Slot {
    fn put(&self, future: impl Future<Output = Result<()>> + 'static) {
        *self.0.borrow_mut() = Some(Box::pin(future));
    }

    fn take(&self) -> Option<Boxed<'static>> {
        self.0.borrow_mut().take()
    }

    /// Polls it, with the slot free meanwhile. What has ended is dropped.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(mut future) = self.take() else { return Poll::Ready(Ok(())) };
        let outcome = future.as_mut().poll(cx);
        if outcome.is_pending() {
            *self.0.borrow_mut() = Some(future);
        }
        outcome
    }

    async fn poll_once(&self) -> Poll<Result<()>> {
        poll_fn(|cx| Poll::Ready(self.poll(cx))).await
    }

    async fn finish(&self) -> Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }
}

/// The waker of whatever polls this.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

async fn note_waker(wakers: &RefCell<Vec<Waker>>) {
    let waker = own_waker().await;
    wakers.borrow_mut().push(waker);
}

/// A nursery that runs until it is cancelled, polled once, and a handle to it.
async fn open_nursery(slot: &Slot) -> NurseryHandle {
    let handle = Rc::new(RefCell::new(None));
    let kept = handle.clone();
    slot.put(nursery(async move |n: &Nursery<'_, '_>| {
        *kept.borrow_mut() = Some(n.handle());
        sleep_forever().await
    }));
    assert!(slot.poll_once().await.is_pending());
    handle.take().expect("the body has run")
}

/// Adds one when it is dropped.
struct CountDrop(Rc<Cell<usize>>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

mod starting {
    use super::*;

    /// The child has moved into the nursery but is still being polled under the caller, when it
    /// drops the nursery, and itself with it.
    #[test]
    fn n04_child_drops_the_nursery_it_was_just_handed_to() {
        let dropped = Rc::new(Cell::new(0));
        let after = Rc::new(Cell::new(0));
        let outcome = run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let count = CountDrop(dropped.clone());
            let (mine, after) = (slot.clone(), after.clone());
            let child = async move |started: Started<i32>| {
                let local = Box::new(41);
                let _count = count;
                started.ready(1);
                drop(mine.take());
                after.set(*local + 1);
                sleep_forever().await
            };
            let value = handle.start(child)?.await;
            assert!(slot.take().is_none());
            value
        });
        assert_eq!(outcome.unwrap(), 1);
        assert_eq!(after.get(), 42, "the child went on to its next await");
        assert_eq!(dropped.get(), 1, "and was dropped there, with its nursery");
    }

    #[test]
    fn n04_child_drops_its_new_nursery_and_ends() {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let mine = slot.clone();
            let child = async move |started: Started<i32>| {
                started.ready(1);
                drop(mine.take());
                Ok(())
            };
            assert_eq!(handle.start(child)?.await?, 1);
            Ok(())
        })
        .unwrap();
    }

    /// Nobody else is left to tell: the failure comes out at the caller of `start`.
    #[test]
    fn n04_child_drops_its_new_nursery_and_fails() {
        let error = run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let mine = slot.clone();
            let child = async move |started: Started<i32>| {
                started.ready(1);
                drop(mine.take());
                Err(Error::msg("lost?"))
            };
            handle.start(child)?.await
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "lost?");
    }

    #[test]
    fn n04_child_drops_its_new_nursery_and_panics() {
        let payload = catch_unwind(|| {
            run(async {
                let slot = Slot::default();
                let handle = open_nursery(&slot).await;
                let mine = slot.clone();
                let child = async move |started: Started<i32>| {
                    started.ready(1);
                    drop(mine.take());
                    panic_any("lost?")
                };
                handle.start(child)?.await
            })
        })
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"lost?"));
    }

    /// The drop of what the child holds, when it fails, drops the nursery it fails in.
    #[test]
    fn n04_failing_child_drops_its_new_nursery_as_it_is_dropped() {
        let dropped = Rc::new(Cell::new(0));
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let mine = slot.clone();
            let count = dropped.clone();
            // Not an async block: that would drop what it holds before it is ready.
            struct Child<D>(Option<Started<i32>>, D);
            impl<D> Unpin for Child<D> {}
            impl<D> Future for Child<D> {
                type Output = Result<()>;
                fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                    self.0.take().unwrap().ready(1);
                    Poll::Ready(Err(Error::msg("fails")))
                }
            }
            let child = move |started| {
                let held = OnDrop(move || {
                    drop(mine.take());
                    count.set(count.get() + 1);
                });
                Child(Some(started), held)
            };
            assert_eq!(handle.start(child)?.await?, 1);
            assert!(slot.take().is_none());
            Ok(())
        })
        .unwrap();
        assert_eq!(dropped.get(), 1);
    }

    /// The child polls the nursery that it has just become a child of: it must not be polled
    /// from in there, while it is running.
    #[test]
    fn n04_child_polls_the_nursery_it_was_just_handed_to() {
        let entries = Rc::new(Cell::new(0));
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let (mine, entries) = (slot.clone(), entries.clone());
            let child = async move |started: Started<i32>| {
                entries.set(entries.get() + 1);
                started.ready(1);
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    for _ in 0..3 {
                        assert!(mine.poll(cx).is_pending());
                    }
                    Poll::Ready(())
                })
                .await;
                assert_eq!(seedbed::current_effective_deadline(), None);
                yield_now().await?;
                entries.set(entries.get() + 10);
                Ok(())
            };
            assert_eq!(handle.start(child)?.await?, 1);
            for _ in 0..3 {
                assert!(slot.poll_once().await.is_pending());
                yield_now().await?;
            }
            handle.cancel();
            slot.finish().await
        })
        .unwrap();
        assert_eq!(entries.get(), 11, "begun once, ended once");
    }

    /// As above, with a scope around the nursery: from inside of itself it is not moved below
    /// itself in the tree of scopes.
    #[test]
    fn n04_child_polls_the_scope_around_its_new_nursery() {
        run(async {
            let slot = Slot::default();
            let kept = Rc::new(RefCell::new(None));
            let handle = kept.clone();
            slot.put(async move {
                cancel_scope(async |_| {
                    nursery::<_, ()>(async |n| {
                        *handle.borrow_mut() = Some(n.handle());
                        loop {
                            let _ = seedbed::current_effective_deadline();
                            yield_now().await?;
                        }
                    })
                    .await
                })
                .await?;
                Ok(())
            });
            assert!(slot.poll_once().await.is_pending());
            let handle: NurseryHandle = kept.take().unwrap();
            let mine = slot.clone();
            let child = async move |started: Started<i32>| {
                started.ready(1);
                for _ in 0..3 {
                    assert!(mine.poll_once().await.is_pending());
                    let _ = seedbed::current_effective_deadline();
                }
                sleep_forever().await
            };
            assert_eq!(handle.start(child)?.await?, 1);
            handle.cancel();
            slot.finish().await
        })
        .unwrap();
    }

    /// The nursery is gone before the `start` into it is polled.
    #[test]
    fn n05_start_into_a_nursery_that_was_dropped_meanwhile() {
        let ran = Rc::new(Cell::new(false));
        let error = run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let ran = ran.clone();
            let start = handle.start(async move |started: Started<i32>| {
                ran.set(true);
                started.ready(1);
                sleep_forever().await
            })?;
            drop(slot.take());
            start.await
        })
        .unwrap_err();
        assert!(error.is::<NurseryClosed>(), "{error:?}");
        assert!(!ran.get());
    }

    /// The nursery goes while the child is on its way up: `ready` finds nowhere to go.
    #[test]
    fn n05_nursery_dropped_while_a_child_starts() {
        let dropped = Rc::new(Cell::new(0));
        let error = run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let (mine, count) = (slot.clone(), CountDrop(dropped.clone()));
            let start = handle.start(async move |started: Started<i32>| {
                let _count = count;
                yield_now().await?;
                drop(mine.take());
                started.ready(1);
                sleep_forever().await
            })?;
            start.await
        })
        .unwrap_err();
        assert!(error.is::<NurseryClosed>(), "{error:?}");
        assert_eq!(dropped.get(), 1);
    }

    /// `ready` is called by someone else, on a child that waits, for a nursery that was
    /// cancelled meanwhile: the child has to hear of it.
    #[test]
    fn n07_handed_to_a_cancelled_nursery_while_waiting() {
        let seen = Rc::new(Cell::new(false));
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let kept = Rc::new(RefCell::new(None));
            nursery(async |n| {
                let (seen, keep) = (seen.clone(), kept.clone());
                let start = handle.start(async move |started: Started<i32>| {
                    *keep.borrow_mut() = Some(started);
                    let outcome = sleep_forever().await;
                    seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                    outcome
                })?;
                let task = n.spawn(start);
                yield_now().await?;
                yield_now().await?;
                handle.cancel();
                let started: Started<i32> = kept.take().unwrap();
                started.ready(5);
                assert_eq!(task.await?, 5);
                Ok(())
            })
            .await?;
            slot.finish().await
        })
        .unwrap();
        assert!(seen.get(), "a checkpoint in a cancelled nursery fails");
    }

    /// The child waits inside of a foreign combinator when it is handed over. A cancellation of
    /// its nursery has to get through.
    #[test]
    fn n07_handed_over_while_inside_a_foreign_combinator() {
        let cancelled = Rc::new(Cell::new(0));
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let count = cancelled.clone();
            let start = handle.start(async move |started: Started<i32>| {
                let mut all = FuturesUnordered::<Boxed<'_>>::new();
                all.push(Box::pin(sleep_forever()));
                all.push(Box::pin(async move {
                    yield_now().await?;
                    started.ready(1);
                    sleep_forever().await
                }));
                while let Some(outcome) = all.next().await {
                    assert!(outcome.unwrap_err().is_cancelled());
                    count.set(count.get() + 1);
                }
                Ok(())
            })?;
            assert_eq!(start.await?, 1);
            handle.cancel();
            slot.finish().await
        })
        .unwrap();
        assert_eq!(cancelled.get(), 2);
    }

    /// `ready` called inside of a scope of the child's own: having left that, the child is in
    /// its nursery at once, not where the caller is.
    #[test]
    fn n07_ready_inside_of_a_scope() {
        let seen = Rc::new(Cell::new(false));
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let caller = CancelScope::new();
            let (outer, seen) = (caller.clone(), seen.clone());
            let start = handle.start(async move |started: Started<i32>| {
                cancel_scope(async |_| {
                    started.ready(1);
                    Ok(())
                })
                .await?;
                outer.cancel();
                checkpoint().await?; // the caller's scope is not the child's any more
                seen.set(true);
                Ok(())
            })?;
            assert_eq!(caller.enter(async |_| start.await).await?, Some(1));
            handle.cancel();
            slot.finish().await
        })
        .unwrap();
        assert!(seen.get());
    }
}

mod wakers {
    use super::*;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic_any("a waker");
        }
    }

    fn panicking() -> Waker {
        Arc::new(Panics).into()
    }

    /// A join operation that was polled with a waker that panics.
    #[test]
    fn n04_joiner_that_panics_when_the_nursery_is_dropped() {
        let dropped = Rc::new(Cell::new(0));
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let slot = Slot::default();
                let handle = open_nursery(&slot).await;
                let mut tasks = Vec::new();
                for _ in 0..3 {
                    let count = CountDrop(dropped.clone());
                    tasks.push(handle.spawn(async move {
                        let _count = count;
                        sleep_forever().await
                    })?);
                }
                assert!(slot.poll_once().await.is_pending());
                for task in &mut tasks {
                    let waker = panicking();
                    assert!(task.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
                }
                drop(slot.take());
                Ok(())
            })
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"a waker"));
        assert_eq!(dropped.get(), 3, "all the children were dropped all the same");
    }

    #[test]
    fn n08_joiner_that_panics_when_its_child_ends() {
        let sibling = Rc::new(Cell::new(false));
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(nursery(async |n| {
                let seen = sibling.clone();
                drop(n.spawn(async move {
                    let outcome = sleep_forever().await;
                    seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                    outcome
                }));
                let mut task = n.spawn(async { yield_now().await });
                let waker = panicking();
                assert!(task.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
                sleep_forever().await
            }))
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"a waker"));
        assert!(sibling.get(), "the sibling was cancelled and awaited");
    }
}

mod panics {
    use super::*;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic_any("in the payload's drop");
            }
        }
    }

    /// An error whose text cannot be had.
    #[derive(Debug)]
    struct Unprintable;

    impl std::fmt::Display for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic_any("in Display")
        }
    }

    impl std::error::Error for Unprintable {}

    /// The nursery asks a failure for its text, to say why the others are cancelled.
    #[test]
    fn n08_an_error_that_panics_when_it_is_printed() {
        for in_body in [false, true] {
            let sibling = Rc::new(Cell::new(false));
            let payload = catch_unwind(AssertUnwindSafe(|| {
                run(nursery(async |n| {
                    let seen = sibling.clone();
                    drop(n.spawn(async move {
                        let outcome = sleep_forever().await;
                        seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                        outcome
                    }));
                    yield_now().await?;
                    if in_body {
                        return Err(Unprintable.into());
                    }
                    drop(n.spawn(async { Err::<(), _>(Unprintable.into()) }));
                    sleep_forever().await
                }))
            }))
            .unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"in Display"));
            assert!(sibling.get(), "the sibling was cancelled and awaited");
        }
    }

    /// Only the first panic is passed on. The payloads of the others are dropped, which is
    /// foreign code too.
    #[test]
    fn n08_a_further_panic_whose_payload_panics_when_dropped() {
        let sibling = Rc::new(Cell::new(false));
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(nursery(async |n| {
                let seen = sibling.clone();
                drop(n.spawn(async move {
                    let outcome = sleep_forever().await;
                    yield_now().await.unwrap_err();
                    seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                    outcome
                }));
                drop(n.spawn::<_, ()>(async { panic_any("first") }));
                drop(n.spawn::<_, ()>(async { panic_any(PanicsWhenDropped) }));
                Ok(())
            }))
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"first"));
        assert!(sibling.get(), "the sibling was cancelled and awaited");
    }
}

/// Wakers whose wake does what a test tells it to, on the thread of the test.
mod hooks {
    use super::*;

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

    /// Ends what is left, and checks that it does end.
    async fn wind_up(does: Does, slot: &Slot, handle: &NurseryHandle) {
        assert_eq!(CALLS.get(), 1, "{does:?}: the waker was woken");
        handle.cancel();
        let gone = slot.0.borrow().is_none();
        let outcome = AssertUnwindSafe(slot.finish()).catch_unwind().await;
        // Where the panic came out depends on who called the waker.
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

    /// A join operation is polled with a foreign waker, which the child's end wakes.
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

    /// As above, and what ends the child is that its nursery is dropped.
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

    /// The drop of a waker is foreign code as well.
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
}

/// Dropped before it has ended.
mod dropped {
    use super::*;

    /// A nursery with something of everything in it, that ends after some twenty polls.
    async fn busy(dropped: &Rc<Cell<usize>>, made: &Rc<Cell<usize>>) -> Result<()> {
        let borrowed = Box::new(Cell::new(0));
        let new = || {
            made.set(made.get() + 1);
            CountDrop(dropped.clone())
        };
        let event = Event::new();
        nursery(async |n| {
            let _held = new();
            for i in 0..4 {
                let (held, borrowed) = (new(), &borrowed);
                drop(n.spawn(async move {
                    let _held = held;
                    for _ in 0..i * 2 {
                        borrowed.set(borrowed.get() + 1);
                        yield_now().await?;
                    }
                    Ok(())
                }));
            }
            let value = new();
            let task = n.spawn(async move {
                yield_now().await?;
                Ok(value)
            });
            yield_now().await?;
            drop(task.await?);
            let (held, event) = (new(), &event);
            n.start(async |started| {
                let _held = held;
                yield_now().await?;
                started.ready(());
                yield_now().await?;
                event.set();
                Ok(())
            })
            .await?;
            drop(n.spawn(async move {
                let inner = new();
                nursery(async |n| {
                    drop(n.spawn(async {
                        let _inner = inner;
                        event.wait().await
                    }));
                    cancel_scope(async |_| event.wait().await).await?;
                    Ok(())
                })
                .await
            }));
            event.wait().await?;
            n.cancel();
            checkpoint().await.unwrap_err();
            Ok(())
        })
        .await?;
        assert_eq!(borrowed.get(), 12);
        Ok(())
    }

    #[test]
    fn n04_at_any_time() {
        let mut ended = 0;
        for polls in 0..40 {
            for seed in [None, Some(1), Some(2)] {
                let (dropped, made) = (Rc::default(), Rc::default());
                let mut builder = Builder::new().clock(&VirtualClock::new()).budget(1);
                if let Some(seed) = seed {
                    builder = builder.seed(seed);
                }
                let outcome: Result<bool> = builder.run(nursery(async |n| {
                    // Somebody else who is always ready: a round of the scheduler for each poll.
                    drop(n.spawn(async {
                        loop {
                            yield_now().await?;
                        }
                        #[expect(unreachable_code)]
                        Ok(())
                    }));
                    let mut future = Box::pin(busy(&dropped, &made));
                    for _ in 0..polls {
                        let outcome = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                        if let Poll::Ready(outcome) = outcome {
                            outcome?;
                            n.cancel();
                            return Ok(true);
                        }
                        yield_now().await?;
                    }
                    drop(future);
                    assert_eq!(dropped.get(), made.get(), "after {polls} polls");
                    yield_now().await?;
                    n.cancel();
                    Ok(false)
                }));
                ended += usize::from(outcome.unwrap());
                assert_eq!(dropped.get(), made.get(), "after {polls} polls");
            }
        }
        assert!((30..90).contains(&ended), "the polls cover the whole run: {ended}");
    }

    /// What the main future owns is dropped while the runtime is there, or after it.
    #[test]
    fn n04_after_the_runtime() {
        for polls in 0..20 {
            let (dropped, made) = (Rc::default(), Rc::default());
            let mut future = Some(Box::pin(busy(&dropped, &made)));
            run(async {
                let polled = future.as_mut().unwrap();
                for _ in 0..polls {
                    if poll_fn(|cx| Poll::Ready(polled.as_mut().poll(cx))).await.is_ready() {
                        break;
                    }
                    yield_now().await?;
                }
                Ok(())
            })
            .unwrap();
            match polls % 2 {
                0 => drop(future.take()),
                _ => run(async {
                    yield_now().await?;
                    drop(future.take());
                    yield_now().await
                })
                .unwrap(),
            }
            assert_eq!(dropped.get(), made.get());
        }
    }

    /// The drop of a child uses everything there is to use of its own nursery and others.
    #[test]
    fn n04_the_drop_of_a_child_uses_the_nursery() {
        let late = Rc::new(Cell::new(0));
        let refused = Rc::new(Cell::new(0));
        run(async {
            let outer = CancelScope::new();
            let slot = Slot::default();
            let (scope, late, refused) = (outer.clone(), late.clone(), refused.clone());
            slot.put(nursery(async move |n: &Nursery<'_, '_>| {
                for _ in 0..3 {
                    let (scope, late, refused) = (scope.clone(), late.clone(), refused.clone());
                    drop(n.spawn(async move {
                        let _uses = OnDrop(move || {
                            let count = CountDrop(late.clone());
                            // Is dropped like those that were there before, without being polled.
                            let task = n.spawn(async move {
                                let _count = count;
                                unreachable!("a child of a nursery that is being dropped")
                            });
                            drop::<Task<'_, ()>>(task);
                            scope.cancel();
                            n.cancel();
                            assert!(!n.handle().is_open());
                            let future = n.handle().spawn(async { Ok(5) }).unwrap_err();
                            let value = future.into_inner().now_or_never();
                            assert_eq!(value.unwrap().unwrap(), 5);
                            assert!(n.handle().start(async |_: Started<()>| Ok(())).is_err());
                            drop(n.start(async |started| {
                                started.ready(());
                                Ok(())
                            }));
                            refused.set(refused.get() + 1);
                        });
                        sleep_forever().await
                    }));
                }
                sleep_forever().await
            }));
            outer
                .enter(async |_| {
                    assert!(slot.poll_once().await.is_pending());
                    yield_now().await?;
                    assert!(slot.poll_once().await.is_pending());
                    drop(slot.take());
                    checkpoint().await
                })
                .await?;
            assert!(outer.cancelled_caught(), "the drop has cancelled it");
            Ok(())
        })
        .unwrap();
        assert_eq!((late.get(), refused.get()), (3, 3));
    }

    /// Panics in drops: all the others are dropped, and the first panic is passed on.
    #[test]
    fn n08_children_that_panic_when_the_nursery_is_dropped() {
        let dropped = Rc::new(Cell::new(0));
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let slot = Slot::default();
                let handle = open_nursery(&slot).await;
                let mut tasks = Vec::new();
                for i in 0..4 {
                    let count = CountDrop(dropped.clone());
                    tasks.push(handle.spawn(async move {
                        let _count = count;
                        let _panics = OnDrop(move || panic_any(i));
                        sleep_forever().await
                    })?);
                }
                assert!(slot.poll_once().await.is_pending());
                yield_now().await?;
                assert!(slot.poll_once().await.is_pending());
                drop(slot.take());
                Ok(())
            })
        }))
        .unwrap_err();
        assert!(payload.is::<i32>());
        assert_eq!(dropped.get(), 4);
    }

    /// The main future panics, and what it owns is dropped on the way.
    #[test]
    fn n08_dropped_while_panicking() {
        let dropped = Rc::new(Cell::new(0));
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let slot = Slot::default();
                let handle = open_nursery(&slot).await;
                let count = CountDrop(dropped.clone());
                drop(handle.spawn(async move {
                    let _count = count;
                    let _panics = OnDrop(|| panic_any("second"));
                    sleep_forever().await
                })?);
                assert!(slot.poll_once().await.is_pending());
                yield_now().await?;
                assert!(slot.poll_once().await.is_pending());
                let _slot = slot;
                panic_any("first");
                #[expect(unreachable_code)]
                Ok(())
            })
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"first"));
        assert_eq!(dropped.get(), 1);
    }
}

/// Polled from here and from there.
mod hosts {
    use super::*;

    /// Moved between tasks: whoever polled it last is woken.
    #[test]
    fn n04_moved_between_tasks() {
        let ended_in = Rc::new(Cell::new(0));
        run(async {
            let event = Rc::new(Event::new());
            let slot = Slot::default();
            let wait = event.clone();
            slot.put(nursery(async move |n: &Nursery<'_, '_>| {
                let wait = &wait;
                // The clone is made in the body, and moved into the child.
                let mine = Rc::clone(wait);
                drop(n.spawn(async move { mine.wait().await }));
                Ok(())
            }));
            nursery(async |n| {
                for _ in 0..3 {
                    n.spawn(async {
                        assert!(slot.poll_once().await.is_pending());
                        yield_now().await
                    })
                    .await?;
                }
                assert!(slot.poll_once().await.is_pending());
                drop(n.spawn(async {
                    slot.finish().await?;
                    ended_in.set(2);
                    Ok(())
                }));
                yield_now().await?;
                yield_now().await?;
                event.set();
                Ok(())
            })
            .await
        })
        .unwrap();
        assert_eq!(ended_in.get(), 2);
    }

    /// It is under the scope of whoever polls it: a cancellation there reaches it, one where it
    /// was before does not.
    #[test]
    fn n04_moved_between_scopes() {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let (first, second) = (CancelScope::new(), CancelScope::new());
            first
                .enter(async |_| {
                    assert!(slot.poll_once().await.is_pending());
                    Ok(())
                })
                .await?;
            first.cancel();
            let outcome = second
                .enter(async |scope| {
                    assert!(slot.poll_once().await.is_pending());
                    assert!(handle.is_open());
                    scope.cancel();
                    slot.finish().await
                })
                .await?;
            assert_eq!(outcome, None);
            assert!(second.cancelled_caught());
            assert!(!handle.is_open());
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn n04_outside_of_run() {
        let never = nursery(async |_| Ok(())).now_or_never().unwrap();
        assert!(never.unwrap_err().is::<NotRunning>());

        let slot = Slot::default();
        let dropped = Rc::new(Cell::new(0));
        run(async {
            let handle = open_nursery(&slot).await;
            let count = CountDrop(dropped.clone());
            drop(handle.spawn(async move {
                let _count = count;
                sleep_forever().await
            })?);
            assert!(slot.poll_once().await.is_pending());
            Ok(())
        })
        .unwrap();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            slot.poll(&mut Context::from_waker(Waker::noop())).is_ready()
        }))
        .unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.contains("outside of `seedbed::run`"), "{text}");
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn n04_in_a_second_run() {
        for in_child in [false, true] {
            let slot = Slot::default();
            let dropped = Rc::new(Cell::new(0));
            let mut kept = None;
            run(async {
                let handle = open_nursery(&slot).await;
                let count = CountDrop(dropped.clone());
                drop(handle.spawn(async move {
                    let _count = count;
                    sleep(Duration::from_secs(1)).await
                })?);
                assert!(slot.poll_once().await.is_pending());
                kept = Some(handle);
                Ok(())
            })
            .unwrap();
            let handle = kept.unwrap();
            assert!(handle.is_open());
            let payload = catch_unwind(AssertUnwindSafe(|| {
                run(nursery(async |n| {
                    // Goes to the old nursery, which is never polled, so it is dropped with it.
                    let count = CountDrop(dropped.clone());
                    let task = handle.spawn(async move {
                        let _count = count;
                        unreachable!("in the nursery of another run")
                    })?;
                    drop::<Task<'_, ()>>(task);
                    handle.cancel();
                    if in_child {
                        drop(n.spawn(async { slot.finish().await }));
                        sleep_forever().await
                    } else {
                        slot.finish().await
                    }
                }))
            }))
            .unwrap_err();
            let text = payload.downcast_ref::<String>().unwrap();
            assert!(text.contains("entered in another `seedbed::run`"), "{text}");
            assert_eq!(dropped.get(), 2);
            assert!(!handle.is_open());
        }
    }

    /// A handle's child is made where nothing runs.
    #[test]
    fn n04_spawned_outside_of_run() {
        let slot = Slot::default();
        let mut kept = None;
        run(async {
            kept = Some(open_nursery(&slot).await);
            Ok(())
        })
        .unwrap();
        let dropped = Rc::new(Cell::new(0));
        let count = CountDrop(dropped.clone());
        let mut task = kept
            .take()
            .unwrap()
            .spawn(async move {
                let _count = count;
                Ok(1)
            })
            .unwrap();
        let outcome = task.poll_unpin(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(outcome, Poll::Ready(Err(error)) if error.is::<NotRunning>()));
        drop(slot.take());
        assert_eq!(dropped.get(), 1);
        assert!(task.is_finished());
    }

    #[test]
    fn n04_join_all_of_nurseries() {
        let sum = run(async {
            // More than thirty: `join_all` makes a `FuturesUnordered` of them.
            let nurseries = (0..50).map(|i| {
                nursery(async move |n: &Nursery<'_, '_>| {
                    let one = n.spawn(async move {
                        sleep(Duration::from_secs(50 - i)).await?;
                        Ok(i)
                    });
                    let two = n.spawn(async move {
                        yield_now().await?;
                        Ok(1)
                    });
                    Ok(one.await? + two.await?)
                })
            });
            join_all(nurseries).await.into_iter().sum::<Result<u64>>()
        });
        assert_eq!(sum.unwrap(), 50 * 49 / 2 + 50);
    }

    #[test]
    fn n04_cancelled_inside_of_futures_unordered() {
        let (cancelled, value) = (Cell::new(0), Cell::new(0));
        run(async {
            nursery(async |n| {
                let scope = n.scope();
                let mut all: FuturesUnordered<_> = (0..10)
                    .map(|_| {
                        nursery(async |n| {
                            for _ in 0..3 {
                                drop(n.spawn(async {
                                    let outcome = sleep_forever().await;
                                    cancelled.set(cancelled.get() + 1);
                                    outcome
                                }));
                            }
                            value.set(value.get() + 1);
                            Ok(())
                        })
                    })
                    .collect();
                drop(n.spawn(async move {
                    sleep(Duration::from_secs(1)).await?;
                    scope.cancel();
                    Ok(())
                }));
                while let Some(outcome) = all.next().await {
                    assert!(outcome.unwrap_err().is::<Cancelled>());
                }
                Ok(())
            })
            .await
        })
        .unwrap();
        assert_eq!((cancelled.get(), value.get()), (30, 10));
    }

    /// The loser of a `select` is dropped with what it borrows from.
    #[test]
    fn n04_the_loser_of_a_select() {
        let dropped = Rc::new(Cell::new(0));
        run(async {
            for _ in 0..3 {
                let borrowed = [1, 2, 3].map(|_| CountDrop(dropped.clone()));
                let slow = pin!(nursery(async |n| {
                    for count in &borrowed {
                        drop(n.spawn(async move {
                            loop {
                                count.0.set(count.0.get());
                                yield_now().await?;
                            }
                            #[expect(unreachable_code)]
                            Ok(())
                        }));
                    }
                    sleep_forever().await
                }));
                let fast = pin!(async {
                    for _ in 0..5 {
                        yield_now().await?;
                    }
                    Ok::<_, Error>(())
                });
                let futures::future::Either::Right((outcome, _)) = select(slow, fast).await else {
                    panic!("the nursery runs for ever")
                };
                outcome?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(dropped.get(), 9);
    }

    /// A nursery in a foreign wrapper that drops it when it is cancelled.
    #[test]
    fn n04_inside_of_cancellable() {
        let dropped = Rc::new(Cell::new(0));
        run(async {
            cancel_scope(async |scope| {
                let count = CountDrop(dropped.clone());
                cancellable(nursery(async move |n: &Nursery<'_, '_>| {
                    drop(n.spawn(async move {
                        let _count = count;
                        scope.cancel();
                        pending::<Result<()>>().await // heeds no cancellation
                    }));
                    Ok(())
                }))
                .await?
            })
            .await?;
            Ok(())
        })
        .unwrap();
        assert_eq!(dropped.get(), 1);
    }
}

/// Things that outlive what they belong to.
mod afterwards {
    use super::*;

    /// Wakers of everything that has one, from a nursery that has ended.
    fn wakers_of_an_ended_nursery() -> Vec<Waker> {
        let wakers = RefCell::new(Vec::new());
        run(async {
            nursery(async |n| {
                note_waker(&wakers).await;
                for _ in 0..3 {
                    let task = n.spawn(async {
                        note_waker(&wakers).await;
                        Ok(())
                    });
                    join_all([async {
                        note_waker(&wakers).await;
                        task.await
                    }])
                    .await
                    .pop()
                    .unwrap()?;
                }
                Ok(())
            })
            .await?;
            let waking = wakers.borrow().clone();
            wake_twice(&waking);
            yield_now().await
        })
        .unwrap();
        wakers.into_inner()
    }

    fn wake_twice(wakers: &[Waker]) {
        for waker in wakers {
            waker.wake_by_ref();
            let clone = waker.clone();
            drop(waker.clone());
            clone.wake();
        }
    }

    #[test]
    fn n04_wakers_after_run() {
        let wakers = wakers_of_an_ended_nursery();
        assert_eq!(wakers.len(), 7);
        wake_twice(&wakers);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| wake_twice(&wakers));
            }
        });
    }

    /// For a later `run` they are spurious wakes at the most, in whose table they may stand for
    /// somebody else.
    #[test]
    fn n04_wakers_during_a_later_run() {
        let wakers = wakers_of_an_ended_nursery();
        let polls = Cell::new(0);
        run(async {
            nursery(async |n| {
                for _ in 0..10 {
                    drop(n.spawn(async {
                        let mut sleep = pin!(sleep(Duration::from_secs(1)));
                        poll_fn(|cx| {
                            polls.set(polls.get() + 1);
                            sleep.as_mut().poll(cx)
                        })
                        .await
                    }));
                }
                for _ in 0..3 {
                    yield_now().await?;
                    wake_twice(&wakers);
                    thread::scope(|s| s.spawn(|| wake_twice(&wakers)).join()).unwrap();
                }
                Ok(())
            })
            .await
        })
        .unwrap();
        assert!(polls.get() >= 20, "everybody was polled, and bore a spurious wake: {polls:?}");
    }

    fn keep_twenty(wakers: &mut Vec<Waker>, waker: Waker) {
        wakers.push(waker);
        if wakers.len() > 20 {
            wakers.remove(0);
        }
    }

    /// Woken all the time by another thread, while the runtime comes and goes.
    #[test]
    fn n04_wakers_from_another_thread_all_the_time() {
        let wakers: std::sync::Mutex<Vec<Waker>> = Default::default();
        let runs = AtomicUsize::new(0);
        thread::scope(|s| {
            s.spawn(|| {
                while runs.load(Ordering::Relaxed) < 200 {
                    let waking = wakers.lock().unwrap().clone();
                    wake_twice(&waking);
                }
            });
            for _ in 0..200 {
                let sum = run(async {
                    nursery(async |n| {
                        let tasks: Vec<_> = (0..5)
                            .map(|i| {
                                let wakers = &wakers;
                                n.spawn(async move {
                                    let waker = own_waker().await;
                                    keep_twenty(&mut wakers.lock().unwrap(), waker);
                                    // Not a sleep: the virtual clock moves only when nothing is woken.
                                    for _ in 0..i {
                                        yield_now().await?;
                                    }
                                    Ok(i)
                                })
                            })
                            .collect();
                        let mut sum = 0;
                        for task in tasks {
                            sum += task.await?;
                        }
                        Ok(sum)
                    })
                    .await
                });
                runs.fetch_add(1, Ordering::Relaxed);
                assert_eq!(sum.unwrap(), 10);
            }
        });
    }

    /// A number's generation has twenty bits. After so many reuses an old waker may wake a
    /// stranger, who has to bear it.
    #[test]
    fn n04_a_million_generations_of_wakers() {
        let generations = (1 << 20) + 10;
        let ran = Cell::new(0);
        run(async {
            nursery(async |n| {
                let mut first = None;
                for i in 0..generations {
                    let ran = &ran;
                    let task = n.spawn(async move {
                        ran.set(ran.get() + 1);
                        if i == 0 {
                            return Ok(Some(own_waker().await));
                        }
                        if i + 20 > generations {
                            yield_now().await?;
                        }
                        Ok(None)
                    });
                    if let Some(first) = &first
                        && i + 20 > generations
                    {
                        Waker::wake_by_ref(first);
                    }
                    let waker = task.await?;
                    first = first.or(waker);
                }
                Ok(())
            })
            .await
        })
        .unwrap();
        assert_eq!(ran.get(), generations);
    }

    /// A `'static` child's value waits in its handle for as long as that is kept.
    #[test]
    fn n04_a_task_that_outlives_its_nursery() {
        let dropped = Rc::new(Cell::new(0));
        let mut tasks = Vec::new();
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            for _ in 0..3 {
                let count = CountDrop(dropped.clone());
                tasks.push(handle.spawn(async move { Ok(count) })?);
            }
            assert!(slot.poll_once().await.is_pending());
            yield_now().await?;
            handle.cancel();
            slot.finish().await?;
            assert!(tasks.iter().all(Task::is_finished));
            assert_eq!(dropped.get(), 0);
            drop(tasks.pop().unwrap().await?);
            assert_eq!(dropped.get(), 1);
            Ok(())
        })
        .unwrap();
        run(async {
            drop(tasks.pop().unwrap().await?);
            assert_eq!(dropped.get(), 2);
            Ok(())
        })
        .unwrap();
        drop(tasks);
        assert_eq!(dropped.get(), 3);
    }

    /// Its nursery was dropped: there is no value, and there never will be.
    #[test]
    fn n04_a_task_whose_nursery_was_dropped() {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let task = handle.spawn(sleep_forever())?;
            drop(slot.take());
            assert!(task.is_finished());
            let error = task.await.unwrap_err();
            let why = error.downcast_ref::<Cancelled>().expect("why there is no value");
            assert_eq!(
                why.reason(),
                &seedbed::Reason::Requested(Some("its nursery was dropped".into()))
            );
            Ok(())
        })
        .unwrap();
    }

    /// Keeps things until the thread ends, and what is dropped then uses the crate once more.
    struct Keep(RefCell<Vec<Box<dyn FnOnce()>>>);

    impl Drop for Keep {
        fn drop(&mut self) {
            for last in self.0.take() {
                last();
            }
        }
    }

    thread_local! {
        static KEEP: Keep = const { Keep(RefCell::new(Vec::new())) };
    }

    fn at_the_end(last: impl FnOnce() + 'static) {
        KEEP.with(|keep| keep.0.borrow_mut().push(Box::new(last)));
    }

    static DESTROYED: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn n04_in_the_destructors_of_thread_locals() {
        let thread = thread::spawn(|| {
            at_the_end(|| ()); // before the crate has touched any thread-local of its own
            run(async {
                let slot = Slot::default();
                let handle = open_nursery(&slot).await;
                let task = handle.spawn(sleep_forever())?;
                let done = handle.spawn(async { Ok(String::from("value")) })?;
                let start = handle.start(async |started: Started<()>| {
                    started.ready(());
                    sleep_forever().await
                })?;
                let scope = handle.scope();
                let waker = own_waker().await;
                yield_now().await?;
                assert!(slot.poll_once().await.is_pending());
                at_the_end(move || {
                    let mut cx = Context::from_waker(Waker::noop());
                    waker.wake_by_ref();
                    scope.cancel();
                    assert!(scope.cancel_called());
                    let mut late = handle.spawn(async { Ok(1) }).unwrap();
                    let outcome = late.poll_unpin(&mut cx);
                    assert!(matches!(outcome, Poll::Ready(Err(error)) if error.is::<NotRunning>()));
                    drop((start, task, done));
                    drop(slot.take());
                    assert!(!handle.is_open());
                    waker.wake();
                    DESTROYED.fetch_add(1, Ordering::SeqCst);
                });
                at_the_end(|| {
                    assert_eq!(run(async { nursery(async |_| Ok(3)).await }).unwrap(), 3);
                    DESTROYED.fetch_add(1, Ordering::SeqCst);
                });
                Ok(())
            })
            .unwrap();
        });
        thread.join().unwrap();
        assert_eq!(DESTROYED.load(Ordering::SeqCst), 2);
    }
}

/// Tests that leak on purpose. Only under the sanitizer does it matter where they are.
mod leaks {
    use super::*;
    use std::mem::forget;

    /// Polls a nursery a few times and forgets it, then goes, and with it what its children
    /// borrow: the attack on the first `std::thread::scoped`.
    async fn forget_a_nursery(
        polls: usize,
        wakers: &Rc<RefCell<Vec<Waker>>>,
        ran: &Rc<Cell<usize>>,
    ) -> Result<()> {
        let borrowed = Box::new(Cell::new(0));
        let event = Event::new();
        let mut future = Box::pin(nursery(async |n| {
            note_waker(wakers).await;
            for _ in 0..3 {
                drop(n.spawn(async {
                    note_waker(wakers).await;
                    loop {
                        ran.set(ran.get() + 1);
                        borrowed.set(borrowed.get() + 1);
                        yield_now().await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                }));
            }
            drop(n.spawn(async {
                note_waker(wakers).await;
                event.wait().await
            }));
            drop(n.spawn(async {
                note_waker(wakers).await;
                sleep(Duration::from_secs(1)).await
            }));
            let inner = n.spawn(async move {
                let inner = nursery(async |n| {
                    note_waker(wakers).await;
                    n.spawn(sleep_forever()).await
                });
                join_all([inner]).await.pop().unwrap()
            });
            inner.await
        }));
        for _ in 0..polls {
            assert!(poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await.is_pending());
            yield_now().await?;
        }
        forget(future);
        Ok(())
    }

    #[test]
    fn n04_a_forgotten_nursery() {
        for polls in [0, 1, 2, 3, 10, 100] {
            let wakers = Rc::new(RefCell::new(Vec::new()));
            let ran = Rc::new(Cell::new(0));
            let wake = |wakers: &RefCell<Vec<Waker>>| {
                for waker in &*wakers.borrow() {
                    waker.wake_by_ref();
                }
                let remote = wakers.borrow().clone();
                thread::scope(|s| {
                    s.spawn(move || remote.into_iter().for_each(Waker::wake)).join().unwrap();
                });
            };
            let mut before = 0;
            run(async {
                cancel_scope(async |scope| {
                    forget_a_nursery(polls, &wakers, &ran).await?;
                    before = ran.get();
                    for _ in 0..3 {
                        wake(&wakers);
                        yield_now().await?;
                    }
                    sleep(Duration::from_secs(2)).await?; // their timer fires
                    scope.cancel(); // reaches the scopes that they left
                    checkpoint().await
                })
                .await?;
                yield_now().await
            })
            .unwrap();
            wake(&wakers);
            run(async {
                nursery(async |n| {
                    for _ in 0..10 {
                        wake(&wakers);
                        n.spawn(yield_now()).await?;
                    }
                    Ok(())
                })
                .await
            })
            .unwrap();
            assert_eq!(ran.get(), before, "a forgotten child is never polled again");
            assert!(polls < 3 || ran.get() >= polls && wakers.borrow().len() >= 6);
        }
    }

    /// Forgotten inside of a child, whose nursery goes on, is cancelled, and ends.
    #[test]
    fn n04_forgotten_inside_of_a_child() {
        for polls in [0, 1, 2, 5] {
            let (wakers, ran) = (Rc::default(), Rc::default());
            let before = run(async {
                nursery(async |n| {
                    let (wakers, ran) = (&wakers, &ran);
                    n.spawn(async move { forget_a_nursery(polls, wakers, ran).await }).await?;
                    let before = ran.get();
                    for waker in wakers.borrow().iter() {
                        waker.wake_by_ref();
                    }
                    n.cancel();
                    checkpoint().await.unwrap_err();
                    Ok(before)
                })
                .await
            })
            .unwrap();
            assert_eq!(ran.get(), before);
        }
    }

    /// A scope that was forgotten while it was open stays in the tree, below whatever it is
    /// below, and may be cancelled, shielded and given deadlines.
    #[test]
    fn n04_forgotten_scopes() {
        let mut scopes = Vec::new();
        run(async {
            for depth in 0..3 {
                let outer = CancelScope::new();
                outer
                    .enter(async |outer| {
                        nursery(async |_| {
                            let mut forgotten = Vec::new();
                            for i in 0..4 {
                                let scope = CancelScope::new().with_timeout(Duration::from_secs(i));
                                let mut future = Box::pin(scope.enter(async |scope| {
                                    nursery(async |n| {
                                        drop(n.spawn(sleep_forever()));
                                        scope.set_shield(i == 2);
                                        sleep_forever().await
                                    })
                                    .await
                                }));
                                let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx)));
                                drop(polled.await);
                                forget(future);
                                forgotten.push(scope);
                            }
                            if depth == 1 {
                                outer.cancel();
                            }
                            scopes.extend(forgotten);
                            Ok(())
                        })
                        .await?;
                        sleep(Duration::from_secs(2)).await
                    })
                    .await?;
                for scope in &scopes {
                    scope.set_shield(!scope.shield());
                    scope.set_timeout(Duration::from_secs(3));
                }
                sleep(Duration::from_secs(5)).await?;
            }
            Ok(())
        })
        .unwrap();
        for scope in &scopes {
            scope.set_shield(false);
            scope.set_timeout(Duration::ZERO);
            scope.cancel();
            assert!(scope.cancel_called());
            let _ = scope.deadline();
        }
    }

    /// A scope forgotten below a nursery that has gone while it was the current one.
    #[test]
    fn n04_forgotten_scope_below_a_nursery_that_was_dropped_from_inside() {
        let scope = CancelScope::new();
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let (mine, inner) = (slot.clone(), scope.clone());
            let child = async move |started: Started<()>| {
                started.ready(());
                drop(mine.take());
                let mut future = Box::pin(inner.enter(async |_| sleep_forever().await));
                drop(poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await);
                forget(future);
                Ok(())
            };
            handle.start(child)?.await?;
            drop(handle);
            yield_now().await?;
            scope.set_shield(true);
            scope.set_shield(false);
            Ok(())
        })
        .unwrap();
        scope.cancel();
        assert!(scope.cancel_called());
    }

    /// A `start` that was forgotten: its child can still be handed over, and runs then.
    #[test]
    fn n04_a_forgotten_start() {
        let ran = Rc::new(Cell::new(0));
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let kept = Rc::new(RefCell::new(None));
            let (keep, count) = (kept.clone(), ran.clone());
            let mut start = Box::pin(handle.start(async move |started: Started<()>| {
                *keep.borrow_mut() = Some(started);
                loop {
                    count.set(count.get() + 1);
                    yield_now().await?;
                }
                #[expect(unreachable_code)]
                Ok(())
            })?);
            for _ in 0..3 {
                assert!(poll_fn(|cx| Poll::Ready(start.as_mut().poll(cx))).await.is_pending());
                yield_now().await?;
            }
            forget(start);
            let before = ran.get();
            for _ in 0..3 {
                assert!(slot.poll_once().await.is_pending());
                yield_now().await?;
            }
            assert_eq!(ran.get(), before);
            let started: Started<()> = kept.take().unwrap();
            started.ready(());
            for _ in 0..3 {
                assert!(slot.poll_once().await.is_pending());
                yield_now().await?;
            }
            assert!(ran.get() > before, "it is in the nursery now");
            drop(slot.take());
            Ok(())
        })
        .unwrap();
    }

    /// Operations forgotten in the middle: the event and the child know nothing of it.
    #[test]
    fn n04_forgotten_operations() {
        run(async {
            let event = Event::new();
            nursery(async |n| {
                for _ in 0..3 {
                    let mut wait = Box::pin(event.wait());
                    assert!(poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await.is_pending());
                    // The wait borrows the event, so it has to be a part of something leaked.
                    let mut task = Box::pin(n.spawn(async { Ok(String::from("never read")) }));
                    assert!(poll_fn(|cx| Poll::Ready(task.as_mut().poll(cx))).await.is_pending());
                    forget(wait);
                    forget(task);
                }
                Ok(())
            })
            .await?;
            event.set();
            event.wait().await
        })
        .unwrap();
    }

    /// A child that owns the nursery it is handed to: a circle like one of `Rc`s, which leaks,
    /// and holds up nobody.
    #[test]
    fn n04_a_child_that_owns_its_nursery() {
        let handle = run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let child = async move |started: Started<i32>| {
                let mut nursery = slot.take().unwrap();
                drop(poll_fn(|cx| Poll::Ready(nursery.as_mut().poll(cx))).await);
                started.ready(1);
                drop(poll_fn(|cx| Poll::Ready(nursery.as_mut().poll(cx))).await);
                let _ = seedbed::current_effective_deadline();
                nursery.await
            };
            assert_eq!(handle.start(child)?.await?, 1);
            handle.cancel();
            yield_now().await?;
            Ok(handle)
        })
        .unwrap();
        handle.scope().set_shield(true);
        assert!(handle.is_open());
    }
}
