//! R10: foreign code may panic, call back and drop whatever it likes, wherever it runs. Here
//! wakers, errors, payloads, hooks, subscribers and thread-locals each do what a hostile or unlucky
//! program could do. `tests/fuzz/foreign.rs` does all of it at random.

use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use cooked_waker::{IntoWaker, WakeRef};
use futures::Stream;
use seedbed::testing::VirtualClock;
use seedbed::{
    AsyncgenHooks, Builder, CancelScope, CapacityLimiter, Error, Event, Group, Result, Started,
    Stuck, Token, Yielder, cancel_scope, channel, finishing, generator, get_asyncgen_hooks,
    nursery, set_asyncgen_hooks, sleep, sleep_forever, sync_generator, yield_now,
};

type Boxed = Pin<Box<dyn Future<Output = Result<()>>>>;

#[track_caller]
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(&VirtualClock::new()).ctrl_c(false).detect_deadlock(true).run(main)
}

/// A payload that panics when it is dropped, and so does what that throws.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any(Bomb)
        }
    }
}

mod wakers {
    use super::*;

    thread_local! {
        static ON_CLONE: RefCell<Option<Box<dyn FnOnce()>>> = RefCell::default();
        static PARKED: RefCell<Option<Boxed>> = RefCell::default();
    }

    /// Its clone calls what is in `ON_CLONE`.
    struct Cloned;

    impl Clone for Cloned {
        fn clone(&self) -> Cloned {
            if let Some(hook) = ON_CLONE.take() {
                hook();
            }
            Cloned
        }
    }

    impl WakeRef for Cloned {
        fn wake_by_ref(&self) {}
    }

    impl cooked_waker::Wake for Cloned {}

    fn cloned() -> Waker {
        Box::new(Cloned).into_waker()
    }

    fn poll(future: &mut Boxed, waker: &Waker) -> Poll<Result<()>> {
        future.as_mut().poll(&mut Context::from_waker(waker))
    }

    /// A cancellation calls the nursery's host, whose waker's clone drops the nursery.
    #[test]
    fn r10_a_waker_whose_clone_drops_the_nursery_that_is_cancelled() {
        run(async {
            let scope = Rc::new(RefCell::new(None));
            let kept = scope.clone();
            let mut future: Boxed = Box::pin(nursery(async move |n| {
                *kept.borrow_mut() = Some(n.scope());
                for _ in 0..8 {
                    drop(n.spawn(sleep_forever()));
                }
                sleep_forever().await
            }));
            let waker = cloned();
            assert!(poll(&mut future, &waker).is_pending());
            assert!(poll(&mut future, &waker).is_pending());
            PARKED.set(Some(future));
            ON_CLONE.set(Some(Box::new(|| drop(PARKED.take()))));
            scope.take().unwrap().cancel();
            ON_CLONE.take();
            drop(PARKED.take());
            Ok(())
        })
        .unwrap();
    }

    /// While one is cloned, what it is cloned for comes: nobody would wake the operation any more.
    #[test]
    fn r10_a_waker_whose_clone_brings_what_is_waited_for() {
        run(async {
            let (event, limiter) = (Rc::new(Event::new()), CapacityLimiter::new(0));
            let (sender, receiver) = channel(1);
            let hook = {
                let (event, limiter) = (event.clone(), limiter.clone());
                move || {
                    event.set();
                    limiter.set_total(1);
                    sender.try_send(7).unwrap();
                }
            };
            ON_CLONE.set(Some(Box::new(hook)));
            let waker = cloned();
            let mut cx = Context::from_waker(&waker);
            let mut received = std::pin::pin!(receiver.recv());
            let Poll::Ready(message) = received.as_mut().poll(&mut cx) else {
                panic!("the message is there, and nobody else takes it")
            };
            assert_eq!(message?, Some(7));
            assert!(std::pin::pin!(event.wait()).poll(&mut cx).is_ready());
            assert!(std::pin::pin!(limiter.acquire()).poll(&mut cx).is_ready());
            Ok(())
        })
        .unwrap();
    }

