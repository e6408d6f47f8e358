//! Waking: what is polled as one piece, the order in which the ready ones run, and the wakers
//! that point at them.
//!
//! | file | concept |
//! |---|---|
//! | `unit` | a piece of work with a waker of its own, and the lists it is linked into |
//! | `table` | from a waker's number to the unit it stands for |
//! | `waker` | `std::task::Waker` as a number |
//! | `remote` | a wake from another thread |

pub(crate) mod remote;
pub(crate) mod table;
pub(crate) mod unit;
pub(crate) mod waker;
