//! N: nurseries.

#[path = "support/listener.rs"]
mod listener;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Cancelled, Error, Event, NoValue, NotStarted, Nursery, NurseryClosed,
    NurseryHandle, Reason, Result, Started, Task, TooSlow, cancel_scope, checkpoint, fail_after,
    finishing, move_on_after, nursery, sleep, sleep_forever, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);

/// Runs on a virtual clock; what would wait for ever is an error. Also says how long it took, in
/// seconds.
#[track_caller]
fn timed<T>(main: impl Future<Output = Result<T>>) -> (Result<T>, u64) {
    let clock = VirtualClock::new();
    let outcome = Builder::new()
        .clock(&clock)
        .ctrl_c(false)
        .detect_deadlock(true)
        .fail_when_stuck(true)
        .run(main);
    (outcome, clock.elapsed().as_secs())
}

#[track_caller]
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    timed(main).0
}

/// What happened, in order.
#[derive(Default)]
struct Log(RefCell<Vec<String>>);

impl Log {
    fn say(&self, text: impl fmt::Display) {
        self.0.borrow_mut().push(text.to_string());
    }

    #[track_caller]
    fn assert(&self, expected: &str) {
        assert_eq!(self.0.borrow().join(" "), expected);
    }
}

/// The error as text, with the shape of its groups.
fn shape(error: &Error) -> String {
    match error.as_group() {
        Some(group) => format!("[{}]", group.errors().map(shape).collect::<Vec<_>>().join(" ")),
        None if error.is_cancelled() => "Cancelled".into(),
        None => error.to_string(),
    }
}

fn fails<T>(text: &str) -> Result<T> {
    Err(Error::msg(text))
}

/// Waits until it is cancelled, and then for so many seconds under a shield.
async fn clean_up(seconds: u64) {
    sleep_forever().await.unwrap_err();
    shielded(seconds).await;
}

async fn shielded(seconds: u64) {
    let shield = CancelScope::new().with_shield();
    shield.enter(async |_| sleep(SECOND * seconds as u32).await).await.unwrap();
}

// N1: it returns only when all have ended.

#[test]
fn n01_on_a_value() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        let value = nursery(async |n| {
            for i in [3, 1, 2] {
                let log = &log;
                drop(n.spawn(async move {
                    sleep(SECOND * i).await?;
                    log.say(i);
                    Ok(())
                }));
            }
            log.say("body");
            Ok(7)
        })
        .await?;
        log.say("after");
        Ok(value)
    });
    assert_eq!((outcome.unwrap(), seconds), (7, 3));
    log.assert("body 1 2 3 after");
}

#[test]
fn n01_on_an_error_of_the_body() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        let outcome = nursery(async |n| {
            for i in [2, 5] {
                let log = &log;
                drop(n.spawn(async move {
                    clean_up(i).await;
                    log.say(i);
                    Ok(())
                }));
            }
            yield_now().await?;
            fails::<()>("body")
        })
        .await;
        log.say("after");
        outcome
    });
    assert_eq!((shape(&outcome.unwrap_err()), seconds), ("[body]".into(), 5));
    log.assert("2 5 after");
}

#[test]
fn n01_on_an_error_of_a_child() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        let outcome = nursery(async |n| {
            drop(n.spawn(async { fails::<()>("child") }));
            drop(n.spawn(async {
                clean_up(4).await;
                log.say("sibling");
                Ok(())
            }));
            clean_up(2).await;
            log.say("body");
            Ok(())
        })
        .await;
        log.say("after");
        outcome
    });
    assert_eq!((shape(&outcome.unwrap_err()), seconds), ("[child]".into(), 4));
    log.assert("body sibling after");
}

#[test]
fn n01_on_a_cancellation() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        let none = move_on_after(SECOND, async {
            let outcome = nursery(async |n| {
                drop(n.spawn(async {
                    clean_up(3).await;
                    log.say("child");
                    Ok(())
                }));
                sleep_forever().await
            })
            .await;
            log.say("after");
            outcome
        });
        none.await
    });
    assert_eq!((outcome.unwrap(), seconds), (None, 4));
    log.assert("child after");
}

#[test]
fn n01_on_a_panic_of_the_body() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        let body = nursery(async |n| {
            drop(n.spawn(async {
                clean_up(3).await;
                log.say("child");
                Ok(())
            }));
            yield_now().await?;
            panic_any("body");
            #[expect(unreachable_code)]
            Ok(())
        });
        let payload = AssertUnwindSafe(body).catch_unwind().await.unwrap_err();
        log.say("after");
        Ok(*payload.downcast_ref::<&str>().unwrap())
    });
    assert_eq!((outcome.unwrap(), seconds), ("body", 3));
    log.assert("child after");
}

#[test]
fn n01_on_a_panic_of_a_child() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        let body = nursery(async |n| {
            drop(n.spawn::<_, ()>(async { panic_any("child") }));
            drop(n.spawn(async {
                clean_up(3).await;
                log.say("sibling");
                Ok(())
            }));
            clean_up(1).await;
            log.say("body");
            Ok(())
        });
        let payload = AssertUnwindSafe(body).catch_unwind().await.unwrap_err();
        log.say("after");
        Ok(*payload.downcast_ref::<&str>().unwrap())
    });
    assert_eq!((outcome.unwrap(), seconds), ("child", 3));
    log.assert("body sibling after");
}

/// Children of children, made when the body has long ended, and during the clean-up.
#[test]
fn n01_children_that_come_late() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let log = &log;
        drop(n.spawn(async move {
            sleep(SECOND).await?;
            drop(n.spawn(async move {
                sleep(SECOND).await?;
                drop(n.spawn(async move {
                    shielded(2).await;
                    log.say("third");
                    Ok(())
                }));
                log.say("second");
                fails::<()>("second")
            }));
            log.say("first");
            Ok(())
        }));
        log.say("body");
        Ok(())
    }));
    assert_eq!((shape(&outcome.unwrap_err()), seconds), ("[second]".into(), 4));
    log.assert("body first second third");
}

#[test]
fn n01_nothing_to_wait_for() {
    let (outcome, seconds) = timed(async {
        assert_eq!(nursery(async |_| Ok(1)).await?, 1);
        let error = nursery(async |_| fails::<()>("alone")).await.unwrap_err();
        assert_eq!(shape(&error), "[alone]");
        nursery(async |n| n.spawn(async { Ok(2) }).await).await
    });
    assert_eq!((outcome.unwrap(), seconds), (2, 0));
}

