//! What a client may do, and how long it may take.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Settings {
    /// How many clients there may be. Others wait until one has gone.
    pub most_clients: usize,
    /// How many bytes a request may have.
    pub longest_request: usize,
    /// How many bytes long requests and long replies may take up, of all clients together.
    pub budget: usize,
    /// A subscriber that leaves more bytes unread than this is disconnected.
    pub most_unread: usize,
    /// How long the rest of a request may take, once it has begun to arrive.
    pub request_limit: Duration,
    /// How long a client may take to read 64 KB of its replies, or one that is longer.
    pub reply_limit: Duration,
    /// How long a client may be silent, if there is a limit. A subscriber always may be.
    pub idle_limit: Option<Duration>,
    /// How long the system waits until it asks a silent client whether it is still there.
    pub keepalive: Duration,
    /// How long clients may take to read what they have been answered when the server stops.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            most_clients: 10_000,
            longest_request: 64 << 20,
            budget: 1 << 30,
            most_unread: 8 << 20,
            request_limit: Duration::from_secs(60),
            reply_limit: Duration::from_secs(60),
            idle_limit: None,
            keepalive: Duration::from_secs(300),
            grace: Duration::from_secs(10),
        }
    }
}
