//! Counters that a run keeps up to date, so that nobody searches when there is nothing to find:
//! `run::stuck` and `testing::statistics` look here first.

use std::cell::Cell;

use crate::platform::swap_cells::swap_cells;

pub(crate) struct Counts {
    /// The open scopes that have been given something and have not been polled since.
    pub(crate) handed: Cell<usize>,
    /// The open scopes that were themselves cancelled.
    pub(crate) cancelled: Cell<usize>,
    /// The `start`s that keep a nursery open.
    pub(crate) starts: Cell<usize>,
    /// The scopes that are open.
    pub(crate) scopes: Cell<usize>,
}

impl Counts {
    pub(in crate::schedule) const fn new() -> Counts {
        Counts {
            handed: Cell::new(0),
            cancelled: Cell::new(0),
            starts: Cell::new(0),
            scopes: Cell::new(0),
        }
    }

    /// Exchanges them for those of another run.
    pub(in crate::schedule) fn swap(&self, other: &Counts) {
        swap_cells!(self, other: handed, cancelled, starts, scopes);
    }
}
