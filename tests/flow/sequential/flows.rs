//! Several flows: `zip`, `chain`, `flat_map`, `flatten`.

use std::cell::Cell;

use seedbed::flow::{Flow, Source};
use seedbed::testing::explore;
use seedbed::{Error, Yielder, cancel_scope, flow, generator, sleep};

use crate::support::{Log, is_cancelled, recording, run, secs, shape, shielded};

/// 0, 1, 2, …, from a generator that says when it begins and when it is closed, which takes time.
fn named(log: &Log, name: &'static str) -> Flow<'static, impl Source<Value = u32> + use<>> {
    let log = log.clone();
    flow(generator(async move |y: Yielder<u32>| {
        log.add(format!("{name} begins"));
        let outcome = async {
            for i in 0.. {
                y.yield_(i).await?;
            }
            Ok(())
        }
        .await;
        sleep(secs(1)).await?;
        log.add(format!("{name} closed"));
        outcome
    }))
}

/// Gives `n` items, and then cannot be closed.
fn unclosable(n: u32, text: &'static str) -> Flow<'static, impl Source<Value = u32>> {
    flow(generator(async move |y: Yielder<u32>| {
        for i in 0..n {
            if y.yield_(i).await.is_err() {
                break;
            }
        }
        Err(Error::msg(text))
    }))
}

#[test]
fn o01_zip_ends_with_the_shorter_one() {
    for (one, other) in [(0, 0), (0, 2), (2, 0), (2, 3), (3, 2), (3, 3)] {
        let pairs = flow::from_iter(0..one).zip(flow::from_iter(0..other));
        let pairs: Vec<_> = run(pairs.collect()).unwrap();
        assert_eq!(pairs, Vec::from_iter((0..one).zip(0..other)));
    }
}

/// First the one, then the other; and the other is not asked if the first one has ended.
#[test]
fn o01_zip_asks_one_after_the_other() {
    let asked = std::cell::RefCell::new(Vec::new());
    let ask = |name: &'static str, n: u32| {
        let asked = &asked;
        flow::from_iter(0..n).inspect(move |_| asked.borrow_mut().push(name))
    };
    assert_eq!(run(ask("a", 2).zip(ask("b", 9)).count()).unwrap(), 2);
    assert_eq!(asked.take(), ["a", "b", "a", "b"]);
    assert_eq!(run(ask("a", 9).zip(ask("b", 1)).count()).unwrap(), 1);
    assert_eq!(asked.take(), ["a", "b", "a"]);
}

/// Both are closed when one of them ends or fails, the first one first, and even if that fails.
#[test]
fn o02_zip_closes_both() {
    for beside in [false, true] {
        let both = ["a begins", "b begins", "a closed", "b closed"];
        let log = Log::new();
        let zip = |log: &Log| {
            let (a, b) = (named(log, "a").boxed(), named(log, "b").boxed());
            if beside { a.zip(b.buffer(1)).boxed() } else { a.zip(b).boxed() }
        };
        run(zip(&log).take(2).count()).unwrap();
        let mut lines = log.take();
        lines.sort();
        assert_eq!(lines, ["a begins", "a closed", "b begins", "b closed"]);
        if !beside {
            run(zip(&log).first()).unwrap();
            assert_eq!(log.take(), both);
        }
    }
    let log = Log::new();
    run(named(&log, "a").zip(flow::from_iter(0..1)).count()).unwrap();
    assert_eq!(log.take(), ["a begins", "a closed"]);
    run(flow::from_iter(0..1).zip(named(&log, "b")).count()).unwrap();
    assert_eq!(log.take(), ["b begins", "b closed"]);

    let outcome = run(unclosable(9, "the first one's").zip(named(&log, "b")).first());
    assert_eq!(shape(&outcome.unwrap_err()), "the first one's");
    assert_eq!(log.take(), ["b begins", "b closed"]);
    let (outcome, records) = recording(|| {
        run(unclosable(9, "the first one's").zip(unclosable(9, "the other one's")).first())
    });
    assert_eq!(shape(&outcome.unwrap_err()), "the first one's");
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.field("error").contains("the other one's"), "{record:?}");
}

/// The first one is closed before the next one begins, whatever runs beside.
#[test]
fn o02_chain_closes_one_before_the_next_begins() {
    let expected = ["a begins", "a closed", "b begins", "b closed", "c begins", "c closed"];
    let log = Log::new();
    let parts = || {
        let part = |name| named(&log, name).take(2);
        (part("a"), part("b"), part("c"))
    };
    let (a, b, c) = parts();
    let all: Vec<_> = run(a.chain(b).chain(c).collect()).unwrap();
    assert_eq!(all, [0, 1, 0, 1, 0, 1]);
    assert_eq!(log.take(), expected);
    let (a, b, c) = parts();
    let all: Vec<_> =
        run(a.buffer(3).chain(b.buffer(3).chain(c.buffer(3))).buffer(9).collect()).unwrap();
    assert_eq!(all, [0, 1, 0, 1, 0, 1]);
    assert_eq!(log.take(), expected);
}

