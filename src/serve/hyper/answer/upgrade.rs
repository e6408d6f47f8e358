//! Connections that go on with another protocol, such as a WebSocket.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::rt::{Read, ReadBuf, Write};
use hyper::{Method, Request, Response, StatusCode};

use crate::error::Result;
use crate::operation::cancellable;
use crate::serve::hyper::answer::body::Body;
use crate::serve::hyper::answer::websocket;

/// Answers a request to go on with another protocol, and runs `talk` with the stream once the
/// answer has been sent.
///
/// The answer is 101, or 200 to a `CONNECT`. The key of a WebSocket is answered too, so the stream
/// can be given to a library that speaks WebSocket, as one whose handshake is done. A request that
/// does not ask for an upgrade is answered with 426, and `talk` is dropped.
///
/// `talk` is part of the request: it runs in a task of the connection, and may borrow whatever the
/// handler may. Like a handler, it is [finishing](crate::finishing()) its work: a graceful stop of
/// the server reaches only code in it that is [`idle`](crate::idle), and when the grace is over, it
/// is cancelled. Reads and writes are checkpoints.
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use hyper::{Request, Response, body::Incoming};
/// use seedbed::hyper::{Body, upgrade};
/// use seedbed::{Result, idle};
///
/// async fn answer(request: Request<Incoming>) -> Result<Response<Body<'static>>> {
///     Ok(upgrade(request, async |mut stream| {
///         let mut buffer = [0; 1024];
///         loop {
///             match idle(async { Ok(stream.read(&mut buffer).await?) }).await? {
///                 0 => return Ok(()),
///                 n => stream.write_all(&buffer[..n]).await?, // not interrupted
///             }
///         }
///     }))
/// }
/// ```
pub fn upgrade<'a, B, F>(request: Request<B>, talk: F) -> Response<Body<'a>>
where
    F: AsyncFnOnce(Upgraded) -> Result<()> + 'a,
{
    let mut request = request;
    let mut answer = Response::new(Body::empty());
    let protocol = request.headers().get(UPGRADE).cloned();
    match protocol {
        _ if request.method() == Method::CONNECT => {}
        Some(protocol) => {
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            answer.headers_mut().insert(UPGRADE, protocol);
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            if let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) {
                answer.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, websocket::accept(key));
            }
        }
        None => {
            *answer.status_mut() = StatusCode::UPGRADE_REQUIRED;
            return answer;
        }
    }
    let on = hyper::upgrade::on(&mut request);
    answer.map(|_| {
        Body::upgrade(Box::pin(async move {
            // Ready when the answer has been sent.
            let stream = cancellable(on).await??;
            talk(Upgraded(stream)).await
        }))
    })
}

/// The stream of a connection that goes on with another protocol. See [`upgrade`].
///
/// It implements [`AsyncRead`] and [`AsyncWrite`] of the `futures` crate and, with the feature
/// `tokio-io`, those of tokio. Dropping it closes the connection.
pub struct Upgraded(hyper::upgrade::Upgraded);

impl Upgraded {
    /// Returns the stream as hyper's own type, for libraries that require it.
    #[must_use]
    pub fn into_inner(self) -> hyper::upgrade::Upgraded {
        self.0
    }

    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        mut buffer: ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_into(cx, ReadBuf::new(buffer))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(feature = "tokio-io")]
impl tokio::io::AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = ready!(self.poll_read_into(cx, ReadBuf::new(buffer.initialize_unfilled())))?;
        buffer.advance(n);
        Poll::Ready(Ok(()))
    }
}

#[cfg(feature = "tokio-io")]
impl tokio::io::AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
