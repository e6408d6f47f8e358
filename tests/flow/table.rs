//! The operators that are put through the tests of `ways_out`.

use seedbed::flow::{Boxed, Flow};
use seedbed::{Result, checkpoint, flow, sleep};

use crate::sequential::SEQUENTIAL;
use crate::support::secs;
use crate::timed::TIMED;

/// A flow of numbers.
pub type Numbers = Flow<'static, Boxed<'static, u32>>;

/// An operator, applied to a flow. What it makes of 0, 1, 2, … must have three items or more,
/// and must not end by itself.
pub struct Operator {
    pub name: &'static str,
    pub apply: fn(Numbers) -> Numbers,
}

async fn slow(i: u32) -> Result<u32> {
    sleep(secs(1)).await?;
    Ok(i)
}

pub const fn operator(name: &'static str, apply: fn(Numbers) -> Numbers) -> Operator {
    Operator { name, apply }
}

/// All of them.
pub fn operators() -> impl Iterator<Item = &'static Operator> {
    [CONCURRENT, SEQUENTIAL, TIMED].into_iter().flatten()
}

const CONCURRENT: &[Operator] = &[
    operator("none", |numbers| numbers),
    operator("map", |numbers| numbers.map(|i| i + 1).boxed()),
    operator("buffer(1)", |numbers| numbers.buffer(1).boxed()),
    operator("buffer(3)", |numbers| numbers.buffer(3).boxed()),
    operator("buffer twice", |numbers| numbers.buffer(2).map(|i| i).buffer(1).boxed()),
    operator("then", |numbers| numbers.then(async |i| Ok(i + 1)).boxed()),
    operator("then, slowly", |numbers| numbers.then(slow).boxed()),
    operator("buffered(1)", |numbers| numbers.buffered(1, slow).boxed()),
    operator("buffered(3)", |numbers| numbers.buffered(3, slow).boxed()),
    operator("buffered, at once", |numbers| numbers.buffered(2, async |i| Ok(i)).boxed()),
    operator("buffer_unordered(1)", |numbers| numbers.buffer_unordered(1, slow).boxed()),
    operator("buffer_unordered(3)", |numbers| numbers.buffer_unordered(3, slow).boxed()),
    operator("merge", |numbers| numbers.merge(flow::from_iter(0..3)).boxed()),
    operator("merge of many", |numbers| {
        flow::merge([numbers, flow::from_iter(5..8).boxed()]).boxed()
    }),
    operator("flat_map_merge", |numbers| {
        numbers.flat_map_merge(2, |i| flow::from_iter([i, i])).boxed()
    }),
    operator("flat_map_merge, outside", |numbers| {
        flow::from_iter([numbers]).flat_map_merge(2, |inside| inside).boxed()
    }),
    operator("flatten_unordered", |numbers| {
        numbers.map(|i| flow::from_iter([i]).buffer(1)).flatten_unordered(2).boxed()
    }),
    // A source that never waits would keep the clock from going on.
    operator("map_latest", |numbers| numbers.then(slow).map_latest(async |i| Ok(i)).boxed()),
    operator("map_latest, slowly", |numbers| {
        numbers.then(slow).map_latest(async |i| checkpoint().await.map(|()| i)).boxed()
    }),
    operator("flat_map_latest", |numbers| {
        numbers.then(slow).flat_map_latest(|i| flow::from_iter([i]).buffer(1)).boxed()
    }),
    operator("flat_map_latest, outside", |numbers| {
        flow::from_iter([numbers]).flat_map_latest(|inside| inside).boxed()
    }),
];
