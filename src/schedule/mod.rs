//! Waking: what is polled as one piece, the order in which the ready ones run, and the wakers
//! that point at them.
//!
//! | file | concept |
//! |---|---|
//! | `unit` | a piece of work with a waker of its own |
//! | `roster` | the units of one nursery, and those that are ready |
//! | `table` | the units of one run: from a waker's number to the unit it stands for |
//! | `chunk` | their memory |
//! | `waker` | `std::task::Waker` as a number |
//! | `budget` | what an operation does with the budget of its unit |
//! | `foreign` | wakers that are kept: those of another library, and any |

pub(crate) mod ahead;
pub(crate) mod budget;
pub(crate) mod current;
pub(crate) mod foreign;
pub(crate) mod ids;
pub(crate) mod memory;
pub(crate) mod order;
pub(crate) mod queue;
pub(crate) mod remote;
pub(crate) mod roster;
pub(crate) mod turn;
pub(crate) mod unit;
pub(crate) mod wake;
pub(crate) mod waker;
