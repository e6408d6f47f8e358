//! C3, C7 and C8: deadlines, time limits, and the deadline that is in effect.

use std::cell::Cell;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Error, Reason, TooSlow, cancel_scope, checkpoint,
    current_effective_deadline, fail_after, fail_at, finishing, move_on_after, move_on_at, now,
    nursery, sleep, sleep_forever, yield_now,
};

use super::{Waits, reason};
use crate::support::{is_cancelled, run, secs, shape};

// C3 · Deadlines.

#[test]
fn c03_a_deadline_is_absolute_or_relative_to_entry() {
    run(async {
        let start = now();
        let scope = CancelScope::new().with_deadline(start + secs(7));
        assert_eq!(scope.deadline(), Some(start + secs(7)));
        sleep(secs(3)).await?;
        assert_eq!(scope.enter(async |_| sleep_forever().await).await?, None);
        assert_eq!(now() - start, secs(7));
        assert!(scope.cancel_called() && scope.cancelled_caught());

        let start = now();
        let scope = CancelScope::new().with_timeout(secs(7));
        assert_eq!(scope.deadline(), None); // it counts from the entry
        sleep(secs(3)).await?;
        scope
            .enter(async |scope| {
                assert_eq!(scope.deadline(), Some(start + secs(10)));
                sleep_forever().await
            })
            .await?;
        assert_eq!(now() - start, secs(10));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c03_a_deadline_can_be_moved_from_inside() {
    run(async {
        let start = now();
        cancel_scope(async |scope| {
            scope.set_timeout(secs(1));
            assert_eq!(scope.deadline(), Some(start + secs(1)));
            assert_eq!(current_effective_deadline(), Some(start + secs(1)));
            scope.set_deadline(Some(start + secs(5)));
            sleep(secs(3)).await?; // not cut short by the first
            scope.set_timeout(secs(1));
            assert_eq!(scope.deadline(), Some(start + secs(4)));
            scope.set_deadline(None);
            assert_eq!(scope.deadline(), None);
            assert_eq!(current_effective_deadline(), None);
            sleep(secs(100)).await?;
            scope.set_timeout(secs(2));
            sleep_forever().await
        })
        .await?;
        assert_eq!(now() - start, secs(105));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c03_a_deadline_can_be_moved_from_outside() {
    run(async {
        let start = now();
        let scope = CancelScope::new().with_timeout(secs(2));
        nursery(async |n| {
            let task = n.spawn(async {
                scope.enter(async |_| sleep_forever().await).await?;
                Ok(now() - start)
            });
            sleep(secs(1)).await?;
            assert_eq!(scope.deadline(), Some(start + secs(2)));
            scope.set_deadline(Some(start + secs(10)));
            sleep(secs(5)).await?;
            assert!(!task.is_finished());
            scope.set_timeout(secs(1)); // earlier than it was
            assert_eq!(scope.deadline(), Some(start + secs(7)));
            assert_eq!(task.await?, secs(7));
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn c03_a_deadline_in_the_past_cancels_at_the_next_checkpoint() {
    run(async {
        sleep(secs(10)).await?;
        let reached = Cell::new(0);
        for deadline in [now(), now() - secs(5), now() - secs(3600)] {
            let scope = CancelScope::new().with_deadline(deadline);
            scope
                .enter(async |_| {
                    reached.set(reached.get() + 1); // no checkpoint yet
                    checkpoint().await?;
                    reached.set(100);
                    Ok(())
                })
                .await?;
            assert!(scope.cancelled_caught());
        }
        assert_eq!(reached.get(), 3);

        cancel_scope(async |scope| {
            checkpoint().await?;
            scope.set_deadline(Some(now()));
            assert!(scope.cancel_called());
            assert_eq!(reason(checkpoint().await), Reason::Deadline);
            // Taking it back does not undo it, as in Trio.
            scope.set_deadline(None);
            assert!(is_cancelled(&checkpoint().await));
            Ok(())
        })
        .await?;
        Ok(())
    })
    .unwrap();
}

/// Trio looks at deadlines in its run loop; a task that only ever passes checkpoints gets there.
#[test]
fn c03_a_busy_task_notices_its_deadline() {
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .run(async {
            let rounds = Cell::new(0);
            let busy = async {
                loop {
                    clock.advance(Duration::from_millis(1));
                    rounds.set(rounds.get() + 1);
                    yield_now().await?;
                }
                #[expect(unreachable_code)]
                Ok(())
            };
            assert_eq!(move_on_after(secs(1), busy).await?, None);
            assert!(rounds.get() >= 1000);
            Ok(())
        })
        .unwrap();
}

#[test]
fn c03_a_deadline_has_no_effect_once_the_scope_was_left() {
    run(async {
        let start = now();
        let scope = CancelScope::new().with_timeout(secs(5));
        scope.enter(async |_| Ok(())).await?;
        sleep(secs(10)).await?;
        assert!(!scope.cancel_called());
        scope.set_deadline(Some(start));
        scope.set_timeout(secs(1));
        sleep(secs(10)).await?;
        assert!(!scope.cancel_called());
        Ok(())
    })
    .unwrap();
}

#[test]
fn c03_deadlines_that_never_come_and_lengths_without_end() {
    run(async {
        let scope = CancelScope::new().with_timeout(Duration::MAX);
        scope
            .enter(async |scope| {
                assert_eq!(scope.deadline(), None);
                sleep(secs(1_000_000)).await
            })
            .await?;
        assert!(!scope.cancel_called());
        assert_eq!(fail_after(Duration::MAX, async { Ok(1) }).await?, 1);
        Ok(())
    })
    .unwrap();
}

/// In Trio, too, a deadline that comes together with what was waited for wins.
#[test]
fn c03_the_deadline_wins_over_a_sleep_that_ends_at_the_same_time() {
    run(async {
        assert_eq!(move_on_after(secs(1), sleep(secs(1))).await?, None);
        assert_eq!(
            move_on_after(secs(1), sleep(secs(1) - Duration::from_nanos(1))).await?,
            Some(())
        );
        Ok(())
    })
    .unwrap();
}

// C7 · Timeouts.

#[test]
fn c07_move_on_after_gives_none_on_its_own_expiry() {
    run(async {
        let start = now();
        assert_eq!(move_on_after(secs(2), sleep_forever()).await?, None);
        assert_eq!(now() - start, secs(2));
        assert_eq!(move_on_after(secs(2), async { Ok(7) }).await?, Some(7));
        let waited = async {
            sleep(secs(1)).await?;
            Ok(8)
        };
        assert_eq!(move_on_after(secs(2), waited).await?, Some(8));
        assert_eq!(now() - start, secs(3));
        let error = move_on_after(secs(2), async { Err::<(), _>(Error::msg("A")) }).await;
        assert_eq!(shape(&error.unwrap_err()), "A");
        Ok(())
    })
    .unwrap();
}

#[test]
fn c07_a_time_limit_ends_every_operation_that_waits() {
    run(async {
        let waits = Waits::new();
        for (name, op) in waits.all() {
            let start = now();
            assert_eq!(move_on_after(secs(2), op).await?, None, "{name}");
            assert_eq!(now() - start, secs(2), "{name}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn c07_move_on_at_gives_none_on_its_own_expiry() {
    run(async {
        let start = now();
        assert_eq!(move_on_at(start + secs(2), sleep_forever()).await?, None);
        assert_eq!(now() - start, secs(2));
        // The deadline is past now.
        assert_eq!(move_on_at(start + secs(1), checkpoint()).await?, None);
        assert_eq!(move_on_at(start + secs(1), async { Ok(1) }).await?, Some(1));
        assert_eq!(move_on_at(start + secs(3), checkpoint()).await?, Some(()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c07_fail_after_and_fail_at_give_too_slow() {
    run(async {
        let start = now();
        let error = fail_after(secs(2), sleep_forever()).await.unwrap_err();
        let line = line!() - 1;
        let slow: &TooSlow = error.downcast_ref().unwrap();
        assert_eq!(slow.limit(), Some(secs(2)));
        assert_eq!((slow.place().file(), slow.place().line()), (file!(), line));
        let error = fail_at(start + secs(5), sleep_forever()).await.unwrap_err();
        let line = line!() - 1;
        let slow: &TooSlow = error.downcast_ref().unwrap();
        assert_eq!(slow.limit(), None);
        assert_eq!((slow.place().file(), slow.place().line()), (file!(), line));
        assert_eq!(now() - start, secs(5));
        assert_eq!(fail_after(secs(2), async { Ok(1) }).await?, 1);
        assert_eq!(fail_at(now() + secs(2), async { Ok(2) }).await?, 2);
        let error = fail_after(secs(2), async { Err::<(), _>(Error::msg("A")) }).await;
        assert_eq!(shape(&error.unwrap_err()), "A");
        Ok(())
    })
    .unwrap();
}

#[test]
fn c07_only_for_their_own_expiry() {
    run(async {
        // The outer deadline is the earlier one: the inner call is not to blame.
        let outer = move_on_after(secs(1), async {
            let outcome = fail_after(secs(2), sleep_forever()).await;
            assert!(is_cancelled(&outcome), "{outcome:?}");
            outcome
        });
        assert_eq!(outer.await?, None);
        let outer = fail_after(secs(1), async {
            let outcome = move_on_after(secs(2), sleep_forever()).await;
            assert!(is_cancelled(&outcome), "{outcome:?}");
            outcome
        });
        assert_eq!(
            outer.await.unwrap_err().downcast_ref::<TooSlow>().unwrap().limit(),
            Some(secs(1))
        );
        // Both at once: as in Trio the outer one takes it.
        let outer = move_on_after(secs(1), fail_after(secs(1), sleep_forever()));
        assert_eq!(outer.await?, None);
        // An inner one that expires first leaves the outer one alone.
        let outer = move_on_after(secs(2), async {
            let error = fail_after(secs(1), sleep_forever()).await.unwrap_err();
            assert!(error.is::<TooSlow>());
            checkpoint().await?;
            Ok(1)
        });
        assert_eq!(outer.await?, Some(1));
        // An explicit cancellation from outside.
        let outer = cancel_scope(async |outer| {
            outer.cancel();
            fail_after(secs(1), checkpoint()).await
        });
        assert_eq!(outer.await?, None);
        Ok(())
    })
    .unwrap();
}

/// The expiry is raised even if other failures come with it, which go on.
#[test]
fn c07_failures_go_before_an_expiry() {
    run(async {
        let error = fail_after(
            secs(1),
            nursery(async |n| {
                drop(n.spawn(async {
                    let _ = sleep_forever().await; // seedbed-lint: allow(swallowed-cancellation)
                    Err::<(), _>(Error::msg("A"))
                }));
                sleep_forever().await
            }),
        )
        .await
        .unwrap_err();
        assert_eq!(shape(&error), "[A]");
        Ok(())
    })
    .unwrap();
}

// C8 · The effective deadline.

#[test]
fn c08_the_earliest_deadline_up_to_the_nearest_shield() {
    run(async {
        let start = now();
        assert_eq!(current_effective_deadline(), None);
        let (outer, inner, shield) = (CancelScope::new(), CancelScope::new(), CancelScope::new());
        outer
            .enter(async |_| {
                assert_eq!(current_effective_deadline(), None);
                outer.set_timeout(secs(10));
                inner
                    .enter(async |_| {
                        assert_eq!(current_effective_deadline(), Some(start + secs(10)));
                        inner.set_timeout(secs(20)); // later: no difference
                        assert_eq!(current_effective_deadline(), Some(start + secs(10)));
                        inner.set_timeout(secs(5));
                        assert_eq!(current_effective_deadline(), Some(start + secs(5)));
                        shield
                            .enter(async |_| {
                                assert_eq!(current_effective_deadline(), Some(start + secs(5)));
                                shield.set_shield(true);
                                assert_eq!(current_effective_deadline(), None);
                                shield.set_timeout(secs(30)); // its own counts
                                assert_eq!(current_effective_deadline(), Some(start + secs(30)));
                                shield.set_shield(false);
                                assert_eq!(current_effective_deadline(), Some(start + secs(5)));
                                nursery(async |n| {
                                    n.spawn(async {
                                        let deadline = current_effective_deadline();
                                        assert_eq!(deadline, Some(start + secs(5)));
                                        Ok(())
                                    })
                                    .await
                                })
                                .await
                            })
                            .await
                    })
                    .await?;
                assert_eq!(current_effective_deadline(), Some(start + secs(10)));
                Ok(())
            })
            .await?;
        assert_eq!(current_effective_deadline(), None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c08_already_past_if_cancelled() {
    run(async {
        sleep(secs(1)).await?;
        cancel_scope(async |outer| {
            outer.set_timeout(secs(5));
            cancel_scope(async |_| {
                outer.cancel();
                assert!(current_effective_deadline().unwrap() <= now());
                let shield = CancelScope::new().with_shield();
                shield
                    .enter(async |_| {
                        assert_eq!(current_effective_deadline(), None);
                        Ok(())
                    })
                    .await
            })
            .await
        })
        .await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn c08_finishing_work_has_the_grace() {
    run(async {
        let start = now();
        cancel_scope(async |scope| {
            scope.cancel_gracefully(secs(5));
            assert!(current_effective_deadline().unwrap() <= now());
            finishing(async {
                assert_eq!(current_effective_deadline(), Some(start + secs(5)));
                Ok(())
            })
            .await
        })
        .await?;
        Ok(())
    })
    .unwrap();
}
