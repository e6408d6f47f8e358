//! Running: R1, R2, R6 and R7.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use seedbed::testing::VirtualClock;
use seedbed::{
    AlreadyRunning, Builder, CancelScope, Deadlock, Error, Event, Group, NotRunning, Result,
    cancellable, channel, checkpoint, move_on_after, now, nursery, sleep, sleep_forever, yield_now,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn builder() -> Builder {
    Builder::new().clock(&VirtualClock::new())
}

/// Always ready.
async fn busy(rounds: &Cell<usize>) -> Result<()> {
    loop {
        rounds.set(rounds.get() + 1);
        yield_now().await?;
    }
}

/// Says what it is when it is dropped.
struct OnDrop<'a>(&'static str, &'a RefCell<Vec<&'static str>>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

// R1 · run

#[test]
fn r01_run_returns_the_value_or_the_error() {
    assert_eq!(seedbed::run(async { Ok(42) }).unwrap(), 42);
    let error = seedbed::run(async { Err::<(), _>(Error::msg("A")) }).unwrap_err();
    assert_eq!(error.to_string(), "A");
    // A nursery's group is passed on as it is.
    let error = seedbed::run(nursery(async |n| {
        drop(n.spawn(async { Err::<(), _>(Error::msg("B")) }));
        Ok(())
    }))
    .unwrap_err();
    assert!(error.is::<Group>());
    // What is given and what comes out may borrow.
    let text = String::from("borrowed");
    assert_eq!(seedbed::run(async { Ok(text.as_str()) }).unwrap(), "borrowed");
}

#[test]
fn r01_a_nested_run_is_an_error_that_says_so() {
    let (outer, inner) = (line!() + 1, line!() + 2);
    let error = seedbed::run(async {
        let nested = seedbed::run(async { Ok(1) });
        checkpoint().await?; // the outer one goes on
        assert!(now() >= now() - secs(1));
        Ok(nested.unwrap_err())
    })
    .unwrap();
    let nested: &AlreadyRunning = error.downcast_ref().unwrap();
    assert_eq!((nested.place().file(), nested.place().line()), (file!(), inner));
    let text = error.to_string();
    assert!(text.contains(&format!("{}:{outer}:", file!())), "{text}");

    // From a child, from a destructor, and however it was built.
    struct Runs<'a>(&'a Cell<bool>);
    impl Drop for Runs<'_> {
        fn drop(&mut self) {
            let nested = Builder::new().seed(1).run(async { Ok(()) });
            self.0.set(nested.unwrap_err().is::<AlreadyRunning>());
        }
    }
    let refused = Cell::new(false);
    seedbed::run(nursery(async |n| {
        let runs = Runs(&refused);
        drop(n.spawn(async move {
            drop(runs);
            Ok(())
        }));
        Ok(())
    }))
    .unwrap();
    assert!(refused.get());
}

#[test]
fn r01_runs_follow_one_another_and_stand_side_by_side() {
    for i in 0..100 {
        assert_eq!(seedbed::run(async { Ok(i) }).unwrap(), i);
    }
    // Another thread's run is no nested one.
    let inner = seedbed::run(async {
        Ok(thread::scope(|scope| {
            scope.spawn(|| seedbed::run(async { sleep(Duration::from_millis(1)).await })).join()
        }))
    });
    inner.unwrap().unwrap().unwrap();
}

#[test]
fn r01_everything_is_dropped_before_run_returns() {
    let log = RefCell::new(Vec::new());
    seedbed::run(async {
        let _local = OnDrop("local", &log);
        nursery(async |n| {
            let child = OnDrop("child", &log);
            drop(n.spawn(async move {
                let _child = child;
                sleep_forever().await
            }));
            yield_now().await?;
            n.cancel();
            Ok(())
        })
        .await?;
        // Left half-way.
        let mut half = Box::pin(async {
            let _half = OnDrop("half", &log);
            sleep_forever().await
        });
        assert!(futures::poll!(&mut half).is_pending());
        let never = OnDrop("never", &log);
        let _never_polled = async move { drop(never) };
        Ok(())
    })
    .unwrap();
    assert_eq!(*log.borrow(), ["child", "never", "half", "local"]);
}