/// Whatever the budget is and in whatever order the tasks run.
#[test]
fn n01_with_any_schedule() {
    for seed in 0..50 {
        let (begun, ended) = (Cell::new(0), Cell::new(0));
        let builder =
            Builder::new().clock(&VirtualClock::new()).detect_deadlock(true).fail_when_stuck(true);
        let outcome = builder.seed(seed).budget(seed as u32 % 3 + 1).run(async {
            let outcome = nursery(async |n| {
                for i in 0..5 {
                    let (begun, ended) = (&begun, &ended);
                    drop(n.spawn(async move {
                        begun.set(begun.get() + 1);
                        for _ in 0..i {
                            if checkpoint().await.is_err() {
                                break;
                            }
                        }
                        drop(n.spawn(async move {
                            begun.set(begun.get() + 1);
                            clean_up(i).await;
                            ended.set(ended.get() + 1);
                            Ok(())
                        }));
                        ended.set(ended.get() + 1);
                        if i == 4 { fails("four") } else { Ok(()) }
                    }));
                }
                Ok(())
            })
            .await;
            assert_eq!((begun.get(), ended.get()), (10, 10), "seed {seed}");
            sleep(SECOND * 10).await?;
            outcome
        });
        assert_eq!(shape(&outcome.unwrap_err()), "[four]");
        assert_eq!(ended.get(), 10, "seed {seed}");
    }
}

// N2: one fails, all are cancelled, every failure is reported.

#[test]
fn n02_in_the_order_it_happened() {
    let (outcome, seconds) = timed(nursery(async |n| {
        for (text, seconds) in [("c", 3), ("a", 1), ("d", 4)] {
            drop(n.spawn(async move {
                clean_up(seconds).await;
                fails::<()>(text)
            }));
        }
        drop(n.spawn(async { fails::<()>("first") }));
        clean_up(2).await;
        fails::<()>("body")
    }));
    assert_eq!((shape(&outcome.unwrap_err()), seconds), ("[first a body c d]".into(), 4));
}

#[test]
fn n02_each_is_told_why() {
    let error = run(nursery(async |n| {
        let told = |error: Error| {
            let why = error.downcast::<Cancelled>().unwrap();
            assert_eq!(why.reason(), &Reason::ChildFailed("out of paper".into()));
            Error::msg(why.cancelled_by().is_some())
        };
        drop(n.spawn(async move { sleep_forever().await.map_err(told) }));
        drop(n.spawn(async {
            yield_now().await?;
            fails::<()>("out of paper")
        }));
        sleep_forever().await.map_err(told)
    }))
    .unwrap_err();
    let mut texts: Vec<_> = error.as_group().unwrap().errors().map(shape).collect();
    texts.sort();
    assert_eq!(texts, ["out of paper", "true", "true"]);
}

