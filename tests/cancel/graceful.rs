//! C13: graceful cancellation.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::{
    CancelScope, Error, Reason, cancel_scope, checkpoint, finishing, move_on_after, now, nursery,
    sleep, sleep_forever, yield_now,
};

use super::{cancelled, first_error};
use crate::support::{is_cancelled, run, secs, shape};

#[test]
fn c13_a_graceful_cancellation_lets_marked_sections_finish() {
    run(async {
        let start = now();
        let log = RefCell::new(Vec::new());
        let say = |what: &'static str| log.borrow_mut().push((what, (now() - start).as_secs()));
        let scope = CancelScope::new();
        let value = scope.enter(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    let outcome = sleep_forever().await;
                    say("idle");
                    outcome
                }));
                drop(n.spawn(async {
                    finishing(async {
                        sleep(secs(3)).await?;
                        nursery(async |n| n.spawn(sleep(secs(1))).await).await
                    })
                    .await?;
                    say("finished");
                    let outcome = checkpoint().await; // not in the section any more
                    assert!(is_cancelled(&outcome));
                    outcome
                }));
                drop(n.spawn(async {
                    let outcome = finishing(sleep_forever()).await;
                    say("out of grace");
                    assert!(is_cancelled(&outcome));
                    outcome
                }));
                sleep(secs(1)).await?;
                scope.cancel_gracefully(secs(5));
                assert!(scope.cancel_called());
                Ok(())
            })
            .await
        });
        assert_eq!(value.await?, None);
        assert_eq!(*log.borrow(), [("idle", 1), ("finished", 4), ("out of grace", 6)]);
        assert!(scope.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

#[test]
fn c13_sections_begun_during_the_grace_are_let_finish_too() {
    run(async {
        let start = now();
        let value = cancel_scope(async |scope| {
            scope.cancel_gracefully(secs(5));
            finishing(sleep(secs(2))).await?;
            assert!(is_cancelled(&checkpoint().await));
            assert!(is_cancelled(&finishing(sleep(secs(4))).await));
            assert_eq!(now() - start, secs(5));
            assert!(is_cancelled(&finishing(checkpoint()).await)); // there is no grace left
            checkpoint().await
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c13_other_cancellations_reach_marked_sections_as_usual() {
    run(async {
        let start = now();
        let value = cancel_scope(async |scope| {
            scope.cancel();
            finishing(checkpoint()).await
        });
        assert_eq!(value.await?, None);
        assert_eq!(move_on_after(secs(1), finishing(sleep_forever())).await?, None);
        // A full cancellation during the grace, of the same scope or of one further out.
        for outer_too in [false, true] {
            let begun = now();
            let (outer, inner) = (CancelScope::new(), CancelScope::new());
            nursery(async |n| {
                drop(n.spawn(async {
                    sleep(secs(2)).await?;
                    if outer_too {
                        outer.cancel()
                    } else {
                        inner.cancel()
                    }
                    Ok(())
                }));
                outer
                    .enter(async |_| {
                        inner
                            .enter(async |inner| {
                                inner.cancel_gracefully(secs(60));
                                finishing(sleep_forever()).await
                            })
                            .await
                    })
                    .await?;
                Ok(())
            })
            .await?;
            assert_eq!(now() - begun, secs(2));
            assert_eq!(outer.cancelled_caught(), outer_too);
            assert_eq!(inner.cancelled_caught(), !outer_too);
        }
        assert_eq!(now() - start, secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c13_no_grace_is_a_full_cancellation() {
    run(async {
        let value = cancel_scope(async |scope| {
            scope.cancel_gracefully(Duration::ZERO);
            finishing(checkpoint()).await
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c13_the_grace_does_not_put_off_an_earlier_deadline() {
    run(async {
        let start = now();
        for (timeout, grace, end) in [(3, 5, 3), (5, 3, 3), (4, 4, 4)] {
            let begun = now();
            let scope = CancelScope::new().with_timeout(secs(timeout));
            scope
                .enter(async |scope| {
                    scope.cancel_gracefully(secs(grace));
                    scope.cancel_gracefully(secs(60)); // nor does asking again
                    finishing(sleep_forever()).await
                })
                .await?;
            assert_eq!(now() - begun, secs(end));
        }
        assert_eq!(now() - start, secs(10));
        Ok(())
    })
    .unwrap();
}

/// Siblings that stop at once, with `Cancelled`, do not cut off those that finish.
#[test]
fn c13_nested_nurseries_let_their_finishing_children_finish() {
    run(async {
        let start = now();
        let finished = Cell::new(0);
        let value = cancel_scope(async |scope| {
            nursery(async |outer| {
                for i in 1..=3 {
                    let finished = &finished;
                    drop(outer.spawn(nursery(async move |n| {
                        drop(n.spawn(async move {
                            finishing(sleep(secs(i + 1))).await?;
                            finished.set(finished.get() + 1);
                            sleep_forever().await
                        }));
                        drop(n.spawn(async { sleep_forever().await }));
                        sleep_forever().await
                    })));
                }
                sleep(secs(1)).await?;
                scope.cancel_gracefully(secs(60));
                checkpoint().await
            })
            .await
        });
        assert_eq!(value.await?, None);
        assert_eq!(finished.get(), 3);
        assert_eq!(now() - start, secs(4));
        Ok(())
    })
    .unwrap();
}

/// A real failure cancels the siblings as always, whether they finish or not.
#[test]
fn c13_a_failing_sibling_stops_finishing_children() {
    run(async {
        let start = now();
        let told = RefCell::new(None);
        let error = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    let error = finishing(sleep_forever()).await.unwrap_err();
                    *told.borrow_mut() = Some(cancelled(&error).reason().clone());
                    Err::<(), _>(error)
                }));
                drop(n.spawn(async {
                    finishing(sleep(secs(2))).await?;
                    Err::<(), _>(Error::msg("A"))
                }));
                yield_now().await?;
                scope.cancel_gracefully(secs(60));
                checkpoint().await
            })
            .await
        });
        assert_eq!(shape(&error.await.unwrap_err()), "[A]");
        assert_eq!(now() - start, secs(2));
        assert_eq!(told.take(), Some(Reason::ChildFailed("A".into())));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c13_a_scope_can_be_cancelled_gracefully_before_it_is_entered() {
    let before = CancelScope::new();
    before.cancel_gracefully(secs(5)); // where no clock runs yet: from the entry on
    run(async {
        let start = now();
        let value = before.enter(async |_| {
            assert!(is_cancelled(&checkpoint().await));
            finishing(sleep(secs(2))).await?;
            finishing(sleep_forever()).await
        });
        assert_eq!(value.await?, None);
        assert_eq!(now() - start, secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c13_shields_hide_graceful_cancellations_too() {
    run(async {
        let value = cancel_scope(async |scope| {
            scope.cancel_gracefully(secs(1));
            let shield = CancelScope::new().with_shield();
            assert_eq!(shield.enter(async |_| sleep(secs(5)).await).await?, Some(()));
            checkpoint().await
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}

/// Scopes and timeouts within the section belong to it; the section does not mark what is around.
#[test]
fn c13_scopes_inside_a_section_finish_with_it() {
    run(async {
        let value = cancel_scope(async |scope| {
            scope.cancel_gracefully(secs(60));
            let value = finishing(async {
                assert_eq!(move_on_after(secs(1), sleep_forever()).await?, None);
                cancel_scope(async |_| sleep(secs(1)).await).await?;
                finishing(sleep(secs(1))).await?;
                let all: FuturesUnordered<_> = (0..40).map(|i| sleep(secs(i))).collect();
                first_error(all.collect().await)?;
                Ok(3)
            })
            .await?;
            assert!(is_cancelled(&checkpoint().await));
            Ok(value)
        });
        assert_eq!(value.await?, Some(3));
        Ok(())
    })
    .unwrap();
}

/// Its deadline was never armed, because nothing in it has waited.
#[test]
fn c13_a_scope_that_was_left_at_once_can_be_cancelled_gracefully_after_its_run() {
    let scope = CancelScope::new().with_timeout(secs(10));
    run(async { scope.enter(async |_| Ok(())).await }).unwrap();
    scope.cancel_gracefully(secs(1));
    assert!(!scope.cancel_called());
}

/// A virtual clock would jump to it.
#[test]
fn c13_a_scope_that_was_left_gets_no_timer() {
    run(async {
        let scope = CancelScope::new().with_timeout(secs(10));
        scope.enter(async |_| Ok(())).await?;
        scope.cancel_gracefully(secs(100));
        assert_eq!(seedbed::testing::statistics()?.timers, 0);
        Ok(())
    })
    .unwrap();
}
