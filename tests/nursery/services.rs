//! N13: services.

use std::cell::{Cell, RefCell};

use seedbed::{
    Builder, CancelScope, Reason, Result, Yielder, cancel_scope, channel, checkpoint, finishing,
    idle, nursery, sleep, sleep_forever, yield_now,
};

use super::{Events, Log, SECOND, clean_up, fails, run, shielded, timed};
use crate::support::{catching, shape};

#[test]
fn n13_it_ends_with_those_that_it_serves() {
    let log = Log::default();
    let (outcome, seconds) = timed(async {
        nursery(async |n| {
            n.service(async {
                log.say("serves");
                let error = sleep_forever().await.unwrap_err();
                log.say("stops");
                Err(error)
            });
            n.spawn(async {
                sleep(SECOND * 3).await?;
                log.say("child");
                Ok(())
            });
            sleep(SECOND).await?;
            log.say("body");
            Ok(())
        })
        .await
    });
    outcome.unwrap();
    assert_eq!(seconds, 3);
    log.assert("serves body child stops");
}

/// It runs up to its first checkpoint even if there is nobody to serve.
#[test]
fn n13_without_others_it_ends_at_once() {
    let log = Log::default();
    run(nursery(async |n| {
        n.service(async {
            log.say("begins");
            let error = sleep_forever().await.unwrap_err();
            log.say(error);
            Ok(())
        });
        Ok(7)
    }))
    .unwrap();
    log.assert("begins cancelled: all that this service served has ended");
}

/// The others can rely on it until they have ended, clean-up included.
#[test]
fn n13_it_serves_clean_up_as_well() {
    let written = RefCell::new(Vec::new());
    let (outcome, seconds) = timed(async {
        let (log, lines) = channel(0);
        cancel_scope(async |scope| {
            nursery::<_, ()>(async |n| {
                n.service(async {
                    while let Some(line) = lines.recv().await? {
                        written.borrow_mut().push(line);
                    }
                    Ok(())
                });
                n.spawn(async {
                    sleep_forever().await.unwrap_err();
                    shielded(2).await;
                    let shield = CancelScope::new().with_shield();
                    shield.enter(async |_| Ok(log.send("clean").await?)).await?;
                    checkpoint().await
                });
                sleep(SECOND).await?;
                scope.cancel_gracefully(SECOND * 60);
                Ok(())
            })
            .await
        })
        .await
    });
    assert_eq!(outcome.unwrap(), None);
    assert_eq!(seconds, 3);
    assert_eq!(*written.borrow(), ["clean"]);
}

/// Once the others have ended, the graceful cancellation comes: what finishes its work may.
#[test]
fn n13_a_graceful_cancellation_comes_when_the_others_have_ended() {
    let log = Log::default();
    let (outcome, seconds) = timed(cancel_scope(async |scope| {
        nursery::<_, ()>(async |n| {
            n.service(async {
                finishing(async {
                    sleep(SECOND * 10).await?;
                    log.say("finished");
                    idle(sleep_forever()).await
                })
                .await
            });
            n.spawn(async {
                finishing(sleep(SECOND * 5)).await?;
                log.say("others");
                Ok(())
            });
            sleep(SECOND).await?;
            scope.cancel_gracefully(SECOND * 60);
            checkpoint().await
        })
        .await
    }));
    assert_eq!(outcome.unwrap(), None);
    assert_eq!(seconds, 10);
    log.assert("others finished");
}

#[test]
fn n13_or_when_the_grace_is_over() {
    let (outcome, seconds) = timed(cancel_scope(async |scope| {
        nursery::<_, ()>(async |n| {
            let service = n.service(async {
                let error = sleep_forever().await.unwrap_err();
                let why = error.find::<seedbed::Cancelled>().unwrap();
                assert_eq!(why.reason(), &Reason::GraceOver);
                Err(error)
            });
            n.spawn(async {
                sleep_forever().await.unwrap_err();
                shielded(30).await;
                Ok(())
            });
            scope.cancel_gracefully(SECOND * 10);
            let shield = CancelScope::new().with_shield();
            shield
                .enter(async |_| {
                    sleep(SECOND * 9).await?;
                    assert!(!service.is_finished());
                    sleep(SECOND * 2).await?;
                    assert!(service.is_finished());
                    Ok(())
                })
                .await?;
            Ok(())
        })
        .await
    }));
    assert_eq!(outcome.unwrap(), None);
    assert_eq!(seconds, 30);
}