/// A `Cancelled` that somebody made something else of is a failure; one that was swallowed is
/// none.
#[test]
fn n02_what_becomes_of_a_cancelled() {
    let error = run(nursery(async |n| {
        drop(n.spawn(async { fails::<()>("first") }));
        drop(n.spawn(async {
            sleep_forever().await.unwrap_err();
            Ok(())
        }));
        drop(n.spawn(async { sleep_forever().await.map_err(|_| Error::msg("changed")) }));
        drop(n.spawn(async { sleep_forever().await }));
        sleep_forever().await
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[first changed]");
}

/// The outer scope is cancelled as well, so it is not for the nursery to absorb anything: the
/// failure and the `Cancelled`s go on, and the outer scope takes out its own.
#[test]
fn n02_with_a_cancellation_from_outside() {
    let inside = RefCell::new(String::new());
    let error = run(cancel_scope(async |scope| {
        let outcome = nursery(async |n| {
            drop(n.spawn(async {
                scope.cancel();
                fails::<()>("child")
            }));
            drop(n.spawn(sleep_forever()));
            sleep_forever().await
        })
        .await;
        *inside.borrow_mut() = shape(outcome.as_ref().unwrap_err());
        outcome
    }))
    .unwrap_err();
    assert!(inside.borrow().contains("Cancelled"), "{inside:?}");
    assert_eq!(shape(&error), "[child]");
}

#[test]
fn n02_the_body_has_ended_long_since() {
    let (outcome, seconds) = timed(nursery(async |n| {
        for i in 1..=3 {
            drop(n.spawn(async move {
                sleep(SECOND * i * 10).await?;
                fails::<()>("late")
            }));
        }
        Ok(1)
    }));
    assert_eq!((shape(&outcome.unwrap_err()), seconds), ("[late]".into(), 10));
}

/// A child that comes when the nursery is cancelled runs, up to its first checkpoint.
#[test]
fn n02_spawned_into_a_cancelled_nursery() {
    let log = Log::default();
    let error = run(nursery(async |n| {
        drop(n.spawn(async { fails::<()>("child") }));
        sleep_forever().await.unwrap_err();
        drop(n.spawn(async {
            log.say("runs");
            let outcome = checkpoint().await;
            log.say(outcome.is_err());
            outcome
        }));
        Ok(())
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[child]");
    log.assert("runs true");
}

/// Two that fail in the same round are both reported.
#[test]
fn n02_at_the_same_time() {
    let error = run(nursery(async |n| {
        for i in 0..3 {
            drop(n.spawn(async move { fails::<()>(&i.to_string()) }));
        }
        fails::<()>("body")
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[body 0 1 2]");
}

/// A graceful cancellation does not become a full one by those who heed it at once.
#[test]
fn n02_graceful_stays_graceful() {
    let done = Cell::new(false);
    let (outcome, seconds) = timed(nursery(async |n| {
        drop(n.spawn(sleep_forever()));
        drop(n.spawn(async {
            finishing(sleep(SECOND * 3)).await?;
            done.set(true);
            Ok(())
        }));
        yield_now().await?;
        n.scope().cancel_gracefully(SECOND * 10);
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!((done.get(), seconds), (true, 3));
}

// N3: strict groups.

/// As with Trio's `strict_exception_groups=True`.
#[test]
fn n03_a_group_even_of_one() {
    for in_child in [false, true] {
        let line = line!() + 1;
        let error = run(nursery(async |n| {
            match in_child {
                true => drop(n.spawn(async { fails::<()>("one") })),
                false => return fails("one"),
            }
            Ok(())
        }))
        .unwrap_err();
        let group = error.as_group().expect("a group of one");
        assert_eq!((group.len(), group.place().line()), (1, line));
        assert_eq!(shape(&error), "[one]");
    }
}

#[test]
fn n03_groups_nest() {
    let error = run(nursery(async |n| {
        drop(n.spawn(async { nursery(async |_| fails::<()>("inner")).await }));
        clean_up(1).await;
        nursery(async |n| {
            drop(n.spawn(async { fails::<()>("x") }));
            fails::<()>("y")
        })
        .await
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[[inner] [y x]]");
}

#[test]
fn n03_nothing_but_cancelled_is_plain() {
    let outcome = run(cancel_scope(async |scope| {
        let error = nursery(async |n| {
            drop(n.spawn(sleep_forever()));
            drop(n.spawn(async { nursery(async |_| sleep_forever().await).await }));
            yield_now().await?;
            scope.cancel_with("enough");
            sleep_forever().await
        })
        .await
        .unwrap_err();
        assert!(error.is_cancelled(), "{error:?}");
        let why = error.downcast_ref::<Cancelled>().unwrap();
        assert_eq!(why.reason(), &Reason::Requested(Some("enough".into())));
        Err::<(), _>(error)
    }));
    assert_eq!(outcome.unwrap(), None);
}

/// A `Cancelled` that came from elsewhere and was kept is absorbed by no scope of its own, but it
/// is not a failure either.
#[test]
fn n03_a_stray_cancelled() {
    let error = run(async {
        let mut stray = None;
        cancel_scope(async |scope| {
            scope.cancel();
            stray = Some(checkpoint().await.unwrap_err());
            Ok(())
        })
        .await?;
        cancel_scope(async |_| {
            nursery(async |n| {
                let stray = stray.take().unwrap();
                drop(n.spawn(async move { Err::<(), _>(stray) }));
                sleep_forever().await
            })
            .await
        })
        .await?;
        fails::<()>("went on")
    })
    .unwrap_err();
    assert_eq!(shape(&error), "went on");
}

// N4, as far as it is about what may be done; attacks are in `soundness.rs`.

/// Neither `'static` nor `Send`: references into frames outside, mutable ones too.
#[test]
fn n04_children_borrow_from_outside() {
    async fn doubled(numbers: &mut [Rc<Cell<i32>>]) -> Result<i32> {
        let sum = Cell::new(0);
        let mut count = 0;
        nursery(async |n| {
            for number in numbers.iter_mut() {
                let sum = &sum;
                drop(n.spawn(async move {
                    yield_now().await?;
                    *number = Rc::new(Cell::new(number.get() * 2));
                    sum.set(sum.get() + number.get());
                    Ok(())
                }));
            }
            drop(n.spawn(async {
                count += 1;
                yield_now().await?;
                count += 1;
                Ok(())
            }));
            Ok(())
        })
        .await?;
        Ok(sum.get() + count)
    }
    let sum = run(async {
        let mut numbers = [1, 2, 3].map(|i| Rc::new(Cell::new(i)));
        let sum = doubled(&mut numbers).await?;
        assert_eq!(numbers.map(|number| number.get()), [2, 4, 6]);
        Ok(sum)
    });
    assert_eq!(sum.unwrap(), 14);
}

/// From any frame outside, the bodies of outer nurseries included.
#[test]
fn n04_children_borrow_from_an_outer_body() {
    let total = run(nursery(async |outer| {
        let local = [1, 2, 3];
        let task = outer.spawn(async { Ok(10) });
        let sum: i32 = nursery(async |n| {
            let tasks: Vec<_> = local.iter().map(|i| n.spawn(async move { Ok(*i) })).collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await?;
            }
            Ok(sum)
        })
        .await?;
        Ok(sum + task.await?)
    }));
    assert_eq!(total.unwrap(), 16);
}

// N5: siblings, and handles.

#[test]
fn n05_a_child_spawns_siblings() {
    fn tree<'scope>(
        n: &'scope Nursery<'scope, '_>,
        depth: u32,
        leaves: &'scope Cell<u32>,
    ) -> Task<'scope, ()> {
        n.spawn(async move {
            yield_now().await?;
            match depth {
                0 => leaves.set(leaves.get() + 1),
                _ => (0..3).for_each(|_| drop(tree(n, depth - 1, leaves))),
            }
            Ok(())
        })
    }
    let leaves = Cell::new(0);
    run(nursery(async |n| {
        drop(tree(n, 4, &leaves));
        Ok(())
    }))
    .unwrap();
    assert_eq!(leaves.get(), 81);
}

/// Through a handle, from a task outside, while a child keeps the nursery open.
#[test]
fn n05_a_handle_spawns_from_anywhere() {
    let log = Rc::new(Log::default());
    run(nursery(async |outer| {
        let kept: Rc<RefCell<Option<NurseryHandle>>> = Rc::default();
        let (handle, inner) = (kept.clone(), log.clone());
        let all = outer.spawn(async move {
            nursery(async |n| {
                *handle.borrow_mut() = Some(n.handle());
                drop(n.spawn(sleep(SECOND * 2)));
                Ok(())
            })
            .await?;
            inner.say("closed");
            Ok(())
        });
        sleep(SECOND).await?;
        let handle = kept.take().unwrap();
        let clone = handle.clone();
        drop(handle);
        let (first, second) = (log.clone(), log.clone());
        let task = clone.spawn(async move {
            first.say("spawned");
            sleep(SECOND * 5).await?;
            first.say("ended");
            Ok(9)
        })?;
        // A plain function can spawn as well.
        let synchronous: Box<dyn Fn()> = Box::new({
            let handle = clone.clone();
            move || {
                let log = second.clone();
                drop(handle.spawn(async move {
                    log.say("from a function");
                    Ok(())
                }));
            }
        });
        synchronous();
        assert!(clone.is_open());
        assert_eq!(task.await?, 9);
        all.await?;
        assert!(!clone.is_open());
        synchronous();
        Ok(())
    }))
    .unwrap();
    log.assert("spawned from a function ended closed");
}

#[test]
fn n05_closed_gives_the_future_back() {
    let line = Cell::new(0);
    run(async {
        let mut kept = None;
        line.set(line!() + 1);
        nursery(async |n| {
            kept = Some(n.handle());
            Ok(())
        })
        .await?;
        let handle = kept.unwrap();
        assert!(!handle.is_open());
        let text = String::from("as it was");
        let refused = handle.spawn(async move { Ok(text) }).unwrap_err();
        assert_eq!(refused.error().place().line(), line.get());
        assert_eq!(refused.into_inner().await?, "as it was");

        let refused = handle
            .start(async |started: Started<i32>| {
                started.ready(3);
                Ok(())
            })
            .err()
            .unwrap();
        let child = refused.into_inner(); // the closure
        assert_eq!(nursery(async |n| n.start(child).await).await?, 3);

        let error = Error::from(handle.spawn(checkpoint()).unwrap_err());
        assert!(error.is::<NurseryClosed>());
        Ok(())
    })
    .unwrap();
}

/// It closes when the last child has ended, not earlier: not when the body has, nor when it was
/// cancelled.
#[test]
fn n05_open_to_the_end() {
    let log = Rc::new(Log::default());
    run(async {
        let mut kept = None;
        let outer = log.clone();
        nursery(async |n| {
            kept = Some(n.handle());
            let (handle, log) = (n.handle(), log.clone());
            drop(n.spawn(async move {
                struct AtLast(NurseryHandle, Rc<Log>);
                impl Drop for AtLast {
                    fn drop(&mut self) {
                        let log = self.1.clone();
                        let child = async move {
                            log.say("last");
                            Ok(())
                        };
                        drop(self.0.spawn(child).expect("its own child has not ended yet"));
                    }
                }
                let _at_last = AtLast(handle.clone(), log.clone());
                sleep_forever().await.unwrap_err();
                drop(handle.spawn(async { Ok(()) }).expect("it is cancelled, not closed"));
                Ok(())
            }));
            yield_now().await?;
            n.cancel();
            Ok(())
        })
        .await?;
        outer.say("closed");
        assert!(!kept.unwrap().is_open());
        Ok(())
    })
    .unwrap();
    log.assert("last closed");
}

// N6: task handles.

#[test]
fn n06_gives_the_value() {
    let sum = run(async {
        let numbers = [Rc::new(1), Rc::new(2)];
        nursery(async |n| {
            let tasks: Vec<Task<'_, &Rc<i32>>> = numbers
                .iter()
                .map(|number| {
                    n.spawn(async move {
                        sleep(SECOND * **number as u32).await?;
                        Ok(number)
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks.into_iter().rev() {
                assert!(!task.is_finished() || sum > 0);
                sum = sum * 10 + **task.await?;
            }
            Ok(sum)
        })
        .await
    });
    assert_eq!(sum.unwrap(), 21);
}

#[test]
fn n06_dropping_it_changes_nothing() {
    let ran = Cell::new(0);
    let (outcome, seconds) = timed(nursery(async |n| {
        let task = n.spawn(async {
            sleep(SECOND).await?;
            ran.set(ran.get() + 1);
            Ok(String::from("nobody wants it"))
        });
        yield_now().await?;
        drop(task);
        drop(n.spawn(async {
            ran.set(ran.get() + 1);
            Ok(())
        }));
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!((ran.get(), seconds), (2, 1));
}

/// Reported once, by the nursery; whoever waits for the value is told that it was cancelled.
#[test]
fn n06_a_failure_is_reported_once() {
    let error = run(nursery(async |n| {
        let task = n.spawn(async {
            sleep(SECOND).await?;
            fails::<i32>("child")
        });
        let sibling = n.spawn(async move {
            let error = task.await.unwrap_err();
            assert!(error.is_cancelled());
            Err::<(), _>(error)
        });
        let error = sibling.await.unwrap_err();
        assert!(error.is_cancelled());
        Err::<(), _>(error)
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[child]");
}

/// As above, where the waiting itself was not cancelled, being outside of the nursery.
#[test]
fn n06_a_failure_seen_from_outside() {
    let error = run(nursery(async |n| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let failing = n.spawn(async move {
            let error = nursery(async |n| {
                *keep.borrow_mut() = Some(n.handle().spawn(async {
                    yield_now().await?;
                    fails::<i32>("child")
                })?);
                Ok(())
            })
            .await
            .unwrap_err();
            Ok(shape(&error))
        });
        yield_now().await?;
        let task: Task<'static, i32> = kept.take().unwrap();
        let error = task.await.unwrap_err();
        let why = error.downcast_ref::<Cancelled>().expect("why there is no value");
        assert_eq!(why.reason(), &Reason::ChildFailed("child".into()));
        assert_eq!(failing.await?, "[child]");
        fails::<()>("end")
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[end]");
}

/// Cancelling the wait loses nothing.
#[test]
fn n06_a_wait_that_is_cancelled() {
    let (outcome, seconds) = timed(nursery(async |n| {
        let mut task = n.spawn(async {
            sleep(SECOND * 5).await?;
            Ok(8)
        });
        assert_eq!(move_on_after(SECOND, &mut task).await?, None);
        assert_eq!(move_on_after(SECOND * 4, &mut task).await?, None, "the deadline comes first");
        task.await
    }));
    assert_eq!((outcome.unwrap(), seconds), (8, 5));
}

#[test]
fn n06_awaiting_is_a_checkpoint() {
    run(nursery(async |n| {
        let mut task = n.spawn(async { Ok(8) });
        yield_now().await?;
        yield_now().await?;
        assert!(task.is_finished());
        let outcome = cancel_scope(async |scope| {
            scope.cancel();
            (&mut task).await
        });
        assert_eq!(outcome.await?, None);
        assert_eq!((&mut task).await?, 8, "it was not lost");
        let again = AssertUnwindSafe(task).catch_unwind().await;
        assert!(again.is_err(), "polled after it gave the value");
        Ok(())
    }))
    .unwrap();
}

#[test]
fn n06_a_child_that_was_cancelled_has_no_value() {
    run(nursery(async |outer| {
        let waiting = Rc::new(RefCell::new(None));
        let keep = waiting.clone();
        nursery(async |n| {
            *keep.borrow_mut() = Some(n.handle().spawn(sleep_forever())?);
            yield_now().await?;
            n.scope().cancel_with("enough");
            Ok(())
        })
        .await?;
        let task: Task<'static, ()> = waiting.take().unwrap();
        let error = outer.spawn(async move { Ok(task.await.unwrap_err()) }).await?;
        let why = error.downcast_ref::<Cancelled>().unwrap();
        assert_eq!(why.reason(), &Reason::Requested(Some("enough".into())));
        Ok(())
    }))
    .unwrap();
}

// N7: start.

#[test]
fn n07_returns_the_value_and_leaves_it_running() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        nursery(async |n| {
            let value = n
                .start(async |started| {
                    sleep(SECOND).await?;
                    started.ready("up");
                    log.say("ready");
                    sleep(SECOND * 2).await?;
                    log.say("ended");
                    Ok(())
                })
                .await?;
            log.say(value);
            Ok(())
        })
        .await?;
        log.say("closed");
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(seconds, 3);
    log.assert("ready up ended closed");
}

/// In the nursery the child is under the nursery's scope, and not the caller's any more.
#[test]
fn n07_under_the_nursery_from_then_on() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let caller = CancelScope::new().with_timeout(SECOND * 3);
        caller
            .enter(async |_| {
                n.start(async |started| {
                    assert!(seedbed::current_effective_deadline().is_some());
                    sleep(SECOND).await?;
                    started.ready(());
                    assert_eq!(seedbed::current_effective_deadline(), None);
                    sleep(SECOND * 4).await?;
                    log.say("not cancelled");
                    let outcome = sleep_forever().await;
                    log.say("cancelled");
                    outcome
                })
                .await?;
                sleep_forever().await
            })
            .await?;
        assert!(caller.cancelled_caught());
        sleep(SECOND * 6).await?;
        n.cancel();
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 9);
    log.assert("not cancelled cancelled");
}

/// A failure before `ready` is the caller's, as it is: no group, and nothing in the nursery. Trio
/// unwraps the group of the hidden nursery too.
#[test]
fn n07_failing_before_is_the_callers() {
    let log = Log::default();
    run(nursery(async |n| {
        let sibling = n.spawn(async {
            sleep(SECOND * 2).await?;
            log.say("sibling");
            Ok(())
        });
        let start = n.start(async |_: Started<()>| {
            sleep(SECOND).await?;
            fails("early")
        });
        assert_eq!(shape(&start.await.unwrap_err()), "early");
        let start = n.start(async |_: Started<()>| nursery(async |_| fails("grouped")).await);
        assert_eq!(shape(&start.await.unwrap_err()), "[grouped]", "that group is its own");
        sibling.await
    }))
    .unwrap();
    log.assert("sibling");
}

#[test]
fn n07_failing_after_is_the_nurserys() {
    let error = run(nursery(async |n| {
        let child = async |started: Started<i32>| {
            started.ready(1);
            fails("at once")
        };
        assert_eq!(n.start(child).await?, 1, "it did start");
        sleep_forever().await
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[at once]");
}

#[test]
fn n07_not_started() {
    run(nursery(async |n| {
        let line = line!() + 1;
        let error = n.start(async |_: Started<()>| sleep(SECOND).await).await.unwrap_err();
        assert_eq!(error.downcast_ref::<NotStarted>().unwrap().place().line(), line);
        let error = n
            .start(async |started: Started<()>| {
                drop(started);
                Ok(())
            })
            .await
            .unwrap_err();
        assert!(error.is::<NotStarted>());
        checkpoint().await // the nursery has not been cancelled
    }))
    .unwrap();
}

#[test]
fn n07_cancelling_the_caller_cancels_the_child() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let none = move_on_after(SECOND, async {
            let outcome = n
                .start(async |started: Started<()>| {
                    clean_up(2).await;
                    log.say("child");
                    drop(started);
                    checkpoint().await
                })
                .await;
            log.say(shape(outcome.as_ref().unwrap_err()));
            outcome
        })
        .await?;
        assert_eq!(none, None);
        checkpoint().await
    }));
    outcome.unwrap();
    assert_eq!(seconds, 3);
    log.assert("child Cancelled");
}

/// Trio: if the caller was cancelled when the child says `started`, the child stays where it is.
#[test]
fn n07_caller_cancelled_when_it_is_up() {
    let log = Log::default();
    run(nursery(async |n| {
        // The child heeds it: no value.
        let outcome = cancel_scope(async |caller| {
            let caller = caller.clone();
            n.start(async move |started| {
                caller.cancel();
                started.ready(1);
                sleep_forever().await
            })
            .await
        });
        assert_eq!(outcome.await?, None);
        // The child ends well all the same: it is awaited, and there is a value.
        let outcome = cancel_scope(async |caller| {
            let (caller, log) = (caller.clone(), &log);
            let value = n
                .start(async move |started| {
                    caller.cancel();
                    started.ready(2);
                    shielded(3).await;
                    log.say("ended");
                    Ok(())
                })
                .await?;
            log.say("returned");
            Ok(value)
        });
        assert_eq!(outcome.await?, Some(2));
        // It fails: that comes out at the caller, not in the nursery.
        let outcome = cancel_scope(async |caller| {
            let caller = caller.clone();
            n.start(async move |started| {
                caller.cancel();
                started.ready(3);
                fails("with the caller")
            })
            .await
        });
        assert_eq!(shape(&outcome.await.unwrap_err()), "with the caller");
        checkpoint().await
    }))
    .unwrap();
    log.assert("ended returned");
}

/// The return of `start` is no checkpoint: what happened did happen.
#[test]
fn n07_caller_cancelled_after_it_was_up() {
    let running = Cell::new(false);
    run(nursery(async |n| {
        let running = &running;
        let caller = CancelScope::new();
        let own = caller.clone();
        let outcome = caller
            .enter(async move |_| {
                n.start(async move |started| {
                    started.ready(1);
                    own.cancel();
                    checkpoint().await?; // it is not the caller's any more
                    running.set(true);
                    sleep_forever().await
                })
                .await
            })
            .await?;
        assert_eq!(outcome, Some(1));
        yield_now().await?;
        n.cancel();
        Ok(())
    }))
    .unwrap();
    assert!(running.get());
}

#[test]
fn n07_started_kept_elsewhere() {
    let (outcome, seconds) = timed(nursery(async |n| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        drop(n.spawn(async move {
            sleep(SECOND * 2).await?;
            let started: Started<&str> = kept.take().unwrap();
            started.ready("by another");
            Ok(())
        }));
        let child = async move |started| {
            *keep.borrow_mut() = Some(started);
            sleep(SECOND * 5).await
        };
        assert_eq!(move_on_after(SECOND * 3, n.start(child)).await?, Some("by another"));
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 5, "the limit was for the start, not for the child");
}

/// `ready` when nobody waits: nothing happens, and the value is dropped.
#[test]
fn n07_ready_when_it_is_too_late() {
    run(nursery(async |n| {
        let kept = Rc::new(RefCell::new(None));
        let value = Rc::new(());
        // The child has ended.
        let keep = kept.clone();
        let start = n.start(async move |started: Started<Rc<()>>| {
            *keep.borrow_mut() = Some(started);
            Ok(())
        });
        assert!(start.await.unwrap_err().is::<NotStarted>());
        kept.take().unwrap().ready(value.clone());
        assert_eq!(Rc::strong_count(&value), 1);
        // The caller has gone.
        let (keep, alive) = (kept.clone(), Rc::new(()));
        let held = alive.clone();
        let mut start = Box::pin(n.start(async move |started: Started<Rc<()>>| {
            let _held = held;
            *keep.borrow_mut() = Some(started);
            sleep_forever().await
        }));
        while kept.borrow().is_none() {
            assert!(poll_fn(|cx| Poll::Ready(start.as_mut().poll(cx))).await.is_pending());
            yield_now().await?;
        }
        assert_eq!(Rc::strong_count(&alive), 2);
        drop(start);
        assert_eq!(Rc::strong_count(&alive), 1, "the child is dropped with the start");
        let started = kept.take().unwrap();
        started.ready(value.clone());
        assert_eq!(Rc::strong_count(&value), 1);
        Ok(())
    }))
    .unwrap();
}

/// From the call on, not only from the first poll, and for no longer than the future is there.
#[test]
fn n07_a_start_keeps_the_nursery_open() {
    let (outcome, seconds) = timed(nursery(async |outer| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let inner = outer.spawn(async move {
            nursery(async |n| {
                let start = n.handle().start(async |started: Started<()>| {
                    started.ready(());
                    Ok(())
                })?;
                *keep.borrow_mut() = Some(start);
                Ok(())
            })
            .await
        });
        sleep(SECOND * 4).await?;
        assert!(!inner.is_finished());
        drop(kept.take());
        inner.await
    }));
    outcome.unwrap();
    assert_eq!(seconds, 4);
}

#[test]
fn n07_panic_before_it_is_up() {
    let log = Log::default();
    run(nursery(async |n| {
        let sibling = n.spawn(async {
            sleep(SECOND).await?;
            log.say("sibling");
            Ok(())
        });
        let start = n.start(async |_: Started<()>| {
            yield_now().await?;
            panic_any(5)
        });
        let payload = AssertUnwindSafe(start).catch_unwind().await.unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&5), "at the caller");
        sibling.await // and not in the nursery
    }))
    .unwrap();
    log.assert("sibling");
}

#[test]
fn n07_panic_after_it_was_up() {
    let log = Log::default();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(nursery(async |n| {
            let value = n
                .start(async |started| {
                    started.ready(6);
                    panic_any(7)
                })
                .await?;
            log.say(value);
            let outcome = sleep_forever().await;
            log.say("cancelled");
            outcome
        }))
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&7));
    log.assert("6 cancelled");
}

/// What the child has open when it is up goes with it.
#[test]
fn n07_with_scopes_and_nurseries_open() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let log = &log;
        let up = move_on_after(SECOND, async {
            n.start(async move |started| {
                let timeout = fail_after(SECOND * 5, async {
                    nursery(async |inner| {
                        drop(inner.spawn(async move {
                            started.ready(()); // by a grandchild
                            log.say("up");
                            sleep_forever().await
                        }));
                        sleep_forever().await
                    })
                    .await
                });
                let error = timeout.await.unwrap_err();
                assert!(error.is::<TooSlow>());
                log.say("its own timeout");
                nursery(async |_| sleep_forever().await).await
            })
            .await?;
            sleep_forever().await
        });
        assert_eq!(up.await?, None);
        sleep(SECOND * 7).await?;
        n.cancel();
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 8);
    log.assert("up its own timeout");
}

/// Several at once, from children of the nursery, in the order in which they come up.
#[test]
fn n07_started_from_children() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        for i in [2, 1, 3] {
            let log = &log;
            drop(n.spawn(async move {
                let value = n
                    .start(async move |started| {
                        sleep(SECOND * i).await?;
                        started.ready(i);
                        sleep(SECOND * 10).await
                    })
                    .await?;
                log.say(value);
                Ok(())
            }));
        }
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 13);
    log.assert("1 2 3");
}

/// Cancelling the nursery before the child is up does not concern a caller outside of it, until
/// the child gets there.
#[test]
fn n07_into_a_cancelled_nursery() {
    let log = Rc::new(Log::default());
    run(nursery(async |outer| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let inner = outer.spawn(async move {
            nursery(async |n| {
                *keep.borrow_mut() = Some(n.handle());
                sleep_forever().await
            })
            .await
        });
        yield_now().await?;
        let handle: NurseryHandle = kept.take().unwrap();
        let child = log.clone();
        let start = handle.start(async move |started| {
            sleep(SECOND).await?;
            child.say("up");
            started.ready(());
            let outcome = checkpoint().await;
            child.say(outcome.is_err());
            outcome
        })?;
        handle.cancel();
        start.await?;
        inner.await
    }))
    .unwrap();
    log.assert("up true");
}

// N8: panics.

#[derive(Debug, PartialEq)]
struct Payload(Vec<i32>);

#[test]
fn n08_with_its_own_payload() {
    let log = Log::default();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(nursery(async |n| {
            drop(n.spawn::<_, ()>(async {
                sleep(SECOND).await?;
                panic_any(Payload(vec![1, 2]))
            }));
            drop(n.spawn(async {
                clean_up(2).await;
                log.say("sibling");
                Ok(())
            }));
            let why = sleep_forever().await.unwrap_err();
            let why = why.downcast::<Cancelled>().unwrap();
            assert_eq!(why.reason(), &Reason::ChildFailed("it panicked".into()));
            log.say("body");
            Ok(())
        }))
    }))
    .unwrap_err();
    assert_eq!(*payload.downcast::<Payload>().unwrap(), Payload(vec![1, 2]));
    log.assert("body sibling");
}

/// Up through nurseries, each of which waits for its own.
#[test]
fn n08_through_nested_nurseries() {
    let log = Log::default();
    let (log, depth) = (&log, 3);
    fn nest(log: &Log, depth: u64) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        Box::pin(nursery(async move |n: &Nursery<'_, '_>| {
            drop(n.spawn(async move {
                clean_up(depth).await;
                log.say(depth);
                Ok(())
            }));
            match depth {
                0 => drop(n.spawn::<_, ()>(async { panic_any("deep down") })),
                _ => drop(n.spawn(async move { nest(log, depth - 1).await })),
            }
            Ok(())
        }))
    }
    let payload = catch_unwind(AssertUnwindSafe(|| run(nest(log, depth)))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"deep down"));
    log.assert("0 1 2 3");
}

/// The first of two is passed on, the other is reported.
#[test]
fn n08_two_panics() {
    let events = Events::default();
    let payload = events
        .record(|| {
            catch_unwind(AssertUnwindSafe(|| {
                run(nursery(async |n| {
                    drop(n.spawn::<_, ()>(async {
                        clean_up(1).await;
                        panic_any("second")
                    }));
                    drop(n.spawn::<_, ()>(async { panic_any("first") }));
                    clean_up(2).await;
                    panic_any("third");
                    #[expect(unreachable_code)]
                    Ok(())
                }))
            }))
        })
        .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
    assert_eq!(events.with("a further panic").len(), 2);
}

/// A panic is more than an error: it is passed on, and the errors are reported.
#[test]
fn n08_a_panic_and_errors() {
    let events = Events::default();
    let payload = events
        .record(|| {
            catch_unwind(AssertUnwindSafe(|| {
                run(nursery(async |n| {
                    drop(n.spawn::<_, ()>(async {
                        clean_up(1).await;
                        panic_any("later")
                    }));
                    drop(n.spawn(async { fails::<()>("out of paper") }));
                    Ok(())
                }))
            }))
        })
        .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"later"));
    let lost = events.with("lost to a panic");
    assert!(lost.len() == 1 && lost[0].contains("out of paper"), "{lost:?}");
}

struct Panics(&'static str);

impl Drop for Panics {
    fn drop(&mut self) {
        panic_any(self.0)
    }
}

/// In the drop of a child's future: after it has failed, where what it holds is dropped last.
#[test]
fn n08_in_the_drop_of_a_childs_future() {
    struct Child {
        fails: bool,
        _panics: Panics,
    }
    impl Future for Child {
        type Output = Result<i32>;
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<i32>> {
            Poll::Ready(if self.fails { fails("error") } else { Ok(4) })
        }
    }
    for fails in [false, true] {
        let log = Log::default();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(nursery(async |n| {
                drop(n.spawn(async {
                    clean_up(1).await;
                    log.say("sibling");
                    Ok(())
                }));
                yield_now().await?;
                let task = n.spawn(Child { fails, _panics: Panics("in the future's drop") });
                let error = task.await.unwrap_err();
                assert!(error.is_cancelled());
                log.say("waiting");
                Err::<(), _>(error)
            }))
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"in the future's drop"));
        log.assert("waiting sibling");
    }
}

/// In the drop of a child's value, which nobody wanted.
#[test]
fn n08_in_the_drop_of_a_childs_value() {
    let log = Log::default();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(nursery(async |n| {
            drop(n.spawn(async { Ok(Panics("in the value's drop")) }));
            clean_up(1).await;
            log.say("cancelled");
            Ok(())
        }))
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in the value's drop"));
    log.assert("cancelled");
}

/// In the call of the body, before there is anything to poll.
#[test]
fn n08_in_the_call_of_the_body() {
    let payload = catch_unwind(|| {
        fn body<'scope, 'env>(_: &'scope Nursery<'scope, 'env>) -> std::future::Ready<Result<()>> {
            panic_any("called")
        }
        run(nursery(body))
    })
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"called"));
}

/// The runtime is as good as new afterwards.
#[test]
fn n08_life_goes_on() {
    run(async {
        for _ in 0..3 {
            let panicking = nursery(async |n| {
                drop(n.spawn::<_, ()>(async { panic_any(()) }));
                sleep_forever().await
            });
            assert!(AssertUnwindSafe(panicking).catch_unwind().await.is_err());
            checkpoint().await?;
            assert_eq!(nursery(async |n| n.spawn(async { Ok(3) }).await).await?, 3);
        }
        Ok(())
    })
    .unwrap();
}

// N9: a child's scope is the nursery's.

/// Trio: "the child's enclosing scope is the nursery's `cancel_scope`, not the one around
/// `start_soon`".
#[test]
fn n09_not_the_spawners() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let (tx, log) = (Event::new(), &log);
        cancel_scope(async |scope| {
            drop(n.spawn(async {
                assert_eq!(seedbed::current_effective_deadline(), None);
                sleep(SECOND * 2).await?;
                log.say("not cancelled");
                Ok(())
            }));
            scope.set_timeout(SECOND);
            sleep_forever().await
        })
        .await?;
        tx.set();
        log.say("spawner left");
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 2);
    log.assert("spawner left not cancelled");
}

