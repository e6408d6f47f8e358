//! Blocking work on other threads: row R3 of what the crate promises.
//!
//! Threads and tests wait for each other through channels; nothing sleeps to let something happen.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::Poll;
use std::thread;

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CapacityLimiter, Deadlock, Error, Event, NotRunning, Result, Stuck, Token, Yielder,
    cancel_scope, cancellable, checkpoint, current_default_thread_limiter, generator,
    move_on_after, now, nursery, sleep, sleep_forever, to_thread, yield_now,
};
use support::{catching, poll_once, recording, said, secs, shielded};

mod support;

/// A job that says when it has begun, and goes on when it is told to, or when nobody can tell it
/// any more.
struct Gate {
    begun: oneshot::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

/// The gate, and what the job calls to stand at it.
fn gate() -> (Gate, impl FnOnce() + Send + 'static) {
    let (begin, begun) = oneshot::channel();
    let (go_on, told) = mpsc::channel();
    let stand = move || {
        let _ = begin.send(());
        let _ = told.recv();
    };
    (Gate { begun, go_on }, stand)
}

impl Gate {
    async fn begun(&mut self) -> Result<()> {
        cancellable(&mut self.begun).await?.map_err(Error::from)
    }

    fn open(self) {
        self.go_on.send(()).unwrap();
    }
}

/// Runs on a virtual clock, and fails where it would hang, or where something is stuck.
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    run_on(&VirtualClock::new(), main)
}

fn run_on<T>(clock: &VirtualClock, main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(clock).detect_deadlock(true).fail_when_stuck(true).run(main)
}