    /// Cancelled while its waker is cloned, it has not been told by that cancellation.
    #[test]
    fn r10_a_waker_whose_clone_cancels() {
        run(async {
            cancel_scope(async |scope| {
                let scope = scope.clone();
                ON_CLONE.set(Some(Box::new(move || scope.cancel())));
                let mut waiting: Boxed = Box::pin(sleep(Duration::from_secs(1)));
                let waker = cloned();
                // Either it fails at once, or it is polled again for the wake.
                let _ = poll(&mut waiting, &waker);
                let again = poll(&mut waiting, &waker);
                assert!(matches!(again, Poll::Ready(Err(_))));
                Ok(())
            })
            .await
            .map(drop)
        })
        .unwrap();
    }

    /// Panics when the last one is dropped.
    struct Dropped;

    impl Wake for Dropped {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Dropped {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic_any("the waker's drop");
            }
        }
    }

    #[test]
    fn r10_a_waker_that_panics_when_it_is_dropped_frees_no_place_twice() {
        run(async {
            let (sender, receiver) = channel::<u32>(0);
            cancel_scope(async |scope| {
                let mut waiting = Box::pin(receiver.recv());
                let waker = Waker::from(Arc::new(Dropped));
                assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                drop(waker);
                std::future::poll_fn(|cx| {
                    assert!(waiting.as_mut().poll(cx).is_pending()); // with its task's own waker
                    Poll::Ready(())
                })
                .await;
                scope.cancel();
                std::future::poll_fn(|cx| {
                    let polled = catch_unwind(AssertUnwindSafe(|| waiting.as_mut().poll(cx)));
                    assert_eq!(
                        *polled.unwrap_err().downcast::<&str>().unwrap(),
                        "the waker's drop"
                    );
                    Poll::Ready(())
                })
                .await;
                drop(waiting);
                Ok(())
            })
            .await?;
            nursery(async |n| {
                let waiting: Vec<_> = (0..2).map(|_| n.spawn(receiver.recv())).collect();
                yield_now().await?;
                sender.close();
                for task in waiting {
                    assert_eq!(task.await?, None);
                }
                Ok(())
            })
            .await
        })
        .unwrap();
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic_any("a waker")
        }
    }

    /// Polls it with a waker that panics.
    fn wait(future: &mut (impl Future + Unpin)) {
        let waker = Waker::from(Arc::new(Panics));
        assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
    }

    fn caught(f: impl FnOnce()) {
        let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("the panic is passed on");
        assert_eq!(*payload.downcast::<&str>().unwrap(), "a waker");
    }

    #[test]
    fn r10_whoever_is_served_with_one_whose_waker_panics_is_served() {
        run(async {
            let (event, limiter) = (Event::new(), CapacityLimiter::new(0));
            let (sender, receiver) = channel::<u32>(0);
            let mut first = (event.wait(), limiter.acquire(), Box::pin(receiver.recv()));
            wait(&mut first.0);
            wait(&mut first.1);
            wait(&mut first.2);
            nursery(async |n| {
                let rest =
                    (n.spawn(event.wait()), n.spawn(limiter.acquire()), n.spawn(receiver.recv()));
                yield_now().await?;
                caught(|| event.set());
                caught(|| limiter.set_total(2));
                caught(|| sender.close());
                rest.0.await?;
                drop(rest.1.await?);
                assert_eq!(rest.2.await?, None);
                Ok(())
            })
            .await
        })
        .unwrap();
    }

    #[test]
    fn r10_a_message_is_not_lost_to_the_panic_of_its_senders_waker() {
        run(async {
            let (sender, receiver) = channel(0);
            let mut sending = sender.send(7);
            wait(&mut sending);
            caught(|| {
                let _ = receiver.try_recv();
            });
            assert_eq!(receiver.try_recv().unwrap(), 7);
            Ok(())
        })
        .unwrap();
    }

    /// A permit that is had at once, by an operation whose waker was cloned in vain.
    #[test]
    fn r10_a_permit_is_not_lost_to_the_drop_of_a_waker() {
        struct InVain(CapacityLimiter, Rc<Cell<bool>>);
        impl Clone for InVain {
            fn clone(&self) -> InVain {
                self.0.set_total(1); // there is one by now
                InVain(self.0.clone(), self.1.clone())
            }
        }
        // `cooked_waker` asks for what can be sent, so they are in a thread's variable.
        thread_local!(static IN_VAIN: RefCell<Option<InVain>> = const { RefCell::new(None) });
        struct Kept(bool);
        impl Clone for Kept {
            fn clone(&self) -> Kept {
                IN_VAIN.with_borrow(|kept| drop(kept.clone()));
                Kept(true)
            }
        }
        impl Drop for Kept {
            fn drop(&mut self) {
                if self.0 {
                    panic_any("a clone's drop")
                }
            }
        }
        impl WakeRef for Kept {
            fn wake_by_ref(&self) {}
        }
        impl cooked_waker::Wake for Kept {}
        run(async {
            let limiter = CapacityLimiter::new(0);
            IN_VAIN.set(Some(InVain(limiter.clone(), Rc::default())));
            let waker = Box::new(Kept(false)).into_waker();
            let mut acquire = limiter.acquire();
            let polled = Pin::new(&mut acquire).poll(&mut Context::from_waker(&waker));
            let Poll::Ready(permit) = polled else { panic!("there is a permit") };
            drop(permit?);
            assert_eq!(limiter.borrowed(), 0);
            Ok(())
        })
        .unwrap();
        IN_VAIN.take();
    }

    #[test]
    fn r10_wakers_that_throw_what_panics_when_it_is_dropped() {
        struct Bombs;
        impl Wake for Bombs {
            fn wake(self: Arc<Self>) {
                panic_any(Bomb)
            }
        }
        run(async {
            let scope = CancelScope::new();
            let handle = scope.clone();
            scope
                .enter(async |_| {
                    let waker = Waker::from(Arc::new(Bombs));
                    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(sleep_forever())).collect();
                    for wait in &mut waiting {
                        let mut cx = Context::from_waker(&waker);
                        assert!(wait.as_mut().poll(&mut cx).is_pending());
                    }
                    let payload = catch_unwind(AssertUnwindSafe(|| handle.cancel())).unwrap_err();
                    assert!(payload.is::<Bomb>());
                    std::mem::forget(payload);
                    Ok(())
                })
                .await
                .map(drop)
        })
        .unwrap();
    }

    /// What other threads were promised is called, though a waker panics before.
    #[test]
    fn r10_calls_that_were_taken_are_made_though_a_waker_panics() {
        let called = Rc::new(Cell::new(false));
        thread_local!(static CALLED: RefCell<Option<Rc<Cell<bool>>>> = const { RefCell::new(None) });
        CALLED.set(Some(called.clone()));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let token = Token::current()?;
                // A nursery whose host panics when it is woken, by another thread.
                let inner = Rc::new(RefCell::new(None));
                let keep = inner.clone();
                let mut parked: Boxed = Box::pin(nursery(async move |_| {
                    std::future::poll_fn(|cx| {
                        *keep.borrow_mut() = Some(cx.waker().clone());
                        Poll::<Result<()>>::Pending
                    })
                    .await
                }));
                let host = Waker::from(Arc::new(Panics));
                assert!(poll(&mut parked, &host).is_pending());
                let unit = inner.take().expect("the body was polled");
                thread::spawn(move || {
                    unit.wake();
                    let call = || CALLED.with_borrow(|called| called.as_ref().unwrap().set(true));
                    token.run_sync_soon(call).unwrap();
                })
                .join()
                .unwrap();
                sleep_forever().await
            })
        }));
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "a waker");
        assert!(called.get());
        CALLED.take();
    }
}