#[test]
fn r01_what_an_error_leaves_behind_is_dropped_too() {
    let log = RefCell::new(Vec::new());
    let error = Builder::new()
        .detect_deadlock(true)
        .run(async {
            let _local = OnDrop("local", &log);
            nursery(async |n| {
                let child = OnDrop("child", &log);
                drop(n.spawn(async move {
                    let _child = child;
                    sleep_forever().await
                }));
                sleep_forever().await
            })
            .await
        })
        .unwrap_err();
    assert!(error.is::<Deadlock>());
    assert_eq!(*log.borrow(), ["child", "local"]);
    assert_eq!(seedbed::run(async { Ok(1) }).unwrap(), 1);
}

fn panic_with(payload: u8) -> Result<()> {
    std::panic::panic_any(payload)
}

#[test]
fn r01_a_panic_comes_out_of_run_and_another_can_follow() {
    let log = RefCell::new(Vec::new());
    for in_child in [false, true] {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            seedbed::run(async {
                let _local = OnDrop("local", &log);
                nursery(async |n| {
                    drop(n.spawn(async {
                        let _sibling = OnDrop("sibling", &log);
                        sleep_forever().await
                    }));
                    yield_now().await?;
                    if in_child {
                        drop(n.spawn(async { panic_with(77) }));
                        sleep_forever().await
                    } else {
                        panic_with(77)
                    }
                })
                .await
            })
        }));
        let payload = panicked.unwrap_err();
        assert_eq!(payload.downcast_ref::<u8>(), Some(&77));
        assert_eq!(log.take(), ["sibling", "local"]);
        assert_eq!(seedbed::run(async { Ok(7) }).unwrap(), 7);
    }
}

#[test]
fn r01_nothing_runs_outside_of_run() {
    assert!(futures::executor::block_on(checkpoint()).unwrap_err().is::<NotRunning>());
    assert!(futures::executor::block_on(yield_now()).unwrap_err().is::<NotRunning>());
    assert!(futures::executor::block_on(Event::new().wait()).unwrap_err().is::<NotRunning>());
    let (sender, receiver) = channel(1);
    let error = futures::executor::block_on(sender.send(1)).unwrap_err();
    assert!(error.error().is::<NotRunning>());
    assert!(futures::executor::block_on(receiver.recv()).unwrap_err().is::<NotRunning>());
    let error = futures::executor::block_on(cancellable(pending::<()>())).unwrap_err();
    assert!(error.is::<NotRunning>());
    let error = futures::executor::block_on(nursery(async |_| Ok(()))).unwrap_err();
    assert!(error.is::<NotRunning>());
    let error =
        futures::executor::block_on(CancelScope::new().enter(async |_| Ok(()))).unwrap_err();
    assert!(error.is::<NotRunning>());
    let error = futures::executor::block_on(move_on_after(secs(1), async { Ok(()) })).unwrap_err();
    assert!(error.is::<NotRunning>());
}

/// A future of this crate may go through the hands of another executor inside a run.
#[test]
fn r01_an_executor_inside_a_task() {
    builder()
        .run(async {
            let event = Event::new();
            event.set();
            let mut pool = futures::executor::LocalPool::new();
            assert!(pool.run_until(async { event.wait().await }).is_ok());
            Ok(())
        })
        .unwrap();
}

#[test]
fn r01_what_survives_a_run_is_harmless_later() {
    let (event, scope) = (Event::new(), CancelScope::new());
    let (sender, receiver) = channel::<u8>(0);
    type Kept<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
    fn keep<'a, T>(future: impl Future<Output = T> + 'a) -> Kept<'a> {
        Box::pin(async move { drop(future.await) })
    }
    let mut kept: Vec<Kept<'_>> = Vec::new();
    seedbed::run(async {
        let mut futures = vec![
            keep(event.wait()),
            keep(sleep(secs(1000))),
            keep(receiver.recv()),
            keep(scope.enter(async |_| sleep_forever().await)),
            keep(move_on_after(secs(1000), sleep_forever())),
            keep(nursery(async |n| {
                drop(n.spawn(async { sleep_forever().await }));
                sleep_forever().await
            })),
        ];
        for future in &mut futures {
            assert!(futures::poll!(future).is_pending());
        }
        kept = futures;
        Ok(())
    })
    .unwrap();
    scope.cancel();
    scope.set_timeout(secs(1));
    scope.cancel_gracefully(secs(1));
    event.set();
    assert!(sender.try_send(1).is_ok()); // the receiver that waits has not gone
    // In another run they are dropped, while that has units and timers of its own.
    Builder::new()
        .clock(&VirtualClock::new())
        .run(nursery(async |n| {
            let own = n.spawn(sleep(secs(5)));
            yield_now().await?;
            kept.clear();
            own.await
        }))
        .unwrap();
    assert_eq!(receiver.try_recv(), Ok(1)); // put back
}