#[test]
fn n09_the_spawners_shield_is_no_help() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let log = &log;
        let shield = CancelScope::new().with_shield();
        shield
            .enter(async |_| {
                drop(n.spawn(async move {
                    let outcome = sleep_forever().await;
                    log.say("child");
                    outcome
                }));
                yield_now().await?;
                n.cancel();
                sleep(SECOND).await?;
                log.say("spawner");
                Ok(())
            })
            .await?;
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 1);
    log.assert("child spawner");
}

/// A sibling that spawns, and a handle used under another nursery.
#[test]
fn n09_not_a_siblings_nor_a_handles() {
    let log = Rc::new(Log::default());
    run(nursery(async |n| {
        let handle = n.handle();
        let shared = log.clone();
        n.spawn(async move {
            nursery(async |inner| {
                let log = shared.clone();
                drop(handle.spawn(async move {
                    yield_now().await?;
                    yield_now().await?;
                    log.say("by handle");
                    Ok(())
                })?);
                inner.cancel();
                Ok(())
            })
            .await?;
            cancel_scope(async |scope| {
                let log = shared.clone();
                drop(n.spawn(async move {
                    yield_now().await?;
                    log.say("by sibling");
                    Ok(())
                }));
                scope.cancel();
                checkpoint().await
            })
            .await?;
            shared.say("spawner");
            Ok(())
        })
        .await
    }))
    .unwrap();
    let mut lines = log.0.take();
    lines.sort();
    assert_eq!(lines, ["by handle", "by sibling", "spawner"]);
}

