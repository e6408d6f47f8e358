//! C5 and C6: which scope absorbs a `Cancelled`, alone or in a group.

use std::cell::Cell;
use std::panic::Location;

use seedbed::{
    CancelScope, Error, Group, ScopeReused, cancel_scope, checkpoint, nursery, sleep_forever,
};

use crate::support::{is_cancelled, run, shape};

// C5 · Which scope absorbs.

#[test]
fn c05_a_scope_that_was_not_cancelled_absorbs_nothing() {
    run(async {
        let inner = CancelScope::new();
        let outer = CancelScope::new();
        let value = outer
            .enter(async |outer| {
                outer.cancel();
                let outcome = inner.enter(async |_| checkpoint().await).await;
                assert!(is_cancelled(&outcome));
                outcome
            })
            .await?;
        assert_eq!(value, None);
        assert!(!inner.cancel_called() && !inner.cancelled_caught());
        assert!(outer.cancel_called() && outer.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

/// Trio: with both cancelled the exception goes on to the outer one, because inside that the
/// next checkpoint would fail anyway.
#[test]
fn c05_inner_scope_leaves_it_to_a_visible_outer_one() {
    run(async {
        for outer_first in [true, false] {
            let (inner, outer) = (CancelScope::new(), CancelScope::new());
            let value = outer
                .enter(async |outer| {
                    let outcome = inner
                        .enter(async |inner| {
                            if outer_first {
                                outer.cancel();
                                inner.cancel();
                            } else {
                                inner.cancel();
                                outer.cancel();
                            }
                            checkpoint().await
                        })
                        .await;
                    assert!(is_cancelled(&outcome));
                    outcome
                })
                .await?;
            assert_eq!(value, None);
            assert!(inner.cancel_called() && !inner.cancelled_caught());
            assert!(outer.cancelled_caught());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn c05_inner_scope_absorbs_behind_its_shield() {
    run(async {
        let inner = CancelScope::new().with_shield();
        let after = Cell::new(false);
        let outer = cancel_scope(async |outer| {
            outer.cancel();
            let value = inner
                .enter(async |inner| {
                    inner.cancel();
                    checkpoint().await
                })
                .await?;
            assert_eq!(value, None);
            after.set(true);
            checkpoint().await
        });
        assert_eq!(outer.await?, None);
        assert!(after.get() && inner.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

/// The shield counts as it is when the scope is left.
#[test]
fn c05_a_shield_lowered_before_leaving_does_not_absorb() {
    run(async {
        let inner = CancelScope::new().with_shield();
        let outer = cancel_scope(async |outer| {
            outer.cancel();
            let outcome = inner
                .enter(async |inner| {
                    inner.cancel();
                    let outcome = checkpoint().await;
                    inner.set_shield(false);
                    outcome
                })
                .await;
            assert!(is_cancelled(&outcome));
            outcome
        });
        assert_eq!(outer.await?, None);
        assert!(inner.cancel_called() && !inner.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

#[test]
fn c05_called_and_caught_say_which_happened() {
    run(async {
        let flags = |scope: &CancelScope| (scope.cancel_called(), scope.cancelled_caught());
        let scope = CancelScope::new();
        assert_eq!(flags(&scope), (false, false));
        scope
            .enter(async |scope| {
                scope.cancel();
                assert_eq!(flags(scope), (true, false)); // not left yet
                checkpoint().await
            })
            .await?;
        assert_eq!(flags(&scope), (true, true));

        // Cancelled, but what ran in it never noticed.
        let scope = CancelScope::new();
        let value = scope
            .enter(async |scope| {
                scope.cancel();
                Ok(1)
            })
            .await?;
        assert_eq!((value, flags(&scope)), (Some(1), (true, false)));

        // Cancelled, and it failed with something else.
        let scope = CancelScope::new();
        let failed = scope
            .enter(async |scope| {
                scope.cancel();
                let _ = checkpoint().await; // seedbed-lint: allow(swallowed-cancellation)
                Err::<(), _>(Error::msg("A"))
            })
            .await;
        assert_eq!(shape(&failed.unwrap_err()), "A");
        assert_eq!(flags(&scope), (true, false));

        // A `Cancelled` from elsewhere is absorbed only by a scope that was cancelled itself.
        let mut kept = None;
        cancel_scope(async |scope| {
            scope.cancel();
            kept = checkpoint().await.err();
            Ok(())
        })
        .await?;
        let scope = CancelScope::new();
        let outcome = scope.enter(async |_| Err::<(), _>(kept.take().unwrap())).await;
        assert!(is_cancelled(&outcome));
        assert_eq!(flags(&scope), (false, false));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c05_a_scope_is_entered_once() {
    run(async {
        let scope = CancelScope::new();
        let place = Location::caller();
        scope.enter(async |_| Ok(())).await?;
        let error = scope.enter(async |_| Ok(())).await.unwrap_err();
        let reused: &ScopeReused = error.downcast_ref().unwrap();
        assert_eq!(reused.place().file(), place.file());
        let scope = CancelScope::new();
        let nested = scope.enter(async |scope| scope.enter(async |_| Ok(())).await);
        assert!(nested.await.unwrap_err().is::<ScopeReused>());
        Ok(())
    })
    .unwrap();
}

// C6 · Groups.

#[test]
fn c06_the_cancelled_are_taken_out_of_a_group_and_its_shape_is_kept() {
    run(async {
        let scope = CancelScope::new();
        let error = scope
            .enter(async |scope| {
                nursery(async |n| {
                    drop(n.spawn(async {
                        scope.cancel();
                        Err::<(), _>(Error::msg("A"))
                    }));
                    drop(n.spawn(async {
                        nursery(async |n| {
                            drop(n.spawn(async {
                                // seedbed-lint: allow(swallowed-cancellation)
                                let _ = sleep_forever().await;
                                Err::<(), _>(Error::msg("B"))
                            }));
                            sleep_forever().await
                        })
                        .await
                    }));
                    drop(n.spawn(async {
                        nursery(async |n| {
                            drop(n.spawn(async { sleep_forever().await }));
                            sleep_forever().await
                        })
                        .await
                    }));
                    sleep_forever().await
                })
                .await
            })
            .await
            .unwrap_err();
        let text = shape(&error);
        assert!(matches!(&*text, "[A [B]]"), "{text}");
        assert!(scope.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

#[test]
fn c06_a_group_is_left_alone_by_a_scope_that_was_not_cancelled() {
    run(async {
        let outer = CancelScope::new();
        let error = outer
            .enter(async |outer| {
                let inner = CancelScope::new();
                let outcome = inner
                    .enter(async |_| {
                        nursery(async |n| {
                            outer.cancel();
                            drop(n.spawn(async { Err::<(), _>(Error::msg("A")) }));
                            checkpoint().await
                        })
                        .await
                    })
                    .await;
                let error = outcome.unwrap_err();
                assert_eq!(shape(&error), "[Cancelled A]");
                assert!(error.is::<Group>() && !error.is_cancelled());
                assert!(!inner.cancelled_caught());
                Err::<(), _>(error)
            })
            .await
            .unwrap_err();
        assert_eq!(shape(&error), "[A]");
        assert!(outer.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

#[test]
fn c06_a_cancelled_carried_through_foreign_errors_is_absorbed() {
    run(async {
        let value = cancel_scope(async |scope| {
            scope.cancel();
            let error = std::io::Error::from(checkpoint().await.unwrap_err());
            let error = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
            Err::<(), _>(error.into())
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}