// R2 · Wakes from other threads

#[test]
fn r02_a_wake_from_another_thread_interrupts_the_sleep() {
    for _ in 0..200 {
        let (sender, receiver) = oneshot::channel();
        let other = thread::spawn(move || sender.send(5));
        let value = seedbed::run(async { Ok(cancellable(receiver).await?.unwrap()) });
        assert_eq!(value.unwrap(), 5);
        other.join().unwrap().unwrap();
    }
}

/// To and fro: each wake comes while the other side goes to sleep. One that is lost is a hang.
#[test]
fn r02_no_wake_is_lost_between_two_runs() {
    const ROUNDS: usize = 20_000;
    let (to_a, mut from_b) = futures::channel::mpsc::unbounded::<usize>();
    let (to_b, mut from_a) = futures::channel::mpsc::unbounded::<usize>();
    let b = thread::spawn(move || {
        seedbed::run(async {
            use futures::StreamExt;
            let mut count = 0;
            while let Some(i) = cancellable(from_a.next()).await? {
                assert_eq!(i, count);
                count += 1;
                to_a.unbounded_send(i).unwrap();
            }
            Ok(count)
        })
    });
    seedbed::run(async {
        use futures::StreamExt;
        for i in 0..ROUNDS {
            to_b.unbounded_send(i).unwrap();
            assert_eq!(cancellable(from_b.next()).await?, Some(i));
        }
        drop(to_b);
        Ok(())
    })
    .unwrap();
    assert_eq!(b.join().unwrap().unwrap(), ROUNDS);
}

/// Many threads, many tasks: each task is woken by each thread once.
#[test]
fn r02_no_wake_is_lost_among_many() {
    const TASKS: usize = 50;
    const THREADS: usize = 4;
    const ROUNDS: usize = 40;
    #[derive(Default)]
    struct Slot {
        count: AtomicUsize,
        waker: Mutex<Option<Waker>>,
    }
    let slots: Arc<Vec<Slot>> = Arc::new((0..TASKS).map(|_| Slot::default()).collect());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let slots = slots.clone();
            thread::spawn(move || {
                for _ in 0..ROUNDS {
                    for slot in &*slots {
                        slot.count.fetch_add(1, Ordering::SeqCst);
                        let waker = slot.waker.lock().unwrap().take();
                        if let Some(waker) = waker {
                            waker.wake();
                        }
                    }
                }
            })
        })
        .collect();
    seedbed::run(nursery(async |n| {
        for slot in &*slots {
            drop(n.spawn(async move {
                poll_fn(|cx| {
                    *slot.waker.lock().unwrap() = Some(cx.waker().clone());
                    match slot.count.load(Ordering::SeqCst) {
                        count if count == THREADS * ROUNDS => Poll::Ready(Ok(())),
                        _ => Poll::Pending,
                    }
                })
                .await
            }));
        }
        Ok(())
    }))
    .unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A waker of a run that has ended, and a task of a later one that may have its place: neither
/// from this thread nor from another does it poll what it was not made for.
#[test]
fn r06_an_old_waker_wakes_no_stranger() {
    let waker_of_child = |polls: &Cell<usize>, old: Option<&Waker>| {
        let kept = RefCell::new(None);
        builder()
            .run(nursery(async |n| {
                n.spawn(poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    if kept.replace(Some(cx.waker().clone())).is_some() {
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Pending
                }));
                yield_now().await?;
                if let Some(old) = old {
                    old.wake_by_ref();
                    thread::scope(|s| s.spawn(|| old.wake_by_ref()).join()).unwrap();
                    for _ in 0..10 {
                        sleep(secs(1)).await?;
                    }
                    assert_eq!(polls.get(), 1);
                }
                let own = kept.borrow().clone().expect("it was polled");
                own.wake();
                Ok(())
            }))
            .unwrap();
        kept.take().unwrap()
    };
    let old = waker_of_child(&Cell::new(0), None);
    let polls = Cell::new(0);
    waker_of_child(&polls, Some(&old));
    assert_eq!(polls.get(), 2);
}

