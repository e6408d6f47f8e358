//! C1: cancellation is level-triggered.

use std::cell::Cell;
use std::future::ready;
use std::time::Duration;

use seedbed::{
    CancelScope, Event, Task, cancel_scope, cancellable, channel, checkpoint, interval,
    move_on_after, now, nursery, sleep, sleep_until, yield_now,
};

use super::Waits;
use crate::support::{is_cancelled, run, secs};

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
