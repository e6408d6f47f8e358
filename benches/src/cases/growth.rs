//! Whether the cost of an item depends on how many there are: `spawn_join`, and `yield_storm` with
//! 10 yields for each task, with 1,000 to 1,000,000 tasks.

use super::{Size, spawn_join, yield_storm};
use crate::row::Row;

const YIELDS: usize = 10;

pub fn rows(size: Size) -> Vec<Row> {
    let sizes = [("1k", 1_000), ("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000)];
    let sizes = &sizes[..size.of(4, 2)];
    let spawns =
        sizes.iter().map(|(name, n)| spawn_join::row(format!("growth/spawn_join/{name}"), *n));
    let yields = sizes
        .iter()
        .map(|(name, n)| yield_storm::row(format!("growth/yield_storm/{name}"), *n, YIELDS));
    spawns.chain(yields).map(|row| row.rounds_divided_by(2)).collect()
}
