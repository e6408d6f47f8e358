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
//! | `shown` | what a run shows to the watchdog, if it is watched |

pub(super) mod attention;
#[cfg(feature = "console")]
pub(crate) mod console;
pub(crate) mod counted;
pub(crate) mod counts;
pub(crate) mod numbers;
pub(crate) mod onlookers;
pub(crate) mod shown;
mod tally;

#[cfg(all(test, not(loom)))]
mod tests;