mod errors {
    use super::*;

    /// What its `source` is.
    #[derive(Debug)]
    enum Odd {
        ItsOwn,
        Panics,
    }

    impl fmt::Display for Odd {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("odd")
        }
    }

    impl StdError for Odd {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            match self {
                Odd::ItsOwn => Some(self),
                Odd::Panics => panic_any("source"),
            }
        }
    }

    #[test]
    fn r10_an_error_that_is_its_own_cause_is_an_error_like_any_other() {
        let error = run(nursery(async |_| Err::<(), _>(Odd::ItsOwn.into()))).unwrap_err();
        assert!(error.find::<Odd>().is_some());
        assert!(error.find::<fmt::Error>().is_none());
        let circle = format!("{error:?}").matches("caused by").count();
        assert!(circle < 5, "it is told that it goes round in a circle by its end: {circle}");
    }

    #[test]
    fn r10_an_error_whose_source_panics_is_a_failure_like_any_other() {
        struct Fails(Rc<Cell<bool>>);
        impl Drop for Fails {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        impl Future for Fails {
            type Output = Result<()>;
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                Poll::Ready(Err(Odd::Panics.into()))
            }
        }
        let dropped = Rc::new(Cell::new(false));
        let error = run(async {
            nursery(async |n| {
                n.scope().cancel_gracefully(Duration::from_secs(5));
                drop(n.spawn(Fails(dropped.clone())));
                finishing(sleep(Duration::from_secs(1))).await
            })
            .await
        })
        .unwrap_err();
        assert!(error.as_group().is_some_and(|group| group.errors().next().unwrap().is::<Odd>()));
        assert!(dropped.get());
    }

    /// Groups in groups, with an error in the innermost.
    fn nested(depth: usize) -> Error {
        let mut error = Error::from(fmt::Error);
        run(async {
            for _ in 0..depth {
                error = nursery(async |_| {
                    Err::<(), _>(std::mem::replace(&mut error, Error::msg("taken")))
                })
                .await
                .unwrap_err();
            }
            Ok(())
        })
        .unwrap();
        error
    }

    #[test]
    fn r10_groups_may_be_nested_as_deep_as_one_likes() {
        let error = nested(5000);
        assert!(error.find::<fmt::Error>().is_some());
        assert_eq!(error.to_string().matches("1 failure in the nursery").count(), 5000);
        assert!(format!("{error:?}").contains("1 failure in the nursery"));
        let (found, rest) = error.split(Error::is::<fmt::Error>);
        assert!(rest.is_none());
        let mut depth = 0;
        let mut next = found;
        while let Some(error) = next.take() {
            next = error.downcast::<Group>().ok().and_then(|group| group.into_errors().next());
            depth += usize::from(next.is_some());
        }
        assert_eq!(depth, 5000);
        drop(nested(5000));
    }
}

