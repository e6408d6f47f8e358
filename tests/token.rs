//! R4 and C14: what other threads may do to a run.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CallRefused, CancelHandle, CancelScope, Cancelled, Event, NotRunning, Reason, Refusal,
    Result, Token, cancel_scope, cancellable, checkpoint, nursery, run, sleep, sleep_forever,
    to_thread, yield_now,
};

thread_local! {
    /// What a closure that is sent to this thread's run finds here: it cannot bring it along.
    static FOUND: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static DONE: RefCell<Option<Rc<Event>>> = const { RefCell::new(None) };
}

/// An event of this thread that closures sent to it set with [`done`].
fn expect_done() -> Rc<Event> {
    let event = Rc::new(Event::new());
    DONE.set(Some(event.clone()));
    event
}

fn done() {
    DONE.with_borrow(|done| done.as_ref().unwrap().set());
}

#[test]
fn r04_a_token_is_for_the_run_of_this_thread() {
    assert!(Token::current().unwrap_err().is::<NotRunning>());
    let (first, second) = (run(async { Token::current() }), run(async { Token::current() }));
    assert_ne!(first.unwrap(), second.unwrap());
}

#[test]
fn r04_closures_run_on_the_reactors_thread_in_order() {
    FOUND.take();
    run(async {
        let event = expect_done();
        let token = Token::current()?;
        let home = thread::current().id();
        thread::spawn(move || {
            for i in 0..1000 {
                token
                    .run_sync_soon(move || {
                        assert_eq!(thread::current().id(), home);
                        FOUND.with_borrow_mut(|found| found.push(i));
                    })
                    .unwrap();
            }
            token.run_sync_soon(done).unwrap();
        });
        event.wait().await
    })
    .unwrap();
    assert_eq!(FOUND.take(), (0..1000).collect::<Vec<_>>());
}

/// As in Trio, where `run_sync_soon` is there for the same thread too, and never runs at once.
#[test]
fn r04_from_the_reactors_own_thread_it_comes_later() {
    FOUND.take();
    run(async {
        let event = expect_done();
        Token::current()?.run_sync_soon(|| {
            FOUND.with_borrow_mut(|found| found.push(2));
            done();
        })?;
        FOUND.with_borrow_mut(|found| found.push(1));
        event.wait().await
    })
    .unwrap();
    assert_eq!(FOUND.take(), [1, 2]);
}

#[test]
fn r04_a_value_comes_back_from_a_function_and_from_a_task() {
    run(async {
        let token = Token::current()?;
        let home = thread::current().id();
        let thread = thread::spawn(move || {
            let there = token.run_sync(|| thread::current().id()).unwrap();
            let slept = token.run(async || {
                // Not `Send`, and held over an await.
                let here = Rc::new(thread::current().id());
                sleep(Duration::from_millis(1)).await?;
                Ok(*here)
            });
            let failed =
                token.run(async || -> Result<()> { Err(seedbed::Error::msg("out of paper")) });
            token.run_sync_soon(done).unwrap();
            (there, slept.unwrap().unwrap(), failed.unwrap().unwrap_err().to_string())
        });
        expect_done().wait().await?;
        let (there, slept, failed) = thread.join().unwrap();
        assert_eq!((there, slept), (home, home));
        assert!(failed.contains("out of paper"), "{failed}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn r04_a_panic_resumes_in_the_thread_that_asked() {
    run(async {
        let event = expect_done();
        let token = Token::current()?;
        let thread = thread::spawn(move || {
            let payloads = [
                catch_unwind(AssertUnwindSafe(|| token.run_sync(|| panic!("one")).unwrap_or(()))),
                catch_unwind(AssertUnwindSafe(|| {
                    let outcome = token.run(async || -> Result<()> { panic!("two") });
                    drop(outcome);
                })),
            ];
            token.run_sync_soon(done).unwrap();
            payloads.map(|payload| *payload.unwrap_err().downcast::<&str>().unwrap())
        });
        event.wait().await?;
        assert_eq!(thread.join().unwrap(), ["one", "two"]);
        Ok(())
    })
    .unwrap();
}

/// Nobody waits for it, so it is the run's: as the panic of a child is its nursery's.
#[test]
fn r04_a_panic_of_a_closure_that_nobody_waits_for_comes_out_of_run() {
    let cleaned_up = Cell::new(false);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            let token = Token::current()?;
            thread::spawn(move || token.run_sync_soon(|| panic!("nobody waits")));
            let outcome = sleep_forever().await;
            cleaned_up.set(outcome.is_err_and(|error| error.is_cancelled()));
            Ok(())
        })
    }))
    .unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "nobody waits");
    assert!(cleaned_up.get(), "the main future was cancelled first");
}

