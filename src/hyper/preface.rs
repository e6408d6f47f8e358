//! Which version of HTTP a client speaks.

use std::future::poll_fn;
use std::pin::Pin;

use futures_io::AsyncRead;

use crate::Result;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Reads until it is clear whether a client begins with the preface of HTTP/2, which may come in
/// pieces. Gives what has been read as well, to be read again; `None` if nothing came.
pub(super) async fn read_preface<S>(stream: &mut S) -> Result<Option<(Version, Vec<u8>)>>
where
    S: AsyncRead + Unpin,
{
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 1024];
        let n = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer)).await?;
        read.extend_from_slice(&buffer[..n]);
        if n == 0 && read.is_empty() {
            return Ok(None);
        }
        let common = PREFACE.len().min(read.len());
        if n == 0 || read[..common] != PREFACE[..common] {
            return Ok(Some((Version::Http1, read)));
        }
        if common == PREFACE.len() {
            return Ok(Some((Version::Http2, read)));
        }
    }
}
