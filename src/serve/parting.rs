//! A connection that is over for its handler, but not yet for its client.
//!
//! If it were closed while its client is sending, the kernel would reset it, and the client might
//! lose what was last written to it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::operation::time::now;
use crate::scope::{CancelScope, is_ending, move_on_at};
use crate::serve::connection::Serving;
use crate::serve::connections::Open;
use crate::serve::until_ending::until_ending;
use crate::world::net::closing::{LIMIT, PATIENCE, Parting};
#[cfg(feature = "tls")]
use crate::world::tls::TlsFailed;

/// Discards what the client still sends, until it has ended its side or [`LIMIT`] has passed. A
/// server that is ending waits only for [`PATIENCE`] if the client sends nothing.
///
/// The end of a grace ends this too. If the server is cancelled without a grace, the connection
/// still gets its time, because what was written was written before that.
pub(super) async fn part<A>(connection: Parting, open: Open<&Serving<'_, A>>) -> Result<()> {
    let place = open.server().place;
    let discard = async |scope: &CancelScope| {
        let end = now() + LIMIT;
        let mut until = end;
        let mut told = is_ending();
        if told && !connection.had_input() {
            until = end.min(now() + PATIENCE);
        }
        loop {
            let read = connection.discard();
            let read = match told {
                true => move_on_at(until, read).await,
                false => move_on_at(until, until_ending(read, Duration::ZERO, place)).await,
            };
            match read {
                Ok(Some(0) | None) => return Ok(()),
                Ok(Some(_)) => until = end,
                Err(_) if !told => {
                    told = true;
                    until = end.min(now() + PATIENCE);
                }
                Err(_) if open.server_drains() || scope.shield() => return Ok(()),
                Err(_) => scope.set_shield(true),
            }
        }
    };
    CancelScope::new().enter(discard).await.map(drop)
}

/// Whether the error means that a client has gone or does not do its part, which the operator of a
/// server cannot do anything about.
pub(super) fn is_clients_doing(error: &Error) -> bool {
    #[cfg(feature = "hyper")]
    if let Some(error) = error.find::<hyper::Error>() {
        // hyper passes on the error of a handler as the cause of an error of this kind.
        return !error.is_user();
    }
    #[cfg(feature = "tls")]
    if let Some(error) = error.find::<TlsFailed>() {
        return error.is_peers_doing();
    }
    error.find::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::NotConnected
                | ErrorKind::TimedOut
                | ErrorKind::UnexpectedEof
        )
    })
}
