//! N1: a nursery returns only when its body and every child have ended.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, panic_any};

use futures::FutureExt;
use seedbed::testing::VirtualClock;
use seedbed::{Builder, checkpoint, move_on_after, nursery, sleep, sleep_forever, yield_now};

use super::{Log, SECOND, clean_up, fails, shielded, timed};
use crate::support::shape;

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
