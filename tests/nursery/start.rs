//! N7: `start`.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::task::Poll;

use futures::FutureExt;
use seedbed::{
    CancelScope, NotStarted, NurseryClosed, NurseryHandle, Started, TooSlow, cancel_scope,
    checkpoint, fail_after, move_on_after, nursery, sleep, sleep_forever, yield_now,
};

use super::{Log, SECOND, clean_up, fails, of_an_earlier_run, run, shielded, timed};
use crate::support::shape;

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

/// In the nursery the child is under the nursery's scope, and no longer the caller's.
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
        // The child obeys it: no value.
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
        // The child ends well nevertheless: it is awaited, and there is a value.
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

/// The return of `start` is not a checkpoint: what has happened stays so.
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

/// Cancelling the nursery before the child is up does not concern a caller outside it, until
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