/// Wakes during the shutdown, after it, and into later runs: at worst they are spurious.
#[test]
fn r02_wakes_during_and_after_shutdown_are_harmless() {
    let stop = Arc::new(AtomicBool::new(false));
    let (send, wakers) = mpsc::channel::<Waker>();
    let hammer = {
        let stop = stop.clone();
        thread::spawn(move || {
            let mut all = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                all.extend(wakers.try_iter());
                let from = all.len().saturating_sub(64);
                for waker in all[from..].iter().chain(all.first()) {
                    waker.wake_by_ref();
                    let clone = waker.clone();
                    clone.wake();
                }
                thread::yield_now();
            }
            all
        })
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let send = send.clone();
        runs.push(thread::spawn(move || {
            for i in 0..300 {
                let clock = VirtualClock::new();
                let polls = Cell::new(0);
                let value = Builder::new().clock(&clock).run(nursery(async |n| {
                    for _ in 0..5 {
                        let (send, polls) = (&send, &polls);
                        drop(n.spawn(async move {
                            poll_fn(|cx| {
                                send.send(cx.waker().clone()).unwrap();
                                polls.set(polls.get() + 1);
                                Poll::Ready(())
                            })
                            .await;
                            sleep(secs(1)).await
                        }));
                    }
                    sleep(secs(2)).await?;
                    Ok(i)
                }));
                assert_eq!(value.unwrap(), i);
                assert_eq!(polls.get(), 5);
                assert_eq!(clock.elapsed(), secs(2));
            }
        }));
    }
    for run in runs {
        run.join().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    drop(send);
    let all = hammer.join().unwrap();
    assert!(all.len() <= 3000);
    // Nothing runs any more, on no thread; and then something else does, on this one.
    for waker in &all {
        waker.wake_by_ref();
    }
    seedbed::run(async {
        for waker in &all {
            waker.wake_by_ref();
        }
        nursery(async |n| {
            let child = n.spawn(async { sleep(Duration::from_millis(1)).await });
            for waker in all {
                waker.wake();
            }
            child.await
        })
        .await
    })
    .unwrap();
}

/// A waker may be the last thing that a thread drops, or wakes.
#[test]
fn r02_wakers_live_in_thread_locals_beyond_their_run() {
    thread_local! {
        static KEPT: RefCell<Option<WakesWhenDropped>> = const { RefCell::new(None) };
    }
    struct WakesWhenDropped(Waker);
    impl Drop for WakesWhenDropped {
        fn drop(&mut self) {
            self.0.wake_by_ref();
        }
    }
    thread::spawn(|| {
        KEPT.with(|_| {});
        seedbed::run(async {
            poll_fn(|cx| {
                KEPT.set(Some(WakesWhenDropped(cx.waker().clone())));
                Poll::Ready(())
            })
            .await;
            sleep(Duration::from_millis(1)).await
        })
        .unwrap();
    })
    .join()
    .unwrap();
}

#[test]
fn r02_a_wake_of_a_task_that_has_ended_is_harmless() {
    builder()
        .run(async {
            let kept = RefCell::new(None);
            let polls = Cell::new(0);
            nursery(async |n| {
                let ended = n.spawn(async {
                    poll_fn(|cx| {
                        *kept.borrow_mut() = Some(cx.waker().clone());
                        Poll::Ready(())
                    })
                    .await;
                    Ok(())
                });
                ended.await?;
                // The next one takes its place in the table.
                let next = n.spawn(async {
                    poll_fn(|_| {
                        polls.set(polls.get() + 1);
                        if polls.get() == 1 { Poll::Pending } else { Poll::Ready(()) }
                    })
                    .await;
                    Ok(())
                });
                for _ in 0..10 {
                    kept.borrow().as_ref().unwrap().wake_by_ref();
                    yield_now().await?;
                }
                assert_eq!(polls.get(), 1);
                n.cancel();
                drop(next);
                // A future without a checkpoint must be woken to end.
                drop(n.spawn(async { Ok(()) }));
                Ok(())
            })
            .await
        })
        .unwrap();
}

