//! C14: cancelling a scope before it is entered, after it is left, and from other tasks.
//! (Cancelling from other threads is in `tests/token.rs`.)

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;

use futures::poll;
use seedbed::{CancelScope, Reason, cancel_scope, checkpoint, nursery, sleep, sleep_forever};

use super::reason;
use crate::support::{run, secs};

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
            // From a task in another scope, which is unaffected.
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