/// It is the nursery's: its deadline is seen, and cancelling it reaches the child alone in there.
#[test]
fn n09_but_the_nurserys() {
    let (outcome, seconds) = timed(nursery(async |n| {
        n.scope().set_timeout(SECOND * 3);
        let deadline = n.scope().deadline();
        assert!(deadline.is_some());
        n.spawn(async move {
            assert_eq!(seedbed::current_effective_deadline(), deadline);
            Ok(())
        })
        .await?;
        drop(n.spawn(sleep_forever()));
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 3);
}

// N10: cancelling it.

#[test]
fn n10_from_the_body() {
    let scope = RefCell::new(None);
    run(nursery::<_, ()>(async |n| {
        *scope.borrow_mut() = Some(n.scope());
        drop(n.spawn(sleep_forever()));
        n.cancel();
        checkpoint().await?;
        unreachable!("a checkpoint in a cancelled nursery")
    }))
    .unwrap();
    let scope = scope.take().unwrap();
    assert!(scope.cancel_called() && scope.cancelled_caught());
}

#[test]
fn n10_from_a_child() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        drop(n.spawn(async move {
            sleep(SECOND).await?;
            n.cancel();
            Ok(())
        }));
        drop(n.spawn(async {
            let error = sleep_forever().await.unwrap_err();
            let why = error.downcast_ref::<Cancelled>().unwrap();
            assert_eq!(why.reason(), &Reason::Requested(None));
            log.say("sibling");
            Err::<(), _>(error)
        }));
        clean_up(1).await;
        log.say("body");
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 2);
    log.assert("sibling body");
}

