//! Operators that run something beside the consumer.
//!
//! | file | concept |
//! |---|---|
//! | `buffer` | getting items before they are asked for |
//! | `then`, `buffered` | another item for each, by a function that awaits: one or several at once |
//! | `latest` | only what belongs to the newest item |
//! | `merge` | the items of several flows, as they come |
//! | `flat_map_merge` | the same, of flows that are items themselves |
//! | `for_each_concurrent` | consuming several items at once |

mod buffer;
mod buffered;
mod flat_map_merge;
mod for_each_concurrent;
mod latest;
mod merge;
mod then;

pub(super) use buffer::ahead;
pub use merge::merge;
