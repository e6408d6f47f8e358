//! How long a client may take, and how much it may send.

use std::time::Duration;

use hyper::server::conn::{http1, http2};

use crate::serve::hyper::connection::state::traffic::Lull;

/// How long a request may be on its way while its connection is about to be closed. This has to
/// cover a client's turnaround and a trip through the network; nginx has `keepalive_min_timeout`
/// for the same purpose.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// The same for the first request of a connection, whose client has had no answer, and could not
/// know that the server is ending.
pub(crate) const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// The limits of an HTTP connection, against clients that are slow, silent or greedy.
///
/// All have defaults that suit a public server. They are set on a [`Server`](super::Server) or a
/// [`Connection`](super::Connection) with `limits`. [`Duration::MAX`] means no limit.
///
/// ```
/// use seedbed::hyper::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::new().head(Duration::from_secs(5)).headers(50);
/// assert_eq!(limits, limits.idle(Limits::IDLE));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "limits do nothing until they are given to a server or a connection"]
pub struct Limits {
    head: Duration,
    idle: Duration,
    pub(super) handshake: Duration,
    pub(super) half_closed: Duration,
    rate: u32,
    pub(super) rate_grace: Duration,
    header_size: usize,
    headers: usize,
    streams: u32,
    resets: usize,
}

impl Limits {
    /// The default of [`head`](Self::head): 10 seconds.
    pub const HEAD: Duration = Duration::from_secs(10);
    /// The default of [`idle`](Self::idle): 60 seconds.
    pub const IDLE: Duration = Duration::from_secs(60);
    /// The default of [`handshake`](Self::handshake): 10 seconds.
    pub const HANDSHAKE: Duration = Duration::from_secs(10);
    /// The default of [`half_closed`](Self::half_closed): 10 seconds.
    pub const HALF_CLOSED: Duration = Duration::from_secs(10);
    /// The default of [`rate`](Self::rate), in bytes a second: 240.
    pub const RATE: u32 = 240;
    /// The default of the grace of [`rate`](Self::rate): 5 seconds.
    pub const RATE_GRACE: Duration = Duration::from_secs(5);
    /// The default of [`header_size`](Self::header_size), in bytes: 64 KiB.
    pub const HEADER_SIZE: usize = 64 * 1024;
    /// The default of [`headers`](Self::headers): 100.
    pub const HEADERS: usize = 100;
    /// The default of [`streams`](Self::streams): 100.
    pub const STREAMS: u32 = 100;
    /// The default of [`resets`](Self::resets): 20.
    pub const RESETS: usize = 20;

    /// The defaults.
    pub const fn new() -> Limits {
        Limits {
            head: Limits::HEAD,
            idle: Limits::IDLE,
            handshake: Limits::HANDSHAKE,
            half_closed: Limits::HALF_CLOSED,
            rate: Limits::RATE,
            rate_grace: Limits::RATE_GRACE,
            header_size: Limits::HEADER_SIZE,
            headers: Limits::HEADERS,
            streams: Limits::STREAMS,
            resets: Limits::RESETS,
        }
    }

    /// How long the head of a request may take to arrive, from its first byte to its last, in
    /// however many pieces.
    pub const fn head(mut self, limit: Duration) -> Limits {
        self.head = finite(limit);
        self
    }

    /// How long a connection may be without a request under way. It is not an error if one that is
    /// idle for longer is ended. In HTTP/2 this is also how long a client may send no frame before
    /// it is pinged; if it does not answer within [`head`](Self::head), it has gone.
    pub const fn idle(mut self, limit: Duration) -> Limits {
        self.idle = finite(limit);
        self
    }

    /// How long a connection may take before it speaks HTTP: for what
    /// [`on_accept`](super::Server::on_accept) does, and for the preface of HTTP/2.
    pub const fn handshake(mut self, limit: Duration) -> Limits {
        self.handshake = finite(limit);
        self
    }

    /// How long a handler may go on for a client that has ended its side of the connection. Such a
    /// client may still be reading, or may have gone: nothing tells which until something is
    /// written.
    pub const fn half_closed(mut self, limit: Duration) -> Limits {
        self.half_closed = finite(limit);
        self
    }

    /// How many bytes per second a client has to send of a request's body, and to accept of an
    /// answer, on average. 0 means no limit.
    ///
    /// Only time in which the client is awaited counts, not that of a handler. At first it may add
    /// up to `grace`; every `bytes` that pass allow for one more second, but never for more than
    /// [`idle`](Self::idle) at a stretch. In HTTP/2 the bodies of all requests of a connection
    /// count together, and so do the answers.
    pub const fn rate(mut self, bytes: u32, grace: Duration) -> Limits {
        self.rate = bytes;
        self.rate_grace = finite(grace);
        self
    }

    /// How many bytes the head of a request may have: the request line and all headers. At least 8
    /// KiB, which is what hyper reads at once.
    pub const fn header_size(mut self, most: usize) -> Limits {
        self.header_size = if most < 8192 { 8192 } else { most };
        self
    }

    /// How many headers a request may have. In HTTP/1, a request with more is answered with 431.
    pub const fn headers(mut self, most: usize) -> Limits {
        self.headers = most;
        self
    }

    /// How many requests a client may have under way at the same time on one connection of HTTP/2.
    pub const fn streams(mut self, most: u32) -> Limits {
        self.streams = most;
        self
    }

    /// How many requests a client may reset on one connection of HTTP/2 before the server has
    /// looked at them. One more ends the connection.
    pub const fn resets(mut self, most: usize) -> Limits {
        self.resets = most;
        self
    }
}

/// How the limits are applied, if their names do not tell.
impl Limits {
    /// Sets the limits that hyper applies in HTTP/1.
    pub(super) fn set_http1(&self, builder: &mut http1::Builder) {
        builder.max_buf_size(self.header_size);
        // hyper's own default is the same, and setting it makes every request slower.
        if self.headers != Limits::HEADERS {
            builder.max_headers(self.headers);
        }
    }

    /// Sets the limits that hyper applies in HTTP/2. The last two are for its pings.
    pub(super) fn set_http2<E>(&self, builder: &mut http2::Builder<E>) {
        builder
            .max_concurrent_streams(self.streams)
            .max_header_list_size(u32::try_from(self.header_size).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(self.resets)
            .keep_alive_interval(self.idle)
            .keep_alive_timeout(self.head);
    }

    /// How long a lull may last.
    pub(super) fn of_lull(&self, lull: Lull) -> Duration {
        match lull {
            Lull::Idle => self.idle,
            Lull::Head => self.head,
        }
    }

    /// Whether bytes have to pass at a minimal rate.
    pub(super) fn has_rate(&self) -> bool {
        self.rate > 0
    }

    /// How much time these bytes are worth at the minimal rate, which is not 0.
    pub(super) fn worth(&self, bytes: u64) -> Duration {
        Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / u64::from(self.rate))
    }

    /// The most time that a client can save by being faster than the minimal rate.
    pub(super) fn most_saved(&self) -> Duration {
        self.idle.max(self.rate_grace)
    }
}

/// Caps a limit at a duration that can be added to the present time, and that is as good as
/// unlimited.
const fn finite(limit: Duration) -> Duration {
    const MOST: Duration = Duration::from_secs(100 * 365 * 86_400);
    if limit.as_secs() < MOST.as_secs() { limit } else { MOST }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::new()
    }
}