mod payloads {
    use super::*;

    /// A child's destructor throws it, while the nursery is dropped by another panic.
    #[test]
    fn r10_a_payload_that_panics_when_a_nursery_is_dropped_while_unwinding() {
        struct Child;
        impl Drop for Child {
            fn drop(&mut self) {
                panic_any(Bomb)
            }
        }
        let caught = catch_unwind(|| {
            run(async {
                let mut future: Boxed = Box::pin(nursery(async |n| {
                    let child = Child;
                    drop(n.spawn(async move {
                        let _child = child;
                        sleep_forever().await
                    }));
                    sleep_forever().await
                }));
                for _ in 0..2 {
                    let _ = futures::poll!(&mut future);
                    yield_now().await?;
                }
                if true {
                    panic_any("main");
                }
                Ok(())
            })
        });
        assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "main");
    }

    #[test]
    fn r10_a_sync_generator_whose_body_panics_gives_the_budget_back() {
        let turns = Rc::new(Cell::new(0));
        run(nursery(async |n| {
            let others = turns.clone();
            n.spawn(async move {
                loop {
                    others.set(others.get() + 1);
                    yield_now().await?;
                }
                #[expect(unreachable_code, reason = "it says what the task's value is")]
                Ok(())
            });
            let mut panics = sync_generator(async |_: Yielder<()>| panic_any("a body"));
            assert!(catch_unwind(AssertUnwindSafe(|| panics.next())).is_err());
            for _ in 0..1000 {
                seedbed::checkpoint().await?; // each counts
            }
            assert!(turns.get() > 0, "they let others run");
            n.cancel();
            Ok(())
        }))
        .unwrap();
    }
}

