//! Which version of HTTP a client speaks.

use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::time::Instant;

use futures_io::AsyncRead;

use crate::error::Result;
use crate::operation::time::now;
use crate::scope::move_on_after;
use crate::serve::hyper::limits::{FIRST_PATIENCE, Limits};
use crate::serve::until_ending::until_ending;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version of HTTP that a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// How a client begins.
pub(super) struct Opening {
    pub(super) version: Version,
    /// The bytes that have been read, and have to be read again.
    pub(super) read: Vec<u8>,
    /// When the first byte came.
    pub(super) begun: Instant,
}

/// Waits for a client to begin, for as long as it is allowed to take. `None` if it does not begin,
/// which is not an error: it has changed its mind, gone away, or said nothing.
pub(super) async fn open<S>(
    stream: &mut S,
    limits: &Limits,
    peer: &impl Debug,
    place: &'static Location<'static>,
) -> Result<Option<Opening>>
where
    S: AsyncRead + Unpin,
{
    let opening = until_ending(read_preface(stream), FIRST_PATIENCE, place);
    match move_on_after(limits.handshake, opening).await {
        Ok(Some(opening)) => Ok(opening),
        Ok(None) => {
            tracing::debug!(?peer, "a client did not begin to speak HTTP in time");
            Ok(None)
        }
        Err(error) if error.is::<io::Error>() => {
            tracing::debug!(?peer, %error, "a client went away before it said anything");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads until it is clear whether a client begins with the preface of HTTP/2, which may arrive in
/// pieces. `None` if the stream ends before anything comes.
async fn read_preface<S>(stream: &mut S) -> Result<Option<Opening>>
where
    S: AsyncRead + Unpin,
{
    let mut read = Vec::new();
    let mut begun = None;
    loop {
        let mut buffer = [0; 1024];
        let n = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer)).await?;
        read.extend_from_slice(&buffer[..n]);
        if n == 0 && read.is_empty() {
            return Ok(None);
        }
        let begun = *begun.get_or_insert_with(now);
        let common = PREFACE.len().min(read.len());
        if n == 0 || read[..common] != PREFACE[..common] {
            return Ok(Some(Opening { version: Version::Http1, read, begun }));
        }
        if common == PREFACE.len() {
            return Ok(Some(Opening { version: Version::Http2, read, begun }));
        }
    }
}