#[test]
fn r03_the_value_comes_back_from_another_thread() {
    run(async {
        let here = thread::current().id();
        let (there, sum) = to_thread(move || (thread::current().id(), 1 + 1)).await?;
        assert_ne!(there, here);
        assert_eq!(sum, 2);
        // What is sent and what comes back need not be copied.
        let text = String::from("moved");
        assert_eq!(to_thread(move || text + " twice").await?, "moved twice");
        // An error of the function is a value.
        let error = to_thread(|| "x".parse::<u8>()).await?.unwrap_err();
        assert_eq!(error.to_string(), "invalid digit found in string");
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_others_run_meanwhile() {
    run(async {
        let (mut gate, stand) = gate();
        let rounds = Cell::new(0);
        nursery(async |n| {
            let work = n.spawn(to_thread(stand));
            n.spawn(async {
                gate.begun().await?;
                for _ in 0..1000 {
                    rounds.set(rounds.get() + 1);
                    yield_now().await?;
                }
                gate.open();
                Ok(())
            });
            work.await?;
            assert_eq!(rounds.get(), 1000);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn r03_a_panic_resumes_in_the_caller_with_its_own_payload() {
    struct Payload(u32);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            to_thread(|| resume_unwind(Box::new(Payload(7)))).await?;
            Ok(())
        })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref::<Payload>().unwrap().0, 7);

    // The permit is given back, and the thread is none the worse.
    run(async {
        let text = catching(to_thread(|| panic!("a panic for a test"))).await.unwrap_err();
        assert_eq!(text, "a panic for a test");
        assert_eq!(current_default_thread_limiter()?.borrowed(), 0);
        assert_eq!(to_thread(|| 3).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_in_a_cancelled_scope_nothing_starts() {
    run(async {
        let begun = Arc::new(AtomicUsize::new(0));
        let error = cancel_scope(async |scope| {
            scope.cancel();
            let begun = begun.clone();
            let error = to_thread(move || begun.fetch_add(1, Ordering::SeqCst)).await.unwrap_err();
            Ok(error)
        })
        .await?
        .unwrap();
        assert!(error.is_cancelled());
        // The function is dropped, not started.
        assert_eq!(Arc::strong_count(&begun), 1);
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_outside_of_run_it_is_an_error() {
    let mut future = pin!(to_thread(|| 1));
    let error = futures::executor::block_on(&mut future).unwrap_err();
    assert!(error.is::<NotRunning>());
    assert!(current_default_thread_limiter().unwrap_err().is::<NotRunning>());
}

#[test]
fn r03_cancellation_does_not_abandon_the_work() {
    run(async {
        let (mut gate, stand) = gate();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let work = n.spawn(async {
                    let value = to_thread(move || {
                        stand();
                        "done"
                    })
                    .await?;
                    // It has happened; the cancellation is raised by what comes next.
                    assert!(checkpoint().await.unwrap_err().is_cancelled());
                    Ok(value)
                });
                gate.begun().await?;
                scope.cancel();
                assert!(yield_now().await.unwrap_err().is_cancelled());
                assert!(!work.is_finished());
                shielded(yield_now()).await?;
                assert!(!work.is_finished());
                gate.open();
                shielded(work).await
            })
            .await
        })
        .await?;
        assert_eq!(outcome, Some("done"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_a_cancelled_scope_that_waits_for_a_thread_is_not_stuck() {
    run(async {
        let value = cancel_scope(async |scope| {
            let scope = scope.cancel_handle();
            to_thread(move || {
                scope.cancel();
                for _ in 0..10 {
                    // After each the run has nothing to do, and looks for what is stuck.
                    Token::current().unwrap().run_sync(|| ()).unwrap();
                }
                "done"
            })
            .await
        })
        .await?;
        assert_eq!(value, Some("done"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_only_what_asks_for_it_is_abandoned() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let (mut gate, stand) = gate();
        let (kept, gone) = mpsc::channel::<()>();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let work = to_thread(move || {
                    stand();
                    kept
                });
                let work = n.spawn(work.limiter(&limiter).abandon_on_cancel(true));
                gate.begun().await?;
                scope.cancel();
                work.await
            })
            .await
        })
        .await?;
        assert!(outcome.is_none());
        // The thread goes on, and keeps its permit.
        assert_eq!(gone.try_recv(), Err(mpsc::TryRecvError::Empty));
        assert_eq!(limiter.borrowed(), 1);
        gate.open();
        let _permit = limiter.acquire().await?;
        // Its value is not kept for anybody.
        assert_eq!(gone.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_what_may_be_abandoned_returns_its_value_where_it_is_not() {
    run(async {
        assert_eq!(to_thread(|| 5).abandon_on_cancel(true).await?, 5);
        let undecided = to_thread(|| 6).abandon_on_cancel(true).abandon_on_cancel(false);
        assert_eq!(undecided.await?, 6);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_a_panic_of_abandoned_work_is_reported_and_not_raised() {
    let (outcome, records) = recording(|| {
        run(async {
            let limiter = CapacityLimiter::new(1);
            let (mut gate, stand) = gate();
            let work = to_thread(move || {
                stand();
                panic!("nobody waits for this");
            });
            let mut work = work.limiter(&limiter).abandon_on_cancel(true);
            assert!(poll_once(&mut work).await.is_none());
            gate.begun().await?;
            drop(work);
            gate.open();
            let _ended = limiter.acquire().await?;
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].level, tracing::Level::ERROR);
    assert_eq!(records[0].field("panic"), r#""nobody waits for this""#);
    assert!(records[0].field("job").contains(file!()), "{records:?}");
}

#[test]
fn r03_a_panic_that_has_arrived_and_is_not_taken_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            let limiter = CapacityLimiter::new(1);
            let mut work = to_thread(|| panic!("not taken")).limiter(&limiter);
            assert!(poll_once::<Result<()>>(&mut work).await.is_none());
            let _ended = limiter.acquire().await?;
            drop(work);
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(said(&records, "not taken"), 1, "{records:?}");
}

#[test]
fn r03_a_destructor_that_panics_where_nobody_is_told_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let (outcome, records) = recording(|| {
        run(async {
            let limiter = CapacityLimiter::new(1);
            let (mut gate, stand) = gate();
            let work = to_thread(move || {
                stand();
                Bomb
            });
            let mut work = work.limiter(&limiter);
            assert!(poll_once(&mut work).await.is_none());
            gate.begun().await?;
            drop(work);
            gate.open();
            let _ended = limiter.acquire().await?;
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(said(&records, "in a destructor"), 1, "{records:?}");
}

#[test]
fn r03_run_waits_for_work_whose_future_was_dropped() {
    let ended = Arc::new(AtomicUsize::new(0));
    run(async {
        let (mut gate, stand) = gate();
        let ended = ended.clone();
        let mut work = to_thread(move || {
            stand(); // until the main future has gone, and with it the gate
            let token = Token::current().unwrap();
            for _ in 0..10 {
                // The run is still there, and serves.
                token.run_sync(|| ()).unwrap();
                ended.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert!(poll_once(&mut work).await.is_none());
        gate.begun().await?;
        drop(work);
        Ok(())
    })
    .unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 10);
}

#[test]
fn r03_run_waits_for_work_whose_future_was_leaked_or_outlives_it() {
    let ended = Arc::new(AtomicUsize::new(0));
    let job = || {
        let (gate, stand) = gate();
        let ended = ended.clone();
        let work = move || {
            stand();
            ended.fetch_add(1, Ordering::SeqCst)
        };
        (gate, to_thread(work))
    };
    let (mut first, mut leaked) = job();
    let (mut second, mut kept) = job();
    run(async {
        assert!(poll_once(&mut leaked).await.is_none());
        assert!(poll_once(&mut kept).await.is_none());
        first.begun().await?;
        second.begun().await?;
        drop((first, second));
        std::mem::forget(leaked);
        Ok(())
    })
    .unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 2);
    // Its value has arrived, and can be had in another run.
    assert!(run(kept).unwrap() < 2);
}

#[test]
fn r03_run_does_not_wait_for_abandoned_work() {
    let (mut gate, stand) = gate();
    let (kept, gone) = mpsc::channel::<()>();
    run(async {
        let mut work = to_thread(move || {
            stand();
            // It knows whom it worked for, but there is nobody any more.
            let refused = Token::current().unwrap().run_sync(|| ());
            assert!(refused.is_err());
            kept
        })
        .abandon_on_cancel(true);
        assert!(poll_once(&mut work).await.is_none());
        gate.begun().await
    })
    .unwrap();
    assert_eq!(gone.try_recv(), Err(mpsc::TryRecvError::Empty));
    gate.open();
    // The value is dropped on the thread that made it.
    assert_eq!(gone.recv(), Err(mpsc::RecvError));
}

#[test]
fn r03_the_limiter_is_forty_and_can_be_set() {
    run(async {
        let limiter = current_default_thread_limiter()?;
        assert_eq!((limiter.total(), limiter.borrowed()), (40, 0));
        limiter.set_total(1);

        let (mut gate, stand) = gate();
        nursery(async |n| {
            let first = n.spawn(to_thread(stand));
            gate.begun().await?;
            assert_eq!(limiter.borrowed(), 1);
            let second = n.spawn(to_thread(|| 2));
            let elsewhere = to_thread(|| 3).limiter(&CapacityLimiter::new(1)).await?;
            assert_eq!(elsewhere, 3);
            assert!(!second.is_finished());
            current_default_thread_limiter()?.set_total(2);
            assert_eq!(second.await?, 2);
            assert!(!first.is_finished());
            gate.open();
            first.await
        })
        .await?;
        assert_eq!(limiter.borrowed(), 0);
        Ok(())
    })
    .unwrap();
    // Each run has its own.
    run(async {
        assert_eq!(current_default_thread_limiter()?.total(), 40);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_a_thousand_jobs_keep_to_a_limit_of_four_and_use_it() {
    let at_once = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let four = Arc::new(Barrier::new(4));
    run(async {
        let limiter = CapacityLimiter::new(4);
        let begun = Arc::new(Mutex::new(Vec::new()));
        nursery(async |n| {
            for i in 0..1000 {
                let (at_once, most, four, begun) =
                    (at_once.clone(), most.clone(), four.clone(), begun.clone());
                let work = to_thread(move || {
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    begun.lock().unwrap().push(i);
                    if i < 4 {
                        four.wait(); // for three others
                    }
                    at_once.fetch_sub(1, Ordering::SeqCst);
                });
                n.spawn(work.limiter(&limiter));
            }
            Ok(())
        })
        .await?;
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 4));
        let mut begun = begun.lock().unwrap().clone();
        begun.sort_unstable();
        assert!(begun.into_iter().eq(0..1000));
        Ok(())
    })
    .unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[test]
fn r03_who_is_cancelled_while_it_waits_for_a_permit_leaves_no_trace() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let held = limiter.acquire().await?;
        let begun = Arc::new(AtomicUsize::new(0));
        nursery(async |n| {
            let count = begun.clone();
            let first = n.spawn(move_on_after(
                secs(1),
                to_thread(move || count.fetch_add(1, Ordering::SeqCst)).limiter(&limiter),
            ));
            let second = n.spawn(to_thread(|| "second").limiter(&limiter));
            assert_eq!(first.await?, None);
            assert_eq!(Arc::strong_count(&begun), 1, "the function was dropped");
            assert!(!second.is_finished());
            drop(held);
            assert_eq!(second.await?, "second");
            Ok(())
        })
        .await?;
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        assert_eq!(limiter.borrowed(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_who_is_cancelled_with_the_permit_in_hand_does_not_begin() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let held = limiter.acquire().await?;
        let begun = Arc::new(AtomicUsize::new(0));
        cancel_scope(async |scope| {
            nursery(async |n| {
                let count = begun.clone();
                n.spawn(to_thread(move || count.fetch_add(1, Ordering::SeqCst)).limiter(&limiter));
                yield_now().await?;
                drop(held); // it is the waiter's now
                assert_eq!(limiter.borrowed(), 1);
                scope.cancel();
                Ok(())
            })
            .await
        })
        .await?;
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        assert_eq!(limiter.borrowed(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_a_run_in_the_thread_works() {
    run(async {
        let (inner, outer) = to_thread(|| {
            let outer = Token::current().unwrap();
            let inner = run(async {
                assert!(Token::current()? != outer);
                sleep(secs(1)).await?;
                to_thread(|| 21).await
            });
            // When that has ended it is the outer one again.
            (inner.unwrap() * 2, Token::current().unwrap() == outer)
        })
        .await?;
        assert_eq!((inner, outer), (42, true));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_the_thread_reaches_its_run_without_being_given_a_token() {
    run(async {
        let here = thread::current().id();
        let token = Token::current()?;
        let (same, sync, task) = to_thread(move || {
            let mine = Token::current().unwrap();
            let sync = mine.run_sync(|| thread::current().id()).unwrap();
            let task = mine.run(async || {
                checkpoint().await?;
                Ok(thread::current().id())
            });
            (mine == token, sync, task.unwrap().unwrap())
        })
        .await?;
        assert!(same);
        assert_eq!((sync, task), (here, here));
        Ok(())
    })
    .unwrap();
    // Threads that do no job are nobody's.
    let alone = thread::spawn(|| Token::current().unwrap_err().is::<NotRunning>());
    assert!(alone.join().unwrap());
}

#[test]
fn r03_a_job_that_is_done_in_another_task_or_combinator_is_heard_of() {
    run(async {
        // Polled with one waker first, then with others.
        let (mut gate, stand) = gate();
        let mut work = Box::pin(to_thread(move || {
            stand();
            1
        }));
        assert!(poll_once(&mut work).await.is_none());
        gate.begun().await?;
        let mut all = FuturesUnordered::new();
        all.push(work);
        all.extend((2..10).map(|i| Box::pin(to_thread_value(i))));
        let mut sum = 0;
        if let Some(early) = poll_once(all.next()).await {
            sum += early.unwrap()?;
        }
        gate.open();
        while let Some(value) = all.next().await {
            sum += value?;
        }
        assert_eq!(sum, 45);
        Ok(())
    })
    .unwrap();
}

fn to_thread_value(value: u32) -> seedbed::ToThread<u32> {
    to_thread(move || value)
}

#[test]
fn r03_a_cancellation_reaches_work_to_be_abandoned_in_a_combinator() {
    run(async {
        let (mut gate, stand) = gate();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let mut all = FuturesUnordered::new();
                all.push(to_thread(stand).abandon_on_cancel(true));
                let waits = n.spawn(async move { all.next().await.unwrap() });
                gate.begun().await?;
                scope.cancel();
                waits.await
            })
            .await
        })
        .await?;
        assert!(outcome.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_clean_up_may_use_threads_also_at_the_very_last() {
    thread_local! {
        static CLEANED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
        static LATE: RefCell<Option<seedbed::Generator<u32>>> = const { RefCell::new(None) };
    }
    async fn clean(what: &'static str) -> Result<()> {
        shielded(to_thread(|| ())).await?;
        CLEANED.with_borrow_mut(|cleaned| cleaned.push(what));
        Ok(())
    }
    struct AtLast;
    impl Drop for AtLast {
        /// Leaves a call that is made when no more calls are taken, and begins a generator.
        fn drop(&mut self) {
            let call = || {
                let mut late = generator(async |y| {
                    let _ = y.yield_(1).await;
                    clean("late").await
                });
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(pin!(late.anext()).as_mut().poll(&mut cx).is_ready());
                LATE.set(Some(late));
            };
            Token::current().unwrap().run_sync_soon(call).unwrap();
        }
    }
    run(async {
        let mut left = generator(async |y: Yielder<u32>| {
            let _at_last = AtLast;
            let _ = y.yield_(1).await;
            clean("first").await
        });
        left.anext().await?;
        Ok(())
    })
    .unwrap();
    assert_eq!(CLEANED.take(), ["first", "late"]);
    LATE.take();
}

#[test]
fn r03_a_thread_at_work_is_something_to_wait_for() {
    let run = |main: &mut dyn FnMut() -> seedbed::ToThread<()>| {
        // On the system's clock a first poll may last for so long that the operation lets others run.
        let builder = Builder::new().clock(&VirtualClock::new()).detect_deadlock(true);
        builder.run(async {
            let event = std::rc::Rc::new(Event::new());
            EVENT.set(Some(event.clone()));
            let mut work = main();
            let _ = poll_once(&mut work).await;
            drop(work);
            event.wait().await
        })
    };
    thread_local! {
        static EVENT: RefCell<Option<std::rc::Rc<Event>>> = const { RefCell::new(None) };
    }
    let wake = || {
        let _ = Token::current().unwrap().run_sync(|| EVENT.take().unwrap().set());
    };
    run(&mut || to_thread(wake)).unwrap();
    run(&mut || to_thread(wake).abandon_on_cancel(true)).unwrap();
    // But not one that has ended.
    let error = run(&mut || to_thread(|| ())).unwrap_err();
    assert!(error.is::<Deadlock>());
}

#[test]
fn r03_the_virtual_clock_waits_for_a_thread() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        nursery(async |n| {
            n.spawn(sleep(secs(3600)));
            let begun = now();
            let last = to_thread(move || {
                let token = Token::current().unwrap();
                // Each makes the run look at its clock when nothing can run.
                (0..100).fold(begun, |_, _| token.run_sync(now).unwrap())
            });
            assert_eq!(last.await?, begun);
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(3600));
}

#[test]
fn r03_the_virtual_clock_does_not_wait_for_abandoned_work() {
    let (mut gate, stand) = gate();
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let work = to_thread(stand).abandon_on_cancel(true);
        nursery(async |n| {
            let timed = n.spawn(move_on_after(secs(5), work));
            gate.begun().await?;
            clock.advance(secs(5)); // as it does not move by itself
            assert_eq!(timed.await?, None);
            Ok(())
        })
        .await?;
        sleep(secs(10)).await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(15));
    gate.open();
}

/// Runs one of the tests below in a process of its own: the threads are the process's.
fn alone(test: &str, environment: &[(&str, &str)]) -> bool {
    const ALONE: &str = "SEEDBED_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(ALONE, "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

#[test]
fn r03_threads_are_used_again() {
    if !alone("r03_threads_are_used_again", &[]) {
        return;
    }
    let id = || to_thread(|| thread::current().id());
    let last = run(async {
        let first = id().await?;
        for _ in 0..100 {
            assert_eq!(id().await?, first);
        }
        // Two at once need two.
        let two = Arc::new(Barrier::new(2));
        let mut ids = HashSet::new();
        nursery(async |n| {
            let work = || {
                let two = two.clone();
                n.spawn(to_thread(move || {
                    two.wait();
                    thread::current().id()
                }))
            };
            let (a, b) = (work(), work());
            ids.extend([a.await?, b.await?]);
            Ok(())
        })
        .await?;
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&first));
        // The last one to become idle is the first to work.
        let last = id().await?;
        assert_eq!(id().await?, last);
        Ok(last)
    })
    .unwrap();
    // They belong to the process, not to the run.
    assert_eq!(run(id()).unwrap(), last);
}

#[test]
fn r03_a_thread_that_cannot_be_started_is_an_error_and_costs_nothing() {
    // No stack is that large.
    let stack = (1_u64 << 46).to_string();
    let environment = [("RUST_MIN_STACK", stack.as_str())];
    let name = "r03_a_thread_that_cannot_be_started_is_an_error_and_costs_nothing";
    if !alone(name, &environment) {
        return;
    }
    run(async {
        let limiter = current_default_thread_limiter()?;
        for _ in 0..2 {
            let (place, error) = (line!(), to_thread(|| ()).await.unwrap_err());
            let text = error.to_string();
            assert!(text.contains("no thread could be started"), "{text}");
            assert!(text.contains(&format!("{}:{place}:", file!())), "{text}");
            assert!(error.is::<std::io::Error>());
            assert_eq!(limiter.borrowed(), 0);
        }
        // Nothing is under way that the run would wait for: neither its clock nor its end.
        sleep(secs(1)).await?;
        let event = Event::new();
        event.wait().await
    })
    .map_err(|error| assert!(error.is::<Deadlock>(), "{error}"))
    .unwrap_err();
}

/// What becomes of an abandoned job's value when its run has gone is foreign code, and may block.
#[test]
fn r03_a_thread_that_drops_a_value_nobody_wants_is_given_no_job() {
    /// Takes until it is told.
    struct Slow(mpsc::Receiver<()>, mpsc::Sender<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.1.send(()).unwrap();
            let _ = self.0.recv();
        }
    }
    let ((tell, told), (dropping, dropped)) = (mpsc::channel(), mpsc::channel());
    let (mut barrier, stand) = gate();
    run(async {
        let job = to_thread(move || {
            stand();
            Slow(told, dropping)
        });
        let mut job = Box::pin(job.abandon_on_cancel(true));
        assert!(poll_once(job.as_mut()).await.is_none());
        barrier.begun().await
    })
    .unwrap();
    barrier.open();
    dropped.recv().unwrap();
    // It would wait for itself.
    run(async { to_thread(move || tell.send(()).unwrap()).await }).unwrap();
}

/// R1: nothing that was started is left, also where a run fails in itself. What the thread may be
/// waiting for, here the sender's end, is dropped first.
#[test]
fn r03_a_run_that_fails_in_itself_waits_too() {
    let ended = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel::<()>();
    let tell = ended.clone();
    let outcome = Builder::new().fail_when_stuck(true).run(async move {
        let _sender = sender;
        let event = Event::new();
        nursery(async |n| {
            n.spawn(to_thread(move || {
                assert!(receiver.recv().is_err());
                tell.store(true, Ordering::SeqCst);
            }));
            yield_now().await?; // it begins
            let parked = pin!(nursery(async |n| {
                n.spawn(event.wait());
                Ok(())
            }));
            let Either::Right((_, _parked)) = select(parked, yield_now()).await else {
                panic!("nothing has happened yet");
            };
            event.set();
            sleep_forever().await
        })
        .await
    });
    assert!(outcome.unwrap_err().is::<Stuck>());
    assert!(ended.load(Ordering::SeqCst));
}

/// Polled in one scope and awaited in another, by way of something that does not poll it again:
/// the thread's end is what the cancelled scope waits for.
#[test]
fn r03_a_cancelled_scope_around_foreign_code_around_a_thread_is_not_stuck() {
    let (sender, receiver) = mpsc::channel();
    let value = Builder::new().clock(&VirtualClock::new()).fail_when_stuck(true).run(async {
        let mut jobs = FuturesUnordered::new();
        jobs.push(to_thread(move || receiver.recv().unwrap()));
        let begun = poll_fn(|cx| Poll::Ready(jobs.poll_next_unpin(cx).is_pending())).await;
        assert!(begun);
        let token = Token::current()?;
        thread::spawn(move || {
            // The run looks around, and sleeps, in between.
            (0..3).for_each(|_| token.run_sync(|| ()).unwrap());
            sender.send(42).unwrap();
        });
        cancel_scope(async |scope| {
            scope.cancel();
            jobs.next().await.unwrap()
        })
        .await
    });
    assert_eq!(value.unwrap(), Some(42));
}

/// A thread that is pinned to a core starts threads for the pool, and these work for others too.
#[cfg(target_os = "linux")]
#[test]
fn r08_a_pinned_thread_does_not_pin_those_that_it_starts() {
    use rustix::process::getpid;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let of_process = sched_getaffinity(Some(getpid())).unwrap();
    run(async { Ok(()) }).unwrap(); // the first run has begun
    let first = (0..CpuSet::MAX_CPU).find(|&core| of_process.is_set(core)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    let pinned = thread::spawn(move || {
        sched_setaffinity(None, &one).unwrap();
        run(nursery(async |n| {
            // So many at once that some thread is new.
            let all = Arc::new(Barrier::new(20));
            let look = async |all: Arc<Barrier>| {
                to_thread(move || {
                    all.wait();
                    sched_getaffinity(None).unwrap()
                })
                .await
            };
            let tasks: Vec<_> = (0..20).map(|_| n.spawn(look(all.clone()))).collect();
            for task in tasks {
                assert!(task.await? == of_process);
            }
            Ok(())
        }))
    });
    pinned.join().unwrap().unwrap();
}

/// Begins work that hangs, and abandons it. Returns the gate, and what has an end when the run has
/// seen the end of the work.
async fn abandoned() -> Result<(Gate, oneshot::Receiver<()>)> {
    let (mut gate, stand) = gate();
    let (kept, gone) = oneshot::channel();
    let work = move || {
        stand();
        kept
    };
    cancel_scope(async |scope| {
        nursery(async |n| {
            n.spawn(async { to_thread(work).abandon_on_cancel(true).await });
            gate.begun().await?;
            scope.cancel();
            Ok(())
        })
        .await
    })
    .await?;
    Ok((gate, gone))
}

/// Trio's keep their permits, and so stop all other work. Here that is true only of those under a
/// limiter that was given.
#[test]
fn r08_abandoned_work_does_not_stop_other_work() {
    run(async {
        let limiter = current_default_thread_limiter()?;
        limiter.set_total(1);
        let mut all = Vec::new();
        for _ in 0..40 {
            all.push(abandoned().await?);
            assert_eq!(limiter.borrowed(), 0);
        }
        assert_eq!(to_thread(|| 5).await?, 5);
        // Those that end do not give anything back a second time.
        for (gate, gone) in all {
            gate.open();
            assert!(cancellable(gone).await?.is_err());
        }
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 1));
        Ok(())
    })
    .unwrap();
}

/// There is an end to the threads that may be left behind.
#[test]
fn r08_beyond_400_abandoned_jobs_keep_their_permits() {
    let (gates, records) = recording(|| {
        run(async {
            let limiter = current_default_thread_limiter()?;
            let mut gates = Vec::new();
            for before in 0..402_usize {
                gates.push(abandoned().await?.0);
                assert_eq!(limiter.borrowed(), (before + 1).saturating_sub(400));
            }
            assert_eq!(to_thread(|| 5).await?, 5);
            Ok(gates)
        })
        .unwrap()
    });
    let warnings: Vec<_> = records.iter().filter(|it| it.message().contains("400 jobs")).collect();
    let [warning] = &warnings[..] else { panic!("{records:?}") };
    assert!(warning.field("job").contains("to_thread.rs"), "{warning:?}");
    gates.into_iter().for_each(Gate::open);
}

/// Names are looked up while all the threads of the default limiter are busy.
#[test]
fn r08_blocking_work_does_not_stop_look_ups() {
    run(async {
        let limiter = current_default_thread_limiter()?;
        limiter.set_total(1);
        nursery(async |n| {
            let (mut gate, stand) = gate();
            n.spawn(async { to_thread(stand).await });
            gate.begun().await?;
            assert_eq!(limiter.available(), 0);
            let addresses = seedbed::net::lookup_host(("localhost", 80)).await?;
            assert!(!addresses.is_empty());
            gate.open();
            Ok(())
        })
        .await
    })
    .unwrap();
}

thread_local! {
    /// What a call to the run finds on its thread.
    static CLOCK: VirtualClock = VirtualClock::new();
}

/// In a function that a run waits for: moves its clock on until something is said of it.
fn hang_until_it_is_told(told: &AtomicBool) {
    let token = Token::current().unwrap();
    while !told.load(Ordering::SeqCst) {
        token.run_sync(|| CLOCK.with(|clock| clock.advance(secs(1)))).unwrap();
    }
}

/// Runs what hangs until it is told, and checks that it was, once, and of the line that it returns.
#[track_caller]
fn assert_hang_is_told(main: impl AsyncFnOnce(Arc<AtomicBool>) -> Result<u32>) {
    struct Tells {
        told: Arc<AtomicBool>,
        said: Arc<Mutex<Vec<String>>>,
    }
    impl tracing::Subscriber for Tells {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            metadata.target().starts_with("seedbed") && *metadata.level() <= tracing::Level::WARN
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut text = String::new();
            event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                text += &format!("{value:?} ");
            });
            self.said.lock().unwrap().push(text);
            self.told.store(true, Ordering::SeqCst);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    let (told, said) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let tells = Tells { told: told.clone(), said: Arc::clone(&said) };
    let line = tracing::subscriber::with_default(tells, || {
        CLOCK.with(|clock| Builder::new().clock(clock).run(main(told)))
    });
    let said = said.lock().unwrap();
    let [text] = &said[..] else { panic!("{said:?}") };
    assert!(text.contains(&format!("to_thread.rs:{}:", line.unwrap())), "{text}");
    assert!(text.contains("waited for 5 s") && text.contains("abandon_on_cancel"), "{text}");
}

#[test]
fn r03_a_thread_that_hangs_in_a_cancelled_scope_is_told() {
    assert_hang_is_told(async |told| {
        let (begin, begun) = oneshot::channel();
        let work = move || {
            let _ = begin.send(());
            hang_until_it_is_told(&told);
        };
        let (work, line) = (to_thread(work), line!());
        cancel_scope(async |scope| {
            nursery(async |n| {
                let work = n.spawn(work);
                cancellable(begun).await?.map_err(Error::from)?;
                scope.cancel();
                work.await // it is waited for
            })
            .await
        })
        .await?;
        Ok(line)
    });
}

/// Its future has been dropped.
#[test]
fn r03_a_thread_that_hangs_when_the_run_ends_is_told() {
    assert_hang_is_told(async |told| {
        let (work, line) = (to_thread(move || hang_until_it_is_told(&told)), line!());
        assert!(poll_once(&mut pin!(work)).await.is_none());
        Ok(line)
    });
}
