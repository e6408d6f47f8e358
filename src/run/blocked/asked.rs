//! What holds a run's thread, for those who ask on another thread.

use std::ptr;

use crate::run::blocked::watchdog;
use crate::schedule::seen::shown::{Holder, SHOWN};

/// A run that may be watched. Once it has ended, it may be mistaken for a later one.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    /// The address of what it shows, or 0.
    shown: usize,
}

impl Held {
    /// The run on this thread.
    pub(crate) fn here() -> Held {
        let shown = SHOWN.with(|shown| shown.map_or(0, |shown| ptr::from_ref(shown).addr()));
        Held { shown }
    }

    /// What holds its thread at present, if it is watched and not asleep.
    pub(crate) fn holder(self) -> Option<Holder> {
        watchdog::holder(self.shown)
    }
}