/// From outside, through a handle, which has no effect any more when the nursery has ended.
#[test]
fn n10_from_a_handle() {
    let (outcome, seconds) = timed(nursery(async |outer| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let inner = outer.spawn(async move {
            nursery(async |n| {
                *keep.borrow_mut() = Some(n.handle());
                sleep_forever().await
            })
            .await
        });
        sleep(SECOND).await?;
        let handle: NurseryHandle = kept.take().unwrap();
        handle.cancel();
        inner.await?;
        handle.cancel();
        checkpoint().await?;
        let never_cancelled = nursery(async |n| Ok(n.handle())).await?;
        never_cancelled.cancel();
        assert!(!never_cancelled.scope().cancel_called());
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 1);
}

#[test]
fn n10_a_body_that_had_finished_keeps_its_value() {
    let (outcome, seconds) = timed(nursery(async |n| {
        drop(n.spawn(async move {
            sleep(SECOND).await?;
            n.cancel();
            Ok(())
        }));
        drop(n.spawn(sleep_forever()));
        Ok(String::from("kept"))
    }));
    assert_eq!((outcome.unwrap().as_str(), seconds), ("kept", 1));
    // By the deadline of its scope.
    let outcome = run(nursery(async |n| {
        n.scope().set_timeout(SECOND);
        drop(n.spawn(sleep_forever()));
        Ok(5)
    }));
    assert_eq!(outcome.unwrap(), 5);
    // A body that cancels and goes on to its end has a value as well.
    let outcome = run(nursery(async |n| {
        n.cancel();
        checkpoint().await.unwrap_err();
        Ok(6)
    }));
    assert_eq!(outcome.unwrap(), 6);
}

/// Where the value is not `()`, there is none to return.
#[test]
fn n10_a_body_that_was_interrupted() {
    let line = line!() + 1;
    let error = run(nursery(async |n| {
        n.scope().cancel_with("enough");
        checkpoint().await?;
        Ok(1)
    }))
    .unwrap_err();
    let no_value = error.downcast_ref::<NoValue>().unwrap();
    assert_eq!(no_value.place().line(), line);
    assert_eq!(no_value.cancelled().unwrap().reason(), &Reason::Requested(Some("enough".into())));
    assert!(!error.is_cancelled(), "it is not a cancellation for any scope to absorb");
}

/// A value that a cancellation from outside comes too late for, because the children had ended.
#[test]
fn n10_a_value_and_a_cancellation_from_outside() {
    run(async {
        // A child was cancelled: the nursery was.
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                scope.cancel();
                Ok(1)
            })
            .await
        });
        assert_eq!(outcome.await?, None);
        // Nobody was: leaving a nursery is not a checkpoint.
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    scope.cancel();
                    Ok(())
                }));
                Ok(2)
            })
            .await
        });
        assert_eq!(outcome.await?, Some(2));
        Ok(())
    })
    .unwrap();
}

