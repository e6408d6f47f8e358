//! C4 and C12: shields, and clean-up behind them.

use std::cell::{Cell, RefCell};

use seedbed::{
    CancelScope, cancel_scope, channel, checkpoint, move_on_after, now, nursery, sleep,
    sleep_forever, yield_now,
};

use super::Waits;
use crate::support::{is_cancelled, run, secs};

// C4 · Shields.

#[test]
fn c04_a_shield_hides_outer_cancellation_while_it_is_up() {
    run(async {
        let start = now();
        let done = Cell::new(false);
        let outer = cancel_scope(async |outer| {
            outer.cancel();
            let shield = CancelScope::new().with_shield();
            assert!(shield.shield());
            let inner = shield.enter(async |_| {
                sleep(secs(3)).await?;
                nursery(async |n| n.spawn(sleep(secs(2))).await).await?;
                Ok(1)
            });
            assert_eq!(inner.await?, Some(1));
            assert!(!shield.cancel_called());
            done.set(true);
            checkpoint().await
        });
        assert_eq!(outer.await?, None);
        assert!(done.get());
        assert_eq!(now() - start, secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c04_a_shield_does_not_hide_its_own_scope() {
    run(async {
        let shield = CancelScope::new().with_shield().with_timeout(secs(1));
        assert_eq!(shield.enter(async |_| sleep_forever().await).await?, None);
        let caught = cancel_scope(async |scope| {
            scope.set_shield(true);
            scope.cancel();
            checkpoint().await
        });
        assert_eq!(caught.await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c04_raising_and_lowering_while_open() {
    run(async {
        let outer = cancel_scope(async |outer| {
            let inner = cancel_scope(async |inner| {
                outer.cancel();
                for _ in 0..2 {
                    assert!(is_cancelled(&checkpoint().await));
                    inner.set_shield(true);
                    assert!(inner.shield());
                    checkpoint().await?;
                    sleep(secs(1)).await?;
                    inner.set_shield(false);
                }
                checkpoint().await
            });
            // It was not the inner scope that was cancelled.
            assert!(is_cancelled(&inner.await));
            checkpoint().await
        });
        assert_eq!(outer.await?, None);
        Ok(())
    })
    .unwrap();
}

/// Trio's `CancelScope.shield`: "if you set shield to False then this may cause pending
/// cancellations to be delivered immediately", to what waits at that moment, even if the shield
/// goes up again at once.
#[test]
fn c04_lowering_delivers_what_is_pending_to_what_waits() {
    for raise_again in [false, true] {
        run(async {
            let waits = Waits::new();
            let names: Vec<_> = waits.all().into_iter().map(|(name, _)| name).collect();
            for (i, name) in names.iter().enumerate() {
                if raise_again && *name == "start" {
                    continue; // as a nursery, below, and so there is no child: `NotStarted`
                }
                let (outer, shield) = (CancelScope::new(), CancelScope::new().with_shield());
                let seen = Cell::new(None);
                nursery(async |n| {
                    let task = n.spawn(outer.enter(async |_| {
                        shield
                            .enter(async |_| {
                                let outcome = waits.all().swap_remove(i).1.await;
                                seen.set(Some(is_cancelled(&outcome)));
                                outcome
                            })
                            .await
                    }));
                    yield_now().await?;
                    outer.cancel();
                    sleep(secs(1)).await?;
                    assert!(!task.is_finished(), "{name}");
                    shield.set_shield(false);
                    shield.set_shield(raise_again);
                    sleep(secs(1)).await?;
                    assert!(task.is_finished(), "{name}, raised again: {raise_again}");
                    Ok(())
                })
                .await?;
                assert!(!shield.cancel_called(), "{name}");
                if raise_again && *name == "nursery" {
                    // As in Trio: its children's `Cancelled`s have cancelled the nursery, and
                    // when it is left nothing else is visible, so it absorbs them.
                    continue;
                }
                assert_eq!(seen.get(), Some(true), "{name}");
                assert!(outer.cancelled_caught(), "{name}");
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn c04_lowering_delivers_through_further_scopes_and_tasks() {
    run(async {
        let start = now();
        let shield = CancelScope::new().with_shield();
        let outer = move_on_after(secs(1), async {
            shield
                .enter(async |_| {
                    nursery(async |n| {
                        drop(n.spawn(async { sleep_forever().await }));
                        drop(n.spawn(async {
                            sleep(secs(5)).await?;
                            shield.set_shield(false);
                            sleep_forever().await
                        }));
                        cancel_scope(async |_| sleep_forever().await).await.map(drop)
                    })
                    .await
                })
                .await
        });
        assert_eq!(outer.await?, None);
        assert_eq!(now() - start, secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c04_nested_shields_each_count() {
    run(async {
        let outer = cancel_scope(async |outer| {
            outer.cancel();
            let (a, b) = (CancelScope::new().with_shield(), CancelScope::new().with_shield());
            let inner = a.enter(async |_| {
                b.enter(async |_| {
                    checkpoint().await?;
                    b.set_shield(false);
                    checkpoint().await?; // the other one is up
                    a.set_shield(false);
                    assert!(is_cancelled(&checkpoint().await));
                    b.set_shield(true);
                    checkpoint().await
                })
                .await
            });
            assert_eq!(inner.await?, Some(Some(())));
            Ok(1)
        });
        assert_eq!(outer.await?, Some(1));
        Ok(())
    })
    .unwrap();
}

// C12 · Clean-up.

#[test]
fn c12_clean_up_may_await_under_a_shield_with_a_deadline() {
    run(async {
        let start = now();
        let log = RefCell::new(Vec::new());
        let (sender, receiver) = channel(0);
        nursery(async |n| {
            drop(n.spawn(async {
                while let Some(word) = receiver.recv().await? {
                    log.borrow_mut().push(word);
                }
                Ok(())
            }));
            let value = move_on_after(secs(1), async {
                let outcome = sleep_forever().await;
                let cleaned = CancelScope::new().with_shield().with_timeout(secs(5));
                let said = cleaned
                    .enter(async |_| {
                        sleep(secs(2)).await?;
                        sender.send("bye").await?;
                        Ok(())
                    })
                    .await?;
                assert_eq!(said, Some(()));
                // And clean-up that takes too long is cut short.
                let stuck = CancelScope::new().with_shield().with_timeout(secs(5));
                assert_eq!(stuck.enter(async |_| sleep_forever().await).await?, None);
                assert!(stuck.cancelled_caught());
                assert!(is_cancelled(&checkpoint().await));
                outcome
            });
            assert_eq!(value.await?, None);
            sender.close();
            Ok(())
        })
        .await?;
        assert_eq!(*log.borrow(), ["bye"]);
        assert_eq!(now() - start, secs(8));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c12_children_clean_up_before_their_nursery_ends() {
    run(async {
        let cleaned = Cell::new(0);
        let value = move_on_after(
            secs(1),
            nursery(async |n| {
                for i in 0..10 {
                    let cleaned = &cleaned;
                    drop(n.spawn(async move {
                        let outcome = sleep_forever().await;
                        CancelScope::new()
                            .with_shield()
                            .with_timeout(secs(60))
                            .enter(async |_| sleep(secs(i)).await)
                            .await?;
                        cleaned.set(cleaned.get() + 1);
                        outcome
                    }));
                }
                Ok(())
            }),
        );
        assert_eq!(value.await?, None);
        assert_eq!(cleaned.get(), 10);
        Ok(())
    })
    .unwrap();
}
