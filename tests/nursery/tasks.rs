//! N6: task handles.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures::FutureExt;
use seedbed::{
    Cancelled, Reason, Task, cancel_scope, move_on_after, nursery, sleep, sleep_forever, yield_now,
};

use super::{SECOND, fails, run, timed};
use crate::support::shape;

#[test]
fn n06_gives_the_value() {
    let sum = run(async {
        let numbers = [Rc::new(1), Rc::new(2)];
        nursery(async |n| {
            let tasks: Vec<Task<'_, &Rc<i32>>> = numbers
                .iter()
                .map(|number| {
                    n.spawn(async move {
                        sleep(SECOND * **number as u32).await?;
                        Ok(number)
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks.into_iter().rev() {
                assert!(!task.is_finished() || sum > 0);
                sum = sum * 10 + **task.await?;
            }
            Ok(sum)
        })
        .await
    });
    assert_eq!(sum.unwrap(), 21);
}

#[test]
fn n06_dropping_it_changes_nothing() {
    let ran = Cell::new(0);
    let (outcome, seconds) = timed(nursery(async |n| {
        let task = n.spawn(async {
            sleep(SECOND).await?;
            ran.set(ran.get() + 1);
            Ok(String::from("nobody wants it"))
        });
        yield_now().await?;
        drop(task);
        drop(n.spawn(async {
            ran.set(ran.get() + 1);
            Ok(())
        }));
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!((ran.get(), seconds), (2, 1));
}

/// Reported once, by the nursery; whoever waits for the value is told that it was cancelled.
#[test]
fn n06_a_failure_is_reported_once() {
    let error = run(nursery(async |n| {
        let task = n.spawn(async {
            sleep(SECOND).await?;
            fails::<i32>("child")
        });
        let sibling = n.spawn(async move {
            let error = task.await.unwrap_err();
            assert!(error.is_cancelled());
            Err::<(), _>(error)
        });
        let error = sibling.await.unwrap_err();
        assert!(error.is_cancelled());
        Err::<(), _>(error)
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[child]");
}

/// The same, where the await itself was not cancelled, because it is outside the nursery.
#[test]
fn n06_a_failure_seen_from_outside() {
    let error = run(nursery(async |n| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let failing = n.spawn(async move {
            let error = nursery(async |n| {
                *keep.borrow_mut() = Some(n.handle().spawn(async {
                    yield_now().await?;
                    fails::<i32>("child")
                })?);
                Ok(())
            })
            .await
            .unwrap_err();
            Ok(shape(&error))
        });
        yield_now().await?;
        let task: Task<'static, i32> = kept.take().unwrap();
        let error = task.await.unwrap_err();
        let why = error.downcast_ref::<Cancelled>().expect("why there is no value");
        assert_eq!(why.reason(), &Reason::ChildFailed("child".into()));
        assert_eq!(failing.await?, "[child]");
        fails::<()>("end")
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[end]");
}

/// Cancelling the wait loses nothing.
#[test]
fn n06_a_wait_that_is_cancelled() {
    let (outcome, seconds) = timed(nursery(async |n| {
        let mut task = n.spawn(async {
            sleep(SECOND * 5).await?;
            Ok(8)
        });
        assert_eq!(move_on_after(SECOND, &mut task).await?, None);
        assert_eq!(move_on_after(SECOND * 4, &mut task).await?, None, "the deadline comes first");
        task.await
    }));
    assert_eq!((outcome.unwrap(), seconds), (8, 5));
}

#[test]
fn n06_awaiting_is_a_checkpoint() {
    run(nursery(async |n| {
        let mut task = n.spawn(async { Ok(8) });
        yield_now().await?;
        yield_now().await?;
        assert!(task.is_finished());
        let outcome = cancel_scope(async |scope| {
            scope.cancel();
            (&mut task).await
        });
        assert_eq!(outcome.await?, None);
        assert_eq!((&mut task).await?, 8, "it was not lost");
        let again = AssertUnwindSafe(task).catch_unwind().await;
        assert!(again.is_err(), "polled after it gave the value");
        Ok(())
    }))
    .unwrap();
}

#[test]
fn n06_a_child_that_was_cancelled_has_no_value() {
    run(nursery(async |outer| {
        let waiting = Rc::new(RefCell::new(None));
        let keep = waiting.clone();
        nursery(async |n| {
            *keep.borrow_mut() = Some(n.handle().spawn(sleep_forever())?);
            yield_now().await?;
            n.scope().cancel_with("enough");
            Ok(())
        })
        .await?;
        let task: Task<'static, ()> = waiting.take().unwrap();
        let error = outer.spawn(async move { Ok(task.await.unwrap_err()) }).await?;
        let why = error.downcast_ref::<Cancelled>().unwrap();
        assert_eq!(why.reason(), &Reason::Requested(Some("enough".into())));
        Ok(())
    }))
    .unwrap();
}