/// Before the first poll of a child: it runs up to its first checkpoint, as in Trio.
#[test]
fn n10_before_a_child_has_begun() {
    let log = Log::default();
    run(nursery(async |n| {
        drop(n.spawn(async {
            log.say("begun");
            checkpoint().await?;
            log.say("not reached");
            Ok(())
        }));
        n.cancel();
        Ok(())
    }))
    .unwrap();
    log.assert("begun");
}

// N11: dropped half-way.

/// A subscriber that keeps warnings and errors, each as its fields in one line.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn record<R>(&self, f: impl FnOnce() -> R) -> R {
        listener::always();
        tracing::subscriber::with_default(self.clone(), f)
    }

    fn with(&self, text: &str) -> Vec<String> {
        let events = self.0.lock().unwrap();
        events.iter().filter(|event| event.contains(text)).cloned().collect()
    }
}

impl tracing::Subscriber for Events {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

const DROPPED: &str = "dropped before it had ended";

/// How a place looks in the log.
fn place(line: u32) -> String {
    format!("nursery={}:{line}:", Location::caller().file())
}

#[test]
fn n11_by_a_select() {
    let events = Events::default();
    let line = Cell::new(0);
    let dropped = Rc::new(());
    events
        .record(|| {
            run(async {
                line.set(line!() + 1);
                let slow = pin!(nursery(async |n| {
                    for _ in 0..3 {
                        let held = dropped.clone();
                        drop(n.spawn(async move {
                            let _held = held;
                            sleep_forever().await
                        }));
                    }
                    sleep_forever().await
                }));
                let fast = pin!(sleep(SECOND));
                let Either::Right((outcome, _)) = select(slow, fast).await else {
                    panic!("it runs for ever")
                };
                outcome
            })
        })
        .unwrap();
    assert_eq!(Rc::strong_count(&dropped), 1, "the children were dropped");
    let warnings = events.with(DROPPED);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("WARN"), "{warnings:?}");
    assert!(warnings[0].contains(&place(line.get())), "{warnings:?}");
    assert!(warnings[0].contains("children=3"), "{warnings:?}");
}