#[test]
fn n13_idle_code_in_it_hears_of_no_graceful_cancellation_either() {
    let served = Cell::new(0);
    let (outcome, _) = timed(cancel_scope(async |scope| {
        finishing(nursery::<_, ()>(async |n| {
            n.service(async {
                loop {
                    idle(sleep(SECOND)).await?;
                    served.set(served.get() + 1);
                }
            });
            n.spawn(async {
                scope.cancel_gracefully(SECOND * 60);
                sleep(SECOND * 10).await
            });
            Ok(())
        }))
        .await
    }));
    outcome.unwrap();
    assert!(served.get() >= 9, "{}", served.get());
}

#[test]
fn n13_several_end_together_or_in_order() {
    let log = Log::default();
    let service = async |name: &str, seconds| {
        sleep_forever().await.unwrap_err();
        log.say(name);
        shielded(seconds).await;
        log.say(format_args!("{name}."));
        Ok(())
    };
    let (outcome, seconds) = timed(nursery(async |n| {
        let cache = n.service(service("cache", 2));
        let store = n.service(service("store", 2)).after(&cache);
        n.service(service("log", 1)).after(&store).after(&cache);
        n.service(service("other", 1));
        sleep(SECOND).await
    }));
    outcome.unwrap();
    assert_eq!(seconds, 1 + 2 + 2 + 1);
    log.assert("cache other other. cache. store store. log log.");
}

#[test]
fn n13_an_order_that_cannot_be_is_refused() {
    run(nursery(async |n| {
        let service = |name| n.named(name).service(sleep_forever());
        let (a, b, c) = (service("a"), service("b"), service("c"));
        let b = b.after(&a);
        let c = c.after(&b);
        let refused = catching(async { a.after(&c) }).await.map(drop).unwrap_err();
        assert!(refused.starts_with("the service \"a\" spawned at"), "{refused}");
        assert!(refused.contains("which is to end after it"), "{refused}");
        nursery(async |inner| {
            let d = inner.service(sleep_forever());
            let refused = catching(async { d.after(&c) }).await.map(drop).unwrap_err();
            assert!(refused.contains("they are in different nurseries"), "{refused}");
            Ok(())
        })
        .await
    }))
    .unwrap();
}

