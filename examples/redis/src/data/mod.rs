//! What a server keeps: keys and values, and who has subscribed to what.
//!
//! Everything is on one thread, and commands never wait. So the data are a plain struct that a
//! client borrows while its requests are executed, and nothing can come in between.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the data of a server |
//! | `store` | keys, their values, and when they expire |
//! | `hub` | channels, patterns, and those who have subscribed to them |
//! | `pattern` | patterns with `*`, `?` and `[…]` |
//! | `snapshot` | the file that keeps the store while there is no server |

pub mod hub;
mod pattern;
pub mod snapshot;
pub mod store;

pub use hub::Hub;
pub use pattern::matches;
pub use store::Store;

/// The data of a server.
#[derive(Debug, Default)]
pub struct Data {
    pub store: Store,
    pub hub: Hub,
    pub counts: Counts,
}

/// What `INFO` tells.
#[derive(Debug, Default)]
pub struct Counts {
    /// How many clients there are, and how many there have been.
    pub clients: u64,
    pub clients_ever: u64,
    pub commands: u64,
}