#[test]
fn r04_after_the_run_the_closure_comes_back() {
    let token = run(async { Token::current() }).unwrap();
    let secret = String::from("kept");
    let refused = token.run_sync_soon(move || drop(secret)).unwrap_err();
    assert_eq!(refused.error().why(), Refusal::RunFinished);
    assert_eq!(refused.error().place().file(), file!());
    assert!(refused.to_string().contains("came too late"), "{refused}");
    refused.into_inner()();

    let secret = String::from("kept");
    let refused = token.run_sync(move || secret).unwrap_err();
    assert_eq!(refused.into_inner()(), "kept");
    let secret = String::from("kept");
    let refused = token.run(async move || Ok(secret)).unwrap_err();
    let again = refused.into_inner();
    assert_eq!(run(again()).unwrap(), "kept");
    let error = seedbed::Error::from(token.run_sync(|| ()).unwrap_err());
    assert_eq!(error.find::<CallRefused>().unwrap().why(), Refusal::RunFinished);
}

/// A later run on the same thread has a token of its own.
#[test]
fn r04_a_token_is_not_good_for_a_later_run() {
    let old = run(async { Token::current() }).unwrap();
    run(async {
        assert!(old.run_sync_soon(|| panic!("a stranger's")).is_err());
        checkpoint().await
    })
    .unwrap();
}

/// What was accepted is called: the main future ends while calls are coming in.
#[test]
fn r04_what_was_accepted_is_called_also_at_the_end() {
    for _ in 0..200 {
        FOUND.take();
        let (start, started) = mpsc::channel();
        let thread = run(async {
            let token = Token::current()?;
            let thread = thread::spawn(move || {
                started.recv().unwrap();
                let count = || FOUND.with_borrow_mut(|found| found.push(1));
                let mut accepted = 0;
                while token.run_sync_soon(count).is_ok() {
                    accepted += 1;
                }
                accepted
            });
            start.send(())?;
            yield_now().await?;
            Ok(thread)
        })
        .unwrap();
        assert_eq!(thread.join().unwrap(), FOUND.take().len());
    }
}

/// As Trio's `from_thread.run`, whose task is cancelled when the main task has ended.
#[test]
fn r04_a_task_is_cancelled_when_the_main_future_has_ended_and_is_waited_for() {
    FOUND.take();
    let thread = run(async {
        let event = expect_done();
        let token = Token::current()?;
        let thread = thread::spawn(move || {
            token.run(async || {
                done();
                let outcome = sleep_forever().await;
                let clean_up = CancelScope::new().with_shield();
                clean_up.enter(async |_| sleep(Duration::from_millis(1)).await).await?;
                FOUND.with_borrow_mut(|found| found.push(1));
                outcome
            })
        });
        event.wait().await?;
        Ok(thread)
    })
    .unwrap();
    assert_eq!(FOUND.take(), [1], "`run` has waited for the clean-up");
    let error = thread.join().unwrap().unwrap().unwrap_err();
    assert_eq!(error.find::<Cancelled>().unwrap().reason(), &Reason::Shutdown);
}