#[test]
fn o02_chain_stops_where_it_fails() {
    let log = Log::new();
    let outcome = run(async {
        let chain = unclosable(2, "worn out").chain(named(&log, "b"));
        chain.for_each(async |_| Ok(())).await
    });
    assert_eq!(shape(&outcome.unwrap_err()), "worn out");
    assert!(log.take().is_empty());
    // It ends well, and then cannot be closed.
    let outcome = run(unclosable(9, "cannot close").take(1).chain(named(&log, "b")).count());
    assert_eq!(shape(&outcome.unwrap_err()), "cannot close");
    assert!(log.take().is_empty());
    // The second one fails.
    let chain = named(&log, "a").take(1).chain(unclosable(2, "worn out"));
    assert_eq!(shape(&run(chain.count()).unwrap_err()), "worn out");
    assert_eq!(log.take(), ["a begins", "a closed"]);
}

#[test]
fn o02_flat_map_closes_each_before_it_asks_for_the_next() {
    let log = Log::new();
    let expected = [
        "outer begins",
        "inner begins",
        "inner closed",
        "inner begins",
        "inner closed",
        "outer closed",
    ];
    let inner = |n: u32| named(&log, "inner").take(2).map(move |i| n * 10 + i);
    let all: Vec<_> = run(named(&log, "outer").take(2).flat_map(inner).collect()).unwrap();
    assert_eq!(all, [0, 1, 10, 11]);
    assert_eq!(log.take(), expected);
    let all: Vec<_> =
        run(named(&log, "outer").take(2).flat_map(|n| inner(n).buffer(5)).collect()).unwrap();
    assert_eq!(all, [0, 1, 10, 11]);
    assert_eq!(log.take(), expected);
    // The consumer leaves in the middle of the second one.
    let all: Vec<_> = run(named(&log, "outer").flat_map(inner).take(3).collect()).unwrap();
    assert_eq!(all, [0, 1, 10]);
    assert_eq!(log.take(), expected);
}

#[test]
fn o02_flat_map_stops_where_it_fails() {
    let log = Log::new();
    let failing = named(&log, "outer").flat_map(|_| unclosable(1, "worn out"));
    assert_eq!(shape(&run(failing.count()).unwrap_err()), "worn out");
    assert_eq!(log.take(), ["outer begins", "outer closed"]);
    // One that cannot be closed.
    let begun = Cell::new(0);
    let failing = named(&log, "outer").flat_map(|_| {
        begun.set(begun.get() + 1);
        unclosable(9, "cannot close").take(1)
    });
    assert_eq!(shape(&run(failing.count()).unwrap_err()), "cannot close");
    assert_eq!((begun.get(), log.take()), (1, vec!["outer begins".into(), "outer closed".into()]));
    // The outer one fails, between two.
    let failing = unclosable(1, "worn out").flat_map(|_| named(&log, "inner").take(1));
    assert_eq!(shape(&run(failing.count()).unwrap_err()), "worn out");
    assert_eq!(log.take(), ["inner begins", "inner closed"]);
}

/// Flows that are opened while the one around them runs, in every order.
#[test]
fn o01_flows_that_are_opened_later_in_every_order() {
    let report = explore(|| async {
        let log = Log::new();
        let pages = flow::from_iter([1, 2]).flat_map(|page| {
            let end = log.on_drop(if page == 1 { "one" } else { "two" });
            let lines = flow::from_iter([0, 1]).map(move |line| (&end, page * 10 + line).1);
            lines.buffer(1)
        });
        let all: Vec<_> = pages.chain(flow::from_iter([7]).buffer(1)).collect().await?;
        assert_eq!(all, [10, 11, 20, 21, 7]);
        assert_eq!(log.take(), ["one", "two"]);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// A panic in a flow that was opened later comes out, though its task is in a nursery of its own.
#[test]
fn o02_a_panic_in_a_flow_that_was_opened_later() {
    let log = Log::new();
    run(async {
        let broken = named(&log, "outer")
            .flat_map(|_| flow::from_iter(0..).inspect(|i| assert!(*i < 3, "three")).buffer(2));
        let outcome = crate::support::catching(broken.for_each(async |_| Ok(()))).await;
        assert_eq!(outcome.unwrap_err(), "three");
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take()[0], "outer begins");
}

/// A consumer that is shielded comes to the second flow after everything was cancelled: that flow's
/// source, which was begun elsewhere, is closed all the same, before the flow returns.
#[test]
fn o02_a_flow_that_is_opened_after_a_cancellation_is_closed() {
    let log = Log::new();
    run(async {
        let inside = log.clone();
        let mut begun = generator(async move |y: Yielder<u32>| {
            let outcome = async {
                loop {
                    y.yield_(0).await?;
                }
            }
            .await;
            inside.add(if sleep(secs(1)).await.is_ok() { "closed" } else { "cut off" });
            outcome
        });
        begun.anext().await?;
        cancel_scope(async |scope| {
            let both = flow::from_iter([1]).chain(flow(begun).buffer(1));
            let outcome = both
                .open(async |items| {
                    items.next().await?;
                    scope.cancel();
                    shielded(async {
                        sleep(secs(1)).await?;
                        while items.next().await?.is_some() {}
                        Ok(())
                    })
                    .await
                })
                .await;
            assert!(is_cancelled(&outcome));
            assert_eq!(log.take(), ["cut off"]);
            outcome
        })
        .await?;
        Ok(())
    })
    .unwrap();
}
