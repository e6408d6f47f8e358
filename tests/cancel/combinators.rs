//! C11: futures of other libraries, and operations inside other libraries' combinators.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures::future::{Either, join_all, select};
use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::{
    CancelScope, Event, Result, cancel_scope, cancellable, channel, checkpoint, fail_after,
    move_on_after, now, nursery, sleep, sleep_forever, yield_now,
};

use super::{Op, Waits, first_error};
use crate::support::{builder, is_cancelled, run, secs};

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

/// A scope of its own around one future of many reaches only that one.
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
            // They are no longer in a cancelled scope.
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

/// The same, but the scope that it was in is still open, and cancelled only then.
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