#[test]
fn r04_a_task_that_comes_when_the_main_future_has_ended_is_refused() {
    thread_local!(static THREAD: RefCell<Option<thread::JoinHandle<String>>> = const { RefCell::new(None) });
    run(async {
        let token = Token::current()?;
        // Runs when the main future has ended: the task is asked for then, and waited for, or the
        // run would be over before the question came.
        let generator = seedbed::generator(async move |y: seedbed::Yielder<u32>| {
            let outcome = y.yield_(1).await;
            let clean_up = CancelScope::new().with_shield();
            clean_up
                .enter(async |_| {
                    let (ask, asked) = futures::channel::oneshot::channel::<()>();
                    let thread = thread::spawn(move || {
                        let refused = token.run(async || Ok(String::new())).unwrap_err();
                        drop(ask);
                        refused.to_string()
                    });
                    let _ = cancellable(asked).await?;
                    THREAD.set(Some(thread));
                    Ok(())
                })
                .await?;
            outcome.map(drop)
        });
        let mut generator = Box::pin(generator);
        generator.as_mut().anext().await?;
        std::mem::forget(generator);
        Ok(())
    })
    .unwrap();
    let refused = THREAD.take().unwrap().join().unwrap();
    assert!(refused.contains("came too late"), "{refused}");
}

/// In Trio it is a `RuntimeError`: this function blocks.
#[test]
fn r04_waiting_for_an_answer_is_refused_where_a_run_is_going_on() {
    run(async {
        let token = Token::current()?;
        let refused = token.run_sync(|| 1).unwrap_err();
        assert_eq!(refused.error().why(), Refusal::WouldBlock);
        assert_eq!(refused.into_inner()(), 1);
        let refused = token.run(async || Ok(1)).unwrap_err();
        assert_eq!(refused.error().why(), Refusal::WouldBlock);
        assert!(refused.to_string().contains("to_thread"), "{refused}");
        // Another run's thread must not wait for this one's either.
        thread::spawn(move || {
            run(async move {
                assert_eq!(token.run_sync(|| 1).unwrap_err().error().why(), Refusal::WouldBlock);
                Ok(())
            })
        })
        .join()
        .unwrap()
    })
    .unwrap();
}

/// Whoever waits for an answer gets one when the run fails in itself.
#[test]
fn r04_a_run_that_ends_in_an_error_answers_too() {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let token: Token = receiver.recv().unwrap();
        while token.run_sync(|| ()).is_ok() {}
        token.run(async || Ok(1)).map(drop).unwrap_err().error().why()
    });
    let error = Builder::new()
        .detect_deadlock(true)
        .run(async {
            sender.send(Token::current()?)?;
            sleep_forever().await
        })
        .unwrap_err();
    assert!(error.is::<seedbed::Deadlock>());
    assert_eq!(thread.join().unwrap(), Refusal::RunFinished);
}

#[test]
fn r04_closures_that_come_without_pause_starve_nobody() {
    let stop = Arc::new(Mutex::new(false));
    run(async {
        let token = Token::current()?;
        let (stopped, threads) = (stop.clone(), 2);
        let barrier = Arc::new(Barrier::new(threads));
        for _ in 0..threads {
            let (barrier, stopped) = (barrier.clone(), stopped.clone());
            thread::spawn(move || {
                barrier.wait();
                while !*stopped.lock().unwrap() && token.run_sync_soon(|| ()).is_ok() {}
            });
        }
        nursery(async |n| {
            n.spawn(async {
                for _ in 0..1000 {
                    yield_now().await?;
                }
                Ok(())
            });
            sleep(Duration::from_millis(5)).await
        })
        .await
    })
    .unwrap();
    *stop.lock().unwrap() = true;
}

