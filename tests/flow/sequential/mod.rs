//! Operators that run where the consumer does.
//!
//! | file | what |
//! |---|---|
//! | `items` | what becomes of each item |
//! | `flows` | several flows: `zip`, `chain`, `flat_map`, `flatten` |
//! | `undisturbed` | a `next` that is dropped or cancelled loses nothing, whatever the operator |

mod flows;
mod items;
mod undisturbed;

use seedbed::flow;

use crate::table::{Operator, operator};

pub const SEQUENTIAL: &[Operator] = &[
    operator("filter", |numbers| numbers.filter(|_| true).boxed()),
    operator("filter_map", |numbers| numbers.filter_map(Some).boxed()),
    operator("try_map", |numbers| numbers.try_map(Ok).boxed()),
    operator("map_err", |numbers| numbers.map_err(|error| error).boxed()),
    operator("inspect", |numbers| numbers.inspect(|_| ()).boxed()),
    operator("enumerate", |numbers| numbers.enumerate().map(|(_, i)| i).boxed()),
    operator("scan", |numbers| numbers.scan((), |(), i| Some(i)).boxed()),
    operator("take", |numbers| numbers.take(usize::MAX).boxed()),
    operator("take_while", |numbers| numbers.take_while(|_| true).boxed()),
    operator("skip", |numbers| numbers.skip(1).boxed()),
    operator("skip_while", |numbers| numbers.skip_while(|_| false).boxed()),
    operator("distinct_until_changed", |numbers| numbers.distinct_until_changed().boxed()),
    operator("chunks(1)", |numbers| numbers.chunks(1).map(|chunk| chunk[0]).boxed()),
    operator("chunks(2), flat", |numbers| numbers.chunks(2).flat_map(flow::from_iter).boxed()),
    operator("zip", |numbers| numbers.zip(flow::from_iter(0..)).map(|(i, _)| i).boxed()),
    operator("zip, as the second", |numbers| {
        flow::from_iter(0..).zip(numbers).map(|(_, i)| i).boxed()
    }),
    operator("zip, buffered", |numbers| {
        numbers.buffer(1).zip(flow::from_iter(0..).buffer(2)).map(|(i, _)| i).boxed()
    }),
    operator("chain", |numbers| numbers.chain(flow::from_iter(0..)).boxed()),
    operator("chain, as the second", |numbers| flow::from_iter([]).chain(numbers).boxed()),
    operator("chain, as the second, buffered", |numbers| {
        flow::from_iter([]).buffer(1).chain(numbers.buffer(2)).boxed()
    }),
    operator("flat_map", |numbers| numbers.flat_map(|i| flow::from_iter([i])).boxed()),
    operator("flat_map, buffered", |numbers| {
        numbers.flat_map(|i| flow::from_iter([i, i]).buffer(1)).buffer(1).boxed()
    }),
    operator("flatten", |numbers| flow::from_iter([numbers]).flatten().boxed()),
    operator("flatten, buffered", |numbers| flow::from_iter([numbers.buffer(2)]).flatten().boxed()),
];
