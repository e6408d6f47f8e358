//! What a server does when accepting fails.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::operation::time::now;
use crate::scope::move_on_after;
use crate::serve::connections::Connections;

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// How many connections may fail in a row before this is considered a lasting problem.
const IN_A_ROW: u32 = 64;
/// How long accepting has to go well before the next failure is worth another warning: a server
/// that is out of descriptors accepts a connection, and fails to accept the next, whenever one
/// closes.
const EPISODE: Duration = Duration::from_secs(30);

/// The failures to accept that a server has seen.
pub(super) struct AcceptErrors {
    /// This and the next field count since a connection was last accepted.
    pause: Duration,
    in_a_row: u32,
    exhausted_at: Option<Instant>,
}

impl AcceptErrors {
    pub(super) const fn new() -> Self {
        AcceptErrors { pause: SHORTEST, in_a_row: 0, exhausted_at: None }
    }

    /// Waits until it makes sense to try again after this error.
    ///
    /// # Errors
    ///
    /// The error itself, if it makes no sense ever to try again: if it is a cancellation, for
    /// example. Or else a cancellation that comes while this waits.
    pub(super) async fn pause_after(
        &mut self,
        error: Error,
        connections: &Connections,
    ) -> Result<()> {
        let number = error.downcast_ref().and_then(Errno::from_io_error);
        let exhausted = match number {
            Some(number) if is_exhaustion(number) => true,
            Some(number) if is_of_one_connection(number) => {
                self.in_a_row += 1;
                self.in_a_row >= IN_A_ROW
            }
            _ => return Err(error),
        };
        if !exhausted {
            tracing::debug!(%error, "a connection failed before it was accepted");
            return Ok(());
        }
        let now = now();
        if self.exhausted_at.replace(now).is_none_or(|before| now - before > EPISODE) {
            tracing::warn!(%error, "cannot accept more connections at the moment; will try again");
        }
        // A connection that closes frees a descriptor. If that is taken by somebody else, the pause
        // keeps growing; if none closes, another part of the process may have closed some.
        move_on_after(self.pause, connections.one_closes()).await?;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }

    /// To be called when a connection was accepted.
    pub(super) fn accepted(&mut self) {
        (self.pause, self.in_a_row) = (SHORTEST, 0);
    }
}

/// Whether descriptors or memory have run out. The connection stays in the queue, so trying again
/// at once would fail at once.
fn is_exhaustion(number: Errno) -> bool {
    matches!(number, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
}

/// Whether the connection itself failed, and is out of the queue now. Linux reports what has
/// happened to it in the network: see accept(2).
fn is_of_one_connection(number: Errno) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if number == Errno::NONET {
        return true;
    }
    matches!(
        number,
        Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::INTR
            | Errno::PERM
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
            | Errno::TIMEDOUT
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
    )
}