mod ends {
    use super::*;

    /// Iterates a generator once and drops it while it is suspended.
    pub fn drop_a_suspended_generator() {
        let mut numbers = Box::pin(generator(async |y: Yielder<i32>| {
            y.yield_(1).await?;
            Ok(())
        }));
        let polled = numbers.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    }

    #[test]
    fn r10_a_generator_dropped_in_the_last_call_of_a_run() {
        struct Last(Token);
        impl Drop for Last {
            fn drop(&mut self) {
                self.0.run_sync_soon(drop_a_suspended_generator).unwrap();
            }
        }
        let outcome = run(async {
            let _last = Last(Token::current()?);
            Event::new().wait().await
        });
        assert!(outcome.unwrap_err().is::<seedbed::Deadlock>());
    }

    /// Runs something with a generator when it is dropped, and says how that went.
    struct Runs(std::sync::mpsc::Sender<Result<Option<i32>>>);

    impl Drop for Runs {
        fn drop(&mut self) {
            let outcome = run(async {
                let mut numbers = generator(async |y: Yielder<i32>| {
                    y.yield_(1).await?;
                    Ok(())
                });
                numbers.anext().await
            });
            self.0.send(outcome).unwrap();
        }
    }

    #[test]
    fn r10_a_run_in_the_destructor_of_a_thread_local() {
        thread_local!(static AT_END: RefCell<Option<Runs>> = const { RefCell::new(None) });
        let (sender, outcome) = std::sync::mpsc::channel();
        thread::spawn(move || {
            AT_END.set(Some(Runs(sender)));
            // Initialized after it, so it is destroyed before.
            drop(get_asyncgen_hooks());
        })
        .join()
        .unwrap();
        assert_eq!(outcome.recv().unwrap().unwrap(), Some(1));
    }

    #[test]
    fn r10_a_run_in_the_destructor_of_a_hook() {
        let (sender, outcome) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let owned = Runs(sender);
            let first_iter = move |_: &str, _| {
                let _ = &owned;
            };
            let hooks = AsyncgenHooks { first_iter: Some(Rc::new(first_iter)), finalizer: None };
            drop(set_asyncgen_hooks(hooks));
        })
        .join()
        .unwrap();
        assert_eq!(outcome.recv().unwrap().unwrap(), Some(1));
    }
}

/// These forget something on purpose.
mod leaks {
    use super::ends::drop_a_suspended_generator;
    use super::*;

    #[test]
    fn r10_a_generator_dropped_by_a_payload_that_a_run_discards() {
        struct Payload(Arc<std::sync::atomic::AtomicBool>);
        impl Drop for Payload {
            fn drop(&mut self) {
                drop_a_suspended_generator();
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let dropped = Arc::default();
        let payload = Payload(Arc::clone(&dropped));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let mut numbers = generator(async |y: Yielder<i32>| {
                    let _ = y.yield_(1).await;
                    panic_any(payload)
                });
                numbers.anext().await?;
                std::mem::forget(numbers);
                if true {
                    panic_any("main");
                }
                Ok(())
            })
        }));
        assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "main");
        assert!(dropped.load(std::sync::atomic::Ordering::Relaxed));
    }

    /// It keeps its nursery open for ever, as nobody can tell whether it will be awaited. That is
    /// said.
    #[test]
    fn r10_a_start_that_was_forgotten_is_stuck() {
        let error = Builder::new()
            .clock(&VirtualClock::new())
            .ctrl_c(false)
            .fail_when_stuck(true)
            .run(nursery(async |n| {
                let start = n.handle().start(async |started: Started<()>| {
                    started.ready(());
                    Ok(())
                })?;
                std::mem::forget(start);
                Ok(())
            }))
            .unwrap_err();
        assert!(error.is::<Stuck>());
        assert!(error.to_string().contains("`start`"), "{error}");
    }
}
