//! Operators that run where the consumer does: nothing is under way when they give an item.
//!
//! | file | concept |
//! |---|---|
//! | `map` | another item for each |
//! | `filter` | leaving items out |
//! | `take`, `skip` | only the beginning; all but the beginning |
//! | `distinct` | leaving out what repeats the item before |
//! | `scan` | carrying something along from item to item |
//! | `inspect` | looking at items on their way |
//! | `errors` | functions that may fail, and what failed |
//! | `each` | what these have in common |
//! | `chunks` | several items as one |
//! | `zip` | pairs of the items of two flows |
//! | `chain` | one flow after another |
//! | `flat_map` | all the items of each of several flows |

mod chain;
mod chunks;
mod distinct;
mod each;
mod errors;
mod filter;
mod flat_map;
mod inspect;
mod map;
mod scan;
mod skip;
mod take;
mod zip;

pub use map::Map;
