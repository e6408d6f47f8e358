//! Each operator closes what it wraps on every way out, before the consumer goes on.

use seedbed::testing::Explore;
use seedbed::{Error, Result, cancel_scope, checkpoint, fail_after, flow, nursery, sleep};

use crate::support::{Log, catching, run, secs, shape};
use crate::table::{Numbers, operators};
use crate::{numbered, numbers};

/// Runs a consumer of each operator over numbers, and checks what the log says when the flow has
/// returned.
fn each_operator(
    expected: &[&str],
    source: impl Fn(&Log) -> Numbers,
    consumer: impl AsyncFn(Numbers),
) {
    for operator in operators() {
        let log = Log::new();
        run(async {
            consumer((operator.apply)(source(&log))).await;
            assert_eq!(log.take(), expected, "{}", operator.name);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{}: {error:?}", operator.name));
        assert!(log.take().is_empty(), "{}", operator.name);
    }
}

/// Takes three items, and leaves.
async fn three(numbers: Numbers) -> Result<Vec<u32>> {
    numbers
        .open(async |items| {
            let mut all = Vec::new();
            while all.len() < 3
                && let Some(i) = items.next().await?
            {
                all.push(i);
            }
            Ok(all)
        })
        .await
}

#[test]
fn o02_closed_when_the_consumer_leaves() {
    each_operator(&["begun", "closed"], numbers, async |numbers| {
        assert_eq!(three(numbers).await.unwrap().len(), 3)
    });
}

#[test]
fn o02_closed_when_the_consumer_leaves_in_every_order() {
    for operator in operators() {
        Explore::new().max_schedules(300).random_schedules(100).check(|| async {
            let log = Log::new();
            let first = (operator.apply)(numbers(&log)).first().await?;
            assert!(first.is_some(), "{}", operator.name);
            let log = log.take();
            // A source that nobody asked for anything does not begin.
            assert!(log.is_empty() || log == ["begun", "closed"], "{}: {log:?}", operator.name);
            Ok(())
        });
    }
}

/// An operator that was never asked for an item has nothing to close, or closes it.
#[test]
fn o02_closed_when_nothing_was_asked_for() {
    for operator in operators() {
        let log = Log::new();
        run(async {
            (operator.apply)(numbers(&log)).open(async |_| checkpoint().await).await?;
            let log = log.take();
            assert!(log.is_empty() || log == ["begun", "closed"], "{}: {log:?}", operator.name);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn o02_closed_when_the_consumer_fails() {
    each_operator(&["begun", "closed"], numbers, async |numbers| {
        let outcome = numbers.for_each(async |_| Err(Error::msg("no more"))).await;
        assert_eq!(shape(&outcome.unwrap_err()), "no more");
    });
}

#[test]
fn o02_closed_when_the_consumer_panics() {
    each_operator(&["begun", "closed"], numbers, async |numbers| {
        let outcome = catching(numbers.for_each(async |_| panic!("no more"))).await;
        assert_eq!(outcome.unwrap_err(), "no more");
    });
}

#[test]
fn o02_closed_when_the_source_fails() {
    each_operator(
        &["begun", "closed"],
        |log| numbered(log, |i| if i < 4 { Ok(()) } else { Err(Error::msg("worn out")) }),
        async |numbers| {
            let outcome = numbers.for_each(async |_| Ok(())).await;
            assert_eq!(shape(&outcome.unwrap_err()), "worn out");
        },
    );
}

/// The error comes from `next`, and everything is closed by then, though the consumer has not left.
#[test]
fn o02_closed_before_the_consumer_learns_of_an_error() {
    for operator in operators() {
        let log = Log::new();
        let failing = numbered(&log, |i| if i < 4 { Ok(()) } else { Err(Error::msg("worn out")) });
        run((operator.apply)(failing).open(async |items| {
            let error = loop {
                match items.next().await {
                    Ok(item) => assert!(item.is_some(), "{}", operator.name),
                    Err(error) => break error,
                }
            };
            assert_eq!(shape(&error), "worn out");
            assert_eq!(log.take(), ["begun", "closed"], "{}", operator.name);
            assert_eq!(items.next().await?, None);
            Ok(())
        }))
        .unwrap();
    }
}

/// A body that panics does not clean up: it is gone. What it had in its frame was dropped.
#[test]
fn o02_a_panic_of_the_source_comes_out() {
    each_operator(
        &["begun"],
        |log| numbered(log, |i| if i < 4 { Ok(()) } else { panic!("worn out") }),
        async |numbers| {
            let outcome = catching(numbers.for_each(async |_| Ok(()))).await;
            assert_eq!(outcome.unwrap_err(), "worn out");
        },
    );
}

/// The clean-up is inside the cancelled scope, as with `aclosing`.
#[test]
fn o02_closed_when_it_is_cancelled_from_outside() {
    each_operator(&["begun", "cut off"], numbers, async |numbers| {
        let value = cancel_scope(async |scope| {
            numbers
                .open(async |items| {
                    items.next().await?;
                    scope.cancel();
                    checkpoint().await
                })
                .await
        });
        assert_eq!(value.await.unwrap(), None);
    });
}

#[test]
fn o02_closed_when_its_time_is_up() {
    each_operator(&["begun", "cut off"], numbers, async |numbers| {
        let slow = numbers.for_each(async |_| sleep(secs(1)).await);
        let error = fail_after(secs(5), slow).await.unwrap_err();
        assert!(error.is::<seedbed::TooSlow>(), "{error:?}");
    });
}

/// The terminal's future is dropped by foreign code. The generator goes to its finalizer.
#[test]
fn o02_closed_by_the_finalizer_when_it_is_dropped() {
    for operator in operators() {
        let log = Log::new();
        run(async {
            let endless = (operator.apply)(numbers(&log)).for_each(async |_| sleep(secs(1)).await);
            let timer = sleep(secs(3));
            futures::future::select(Box::pin(endless), timer).await;
            Ok(())
        })
        .unwrap();
        // Its scope is cancelled: F2.
        assert_eq!(log.take(), ["begun", "cut off"], "{}", operator.name);
    }
}

#[test]
fn o02_closed_by_those_who_took_the_items_elsewhere() {
    each_operator(&["begun", "closed"], numbers, async |numbers| {
        nursery(async |n| {
            let mut items = numbers.produce_in(n);
            for _ in 0..3 {
                assert!(items.next().await?.is_some());
            }
            items.close().await
        })
        .await
        .unwrap();
    });
    // Dropped, it is closed before the nursery ends.
    each_operator(&["begun", "closed"], numbers, async |numbers| {
        nursery(async |n| {
            let mut items = numbers.produce_in(n);
            assert!(items.next().await?.is_some());
            Ok(())
        })
        .await
        .unwrap();
    });
}

/// A source that comes to its end is closed then, and not with the others.
#[test]
fn o02_closed_at_its_end() {
    let log = Log::new();
    let end = log.on_drop("closed");
    run(async {
        let short = flow::from_iter(0..3).map(move |i| {
            let _ = &end;
            i
        });
        short
            .merge(flow::from_iter(0..))
            .open(async |items| {
                for _ in 0..20 {
                    items.next().await?;
                }
                assert_eq!(log.take(), ["closed"]);
                Ok(())
            })
            .await
    })
    .unwrap();
}
