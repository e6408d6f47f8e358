//! Cancel scopes: rows C1 to C15 of what the crate promises.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Cancelled, Error, Event, Group, Reason, Result, ScopeReused, Task,
    TooSlow, cancel_scope, cancellable, channel, checkpoint, current_effective_deadline,
    fail_after, fail_at, finishing, interval, move_on_after, move_on_at, now, nursery, sleep,
    sleep_forever, sleep_until, yield_now,
};

/// Runs on a virtual clock, and fails where it would hang.
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    builder().run(main)
}

fn builder() -> Builder {
    Builder::new().clock(&VirtualClock::new()).detect_deadlock(true)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn cancelled(error: &Error) -> &Cancelled {
    error.downcast_ref().unwrap_or_else(|| panic!("`Cancelled` was expected, not {error:?}"))
}

fn reason<T>(outcome: Result<T>) -> Reason {
    cancelled(&outcome.err().expect("it was to be cancelled")).reason().clone()
}

fn is_cancelled<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(Error::is_cancelled)
}

/// The texts of the failures, groups in brackets.
fn shape(error: &Error) -> String {
    match error.as_group() {
        Some(group) => format!("[{}]", group.errors().map(shape).collect::<Vec<_>>().join(" ")),
        None if error.is_cancelled() => "Cancelled".into(),
        None => error.to_string(),
    }
}

/// Counts how often a future is polled.
async fn counted<F: Future>(polls: &Cell<usize>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

type Op<'a> = (&'static str, Pin<Box<dyn Future<Output = Result<()>> + 'a>>);

/// Waiting operations, none of which ends.
struct Waits {
    event: Event,
    full: (seedbed::Sender<u8>, seedbed::Receiver<u8>),
    empty: (seedbed::Sender<u8>, seedbed::Receiver<u8>),
}

impl Waits {
    fn new() -> Waits {
        Waits { event: Event::new(), full: channel(0), empty: channel(0) }
    }

    fn all(&self) -> Vec<Op<'_>> {
        vec![
            ("event", Box::pin(self.event.wait())),
            ("send", Box::pin(async { Ok(self.full.0.send(1).await?) })),
            ("recv", Box::pin(async { self.empty.1.recv().await.map(drop) })),
            ("sleep", Box::pin(sleep(secs(1_000_000)))),
            ("sleep_until", Box::pin(async { sleep_until(now() + secs(1_000_000)).await })),
            ("sleep_forever", Box::pin(sleep_forever())),
            ("cancellable", Box::pin(cancellable(pending()))),
            (
                "nursery",
                Box::pin(nursery(async |n| {
                    drop(n.spawn(async { sleep_forever().await }));
                    Ok(())
                })),
            ),
            (
                "start",
                Box::pin(nursery(async |n| {
                    n.start::<_, ()>(async |_| sleep_forever().await).await
                })),
            ),
            (
                "scope",
                Box::pin(async { cancel_scope(async |_| self.event.wait().await).await.map(drop) }),
            ),
            ("finishing", Box::pin(finishing(self.event.wait()))),
        ]
    }
}

// C1 · Cancellation is level-triggered.

/// Trio: "cancellation in Trio is 'level-triggered', meaning that once a block has been
/// cancelled, all cancellable operations in that block will keep raising Cancelled."
#[test]
fn c01_every_checkpoint_fails_again_and_again_until_the_scope_is_left() {
    run(async {
        let waits = Waits::new();
        let set = Event::new();
        set.set();
        let (sender, receiver) = channel(9);
        sender.try_send(1).unwrap();
        nursery(async |n| {
            let mut finished: Task<'_, ()> = n.spawn(async { Ok(()) });
            while !finished.is_finished() {
                yield_now().await?;
            }
            let scope = CancelScope::new();
            let value = scope
                .enter(async |scope| {
                    scope.cancel();
                    for round in 0..3 {
                        assert!(is_cancelled(&checkpoint().await), "{round}");
                        assert!(is_cancelled(&yield_now().await), "{round}");
                        assert!(is_cancelled(&sleep(Duration::ZERO).await), "{round}");
                        assert!(is_cancelled(&sleep_until(now()).await), "{round}");
                        assert!(is_cancelled(&interval(secs(1)).tick().await), "{round}");
                        assert!(is_cancelled(&set.wait().await), "{round}");
                        assert!(is_cancelled(&receiver.recv().await), "{round}");
                        assert!(is_cancelled(&cancellable(ready(1)).await), "{round}");
                        assert!(is_cancelled(&(&mut finished).await), "{round}");
                        let unsent = sender.send(5).await.unwrap_err();
                        assert!(unsent.error().is_cancelled(), "{round}");
                        assert_eq!(unsent.into_inner(), 5);
                        for (name, op) in waits.all() {
                            assert!(is_cancelled(&op.await), "{name}, {round}");
                        }
                    }
                    Ok("a value")
                })
                .await?;
            // Whoever ignores it keeps its value, and nothing was caught.
            assert_eq!(value, Some("a value"));
            assert!(scope.cancel_called() && !scope.cancelled_caught());
            // Outside it is over; and none of the operations above took effect.
            checkpoint().await?;
            assert_eq!(receiver.try_recv(), Ok(1));
            assert!(receiver.try_recv().is_err());
            finished.await
        })
        .await
    })
    .unwrap();
}

#[test]
fn c01_it_reaches_every_operation_that_waits() {
    run(async {
        let waits = Waits::new();
        let names: Vec<_> = waits.all().into_iter().map(|(name, _)| name).collect();
        for (i, name) in names.iter().enumerate() {
            let scope = CancelScope::new();
            let seen = Cell::new(false);
            nursery(async |n| {
                let task = n.spawn(scope.enter(async |_| {
                    let outcome = waits.all().swap_remove(i).1.await;
                    seen.set(is_cancelled(&outcome));
                    outcome
                }));
                for _ in 0..3 {
                    yield_now().await?;
                }
                assert!(!task.is_finished(), "{name}");
                scope.cancel();
                assert_eq!(task.await?, None, "{name}");
                Ok(())
            })
            .await?;
            assert!(seen.get() && scope.cancelled_caught(), "{name}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn c01_scopes_opened_inside_a_cancelled_one_are_cancelled_too() {
    run(async {
        let value = cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&cancel_scope(async |_| checkpoint().await).await));
            assert!(is_cancelled(&move_on_after(secs(9), checkpoint()).await));
            assert!(is_cancelled(&nursery(async |_| checkpoint().await).await));
            let child = nursery(async |n| {
                drop(n.spawn(checkpoint()));
                Ok(())
            });
            assert!(is_cancelled(&child.await));
            Ok(1)
        });
        assert_eq!(value.await?, Some(1));
        Ok(())
    })
    .unwrap();
}

