//! The units of a run, and those of a nursery.
//!
//! | file | concept |
//! |---|---|
//! | `unit` | a piece of work with a waker of its own, and the states of its node |
//! | `roster` | the units of one nursery, and the host that polls the nursery |
//! | `queue` | the ready units of one nursery |
//! | `table` | the units of one run: from a waker's number to the unit it stands for |
//! | `chunk` | the memory for units |
//! | `parked` | what a unit waits for, as far as this crate knows |

pub(crate) mod chunk;
pub(crate) mod parked;
pub(crate) mod queue;
pub(crate) mod roster;
pub(crate) mod table;
pub(crate) mod unit;