/// What waits for the value of a child that was dropped is told as well.
#[test]
fn n11_one_warning_for_each_nursery() {
    let events = Events::default();
    let lines = Cell::new((0, 0));
    let set_lines = &lines;
    events
        .record(|| {
            run(async {
                let outer = line!() + 1;
                let mut future = Box::pin(nursery(async |n| {
                    drop(n.spawn(async move {
                        set_lines.set((outer, line!() + 1));
                        nursery(async |n| {
                            drop(n.spawn(sleep_forever()));
                            Ok(())
                        })
                        .await
                    }));
                    Ok(())
                }));
                for _ in 0..5 {
                    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                    assert!(polled.is_pending());
                    yield_now().await?;
                }
                drop(future);
                Ok(())
            })
        })
        .unwrap();
    let (outer, inner) = lines.get();
    let warnings = events.with(DROPPED);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains(&place(outer)), "{warnings:?}");
    assert!(warnings[1].contains(&place(inner)), "{warnings:?}");
}

/// With a body but no children: what it was doing is lost, too.
#[test]
fn n11_a_body_alone() {
    let events = Events::default();
    events.record(|| {
        run(async {
            let foreign = nursery(async |_| pending::<Result<()>>().await);
            assert!(foreign.now_or_never().is_none());
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(events.with(DROPPED).len(), 1);
}

#[test]
fn n11_silent_when_nothing_is_lost() {
    let events = Events::default();
    events.record(|| {
        run(async {
            drop(nursery(async |n| n.spawn(sleep_forever()).await)); // never polled
            nursery(async |n| n.spawn(checkpoint()).await).await?; // ended
            nursery(async |_| fails::<()>("failed")).await.unwrap_err();
            nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                n.cancel();
                Ok(())
            })
            .await?;
            let panicking = nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                panic_any(());
                #[expect(unreachable_code)]
                Ok(())
            });
            AssertUnwindSafe(panicking).catch_unwind().await.unwrap_err();
            nursery(async |n| {
                n.start(async |started| {
                    started.ready(());
                    Ok(())
                })
                .await
            })
            .await
        })
        .unwrap();
    });
    assert_eq!(events.0.lock().unwrap().join("\n"), "");
}

/// By the end of `run`, where the main future had polled it and went on to its end.
#[test]
fn n11_by_the_end_of_run() {
    let events = Events::default();
    let kept = RefCell::new(None);
    events.record(|| {
        run(async {
            let mut future = Box::pin(nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                Ok(())
            }));
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            *kept.borrow_mut() = Some(future);
            Ok(())
        })
        .unwrap();
        assert!(events.with(DROPPED).is_empty());
        drop(kept.take()); // outside of `run`
    });
    assert_eq!(events.with(DROPPED).len(), 1);
}

/// A subscriber is foreign code: that it panics leaves no child behind.
#[test]
fn n11_a_subscriber_that_panics() {
    struct Panicking;
    impl tracing::Subscriber for Panicking {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() <= tracing::Level::WARN
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            panic_any("a subscriber")
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    let dropped = Rc::new(());
    listener::always();
    let payload = tracing::subscriber::with_default(Panicking, || {
        catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let held = dropped.clone();
                let mut future = Box::pin(nursery(async move |n: &Nursery<'_, '_>| {
                    for _ in 0..3 {
                        let held = held.clone();
                        drop(n.spawn(async move {
                            let _held = held;
                            sleep_forever().await
                        }));
                    }
                    Ok(())
                }));
                let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
                drop(future);
                Ok(())
            })
        }))
    })
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"a subscriber"));
    assert_eq!(Rc::strong_count(&dropped), 1);
}

// Nurseries that were taken out of their run

/// A nursery with a child, open, whose run has ended.
fn of_an_earlier_run() -> (Pin<Box<dyn Future<Output = Result<()>>>>, NurseryHandle) {
    let handle = Rc::new(RefCell::new(None));
    let kept = handle.clone();
    let mut open: Pin<Box<dyn Future<Output = Result<()>>>> = Box::pin(nursery(async move |n| {
        kept.replace(Some(n.handle()));
        n.spawn(sleep_forever());
        sleep_forever().await
    }));
    seedbed::run(poll_fn(|cx| {
        assert!(open.as_mut().poll(cx).is_pending());
        Poll::Ready(Ok(()))
    }))
    .unwrap();
    (open, handle.take().expect("its body has run"))
}

#[test]
fn n07_a_nursery_of_an_earlier_run_takes_no_child_that_is_started() {
    let (earlier, handle) = of_an_earlier_run();
    seedbed::run(nursery(async |n| {
        for _ in 0..10 {
            n.spawn(yield_now());
        }
        let start = handle.start(async |started: Started<()>| {
            started.ready(());
            sleep_forever().await
        });
        let error = start.unwrap().await.unwrap_err();
        assert!(error.is::<NurseryClosed>(), "{error}");
        drop(earlier);
        Ok(())
    }))
    .unwrap();
}

#[test]
fn n05_a_nursery_of_an_earlier_run_drops_what_is_spawned_into_it() {
    let (earlier, handle) = of_an_earlier_run();
    let child = Rc::new(());
    let held = child.clone();
    let spawned = handle.spawn(async move {
        drop(held);
        Ok(())
    });
    drop(spawned.unwrap());
    seedbed::run(async { Ok(()) }).unwrap();
    assert_eq!(Rc::strong_count(&child), 2);
    drop(earlier);
    assert_eq!(Rc::strong_count(&child), 1);
}
