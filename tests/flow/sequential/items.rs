//! What becomes of each item.

use std::cell::Cell;

use seedbed::flow::{Flow, Source};
use seedbed::{Error, cancel_scope, checkpoint, flow, move_on_after};

use crate::numbers;
use crate::support::{Log, catching, is_cancelled, panics, recording, run, secs, shape};
use crate::table::Numbers;

fn collected<'a, T>(flow: Flow<'a, impl Source<Value = T> + 'a>) -> Vec<T> {
    run(flow.collect()).unwrap()
}

/// Those that have a namesake do what it does, for inputs of every small length.
#[test]
fn o01_sequential_operators_are_like_those_of_iterators() {
    for length in 0..6_usize {
        let items = [1, 1, 2, 5, 3, 3];
        let flow = || flow::from_iter(&items[..length]).map(|i| *i);
        let iter = || items[..length].iter().copied();
        assert_eq!(
            collected(flow().filter(|i| i % 2 == 1)),
            Vec::from_iter(iter().filter(|i| i % 2 == 1))
        );
        let half = |i: u32| i.is_multiple_of(2).then_some(i / 2);
        assert_eq!(collected(flow().filter_map(half)), Vec::from_iter(iter().filter_map(half)));
        assert_eq!(collected(flow().enumerate()), Vec::from_iter(iter().enumerate()));
        assert_eq!(
            collected(flow().take_while(|i| *i < 5)),
            Vec::from_iter(iter().take_while(|i| *i < 5))
        );
        assert_eq!(
            collected(flow().skip_while(|i| *i < 5)),
            Vec::from_iter(iter().skip_while(|i| *i < 5))
        );
        let sum = |sum: &mut u32, i| {
            *sum += i;
            (*sum < 8).then_some(*sum)
        };
        assert_eq!(collected(flow().scan(0, sum)), Vec::from_iter(iter().scan(0, sum)));
        for n in 0..7 {
            assert_eq!(collected(flow().take(n)), Vec::from_iter(iter().take(n)));
            assert_eq!(collected(flow().skip(n)), Vec::from_iter(iter().skip(n)));
        }
        for n in 1..7 {
            let chunks = items[..length].chunks(n).map(<[u32]>::to_vec);
            assert_eq!(collected(flow().chunks(n)), Vec::from_iter(chunks));
        }
        let mut seen = Vec::new();
        assert_eq!(collected(flow().inspect(|i| seen.push(*i))), Vec::from_iter(iter()));
        assert_eq!(seen, Vec::from_iter(iter()));
        let mut distinct = Vec::from_iter(iter());
        distinct.dedup();
        assert_eq!(collected(flow().distinct_until_changed()), distinct);
        distinct.dedup_by_key(|i| *i % 2);
        assert_eq!(collected(flow().distinct_until_changed_by(|i| i % 2)), distinct);
    }
}

/// What is compared is the item before, and not one from long ago.
#[test]
fn o01_distinct_until_changed_compares_neighbours() {
    let calls = Cell::new(0);
    let states = flow::from_iter([1, 2, 1, 1, 2]).distinct_until_changed_by(|i| {
        calls.set(calls.get() + 1);
        *i
    });
    assert_eq!(collected(states), [1, 2, 1, 2]);
    assert_eq!(calls.get(), 5, "the key is made once for each item");
}

/// No item is asked for that nobody needs.
#[test]
fn o01_take_and_the_like_ask_for_no_more_than_they_give() {
    let asked = Cell::new(0);
    let numbers = || {
        asked.set(0);
        flow::from_iter(0..).inspect(|_| asked.set(asked.get() + 1))
    };
    assert_eq!(collected(numbers().take(0)), []);
    assert_eq!(asked.get(), 0);
    assert_eq!(collected(numbers().take(3)), [0, 1, 2]);
    assert_eq!(asked.get(), 3);
    assert_eq!(collected(numbers().take_while(|i| *i < 2)), [0, 1]);
    assert_eq!(asked.get(), 3, "two, and the one that ended it");
    assert_eq!(run(numbers().skip(2).first()).unwrap(), Some(2));
    assert_eq!(asked.get(), 3);
    assert_eq!(run(numbers().chunks(4).first()).unwrap(), Some(vec![0, 1, 2, 3]));
    assert_eq!(asked.get(), 4);
}