// R6 · Repeatable runs

/// The order in which tasks get their turns.
fn order(seed: Option<u64>) -> Vec<usize> {
    let order = RefCell::new(Vec::new());
    let mut builder = builder();
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    builder
        .run(async {
            let (sender, receiver) = channel(1);
            nursery(async |n| {
                for i in 0..8 {
                    let (sender, order) = (sender.clone(), &order);
                    drop(n.spawn(async move {
                        for round in 0..4 {
                            order.borrow_mut().push(i);
                            if (i + round) % 3 == 0 {
                                sleep(secs(round as u64)).await?;
                            } else {
                                yield_now().await?;
                            }
                            sender.send(100 + i).await?;
                        }
                        Ok(())
                    }));
                }
                drop(sender);
                while let Some(message) = receiver.recv().await? {
                    order.borrow_mut().push(message);
                }
                Ok(())
            })
            .await
        })
        .unwrap();
    let order = order.take();
    assert_eq!(order.len(), 64);
    order
}

#[test]
fn r06_the_same_seed_gives_the_same_order() {
    for seed in [0, 1, 7, u64::MAX] {
        let first = order(Some(seed));
        for _ in 0..5 {
            assert_eq!(order(Some(seed)), first, "seed {seed}");
        }
        let elsewhere = thread::spawn(move || order(Some(seed))).join().unwrap();
        assert_eq!(elsewhere, first, "seed {seed}");
    }
    assert_eq!(order(None), order(None));
}

#[test]
fn r06_different_seeds_give_different_orders() {
    let mut orders: Vec<_> = (0..50).map(|seed| order(Some(seed))).collect();
    orders.push(order(None));
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 51);
}

