//! Wakers, handles and tasks that outlive what they belong to.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use seedbed::{Cancelled, NotRunning, Started, Task, nursery, sleep, sleep_forever, yield_now};

use super::{CountDrop, Slot, note_waker, open_nursery, own_waker, run};

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

/// For a later `run` they are spurious wakes at most: in its table they may stand for another
/// unit.
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
                                // It does not sleep, because the virtual clock moves only when
                                // nothing is woken.
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

/// A generation has twelve bits, and a million reuses wrap it many times. An old waker may then
/// wake another unit, which has to bear it.
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
