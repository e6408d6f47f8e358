//! Operators that run where the consumer does: nothing is under way when they give an item.
//!
//! | file | concept |
//! |---|---|
//! | `map` | another item for each |

mod map;

pub use map::Map;
