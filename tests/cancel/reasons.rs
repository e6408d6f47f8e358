//! C9: a `Cancelled` says why.

use std::cell::{Cell, RefCell};
use std::panic::Location;

use seedbed::{
    CancelScope, Error, Reason, cancel_scope, checkpoint, fail_after, finishing, move_on_after,
    now, nursery, sleep, sleep_forever, yield_now,
};

use super::cancelled;
use crate::support::{run, secs, shape};

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
        let line = line!() + 2;
        // seedbed-lint: allow(swallowed-cancellation)
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
                            // seedbed-lint: allow(swallowed-cancellation)
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

/// Work that was finishing is told that the grace is over. The rest was told at once who asked for
/// the cancellation.
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

/// Finishing work that is stopped by something other than the end of the grace is told what it was.
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
