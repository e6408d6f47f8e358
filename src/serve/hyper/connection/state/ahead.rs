//! Reading while hyper does not, to find out whether the client is still there.
//!
//! For a stream of this crate, also under TLS, the kernel tells. For any other only a read tells,
//! and in HTTP/1 hyper reads nothing while a request is being handled.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncRead;
use hyper::rt::ReadBufCursor;

use crate::serve::hyper::rt::shared::Shared;

/// How much is kept for hyper. If there is more, only writing to the client tells that it has gone.
const MOST: usize = 64 * 1024;
/// How much is read at once.
const AT_ONCE: usize = 4 * 1024;

/// The bytes read from a stream before hyper asked for them.
pub(crate) struct Ahead {
    /// Present until hyper no longer has the stream.
    stream: Option<Box<dyn AsyncRead + Unpin>>,
    bytes: Vec<u8>,
    /// Whether the stream has come to its end.
    ended: bool,
}

impl Ahead {
    pub(crate) fn new<S: AsyncRead + Unpin + 'static>(stream: Shared<S>) -> Ahead {
        Ahead { stream: Some(Box::new(stream)), bytes: Vec::new(), ended: false }
    }

    /// Reads whatever is available. Fails if the stream does.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut buffer = [0; AT_ONCE];
        while !self.ended && self.bytes.len() < MOST {
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => self.ended = true,
                Poll::Ready(Ok(n)) => self.bytes.extend_from_slice(&buffer[..n]),
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Stops reading. The bytes that were read are kept for the protocol that the connection
    /// continues with.
    pub(super) fn stop(&mut self) -> Option<Box<dyn AsyncRead + Unpin>> {
        self.stream.take()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether there is something for hyper, even if it is the end.
    pub(super) fn has_more(&self) -> bool {
        self.ended || !self.bytes.is_empty()
    }

    /// Gives hyper the bytes that were read, and returns them; `None` if there are none.
    pub(super) fn read(&mut self, buffer: &mut ReadBufCursor<'_>) -> Option<Vec<u8>> {
        if self.bytes.is_empty() {
            return self.ended.then(Vec::new);
        }
        let n = self.bytes.len().min(buffer.remaining());
        let rest = self.bytes.split_off(n);
        let read = std::mem::replace(&mut self.bytes, rest);
        buffer.put_slice(&read);
        Some(read)
    }
}
