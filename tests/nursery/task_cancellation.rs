//! N14: cancelling one child through its `Task`.

use std::cell::Cell;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use seedbed::{
    Error, Reason, Result, Task, TaskCancelled, cancel_scope, channel, checkpoint, fail_after,
    move_on_after, nursery, sleep, sleep_forever, yield_now,
};

use super::{Log, SECOND, clean_up, fails, run, shielded, timed};
use crate::support::shape;

fn is_task_cancelled<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(|error| error.is::<TaskCancelled>())
}

#[test]
fn n14_only_that_child_is_cancelled() {
    let (outcome, seconds) = timed(nursery(async |n| {
        let one = n.spawn(sleep(SECOND * 5));
        let other = n.spawn(async {
            sleep(SECOND * 3).await?;
            Ok("value")
        });
        sleep(SECOND).await?;
        one.cancel();
        assert!(!one.is_finished());
        assert!(is_task_cancelled(&one.await));
        assert_eq!(other.await?, "value");
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 3);
}

#[test]
fn n14_the_error_has_place_and_reason() {
    run(nursery(async |n| {
        let spawned = line!() + 1;
        let task = n.spawn(sleep_forever());
        let cancelled = line!() + 1;
        task.cancel_with("superseded");
        let error = task.await.unwrap_err();
        assert!(!error.is_cancelled());
        let why = error.find::<TaskCancelled>().unwrap();
        assert_eq!(why.place().line(), spawned);
        assert_eq!(why.cancelled_by().unwrap().line(), cancelled);
        assert_eq!(why.reason(), &Reason::Requested(Some("superseded".into())));
        let file = file!();
        assert_eq!(
            error.to_string(),
            format!(
                "the task spawned at {file}:{spawned}:22 was cancelled by {file}:{cancelled}:14: superseded"
            )
        );
        Ok(())
    }))
    .unwrap();
}

/// A scope of the awaiter's, though cancelled, does not absorb what happened to another task.
#[test]
fn n14_the_awaiters_scopes_do_not_absorb_it() {
    run(nursery(async |n| {
        let task = n.spawn(sleep_forever());
        task.cancel();
        yield_now().await?;
        yield_now().await?;
        let outcome = cancel_scope(async |scope| {
            let outcome = task.await;
            scope.cancel();
            outcome
        })
        .await;
        assert!(is_task_cancelled(&outcome));
        Ok(())
    }))
    .unwrap();
}

#[test]
fn n14_a_child_that_ends_with_a_value_all_the_same_gives_it() {
    run(nursery(async |n| {
        let task = n.spawn(async {
            sleep_forever().await.unwrap_err();
            Ok(7)
        });
        yield_now().await?;
        task.cancel();
        assert_eq!(task.await?, 7);
        // One that has ended does not mind.
        let task = n.spawn(async { Ok(8) });
        yield_now().await?;
        assert!(task.is_finished());
        task.cancel();
        assert_eq!(task.await?, 8);
        Ok(())
    }))
    .unwrap();
}

#[test]
fn n14_a_child_that_fails_nevertheless_fails_the_nursery() {
    let error = run(nursery::<_, ()>(async |n| {
        let task = n.spawn(async {
            sleep_forever().await.unwrap_err();
            fails::<()>("child")
        });
        yield_now().await?;
        task.cancel();
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled());
        Err(error)
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[child]");
}

/// Every checkpoint fails, clean-up may wait under a shield, and the awaiter waits for it.
#[test]
fn n14_it_is_a_cancellation_like_any_other() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let task = n.spawn(async {
            let error = sleep_forever().await.unwrap_err();
            assert!(error.is_cancelled());
            for _ in 0..3 {
                assert!(checkpoint().await.unwrap_err().is_cancelled());
            }
            log.say("cleans up");
            shielded(5).await;
            log.say("is clean");
            Err::<(), _>(error)
        });
        sleep(SECOND).await?;
        task.cancel();
        task.cancel(); // once is enough
        assert!(is_task_cancelled(&task.await));
        log.say("told");
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 6);
    log.assert("cleans up is clean told");
}

#[test]
fn n14_before_its_first_poll() {
    let ran = Cell::new(false);
    run(nursery(async |n| {
        let task = n.spawn(async {
            ran.set(true);
            checkpoint().await
        });
        task.cancel();
        assert!(is_task_cancelled(&task.await));
        Ok(())
    }))
    .unwrap();
    assert!(ran.get(), "as in Trio, it runs up to its first checkpoint");
}

/// Whatever the child has open: scopes, time limits, nurseries, other libraries' combinators.
#[test]
fn n14_it_reaches_all_that_the_child_has_open() {
    let deep = Cell::new(0);
    let waits = async || {
        let outcome = sleep_forever().await;
        deep.set(deep.get() + 1);
        outcome
    };
    let unordered = async || {
        let mut all: FuturesUnordered<_> = (0..3).map(|_| waits()).collect();
        while let Some(outcome) = all.next().await {
            outcome.unwrap_err();
        }
        checkpoint().await
    };
    run(nursery(async |n| {
        let tasks = [
            n.spawn(async { move_on_after(SECOND * 9, waits()).await.map(drop) }),
            n.spawn(async { fail_after(SECOND * 9, waits()).await }),
            n.spawn(nursery(async |n| {
                n.spawn(waits());
                n.spawn(nursery(async |n| {
                    n.spawn(waits());
                    Ok(())
                }));
                waits().await
            })),
        ];
        let combined = [
            n.spawn(unordered()),
            n.spawn(async { cancel_scope(async |_| unordered().await).await.map(drop) }),
            n.spawn(async {
                let mut all = FuturesUnordered::new();
                all.push(fail_after(SECOND * 9, waits()));
                all.push(fail_after(SECOND * 9, waits()));
                while let Some(outcome) = all.next().await {
                    outcome.unwrap_err();
                }
                checkpoint().await
            }),
        ];
        let bystander = n.spawn(async { cancel_scope(async |_| sleep(SECOND * 2).await).await });
        sleep(SECOND).await?;
        let reached = async |task: Task<'_, ()>| {
            task.cancel();
            assert!(is_task_cancelled(&task.await));
        };
        for task in tasks {
            reached(task).await;
        }
        for task in combined {
            reached(task).await;
        }
        assert_eq!(bystander.await?, Some(()));
        Ok(())
    }))
    .unwrap();
    assert_eq!(deep.get(), 1 + 1 + 3 + 3 + 3 + 2);
}

/// What the child was handed before has happened.
#[test]
fn n14_no_message_is_lost() {
    run(nursery(async |n| {
        let (sender, receiver) = channel(0);
        let task = n.spawn(async move { receiver.recv().await });
        yield_now().await?;
        sender.send(1).await?;
        task.cancel();
        assert_eq!(task.await?, Some(1));
        Ok(())
    }))
    .unwrap();
}

/// The cancellation of the nursery comes from outside of the child's own scope.
#[test]
fn n14_the_nurserys_cancellation_goes_through() {
    let outcome = run(cancel_scope(async |scope| {
        nursery(async |n| {
            let task = n.spawn(async {
                clean_up(1).await;
                Ok(())
            });
            let other = n.spawn(sleep_forever());
            sleep(SECOND).await?;
            other.cancel();
            scope.cancel();
            let error = other.await.unwrap_err();
            assert!(error.is_cancelled());
            drop(task);
            Err::<(), _>(error)
        })
        .await
    }));
    assert_eq!(outcome.unwrap(), None);
}

#[test]
fn n14_a_child_that_cancels_itself_learns_of_it_when_it_next_waits() {
    let learnt = Cell::new(false);
    run(nursery(async |n| {
        let (sender, receiver) = channel(1);
        let learnt = &learnt;
        let task = n.spawn(async move {
            sleep(SECOND).await?;
            let task: Task<'_, ()> = receiver.recv().await?.expect("it is sent");
            task.cancel();
            drop(task);
            let outcome = sleep(SECOND).await;
            learnt.set(outcome.as_ref().is_err_and(Error::is_cancelled));
            outcome
        });
        assert!(sender.try_send(task).is_ok());
        Ok(())
    }))
    .unwrap();
    assert!(learnt.get());
}

#[test]
fn n14_a_panic_after_it_is_a_panic() {
    let outcome = std::panic::catch_unwind(|| {
        run(nursery::<_, ()>(async |n| {
            let task = n.spawn(async {
                sleep_forever().await.unwrap_err();
                if true { panic!("child") } else { Ok(()) }
            });
            yield_now().await?;
            task.cancel();
            task.await
        }))
    });
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "child");
}

#[test]
fn n14_outside_of_the_run_it_does_nothing() {
    let (open, handle) = super::of_an_earlier_run();
    let refused = handle.spawn(sleep_forever());
    if let Ok(task) = refused {
        task.cancel();
        task.cancel_with("again");
    }
    drop(open);
}
