//! Flows are cold; what opens them, and what becomes of errors and panics.

use futures::future::ready;
use futures::stream::{self, StreamExt, TryStreamExt};
use seedbed::flow::Source;
use seedbed::{
    Error, Result, YieldInCancelScope, Yielder, cancel_scope, channel, checkpoint, flow, generator,
    move_on_after, nursery, sleep,
};

use crate::numbers;
use crate::support::{Log, is_cancelled, recording, run, secs, shape};

#[test]
fn o01_nothing_happens_before_a_flow_is_opened() {
    let log = Log::new();
    run(async {
        let flow = numbers(&log).map(|i| i + 1).buffer(3);
        let future = flow.first();
        checkpoint().await?;
        assert!(log.take().is_empty());
        drop(future);
        Ok(())
    })
    .unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn o01_generators_receivers_streams_and_iterators() {
    run(async {
        let body = async |y: Yielder<u32>| {
            y.yield_(1).await?;
            y.yield_(2).await.map(drop)
        };
        let (sender, receiver) = channel(2);
        sender.send(1).await?;
        sender.send(2).await?;
        drop(sender);
        async fn check(flow: flow::Flow<'_, impl Source<Value = u32>>) {
            assert_eq!(flow.collect::<Vec<_>>().await.unwrap(), [1, 2]);
        }
        check(flow(generator(body))).await;
        check(flow(receiver)).await;
        check(flow::from_stream(stream::iter([1, 2]))).await;
        check(flow::from_try_stream(stream::iter([Ok::<_, Error>(1), Ok(2)]))).await;
        check(flow::from_iter([1, 2])).await;
        nursery(async |n| {
            check(flow(flow::from_iter([1, 2]).produce_in(n))).await;
            check(flow(n.generator(body))).await;
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// A foreign stream that waits for something foreign is left by a cancellation.
#[test]
fn o01_a_foreign_stream_can_be_cancelled() {
    run(async {
        let stopped = move_on_after(secs(1), flow::from_stream(stream::pending::<()>()).count());
        assert_eq!(stopped.await?, None);
        let stopped = flow::from_stream(stream::pending::<()>()).buffer(1).open(async |items| {
            assert_eq!(move_on_after(secs(1), items.next()).await?, None);
            Ok(())
        });
        stopped.await
    })
    .unwrap();
}

/// A consumer that is cancelled while it waits, and goes on, gets the item that it waited for.
#[test]
fn o01_a_cancelled_next_loses_nothing() {
    run(async {
        let slow = flow(generator(async |y: Yielder<u32>| {
            for i in 0..3 {
                sleep(secs(10)).await?;
                y.yield_(i).await?;
            }
            Ok(())
        }));
        slow.buffer(1)
            .open(async |items| {
                let mut all = Vec::new();
                loop {
                    match move_on_after(secs(3), items.next()).await? {
                        None => {}
                        Some(Some(i)) => all.push(i),
                        Some(None) => break,
                    }
                }
                assert_eq!(all, [0, 1, 2]);
                Ok(())
            })
            .await
    })
    .unwrap();
}

/// A stage that is cancelled from outside does not look like one that has ended.
#[test]
fn o01_a_shielded_consumer_sees_that_the_flow_was_cancelled() {
    run(async {
        let log = Log::new();
        let stopped = cancel_scope(async |scope| {
            numbers(&log)
                .buffer(1)
                .open(async |items| {
                    items.next().await?;
                    scope.cancel();
                    crate::support::shielded(async {
                        loop {
                            let next = items.next().await;
                            if next.is_err() {
                                assert!(is_cancelled(&next));
                                return Ok(());
                            }
                            assert!(next?.is_some(), "it has not come to an end");
                        }
                    })
                    .await
                })
                .await
        });
        stopped.await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn o01_items_are_a_stream() {
    run(async {
        let two =
            flow::from_iter(1..).open(async |items| items.take(2).try_collect::<Vec<_>>().await);
        assert_eq!(two.await?, [1, 2]);
        // One that skips errors comes to an end.
        let failing = flow::from_iter(1..).map(|i| i).buffer(1).open(async |items| {
            cancel_scope(async |scope| {
                scope.cancel();
                assert_eq!(items.filter_map(|item| ready(item.ok())).count().await, 0);
                Ok(())
            })
            .await
        });
        failing.await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn o01_a_yield_inside_an_open_flow_is_refused() {
    let error = run(async {
        let mut doubled = generator(async |y: Yielder<u32>| {
            flow::from_iter(0..3)
                .buffer(1)
                // seedbed-lint: allow(yield-in-scope)
                .for_each(async |i| y.yield_(i * 2).await.map(drop))
                .await
        });
        doubled.anext().await
    })
    .unwrap_err();
    let refusal = error.find::<YieldInCancelScope>().unwrap();
    assert_eq!(refusal.reason(), "a flow");
    assert!(refusal.opened_at().to_string().contains("opening.rs"), "{refusal}");
}

/// A failing clean-up replaces the error of the consumer, which is reported.
#[test]
fn o02_an_error_of_the_clean_up_comes_out() {
    fn failing() -> flow::Flow<'static, impl Source<Value = u32>> {
        flow(generator(async |y: Yielder<u32>| {
            while y.yield_(0).await.is_ok() {}
            Err(Error::msg("cannot close"))
        }))
    }
    let outcome = run(failing().first());
    assert_eq!(shape(&outcome.unwrap_err()), "cannot close");
    let outcome = run(failing().buffer(1).first());
    assert_eq!(shape(&outcome.unwrap_err()), "cannot close");
    let (outcome, records) = recording(|| {
        run(failing().buffer(2).for_each(async |_| Err(Error::msg("the consumer's"))))
    });
    assert_eq!(shape(&outcome.unwrap_err()), "cannot close");
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.field("error").contains("the consumer's"), "{record:?}");
}

/// The flow fails ahead of its consumer, who leaves without asking: that is reported.
#[test]
fn o01_an_error_that_nobody_asked_for_is_reported() {
    let (outcome, records) = recording(|| {
        run(flow(generator(async |y: Yielder<u32>| {
            y.yield_(1).await?;
            Err(Error::msg("worn out"))
        }))
        .buffer(5)
        .open(async |items| {
            items.next().await?;
            sleep(secs(1)).await?;
            Ok("left")
        }))
    });
    assert_eq!(outcome.unwrap(), "left");
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.field("error").contains("worn out"), "{record:?}");
    assert!(record.field("operator").contains("opening.rs"), "{record:?}");
}

/// The value of a consumer that had finished is kept though its scope was cancelled meanwhile.
#[test]
fn o02_the_value_of_a_consumer_is_kept() {
    let value: Result<_> = run(cancel_scope(async |scope| {
        flow::from_iter(0..)
            .buffer(3)
            .open(async |items| {
                let first = items.next().await?;
                scope.cancel();
                Ok(first)
            })
            .await
    }));
    assert_eq!(value.unwrap(), Some(Some(0)));
}

/// A flow that borrows nothing can be followed by an operator that borrows.
#[test]
fn o01_a_flow_may_come_from_a_function() {
    fn pages() -> flow::Flow<'static, impl Source<Value = u32>> {
        flow::from_iter(1..).buffer(1)
    }
    let factor = 10;
    let first = run(async { pages().map(|i| i * factor).first().await });
    assert_eq!(first.unwrap(), Some(10));
}

/// A receiver, and the items of another flow, end as streams once their caller was cancelled. As
/// sources they do not.
#[test]
fn o01_a_consumer_that_goes_on_after_a_time_limit_gets_every_item() {
    async fn check(flow: flow::Flow<'_, impl Source<Value = u32>>) {
        let all = flow
            .open(async |items| {
                let mut all = Vec::new();
                loop {
                    match move_on_after(secs(3), items.next()).await? {
                        Some(Some(item)) => all.push(item),
                        Some(None) => return Ok(all),
                        None => {} // too slow, so the consumer asks again
                    }
                }
            })
            .await;
        assert_eq!(all.unwrap(), [0, 1, 2]);
    }
    run(async {
        nursery(async |n| {
            let slow = || {
                let (sender, receiver) = channel(1);
                n.spawn(async move {
                    for i in 0..3 {
                        sleep(secs(10)).await?;
                        sender.send(i).await?;
                    }
                    Ok(())
                });
                receiver
            };
            check(flow(slow())).await;
            check(flow(slow()).boxed()).await;
            check(flow(slow()).map(|i| i).filter(|_| true)).await;
            check(flow(slow()).chain(flow::from_iter([]))).await;
            check(flow(slow()).zip(flow(slow())).map(|(i, _)| i)).await;
            check(flow(slow()).buffer(2)).await;
            check(flow(flow(slow()).produce_in(n)).map(|i| i)).await;
            check(flow(flow(slow()).produce_in(n)).boxed().take(3)).await;
            Ok(())
        })
        .await
    })
    .unwrap();
}