/// The queue itself, with real threads: more of them than there are processors, so that some are
/// preempted in the middle of leaving a call. What counts is that none is lost or overtaken.
#[test]
fn r04_calls_of_many_threads_come_in_the_order_of_each() {
    const THREADS: usize = 16;
    const CALLS: usize = 2000;
    thread_local! {
        /// How many calls of each thread have been made.
        static MADE: RefCell<[usize; THREADS]> = const { RefCell::new([0; THREADS]) };
    }
    run(async {
        let event = expect_done();
        let token = Token::current()?;
        for thread in 0..THREADS {
            thread::spawn(move || {
                for call in 0..CALLS {
                    let made = move || {
                        MADE.with_borrow_mut(|made| {
                            assert_eq!(made[thread], call);
                            made[thread] += 1;
                            if *made == [CALLS; THREADS] {
                                done();
                            }
                        })
                    };
                    token.run_sync_soon(made).unwrap();
                }
            });
        }
        event.wait().await
    })
    .unwrap();
}

/// The run falls asleep after each call, and each must wake it: several threads each leave their
/// next call only when the last one has been made.
#[test]
fn r04_each_call_wakes_a_run_that_falls_asleep() {
    const THREADS: u32 = 4;
    const CALLS: u32 = 2000;
    FOUND.take();
    run(async {
        let token = Token::current()?;
        nursery(async |n| {
            for _ in 0..THREADS {
                n.spawn(to_thread(move || {
                    for call in 0..CALLS {
                        assert_eq!(token.run_sync(move || call).unwrap(), call);
                    }
                    token.run_sync_soon(|| FOUND.with_borrow_mut(|found| found.push(1))).unwrap();
                }));
            }
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(FOUND.take().len(), THREADS as usize);
}

/// Cancels from a thread of its own, and waits until that has been done.
fn cancel_elsewhere(handle: CancelHandle) {
    thread::spawn(move || handle.cancel()).join().unwrap();
}

#[test]
fn c14_another_thread_cancels_a_scope_that_waits() {
    run(async {
        let scope = CancelScope::new();
        let handle = scope.cancel_handle();
        let thread = Cell::new(None);
        let outcome = scope
            .enter(async |_| {
                thread.set(Some(thread::spawn(move || handle.cancel_with("superseded"))));
                let error = sleep_forever().await.unwrap_err();
                let why = error.find::<Cancelled>().unwrap();
                assert_eq!(why.reason(), &Reason::Requested(Some("superseded".into())));
                assert_eq!(why.cancelled_by().unwrap().file(), file!());
                Err::<(), _>(error)
            })
            .await?;
        assert_eq!(outcome, None);
        assert!(scope.cancel_called() && scope.cancelled_caught());
        thread.take().unwrap().join().unwrap();
        Ok(())
    })
    .unwrap();
}

#[test]
fn c14_another_thread_cancels_a_scope_that_never_waits() {
    run(async {
        let none: Option<()> = cancel_scope(async |scope| {
            let handle = scope.cancel_handle();
            thread::spawn(move || handle.cancel());
            loop {
                checkpoint().await?;
            }
        })
        .await?;
        assert_eq!(none, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c14_another_thread_cancels_a_scope_before_it_is_entered() {
    let scope = CancelScope::new(); // where nothing runs
    cancel_elsewhere(scope.cancel_handle());
    assert!(scope.cancel_called());
    run(async {
        assert_eq!(scope.enter(async |_| checkpoint().await).await?, None);
        assert!(scope.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

#[test]
fn c14_after_the_scope_was_left_or_its_run_has_ended_it_has_no_effect() {
    let handle = run(async {
        let scope = CancelScope::new();
        let handle = scope.cancel_handle();
        assert_eq!(scope.enter(async |_| Ok(1)).await?, Some(1));
        cancel_elsewhere(handle.clone());
        checkpoint().await?;
        assert!(!scope.cancel_called(), "it had been left");
        cancel_elsewhere(scope.cancel_handle()); // one that was made too late
        assert!(!scope.cancel_called());
        // A scope that is never left, as it is leaked.
        let leaked = CancelScope::new();
        let leaked_handle = leaked.cancel_handle();
        let mut entered = Box::pin(leaked.enter(async |_| sleep_forever().await));
        nursery(async |n| {
            n.spawn(async move {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(entered.as_mut().poll(&mut cx).is_pending());
                std::mem::forget(entered);
                Ok(())
            });
            Ok(())
        })
        .await?;
        drop(handle);
        Ok(leaked_handle)
    })
    .unwrap();
    cancel_elsewhere(handle.clone());
    run(async { checkpoint().await }).unwrap();
    handle.cancel();
}

/// Between the call and the moment when the scope learns of it, the scope is left: it keeps its
/// value, and what is around it is not touched.
#[test]
fn c14_a_scope_that_is_left_before_it_hears_of_it_keeps_its_value() {
    run(async {
        let scope = CancelScope::new();
        let handle = scope.cancel_handle();
        let value = scope
            .enter(async |_| {
                cancel_elsewhere(handle);
                Ok(1) // no checkpoint in between
            })
            .await?;
        assert_eq!(value, Some(1));
        assert!(scope.cancel_called(), "it was asked for while the scope was open");
        assert!(!scope.cancelled_caught());
        checkpoint().await
    })
    .unwrap();
}

#[test]
fn c14_a_graceful_cancellation_from_another_thread() {
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .run(async {
            let scope = CancelScope::new();
            let handle = scope.cancel_handle();
            let outcome = scope
                .enter(async |_| {
                    thread::spawn(move || handle.cancel_gracefully(Duration::from_secs(5)))
                        .join()
                        .unwrap();
                    seedbed::finishing(sleep(Duration::from_secs(1))).await?;
                    assert!(checkpoint().await.is_err());
                    let error = seedbed::finishing(sleep_forever()).await.unwrap_err();
                    assert_eq!(error.find::<Cancelled>().unwrap().reason(), &Reason::GraceOver);
                    Ok(())
                })
                .await?;
            assert_eq!(outcome, Some(()));
            Ok(())
        })
        .unwrap();
    assert_eq!(clock.elapsed(), Duration::from_secs(5));
}

/// A full cancellation after a graceful one goes further; a graceful one after a full one is
/// nothing, and neither is the same again, a million times.
#[test]
fn c14_the_first_of_each_level_counts() {
    run(async {
        let scope = CancelScope::new();
        let handle = scope.cancel_handle();
        let outcome = scope
            .enter(async |_| {
                thread::spawn(move || {
                    handle.cancel_gracefully(Duration::from_secs(3600));
                    for _ in 0..1_000_000 {
                        handle.cancel_with("now");
                        handle.cancel_gracefully(Duration::from_secs(1));
                    }
                })
                .join()
                .unwrap();
                let error = seedbed::finishing(sleep_forever()).await.unwrap_err();
                let why = error.find::<Cancelled>().unwrap();
                assert_eq!(why.reason(), &Reason::Requested(Some("now".into())));
                Err::<(), _>(error)
            })
            .await?;
        assert_eq!(outcome, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c14_a_nurserys_scope_too() {
    run(async {
        nursery(async |n| {
            let handle = n.scope().cancel_handle();
            for _ in 0..10 {
                n.spawn(sleep_forever());
            }
            thread::spawn(move || handle.cancel());
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn r02_a_million_wakes_of_a_busy_thread_are_one_poll() {
    run(async {
        let polls = Rc::new(Cell::new(0u32));
        nursery(async |n| {
            let counted = polls.clone();
            let mut begun = false;
            n.spawn(cancellable(std::future::poll_fn(move |cx| {
                counted.set(counted.get() + 1);
                if std::mem::replace(&mut begun, true) {
                    return std::task::Poll::Ready(());
                }
                let waker = cx.waker().clone();
                // This thread waits meanwhile, and looks at nothing.
                thread::spawn(move || (0..1_000_000).for_each(|_| waker.wake_by_ref()))
                    .join()
                    .unwrap();
                std::task::Poll::Pending
            })));
            Ok(())
        })
        .await?;
        assert_eq!(polls.get(), 2);
        Ok(())
    })
    .unwrap();
}

fn _handles_are_send_and_sync() {
    fn check<T: Send + Sync + Copy>() {}
    check::<Token>();
    fn check_handle<T: Send + Sync + Clone + 'static>() {}
    check_handle::<CancelHandle>();
}
