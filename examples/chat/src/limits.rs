//! How much a client may do, and how long it may take.

use std::time::Duration;

/// The limits of a server, each with a default.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a client may take to say who it is.
    pub hello: Duration,
    /// After how long a silence a client is asked whether it is still there.
    pub ping_after: Duration,
    /// How long it may take to answer that.
    pub pong_within: Duration,
    /// How long it may take to read what it is sent. More than the system's buffers hold has to be
    /// waiting for that.
    pub write: Duration,
    /// How long it may take to answer a goodbye.
    pub goodbye: Duration,
    /// How many bytes a message may have.
    pub message_size: usize,
    /// How many frames a client may send at once, and how many a second after that. It is not read
    /// from any faster.
    pub burst: u32,
    pub rate: u32,
    /// How many messages a client may lag behind before it misses some.
    pub backlog: usize,
    /// How many messages a room remembers for those who come later.
    pub history: usize,
    /// How many rooms there may be.
    pub rooms: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            hello: Duration::from_secs(10),
            ping_after: Duration::from_secs(20),
            pong_within: Duration::from_secs(10),
            write: Duration::from_secs(10),
            goodbye: Duration::from_secs(2),
            message_size: 8 * 1024,
            burst: 20,
            rate: 5,
            backlog: 100,
            history: 100,
            rooms: 1000,
        }
    }
}