/// A seeded scheduler draws: in time every one of the orders of three tasks comes.
#[test]
fn r06_every_order_is_possible() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let order = RefCell::new(Vec::new());
        builder()
            .seed(seed)
            .run(nursery(async |n| {
                for i in 0..3 {
                    let order = &order;
                    drop(n.spawn(async move {
                        order.borrow_mut().push(i);
                        Ok(())
                    }));
                }
                Ok(())
            }))
            .unwrap();
        seen.insert(order.take());
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn r06_without_a_seed_it_is_first_in_first_out() {
    let order = RefCell::new(Vec::new());
    builder()
        .run(nursery(async |n| {
            for i in 0..5 {
                let order = &order;
                drop(n.spawn(async move {
                    for _ in 0..3 {
                        order.borrow_mut().push(i);
                        yield_now().await?;
                    }
                    Ok(())
                }));
            }
            Ok(())
        }))
        .unwrap();
    assert_eq!(order.take(), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
}

// R7 · Nobody starves

#[test]
fn r07_an_always_ready_child_does_not_starve_its_siblings() {
    for seed in [None, Some(1), Some(2)] {
        let mut builder = builder();
        if let Some(seed) = seed {
            builder = builder.seed(seed);
        }
        builder
            .run(async {
                let (rounds, own) = (Cell::new(0), Cell::new(0));
                nursery(async |n| {
                    drop(n.spawn(busy(&rounds)));
                    drop(n.spawn(busy(&rounds)));
                    for _ in 0..1000 {
                        yield_now().await?;
                        own.set(own.get() + 1);
                    }
                    n.cancel();
                    Ok(())
                })
                .await?;
                // Each has had its share.
                assert!((1500..=2500).contains(&rounds.get()), "{} rounds", rounds.get());
                Ok(())
            })
            .unwrap();
    }
}

/// With operations that could all finish at once, too: that is what the budget is for.
#[test]
fn r07_a_child_that_never_waits_does_not_starve_its_siblings() {
    builder()
        .run(async {
            let (sender, receiver) = channel(10);
            let set = Event::new();
            set.set();
            nursery(async |n| {
                drop(n.spawn(async {
                    loop {
                        set.wait().await?;
                        sender.send(1).await?;
                        receiver.recv().await?;
                        checkpoint().await?;
                        sleep(Duration::ZERO).await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                }));
                for _ in 0..100 {
                    yield_now().await?;
                }
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
}

/// On the system's clock: a virtual one stands still while anything can run.
#[test]
fn r07_an_always_ready_child_does_not_starve_timers() {
    seedbed::run(async {
        let rounds = Cell::new(0);
        nursery(async |n| {
            drop(n.spawn(busy(&rounds)));
            sleep(Duration::from_millis(5)).await?;
            assert_eq!(move_on_after(Duration::from_millis(5), sleep_forever()).await?, None);
            n.cancel();
            Ok(())
        })
        .await?;
        // Its own deadline, too.
        assert_eq!(move_on_after(Duration::from_millis(5), busy(&rounds)).await?, None);
        let checks = async {
            loop {
                checkpoint().await?;
            }
            #[expect(unreachable_code)]
            Ok(())
        };
        assert_eq!(move_on_after(Duration::from_millis(5), checks).await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r07_an_always_ready_child_does_not_starve_wakes_from_another_thread() {
    seedbed::run(async {
        let rounds = Cell::new(0);
        for _ in 0..20 {
            let (sender, receiver) = oneshot::channel();
            let other = thread::spawn(move || sender.send(5));
            nursery(async |n| {
                drop(n.spawn(busy(&rounds)));
                assert_eq!(cancellable(receiver).await?, Ok(5));
                n.cancel();
                Ok(())
            })
            .await?;
            other.join().unwrap().unwrap();
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn r07_an_always_ready_child_does_not_starve_a_nursery_next_to_it() {
    builder()
        .run(async {
            let rounds = Cell::new(0);
            let (event, other) = (Event::new(), Event::new());
            let scope = CancelScope::new();
            let busy_one = scope.enter(async |_| {
                nursery(async |n| {
                    drop(n.spawn(nursery(async |n| {
                        drop(n.spawn(busy(&rounds)));
                        Ok(())
                    })));
                    Ok(())
                })
                .await
            });
            let quiet_one = nursery(async |n| {
                drop(n.spawn(async {
                    for _ in 0..100 {
                        yield_now().await?;
                    }
                    event.set();
                    other.wait().await
                }));
                event.wait().await?;
                other.set();
                Ok(())
            });
            let both = async {
                let (first, second) = futures::join!(busy_one, async {
                    let outcome = quiet_one.await;
                    scope.cancel();
                    outcome
                });
                first?;
                second
            };
            both.await?;
            assert!(rounds.get() < 1000, "{} rounds", rounds.get());
            Ok(())
        })
        .unwrap();
}

/// A nursery in a nursery: the busy one is the outer one's child.
#[test]
fn r07_a_busy_nursery_does_not_starve_the_one_around_it() {
    builder()
        .run(async {
            let rounds = Cell::new(0);
            nursery(async |outer| {
                drop(outer.spawn(nursery(async |n| {
                    for _ in 0..10 {
                        drop(n.spawn(busy(&rounds)));
                    }
                    Ok(())
                })));
                for _ in 0..1000 {
                    yield_now().await?;
                }
                outer.cancel();
                Ok(())
            })
            .await?;
            assert!(rounds.get() < 30_000, "{} rounds", rounds.get());
            Ok(())
        })
        .unwrap();
}

/// Threads that wake without end do not keep the loop from running what it woke, nor the timers.
#[test]
fn r07_endless_wakes_from_other_threads_starve_nobody() {
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    seedbed::run(async {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        for _ in 0..3 {
            let (waker, stop) = (waker.clone(), stop.clone());
            threads.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    waker.wake_by_ref();
                }
            }));
        }
        for _ in 0..10 {
            sleep(Duration::from_millis(1)).await?;
        }
        stop.store(true, Ordering::Relaxed);
        Ok(())
    })
    .unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// What is done inside nurseries counts for the task that opens them one after the other.
#[test]
fn r07_a_child_that_opens_nurseries_without_end_does_not_starve_its_siblings() {
    builder()
        .run(async {
            let opened = Cell::new(0);
            nursery(async |n| {
                drop(n.spawn(async {
                    loop {
                        opened.set(opened.get() + 1);
                        assert!(opened.get() < 100_000, "nobody else has had a turn");
                        nursery(async |_| checkpoint().await).await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                }));
                for _ in 0..10 {
                    yield_now().await?;
                }
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
}