// C2 · Every operation is a checkpoint.

/// How often a sibling that is always ready runs while `op` is done so many times.
fn turns_of_others(budget: u32, times: usize, op: impl AsyncFn() -> Result<()>) -> usize {
    let turns = Cell::new(0);
    let during = Cell::new(0);
    builder()
        .budget(budget)
        .run(async {
            nursery(async |n| {
                drop(n.spawn(async {
                    loop {
                        turns.set(turns.get() + 1);
                        yield_now().await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                }));
                yield_now().await?;
                let before = turns.get();
                for _ in 0..times {
                    op().await?;
                }
                during.set(turns.get() - before);
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
    during.get()
}

/// One round of the siblings for each `budget` operations, exactly, whatever the operation.
fn is_a_checkpoint(name: &str, op: impl AsyncFn() -> Result<()>) {
    assert_eq!(turns_of_others(1, 12, &op), 12, "{name} with a budget of 1");
    assert_eq!(turns_of_others(4, 12, &op), 3, "{name} with a budget of 4");
    assert_eq!(turns_of_others(20, 12, &op), 0, "{name} with a budget of 20");
}

fn is_no_checkpoint(name: &str, op: impl AsyncFn() -> Result<()>) {
    assert_eq!(turns_of_others(1, 12, &op), 0, "{name}");
}

/// Trio: "if you call an async function provided by Trio, it always acts as a checkpoint", also
/// when it could go on at once. Here that is every `budget` operations.
#[test]
fn c02_every_operation_counts_also_when_it_could_finish_at_once() {
    is_a_checkpoint("checkpoint", async || checkpoint().await);
    is_a_checkpoint("sleep(0)", async || sleep(Duration::ZERO).await);
    is_a_checkpoint("sleep_until(now)", async || sleep_until(now()).await);
    let set = Event::new();
    set.set();
    is_a_checkpoint("Event::wait", async || set.wait().await);
    let (sender, receiver) = channel(1000);
    is_a_checkpoint("send", async || Ok(sender.send(1).await?));
    is_a_checkpoint("recv", async || receiver.recv().await.map(drop));
    is_a_checkpoint("cancellable", async || cancellable(ready(())).await);
    assert_eq!(turns_of_others(100, 12, async || yield_now().await), 12, "yield_now");
    is_a_checkpoint("tick", async || interval(secs(1)).tick().await.map(drop));
}

/// Also one that gets nothing: a loop that does not look at what it is told must not spin.
#[test]
fn c02_operations_on_closed_channels_count() {
    let (sender, receiver) = channel(1);
    receiver.close();
    is_a_checkpoint("send", async || {
        assert!(!sender.send(1).await.unwrap_err().error().is_cancelled());
        Ok(())
    });
    is_a_checkpoint("recv", async || {
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    });
}

#[test]
fn c02_joining_a_task_that_has_ended_counts() {
    for (budget, expected) in [(1, 12), (4, 3), (20, 0)] {
        let turns = Cell::new(0);
        builder()
            .budget(budget)
            .run(async {
                nursery(async |n| {
                    let ended: Vec<_> = (0..12).map(|_| n.spawn(async { Ok(()) })).collect();
                    drop(n.spawn(async {
                        loop {
                            turns.set(turns.get() + 1);
                            yield_now().await?;
                        }
                        #[expect(unreachable_code)]
                        Ok(())
                    }));
                    yield_now().await?;
                    let before = turns.get();
                    for task in ended {
                        assert!(task.is_finished());
                        task.await?;
                    }
                    assert_eq!(turns.get() - before, expected, "budget {budget}");
                    n.cancel();
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

/// What fails counts as well, or a loop that does not heed a cancellation would be the last
/// thing that runs.
#[test]
fn c02_failing_operations_count() {
    fn in_cancelled(name: &str, op: impl AsyncFn() -> Result<()>) {
        let turns = Cell::new(0);
        builder()
            .budget(1)
            .run(async {
                nursery(async |n| {
                    drop(n.spawn(async {
                        loop {
                            turns.set(turns.get() + 1);
                            yield_now().await?;
                        }
                        #[expect(unreachable_code)]
                        Ok(())
                    }));
                    yield_now().await?;
                    let before = turns.get();
                    cancel_scope(async |scope| {
                        scope.cancel();
                        for _ in 0..5 {
                            assert!(is_cancelled(&op().await), "{name}");
                        }
                        Ok(())
                    })
                    .await?;
                    assert!(turns.get() - before >= 5, "{name}: {} turns", turns.get() - before);
                    n.cancel();
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
    in_cancelled("checkpoint", async || checkpoint().await);
    in_cancelled("yield_now", async || yield_now().await);
    in_cancelled("sleep", async || sleep(secs(1)).await);
    in_cancelled("sleep_forever", async || sleep_forever().await);
    let event = Event::new();
    in_cancelled("event", async || event.wait().await);
    let (sender, receiver) = channel(0);
    in_cancelled("send", async || Ok(sender.send(1).await?));
    in_cancelled("recv", async || receiver.recv().await.map(drop));
    in_cancelled("cancellable", async || cancellable(pending()).await);
}

#[test]
fn c02_joining_in_a_cancelled_scope_counts() {
    builder()
        .budget(1)
        .run(async {
            let turns = Cell::new(0);
            nursery(async |n| {
                let mut task = n.spawn(async {
                    loop {
                        turns.set(turns.get() + 1);
                        yield_now().await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                });
                yield_now().await?;
                let before = turns.get();
                cancel_scope(async |scope| {
                    scope.cancel();
                    for _ in 0..5 {
                        assert!(is_cancelled(&(&mut task).await));
                    }
                    Ok(())
                })
                .await?;
                assert!(turns.get() - before >= 5, "{} turns", turns.get() - before);
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
}

#[test]
fn c02_what_is_not_a_checkpoint() {
    is_no_checkpoint("scope", async || cancel_scope(async |_| Ok(())).await.map(drop));
    is_no_checkpoint("timeout", async || fail_after(secs(1), async { Ok(()) }).await);
    is_no_checkpoint("finishing", async || finishing(async { Ok(()) }).await);
    is_no_checkpoint("cancel", async || {
        CancelScope::new().cancel();
        Ok(())
    });
    let (sender, receiver) = channel(1);
    is_no_checkpoint("try_send, try_recv", async || {
        sender.try_send(1).unwrap();
        receiver.try_recv().unwrap();
        Ok(())
    });
    let event = Event::new();
    is_no_checkpoint("Event::set", async || {
        event.set();
        Ok(())
    });
}

/// None of these looks for cancellation: they give their value in a cancelled scope.
#[test]
fn c02_leaving_a_nursery_and_the_return_of_start_do_not_look_for_cancellation() {
    run(async {
        let never = Event::new();
        let value = cancel_scope(async |scope| {
            scope.cancel();
            assert_eq!(nursery(async |_| Ok(1)).await?, 1);
            assert_eq!(cancel_scope(async |_| Ok(2)).await?, Some(2));
            assert_eq!(move_on_after(secs(0), async { Ok(3) }).await?, Some(3));
            Ok(())
        });
        assert_eq!(value.await?, Some(()));

        // The nursery's children have ended when the cancellation comes.
        let value = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    scope.cancel();
                    Ok(())
                }));
                Ok(4)
            })
            .await
        });
        assert_eq!(value.await?, Some(4));

        // `start` returns although its caller was cancelled just now.
        let scope = CancelScope::new();
        let value = nursery(async |n| {
            let value = scope
                .enter(async |_| {
                    n.start(async |started| {
                        started.ready(5);
                        scope.cancel();
                        never.wait().await
                    })
                    .await
                })
                .await?;
            n.cancel();
            Ok(value)
        });
        assert_eq!(value.await?, Some(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c02_a_spent_budget_lets_a_cancellation_in() {
    builder()
        .budget(10)
        .run(async {
            let ended = cancel_scope(async |scope| {
                nursery(async |n| {
                    drop(n.spawn(async {
                        scope.cancel();
                        Ok(())
                    }));
                    for _ in 0..9 {
                        checkpoint().await?;
                    }
                    assert!(!scope.cancel_called());
                    assert!(is_cancelled(&checkpoint().await));
                    Ok(())
                })
                .await
            });
            assert_eq!(ended.await?, Some(()));
            Ok(())
        })
        .unwrap();
}

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
                    // when it is left nothing else is visible any more, so it absorbs them.
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

// C5 · Who absorbs.

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

/// Trio: with both cancelled the exception goes on to the outer one, because inside of that the
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
                let _ = checkpoint().await;
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
        // A cancellation by hand from outside.
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
                    let _ = sleep_forever().await;
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

// C9 · Why.

#[test]
fn c09_the_reason_of_a_deadline() {
    run(async {
        let (limit, line) = (secs(1), line!() + 1);
        move_on_after(limit, async {
            let error = sleep_forever().await.unwrap_err();
            let why = cancelled(&error);
            assert_eq!(why.reason(), &Reason::Deadline);
            assert_eq!((why.scope_place().file(), why.scope_place().line()), (file!(), line));
            assert_eq!(why.cancelled_by(), None);
            Err::<(), _>(error)
        })
        .await?;
        // The same at a checkpoint that did not wait, and with the other calls.
        let line = line!() + 1;
        let scope = CancelScope::new().with_deadline(now());
        scope
            .enter(async |_| {
                let error = checkpoint().await.unwrap_err();
                assert_eq!(cancelled(&error).reason(), &Reason::Deadline);
                assert_eq!(cancelled(&error).scope_place().line(), line);
                Err::<(), _>(error)
            })
            .await?;
        let line = line!() + 1;
        let _ = fail_after(secs(1), async {
            let error = sleep_forever().await.unwrap_err();
            assert_eq!(cancelled(&error).scope_place().line(), line);
            Err::<(), _>(error)
        })
        .await;
        Ok(())
    })
    .unwrap();
}

#[test]
fn c09_the_reason_of_a_request() {
    run(async {
        let opened = line!() + 1;
        cancel_scope(async |scope| {
            let by = line!() + 1;
            scope.cancel();
            scope.cancel_with("too late to say why"); // the first one counts
            let error = checkpoint().await.unwrap_err();
            let why = cancelled(&error);
            assert_eq!(why.reason(), &Reason::Requested(None));
            assert_eq!(why.scope_place().line(), opened);
            assert_eq!(why.cancelled_by().map(Location::line), Some(by));
            Ok(())
        })
        .await?;
        cancel_scope(async |scope| {
            let by = line!() + 1;
            scope.cancel_with(format!("superseded by {}", 7));
            let error = sleep_forever().await.unwrap_err();
            let why = cancelled(&error);
            assert_eq!(why.reason(), &Reason::Requested(Some("superseded by 7".into())));
            assert_eq!(why.cancelled_by().map(Location::line), Some(by));
            assert!(why.to_string().contains("superseded by 7"), "{why}");
            Ok(())
        })
        .await?;
        nursery(async |n| {
            let by = line!() + 1;
            n.cancel();
            let error = checkpoint().await.unwrap_err();
            assert_eq!(cancelled(&error).cancelled_by().map(Location::line), Some(by));
            Err::<(), _>(error)
        })
        .await
    })
    .unwrap();
}

#[test]
fn c09_the_reason_of_a_failing_sibling() {
    run(async {
        let (why, spawned) = (RefCell::new(None), Cell::new(0));
        let opened = line!() + 1;
        let error = nursery(async |n| {
            spawned.set(line!() + 1);
            drop(n.spawn(async { Err::<(), _>(Error::msg("out of paper")) }));
            drop(n.spawn(async {
                let error = sleep_forever().await.unwrap_err();
                *why.borrow_mut() = Some(cancelled(&error).clone());
                Err::<(), _>(error)
            }));
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(shape(&error), "[out of paper]");
        let why = why.take().unwrap();
        assert_eq!(why.reason(), &Reason::ChildFailed("out of paper".into()));
        assert_eq!(why.scope_place().line(), opened);
        assert_eq!(why.cancelled_by().map(Location::line), Some(spawned.get()));

        // The body's failure has no place where it was spawned.
        let why = RefCell::new(None);
        let error = nursery(async |n| {
            drop(n.spawn(async {
                let error = sleep_forever().await.unwrap_err();
                *why.borrow_mut() = Some(cancelled(&error).clone());
                Err::<(), _>(error)
            }));
            yield_now().await?;
            Err::<(), _>(Error::msg("out of ink"))
        });
        assert_eq!(shape(&error.await.unwrap_err()), "[out of ink]");
        let why = why.take().unwrap();
        assert_eq!(why.reason(), &Reason::ChildFailed("out of ink".into()));
        assert_eq!(why.cancelled_by(), None);
        Ok(())
    })
    .unwrap();
}

/// The reason is that of the scope which is cancelled, however deep below it things run.
#[test]
fn c09_the_reason_comes_from_the_scope_that_was_cancelled() {
    run(async {
        let line = line!() + 1;
        let outer = CancelScope::new();
        outer
            .enter(async |outer| {
                let inner = move_on_after(secs(60), async {
                    nursery(async |n| {
                        let task = n.spawn(async {
                            let error = sleep_forever().await.unwrap_err();
                            assert_eq!(cancelled(&error).scope_place().line(), line);
                            assert_eq!(
                                cancelled(&error).reason(),
                                &Reason::Requested(Some("B".into()))
                            );
                            Ok(())
                        });
                        yield_now().await?;
                        outer.cancel_with("B");
                        while !task.is_finished() {
                            let _ = yield_now().await;
                        }
                        Ok(())
                    })
                    .await
                });
                inner.await
            })
            .await?;
        Ok(())
    })
    .unwrap();
}

/// The types for the reasons that come with shutting down and Ctrl-C.
#[test]
fn c09_there_are_reasons_for_shutdown_and_ctrl_c() {
    assert_ne!(Reason::Shutdown, Reason::Interrupted);
    assert_ne!(Reason::Interrupted, Reason::Deadline);
}

/// Work that was finishing is told that the grace is over; the rest was told at once who asked.
#[test]
fn c09_the_reason_when_the_grace_is_over() {
    run(async {
        let scope = CancelScope::new();
        let reasons = RefCell::new(Vec::new());
        let by = Cell::new(0);
        scope
            .enter(async |scope| {
                nursery(async |n| {
                    drop(n.spawn(async {
                        let error = finishing(sleep_forever()).await.unwrap_err();
                        reasons.borrow_mut().push(cancelled(&error).clone());
                        Err::<(), _>(error)
                    }));
                    drop(n.spawn(async {
                        let error = sleep_forever().await.unwrap_err();
                        reasons.borrow_mut().push(cancelled(&error).clone());
                        Err::<(), _>(error)
                    }));
                    yield_now().await?;
                    by.set(line!() + 1);
                    scope.cancel_gracefully(secs(5));
                    Ok(())
                })
                .await
            })
            .await?;
        let reasons = reasons.take();
        assert_eq!(reasons[0].reason(), &Reason::Requested(None));
        assert_eq!(reasons[0].cancelled_by().map(Location::line), Some(by.get()));
        assert_eq!(reasons[1].reason(), &Reason::GraceOver);
        Ok(())
    })
    .unwrap();
}

/// Finishing work that is stopped by something else than the end of the grace is told what.
#[test]
fn c09_finishing_work_is_told_what_stopped_it() {
    run(async {
        for outer_too in [false, true] {
            let (outer, inner) = (CancelScope::new(), CancelScope::new());
            let told = RefCell::new(None);
            nursery(async |n| {
                drop(n.spawn(outer.enter(async |_| {
                    inner
                        .enter(async |_| {
                            let error = finishing(sleep_forever()).await.unwrap_err();
                            *told.borrow_mut() = Some(cancelled(&error).reason().clone());
                            Err::<(), _>(error)
                        })
                        .await
                })));
                yield_now().await?;
                inner.cancel_gracefully(secs(5));
                sleep(secs(1)).await?;
                assert!(told.borrow().is_none());
                let scope = if outer_too { &outer } else { &inner };
                scope.cancel_with("enough");
                Ok(())
            })
            .await?;
            assert_eq!(told.take(), Some(Reason::Requested(Some("enough".into()))), "{outer_too}");
        }
        Ok(())
    })
    .unwrap();
}

// C10 for scopes: an operation either happened or raised. Channels are in `sync.rs`.

/// Trio's abort functions: what was rescheduled with a value is not cancelled any more.
#[test]
fn c10_what_happened_before_the_cancellation_has_happened() {
    run(async {
        let event = Event::new();
        let scope = CancelScope::new();
        let value = nursery(async |n| {
            let task = n.spawn(scope.enter(async |_| {
                event.wait().await?;
                Ok(1)
            }));
            yield_now().await?;
            event.set();
            scope.cancel(); // in the same instant, but later
            task.await
        });
        assert_eq!(value.await?, Some(1));
        assert!(scope.cancel_called() && !scope.cancelled_caught());

        let event = Event::new();
        let scope = CancelScope::new();
        let value = nursery(async |n| {
            let task = n.spawn(scope.enter(async |_| {
                event.wait().await?;
                Ok(1)
            }));
            yield_now().await?;
            scope.cancel(); // in the same instant, but earlier
            event.set();
            task.await
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}

// C11 · Futures not of this crate, and other libraries' combinators.

/// Says when it is dropped.
struct OnDrop<'a>(&'a Cell<usize>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn c11_cancellable_drops_the_future_and_raises() {
    run(async {
        let dropped = Cell::new(0);
        let value = move_on_after(secs(1), async {
            let guard = OnDrop(&dropped);
            let outcome = cancellable(async move {
                let _guard = guard;
                pending::<()>().await;
            })
            .await;
            assert_eq!(dropped.get(), 1, "it is dropped before `Cancelled` is raised");
            assert!(is_cancelled(&outcome));
            outcome
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_cancellable_gives_the_value_of_a_future_that_ends() {
    run(async {
        assert_eq!(cancellable(ready(5)).await?, 5);
        let (sender, receiver) = futures::channel::oneshot::channel();
        nursery(async |n| {
            let task = n.spawn(cancellable(receiver));
            yield_now().await?;
            assert!(!task.is_finished());
            sender.send(6).unwrap();
            assert_eq!(task.await?, Ok(6));
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// With a budget of one the value is there before the others run; it is not lost meanwhile.
#[test]
fn c11_cancellable_keeps_a_value_it_has() {
    builder()
        .budget(1)
        .run(async {
            let scope = CancelScope::new();
            let value = nursery(async |n| {
                let task = n.spawn(scope.enter(async |_| cancellable(ready(7)).await));
                drop(n.spawn(async {
                    scope.cancel();
                    Ok(())
                }));
                task.await
            });
            assert_eq!(value.await?, Some(7));
            Ok(())
        })
        .unwrap();
}

#[test]
fn c11_cancellable_heeds_a_cancellation_from_inside_the_future() {
    run(async {
        let value = cancel_scope(async |scope| {
            cancellable(async {
                scope.cancel();
                pending::<()>().await;
            })
            .await
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}

/// Runs `make(waits)` in a task, cancels its scope, and expects everything in it to notice.
fn combinator_is_reached(
    name: &str,
    make: impl for<'a> Fn(
        Vec<Op<'a>>,
        &'a Cell<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>,
) {
    run(async {
        let waits = Waits::new();
        let count = waits.all().len();
        let noticed = Cell::new(0);
        let scope = CancelScope::new();
        nursery(async |n| {
            let task = n.spawn(scope.enter(async |_| make(waits.all(), &noticed).await));
            for _ in 0..5 {
                yield_now().await?;
            }
            assert_eq!(noticed.get(), 0, "{name}");
            scope.cancel();
            assert_eq!(task.await?, None, "{name}");
            Ok(())
        })
        .await?;
        assert_eq!(noticed.get(), count, "{name}");
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{name}: {error:?}"));
}

/// Counts the operation if it was cancelled.
async fn notice(op: Op<'_>, noticed: &Cell<usize>) -> Result<()> {
    let outcome = op.1.await;
    noticed.set(noticed.get() + usize::from(is_cancelled(&outcome)));
    outcome
}

fn first_error(outcomes: Vec<Result<()>>) -> Result<()> {
    outcomes.into_iter().collect()
}

#[test]
fn c11_operations_in_join_all_are_reached() {
    combinator_is_reached("join_all", |ops, noticed| {
        Box::pin(async {
            first_error(join_all(ops.into_iter().map(|op| notice(op, noticed))).await)
        })
    });
}

/// From 30 futures on `join_all` polls only those that were woken.
#[test]
fn c11_operations_in_a_large_join_all_are_reached() {
    run(async {
        let event = Event::new();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    yield_now().await?;
                    scope.cancel();
                    Ok(())
                }));
                let outcomes = join_all((0..100).map(|_| event.wait())).await;
                assert_eq!(outcomes.iter().filter(|outcome| is_cancelled(outcome)).count(), 100);
                first_error(outcomes)
            })
            .await
        });
        assert_eq!(outcome.await?, None);
        Ok(())
    })
    .unwrap();
}

async fn unordered<'a>(ops: Vec<Op<'a>>, noticed: &'a Cell<usize>) -> Result<()> {
    let all: FuturesUnordered<_> = ops.into_iter().map(|op| notice(op, noticed)).collect();
    first_error(all.collect().await)
}

#[test]
fn c11_operations_in_futures_unordered_are_reached() {
    combinator_is_reached("FuturesUnordered", |ops, noticed| Box::pin(unordered(ops, noticed)));
}

#[test]
fn c11_operations_in_nested_futures_unordered_are_reached() {
    combinator_is_reached("nested", |ops, noticed| {
        Box::pin(async {
            let outer = FuturesUnordered::new();
            for op in ops {
                let inner = FuturesUnordered::new();
                inner.push(notice(op, noticed));
                outer.push(async { first_error(inner.collect().await) });
            }
            first_error(outer.collect().await)
        })
    });
}

#[test]
fn c11_operations_in_scopes_inside_combinators_are_reached() {
    combinator_is_reached("scopes inside", |ops, noticed| {
        Box::pin(async move {
            let outer = FuturesUnordered::new();
            for op in ops {
                outer.push(async move {
                    let inner = FuturesUnordered::new();
                    inner.push(move_on_after(secs(9_999_999), notice(op, noticed)));
                    let outcomes: Vec<_> = inner.collect().await;
                    outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))
                });
            }
            first_error(outer.collect().await)
        })
    });
}

#[test]
fn c11_operations_in_nurseries_inside_combinators_are_reached() {
    combinator_is_reached("nurseries inside", |ops, noticed| {
        Box::pin(async move {
            let outer = FuturesUnordered::new();
            for op in ops {
                outer.push(nursery(async move |n| {
                    drop(n.spawn(async {
                        let inner = FuturesUnordered::new();
                        inner.push(sleep_forever());
                        let _ = poll!(inner.collect::<Vec<Result<()>>>());
                        Ok(())
                    }));
                    notice(op, noticed).await
                }));
            }
            first_error(outer.collect().await)
        })
    });
}

#[test]
fn c11_operations_in_select_are_reached() {
    combinator_is_reached("select", |ops, noticed| {
        Box::pin(async {
            let mut first = None;
            for op in ops {
                let (name, op) = op;
                let other: Pin<Box<dyn Future<Output = ()>>> = Box::pin(pending());
                let Either::Left((outcome, _)) = select(op, other).await else {
                    unreachable!("the other one never ends")
                };
                assert!(is_cancelled(&outcome), "{name}");
                noticed.set(noticed.get() + 1);
                first = first.or(outcome.err());
            }
            Err(first.unwrap())
        })
    });
}

/// A scope of its own around one future of many: only that one is reached, and all by name.
#[test]
fn c11_a_scope_inside_a_combinator_reaches_only_what_is_in_it() {
    run(async {
        let scopes: Vec<_> = (0..40).map(|_| CancelScope::new()).collect();
        let event = Event::new();
        nursery(async |n| {
            let ended = RefCell::new(Vec::new());
            let outside = &ended;
            let mut all: FuturesUnordered<_> = scopes
                .iter()
                .enumerate()
                .map(|(i, scope)| {
                    let event = &event;
                    async move {
                        let value = scope.enter(async |_| event.wait().await).await;
                        outside.borrow_mut().push((i, value.unwrap()));
                    }
                })
                .collect();
            drop(n.spawn(async {
                for i in [7, 3, 39] {
                    sleep(secs(1)).await?;
                    scopes[i].cancel();
                }
                sleep(secs(1)).await?;
                event.set();
                Ok(())
            }));
            for _ in 0..3 {
                all.next().await;
            }
            assert_eq!(ended.take(), [(7, None), (3, None), (39, None)]);
            while all.next().await.is_some() {}
            assert_eq!(ended.borrow().len(), 37);
            assert!(ended.borrow().iter().all(|(_, value)| value.is_some()));
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// Deadlines and lowered shields come through combinators as calls do.
#[test]
fn c11_deadlines_and_shields_inside_combinators() {
    run(async {
        let start = now();
        let all: FuturesUnordered<_> =
            (1..=40).map(|i| move_on_after(secs(i), sleep_forever())).collect();
        let outcomes: Vec<_> = all.collect().await;
        assert!(outcomes.into_iter().all(|outcome| outcome.unwrap().is_none()));
        assert_eq!(now() - start, secs(40));

        let shields: Vec<_> = (0..40).map(|_| CancelScope::new().with_shield()).collect();
        let outer = CancelScope::new();
        let ended = Cell::new(0);
        nursery(async |n| {
            drop(n.spawn(outer.enter(async |_| {
                let all: FuturesUnordered<_> = shields
                    .iter()
                    .map(|shield| async {
                        let outcome = shield.enter(async |_| sleep_forever().await).await;
                        ended.set(ended.get() + 1);
                        outcome.map(drop)
                    })
                    .collect();
                first_error(all.collect().await)
            })));
            sleep(secs(1)).await?;
            outer.cancel();
            sleep(secs(1)).await?;
            assert_eq!(ended.get(), 0);
            shields[5].set_shield(false);
            sleep(secs(1)).await?;
            assert_eq!(ended.get(), 1);
            for shield in &shields {
                shield.set_shield(false);
            }
            Ok(())
        })
        .await?;
        assert_eq!(ended.get(), 40);
        assert!(outer.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

// An operation may be begun in one scope and gone on with in another: where it is polled is what
// counts.

#[test]
fn c11_an_operation_moved_into_a_cancelled_scope_fails() {
    run(async {
        let waits = Waits::new();
        for (name, mut op) in waits.all() {
            assert!(poll!(&mut op).is_pending(), "{name}");
            let value = cancel_scope(async |scope| {
                scope.cancel();
                op.await
            });
            assert_eq!(value.await?, None, "{name}");
        }
        Ok(())
    })
    .unwrap();
}

/// The scope that it was in is cancelled and gives way to something else before it notices.
#[test]
fn c11_an_operation_moved_out_of_a_cancelled_scope_goes_on() {
    for nested in [false, true] {
        run(async {
            let event = Event::new();
            let (sender, receiver) = channel(0);
            let (sender2, receiver2) = channel(0);
            let mut ops: Vec<Op<'_>> = vec![
                ("event", Box::pin(event.wait())),
                (
                    "recv",
                    Box::pin(async {
                        assert_eq!(receiver.recv().await?, Some(1));
                        Ok(())
                    }),
                ),
                ("send", Box::pin(async { Ok(sender2.send(2).await?) })),
                ("sleep", Box::pin(sleep(secs(1)))),
                ("cancellable", Box::pin(cancellable(async { event.wait().await.unwrap() }))),
                ("nursery", Box::pin(nursery(async |n| n.spawn(event.wait()).await))),
            ];
            if nested {
                ops = ops
                    .into_iter()
                    .map(|(name, op)| -> Op<'_> {
                        (name, Box::pin(async move { fail_after(secs(60), op).await }))
                    })
                    .collect();
            }
            for (name, op) in &mut ops {
                let scope = CancelScope::new();
                let inside = scope.enter(async |_| op.await);
                let mut inside = pin!(inside);
                assert!(poll!(&mut inside).is_pending(), "{name}");
                scope.cancel();
            }
            // They are in no cancelled scope any more.
            event.set();
            nursery(async |n| {
                drop(n.spawn(async { Ok(sender.send(1).await?) }));
                drop(n.spawn(async {
                    assert_eq!(receiver2.recv().await?, Some(2));
                    Ok(())
                }));
                for (name, op) in ops {
                    let outcome = op.await;
                    assert!(outcome.is_ok(), "{name}, nested: {nested}: {outcome:?}");
                }
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// As above, but the scope that it was in is still open, and cancelled only then.
#[test]
fn c11_an_operation_moved_out_of_a_scope_is_not_reached_by_it_any_more() {
    run(async {
        let event = Event::new();
        let (first, second) = (CancelScope::new(), CancelScope::new());
        let waiting = RefCell::new(Some(Box::pin(fail_after(secs(60), event.wait()))));
        nursery(async |n| {
            let left = n.spawn(first.enter(async |_| {
                poll_fn(|cx| match &mut *waiting.borrow_mut() {
                    Some(waiting) => waiting.as_mut().poll(cx),
                    None => Poll::Ready(Ok(())), // it has gone
                })
                .await
            }));
            yield_now().await?;
            let waiting = waiting.take().unwrap();
            first.cancel();
            let moved = n.spawn(second.enter(async |_| waiting.await));
            assert_eq!(left.await?, Some(()));
            sleep(secs(1)).await?;
            assert!(!moved.is_finished());
            event.set();
            assert_eq!(moved.await?, Some(()));
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// Leaking is safe, and what is left of the leaked scopes disturbs nobody.
#[test]
fn c14_scopes_that_are_leaked_half_way() {
    let kept = CancelScope::new();
    run(async {
        let value = move_on_after(secs(50), async {
            for i in 1..=20 {
                let mut leaked = Box::pin(move_on_after(secs(i), async {
                    kept_by(&CancelScope::new(), sleep_forever()).await
                }));
                assert!(poll!(&mut leaked).is_pending());
                std::mem::forget(leaked);
            }
            let inside = kept.clone();
            let mut leaked = Box::pin(async move {
                inside.enter(async |_| fail_after(secs(9), sleep_forever()).await).await
            });
            assert!(poll!(&mut leaked).is_pending());
            std::mem::forget(leaked);
            sleep(secs(5)).await?;
            kept.cancel();
            kept.set_shield(true);
            sleep(secs(100)).await
        });
        assert_eq!(value.await?, None);
        checkpoint().await
    })
    .unwrap();
    // It was never left, and its run has gone.
    assert!(kept.cancel_called() && !kept.cancelled_caught());
    kept.set_shield(false);
    kept.set_timeout(secs(1));
    kept.set_deadline(None);
    kept.cancel_gracefully(secs(1));
    run(async {
        kept.set_timeout(secs(1));
        sleep(secs(5)).await
    })
    .unwrap();
}

async fn kept_by(scope: &CancelScope, future: impl Future<Output = Result<()>>) -> Result<()> {
    scope.enter(async |_| future.await).await.map(drop)
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

// C13 · Graceful cancellation.

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

/// Siblings that stop at once, with `Cancelled`, do not take those with them that finish.
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

/// A failure in earnest cancels the siblings, as it always does, whether they finish or not.
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

// C14 · Before entering, after leaving, from elsewhere.

#[test]
fn c14_a_scope_can_be_cancelled_before_it_is_entered() {
    let early = CancelScope::new(); // made, and cancelled, where nothing runs
    early.cancel_with("early");
    run(async {
        let reached = Cell::new(false);
        let value = early.enter(async |_| {
            reached.set(true); // as in Trio the body begins
            assert_eq!(reason(checkpoint().await), Reason::Requested(Some("early".into())));
            checkpoint().await
        });
        assert_eq!(value.await?, None);
        assert!(reached.get() && early.cancelled_caught());
        Ok(())
    })
    .unwrap();
}

#[test]
fn c14_cancelling_after_leaving_has_no_effect() {
    run(async {
        let scope = CancelScope::new();
        assert_eq!(scope.enter(async |_| Ok(1)).await?, Some(1));
        scope.cancel();
        scope.cancel_gracefully(secs(1));
        checkpoint().await?;
        assert!(!scope.cancel_called() && !scope.cancelled_caught());

        // A future that is dropped half-way has left its scope as well.
        let scope = CancelScope::new();
        {
            let inside = scope.enter(async |_| sleep_forever().await);
            let mut inside = pin!(inside);
            assert!(poll!(&mut inside).is_pending());
        }
        scope.cancel();
        assert!(!scope.cancel_called());
        checkpoint().await
    })
    .unwrap();
}

#[test]
fn c14_a_scope_can_be_cancelled_from_other_tasks() {
    run(async {
        let scopes: Rc<[CancelScope]> = (0..5).map(|_| CancelScope::new()).collect();
        let left = RefCell::new(Vec::new());
        nursery(async |n| {
            for (i, scope) in scopes.iter().enumerate() {
                let left = &left;
                drop(n.spawn(async move {
                    assert_eq!(scope.enter(async |_| sleep_forever().await).await?, None);
                    left.borrow_mut().push(i);
                    Ok(())
                }));
            }
            // From a task in another scope, which is not touched by it.
            cancel_scope(async |_| {
                for i in [3, 0, 4, 1, 2] {
                    sleep(secs(1)).await?;
                    scopes[i].cancel();
                    scopes[i].cancel(); // twice is once
                }
                Ok(())
            })
            .await?;
            Ok(())
        })
        .await?;
        assert_eq!(left.take(), [3, 0, 4, 1, 2]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c14_a_child_cancels_the_scope_around_its_nursery() {
    run(async {
        let value = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    sleep(secs(1)).await?;
                    scope.cancel();
                    Ok(())
                }));
                sleep_forever().await
            })
            .await
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}

// C15 · Cost.

/// In wakes and polls: each task is polled once to begin and once to be told.
#[test]
fn c15_cancelling_a_scope_with_n_tasks_polls_each_once() {
    for n_tasks in [1usize, 10, 1000] {
        run(async {
            let (polls, around) = (Cell::new(0), Cell::new(0));
            let event = Event::new();
            let scope = CancelScope::new();
            nursery(async |n| {
                let inside = n.spawn(counted(
                    &around,
                    scope.enter(async |_| {
                        nursery(async |n| {
                            for i in 0..n_tasks {
                                let (polls, event) = (&polls, &event);
                                drop(n.spawn(async move {
                                    // Half of them in a scope of their own.
                                    if i % 2 == 0 {
                                        counted(polls, event.wait()).await
                                    } else {
                                        move_on_after(secs(60), counted(polls, event.wait()))
                                            .await
                                            .map(drop)
                                    }
                                }));
                            }
                            Ok(())
                        })
                        .await
                    }),
                ));
                for _ in 0..3 {
                    yield_now().await?;
                }
                assert_eq!(polls.get(), n_tasks);
                let before = around.get();
                scope.cancel();
                assert_eq!(inside.await?, None);
                assert_eq!(polls.get(), 2 * n_tasks);
                assert!(around.get() - before <= 4, "{} polls around", around.get() - before);
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// Nobody else is woken by a scope that comes and goes, and none is kept.
#[test]
fn c15_entering_and_leaving_touches_nobody_else() {
    run(async {
        let polls = Cell::new(0);
        let event = Event::new();
        nursery(async |n| {
            for _ in 0..100 {
                drop(n.spawn(counted(&polls, event.wait())));
            }
            yield_now().await?;
            assert_eq!(polls.get(), 100);
            for _ in 0..10_000 {
                fail_after(secs(1), checkpoint()).await?;
                cancel_scope(async |scope| {
                    scope.cancel();
                    checkpoint().await
                })
                .await?;
            }
            assert_eq!(polls.get(), 100);
            event.set();
            Ok(())
        })
        .await?;
        assert_eq!(polls.get(), 200);
        Ok(())
    })
    .unwrap();
}

/// What is left does not keep the clock from standing still: no timer is left behind.
#[test]
fn c15_scopes_that_were_left_leave_no_timers() {
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .detect_deadlock(true)
        .run(async {
            for i in 0..1000 {
                fail_after(secs(1000 + i), checkpoint()).await?;
            }
            let value = cancel_scope(async |scope| {
                scope.set_timeout(secs(5));
                scope.cancel();
                checkpoint().await
            });
            assert_eq!(value.await?, None);
            // One that is dropped half-way.
            let mut dropped = Box::pin(move_on_after(secs(7), sleep_forever()));
            assert!(poll!(&mut dropped).is_pending());
            drop(dropped);
            sleep(secs(1)).await
        })
        .unwrap();
    assert_eq!(clock.elapsed(), secs(1));
}

const DEEP: usize = 1000;

/// On a stack of this many MiB; a thread of the standard library has 2, a main thread mostly 8.
fn on_a_stack_of(mib: usize, f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(mib << 20).spawn(f).unwrap().join().unwrap();
}

fn in_scopes<'a>(
    depth: usize,
    polls: &'a Cell<usize>,
    event: &'a Event,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        match depth {
            0 => counted(polls, event.wait()).await,
            _ => cancel_scope(async |_| in_scopes(depth - 1, polls, event).await).await.map(drop),
        }
    })
}

fn in_nurseries<'a>(
    depth: usize,
    polls: &'a Cell<usize>,
    event: &'a Event,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        match depth {
            0 => counted(polls, event.wait()).await,
            _ => nursery(async |_| in_nurseries(depth - 1, polls, event).await).await,
        }
    })
}

fn in_children<'a>(
    depth: usize,
    polls: &'a Cell<usize>,
    event: &'a Event,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        match depth {
            0 => counted(polls, event.wait()).await,
            _ => {
                nursery(async |n| {
                    drop(n.spawn(in_children(depth - 1, polls, event)));
                    Ok(())
                })
                .await
            }
        }
    })
}

type Deep =
    for<'a> fn(usize, &'a Cell<usize>, &'a Event) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Waits down there, and is woken, cancelled, or dropped.
fn deep(mib: usize, make: Deep) {
    on_a_stack_of(mib, move || {
        run(async {
            let (polls, event) = (Cell::new(0), Event::new());
            nursery(async |n| {
                let task = n.spawn(make(DEEP, &polls, &event));
                for _ in 0..3 {
                    yield_now().await?;
                }
                while polls.get() == 0 {
                    yield_now().await?;
                }
                event.set();
                task.await
            })
            .await?;
            assert_eq!(polls.get(), 2);

            let (polls, event, scope) = (Cell::new(0), Event::new(), CancelScope::new());
            nursery(async |n| {
                let task = n.spawn(scope.enter(async |_| make(DEEP, &polls, &event).await));
                while polls.get() == 0 {
                    yield_now().await?;
                }
                scope.cancel();
                assert_eq!(task.await?, None);
                Ok(())
            })
            .await?;
            assert_eq!(polls.get(), 2);

            let (polls, event) = (Cell::new(0), Event::new());
            let mut dropped = make(DEEP, &polls, &event);
            while polls.get() == 0 {
                assert!(poll!(&mut dropped).is_pending());
                yield_now().await?;
            }
            drop(dropped);
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn c15_a_thousand_nested_scopes() {
    deep(2, in_scopes);
}

#[test]
fn c15_a_thousand_nested_nurseries() {
    deep(8, in_nurseries);
}

#[test]
fn c15_a_thousand_nested_children() {
    deep(8, in_children);
}

/// While nothing else is ready each of them starts the next, and nobody comes down anew for each.
#[test]
fn c15_nested_children_begin_and_end_in_a_few_polls_of_the_outermost() {
    run(async {
        let (ways, polls, event) = (Cell::new(0), Cell::new(0), Event::new());
        event.set();
        counted(&ways, in_children(100, &polls, &event))
            .await
            .inspect(|()| assert!(ways.get() < 10, "{} polls", ways.get()))
    })
    .unwrap();
}

/// A failure on the ground comes up as a group of a group of a group.
#[test]
fn c15_a_failure_comes_up_through_a_thousand_nurseries() {
    fn failing(depth: usize) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        Box::pin(async move {
            match depth {
                0 => Err(Error::msg("A")),
                _ => nursery(async |_| failing(depth - 1).await).await,
            }
        })
    }
    on_a_stack_of(8, || {
        let error = run(failing(DEEP)).unwrap_err();
        let mut depth = 0;
        let mut inner = &error;
        while let Some(group) = inner.as_group() {
            depth += 1;
            inner = group.errors().next().unwrap();
        }
        assert_eq!((depth, inner.to_string()), (DEEP, "A".into()));
        drop(error);
    });
}

/// Its deadline was never armed, as nothing in it has waited.
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