#[test]
fn n13_its_failure_is_a_failure_of_the_nursery() {
    let (outcome, seconds) = timed(nursery::<_, ()>(async |n| {
        n.named("gauge").service(async {
            sleep(SECOND).await?;
            fails("service")
        });
        sleep_forever().await
    }));
    let error = outcome.unwrap_err();
    assert_eq!((&*shape(&error), seconds), ("[service]", 1));
    assert!(format!("{error:?}").contains("in the task \"gauge\" spawned at"));
    // Also when it fails as it is cancelled at the end.
    let error = run(nursery::<_, ()>(async |n| {
        n.service(async {
            sleep_forever().await.unwrap_err();
            fails("service")
        });
        n.service(clean_up_ok(1));
        Ok(())
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[service]");
}

async fn clean_up_ok(seconds: u64) -> Result<()> {
    clean_up(seconds).await;
    Ok(())
}

#[test]
fn n13_a_failure_of_others_cancels_it() {
    let (outcome, seconds) = timed(nursery::<_, ()>(async |n| {
        n.service(clean_up_ok(3));
        n.spawn(async {
            sleep(SECOND).await?;
            fails::<()>("child")
        });
        sleep_forever().await
    }));
    assert_eq!((&*shape(&outcome.unwrap_err()), seconds), ("[child]", 4));
}

#[test]
fn n13_one_that_ends_early_or_panics_is_a_child_like_any_other() {
    let (outcome, seconds) = timed(nursery(async |n| {
        let service = n.service(async { sleep(SECOND).await });
        sleep(SECOND * 2).await?;
        assert!(service.is_finished());
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 2);
    for late in [false, true] {
        let outcome = std::panic::catch_unwind(|| {
            run(nursery::<_, ()>(async |n| {
                n.service(async move {
                    let outcome = sleep(SECOND * if late { 9 } else { 0 }).await;
                    if true { panic!("service") } else { outcome }
                });
                sleep(SECOND).await
            }))
        });
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "service");
    }
}

#[test]
fn n13_a_child_that_is_spawned_by_one_keeps_the_nursery_open() {
    let (outcome, seconds) = timed(nursery(async |n| {
        n.service(async move {
            sleep_forever().await.unwrap_err();
            n.spawn(sleep(SECOND * 4));
            n.service(clean_up_ok(1));
            Ok(())
        });
        sleep(SECOND).await
    }));
    outcome.unwrap();
    assert_eq!(seconds, 1 + 4 + 1);
}

#[test]
fn n13_started_ones_serve_once_they_are_ready() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let (port, first) = n
            .start_service(async |started| {
                sleep(SECOND).await?;
                started.ready(7000);
                let error = sleep_forever().await.unwrap_err();
                log.say("first");
                Err(error)
            })
            .await?;
        assert_eq!(port, 7000);
        let started = n.named("second").start_service(async |started| {
            started.ready(());
            let error = sleep_forever().await.unwrap_err();
            log.say("second");
            Err(error)
        });
        let ((), second) = started.await?;
        let _second = second.after(&first);
        yield_now().await?;
        log.say("body");
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 1);
    log.assert("body first second");
}

#[test]
fn n13_a_start_that_fails_or_is_cancelled_leaves_nothing() {
    run(nursery(async |n| {
        let failed = n.start_service(async |_: seedbed::Started<()>| fails("start")).await;
        assert_eq!(failed.map(drop).unwrap_err().to_string(), "start");
        let cancelled = seedbed::move_on_after(
            SECOND,
            n.start_service(async |started| {
                sleep_forever().await.unwrap_err();
                started.ready(()); // too late
                checkpoint().await
            }),
        )
        .await?;
        assert!(cancelled.is_none());
        Ok(())
    }))
    .unwrap();
}

#[test]
fn n13_services_of_a_dropped_nursery_are_dropped() {
    let events = Events::default();
    let dropped = Cell::new(false);
    struct OnDrop<'a>(&'a Cell<bool>);
    impl Drop for OnDrop<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    events.record(|| {
        run(async {
            let mut open = Box::pin(nursery::<_, ()>(async |n| {
                let on_drop = OnDrop(&dropped);
                n.service(async move {
                    let _on_drop = on_drop;
                    sleep_forever().await
                });
                sleep_forever().await
            }));
            assert!(crate::support::poll_once(open.as_mut()).await.is_none());
            assert!(crate::support::poll_once(open.as_mut()).await.is_none());
            drop(open);
            Ok(())
        })
        .unwrap();
    });
    assert!(dropped.get());
    let reports = events.with("a nursery was dropped before it had ended");
    assert!(reports.len() == 1 && reports[0].contains("children=1"), "{reports:?}");
}

/// They may use the service.
#[test]
fn n13_generators_that_were_left_behind_are_closed_before_it() {
    let log = Log::default();
    run(nursery(async |n| {
        n.service(async {
            let outcome = sleep_forever().await;
            log.say("service");
            outcome
        });
        let mut numbers = n.generator(async |y: Yielder<u8>| {
            let outcome = y.yield_(1).await;
            shielded(1).await;
            log.say("generator");
            outcome.map(drop)
        });
        assert_eq!(numbers.anext().await?, Some(1));
        drop(numbers);
        Ok(())
    }))
    .unwrap();
    log.assert("generator service");
}

#[test]
fn n13_the_bodys_value_is_kept() {
    let value = run(nursery(async |n| {
        n.service(sleep_forever());
        n.service(clean_up_ok(1));
        Ok(7)
    }));
    assert_eq!(value.unwrap(), 7);
}

/// One that is made by another at the end serves as long as there is a child, and ends as well.
#[test]
fn n13_one_that_is_spawned_at_the_end() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let log = &log;
        n.service(async move {
            sleep_forever().await.unwrap_err();
            n.service(async move {
                let outcome = sleep_forever().await;
                log.say("late");
                outcome
            });
            n.spawn(async move {
                sleep(SECOND * 2).await?;
                log.say("child");
                Ok(())
            });
            shielded(1).await;
            log.say("first");
            Ok(())
        });
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 2);
    log.assert("first child late");
}

/// Even if the body lets others run when it ends, and the service comes before it in each round.
#[test]
fn n13_one_that_is_always_ready_does_not_hold_up_the_end() {
    let outcome = Builder::new().budget(1).run(nursery(async |n| {
        n.service(async {
            loop {
                yield_now().await?;
            }
        });
        yield_now().await
    }));
    outcome.unwrap();
}
