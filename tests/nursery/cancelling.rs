//! N10: cancelling a nursery.

use std::cell::RefCell;
use std::rc::Rc;

use seedbed::{
    Cancelled, NoValue, NurseryHandle, Reason, cancel_scope, checkpoint, nursery, sleep,
    sleep_forever,
};

use super::{Log, SECOND, clean_up, run, timed};

#[test]
fn n10_from_the_body() {
    let scope = RefCell::new(None);
    run(nursery::<_, ()>(async |n| {
        *scope.borrow_mut() = Some(n.scope());
        drop(n.spawn(sleep_forever()));
        n.cancel();
        checkpoint().await?;
        unreachable!("a checkpoint in a cancelled nursery")
    }))
    .unwrap();
    let scope = scope.take().unwrap();
    assert!(scope.cancel_called() && scope.cancelled_caught());
}

#[test]
fn n10_from_a_child() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        drop(n.spawn(async move {
            sleep(SECOND).await?;
            n.cancel();
            Ok(())
        }));
        drop(n.spawn(async {
            let error = sleep_forever().await.unwrap_err();
            let why = error.downcast_ref::<Cancelled>().unwrap();
            assert_eq!(why.reason(), &Reason::Requested(None));
            log.say("sibling");
            Err::<(), _>(error)
        }));
        clean_up(1).await;
        log.say("body");
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 2);
    log.assert("sibling body");
}

/// From outside, through a handle, which has no effect once the nursery has ended.
#[test]
fn n10_from_a_handle() {
    let (outcome, seconds) = timed(nursery(async |outer| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let inner = outer.spawn(async move {
            nursery(async |n| {
                *keep.borrow_mut() = Some(n.handle());
                sleep_forever().await
            })
            .await
        });
        sleep(SECOND).await?;
        let handle: NurseryHandle = kept.take().unwrap();
        handle.cancel();
        inner.await?;
        handle.cancel();
        checkpoint().await?;
        let never_cancelled = nursery(async |n| Ok(n.handle())).await?;
        never_cancelled.cancel();
        assert!(!never_cancelled.scope().cancel_called());
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 1);
}

#[test]
fn n10_a_body_that_had_finished_keeps_its_value() {
    let (outcome, seconds) = timed(nursery(async |n| {
        drop(n.spawn(async move {
            sleep(SECOND).await?;
            n.cancel();
            Ok(())
        }));
        drop(n.spawn(sleep_forever()));
        Ok(String::from("kept"))
    }));
    assert_eq!((outcome.unwrap().as_str(), seconds), ("kept", 1));
    // By the deadline of its scope.
    let outcome = run(nursery(async |n| {
        n.scope().set_timeout(SECOND);
        drop(n.spawn(sleep_forever()));
        Ok(5)
    }));
    assert_eq!(outcome.unwrap(), 5);
    // A body that cancels and goes on to its end has a value too.
    let outcome = run(nursery(async |n| {
        n.cancel();
        checkpoint().await.unwrap_err();
        Ok(6)
    }));
    assert_eq!(outcome.unwrap(), 6);
}

/// Where the value is not `()`, there is none to return.
#[test]
fn n10_a_body_that_was_interrupted() {
    let line = line!() + 1;
    let error = run(nursery(async |n| {
        n.scope().cancel_with("enough");
        checkpoint().await?;
        Ok(1)
    }))
    .unwrap_err();
    let no_value = error.downcast_ref::<NoValue>().unwrap();
    assert_eq!(no_value.place().line(), line);
    assert_eq!(no_value.cancelled().unwrap().reason(), &Reason::Requested(Some("enough".into())));
    assert!(!error.is_cancelled(), "it is not a cancellation for any scope to absorb");
}

/// A value that a cancellation from outside comes too late for, because the children had ended.
#[test]
fn n10_a_value_and_a_cancellation_from_outside() {
    run(async {
        // A child was cancelled: the nursery was.
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                scope.cancel();
                Ok(1)
            })
            .await
        });
        assert_eq!(outcome.await?, None);
        // Nobody was: leaving a nursery is not a checkpoint.
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    scope.cancel();
                    Ok(())
                }));
                Ok(2)
            })
            .await
        });
        assert_eq!(outcome.await?, Some(2));
        Ok(())
    })
    .unwrap();
}

/// Before the first poll of a child: it runs up to its first checkpoint, as in Trio.
#[test]
fn n10_before_a_child_has_begun() {
    let log = Log::default();
    run(nursery(async |n| {
        drop(n.spawn(async {
            log.say("begun");
            checkpoint().await?;
            log.say("not reached");
            Ok(())
        }));
        n.cancel();
        Ok(())
    }))
    .unwrap();
    log.assert("begun");
}
