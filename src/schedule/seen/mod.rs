//! What others see of a run.
//!
//! | file | concept |
//! |---|---|
//! | `counts` | counters that a run keeps up to date |
//! | `onlookers` | those who are told what happens |
//! | `attention` | whether there are any |
//! | `tally` | counting what happens |
//! | `counted` | what is counted |
//! | `numbers` | numbers with names and units |
//! | `console` | what `tokio-console` is told |

pub(super) mod attention;
#[cfg(feature = "console")]
pub(crate) mod console;
pub(crate) mod counted;
pub(crate) mod counts;
pub(crate) mod numbers;
pub(crate) mod onlookers;
mod tally;

#[cfg(all(test, not(loom)))]
mod tests;