#[test]
fn o01_an_error_of_a_function_ends_the_flow() {
    let log = Log::new();
    run(numbers(&log).try_map(|i| if i < 2 { Ok(i) } else { Err(Error::msg("too big")) }).open(
        async |items| {
            assert_eq!(items.next().await?, Some(0));
            assert_eq!(items.next().await?, Some(1));
            assert_eq!(shape(&items.next().await.unwrap_err()), "too big");
            assert_eq!(log.take(), ["begun", "closed"], "before the consumer learns of it");
            assert_eq!(items.next().await?, None);
            Ok(())
        },
    ))
    .unwrap();
}

/// An error goes through `map_err` and a cancellation does not: the scope that it is meant for would
/// not know it any more.
#[test]
fn o01_map_err_leaves_cancellations_alone() {
    let failing = flow::from_iter([1]).try_map(|_| Err::<u32, _>(Error::msg("torn")));
    let outcome = run(failing.map_err(|error| Error::msg(format!("page 3: {error}"))).last());
    assert_eq!(shape(&outcome.unwrap_err()), "page 3: torn");

    let waiting = || {
        flow::from_stream(futures::stream::pending::<u32>())
            .map_err(|_| unreachable!("there is no error"))
    };
    run(async {
        assert_eq!(move_on_after(secs(1), waiting().last()).await?, None);
        assert_eq!(move_on_after(secs(1), waiting().buffer(1).last()).await?, None);
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&waiting().last().await));
            checkpoint().await
        })
        .await
    })
    .unwrap();
}

/// A chunk that was begun comes before the error. If nobody asks for that, it is reported.
#[test]
fn o01_chunks_lose_nothing_to_an_error() {
    let failing = || {
        flow::from_iter(0..).try_map(|i| if i < 3 { Ok(i) } else { Err(Error::msg("worn out")) })
    };
    run(failing().chunks(2).open(async |chunks| {
        assert_eq!(chunks.next().await?, Some(vec![0, 1]));
        assert_eq!(chunks.next().await?, Some(vec![2]));
        assert_eq!(shape(&chunks.next().await.unwrap_err()), "worn out");
        assert_eq!(chunks.next().await?, None);
        Ok(())
    }))
    .unwrap();
    // There is nothing to give before it.
    let outcome = run(failing().chunks(3).skip(1).last());
    assert_eq!(shape(&outcome.unwrap_err()), "worn out");

    let (outcome, records) = recording(|| run(failing().chunks(7).first()));
    assert_eq!(outcome.unwrap(), Some(vec![0, 1, 2]));
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.field("error").contains("worn out"), "{record:?}");
}

#[test]
fn o01_chunks_of_nothing_are_refused() {
    let text = panics(|| flow::from_iter(0..3).chunks(0));
    assert!(text.contains("a chunk of 0 items"), "{text}");
}

/// The function panics for the third item: the source is closed, in peace, and then the panic goes
/// on in whoever opened the flow.
#[test]
fn o02_closed_when_a_function_panics() {
    fn third(i: u32) {
        assert!(i < 2, "I cannot count to three");
    }
    let operators: &[fn(Numbers) -> Numbers] = &[
        |numbers| numbers.map(|i| (third(i), i).1).boxed(),
        |numbers| numbers.filter(|i| (third(*i), true).1).boxed(),
        |numbers| numbers.filter_map(|i| (third(i), Some(i)).1).boxed(),
        |numbers| numbers.try_map(|i| (third(i), Ok(i)).1).boxed(),
        |numbers| numbers.inspect(|i| third(*i)).boxed(),
        |numbers| numbers.scan((), |(), i| (third(i), Some(i)).1).boxed(),
        |numbers| numbers.take_while(|i| (third(*i), true).1).boxed(),
        |numbers| numbers.skip_while(|i| (third(*i), true).1).boxed(),
        |numbers| numbers.distinct_until_changed_by(|i| (third(*i), *i).1).boxed(),
        |numbers| numbers.flat_map(|i| (third(i), flow::from_iter([i])).1).boxed(),
        |numbers| {
            let failing = numbers.try_map(|i| if i < 2 { Ok(i) } else { Err(Error::msg("three")) });
            failing.map_err(|_| panic!("I cannot count to three")).boxed()
        },
    ];
    for (at, operator) in operators.iter().enumerate() {
        for beside in [false, true] {
            let log = Log::new();
            run(async {
                let mut numbers = operator(numbers(&log));
                if beside {
                    numbers = numbers.buffer(1).boxed();
                }
                let outcome = catching(numbers.for_each(async |_| Ok(()))).await;
                assert_eq!(outcome.unwrap_err(), "I cannot count to three", "operator {at}");
                assert_eq!(log.take(), ["begun", "closed"], "operator {at}");
                Ok(())
            })
            .unwrap();
        }
    }
}
