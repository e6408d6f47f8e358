//! Connections that go on with another protocol, such as a WebSocket.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::rt::{Read, ReadBuf, Write};
use hyper::{Method, Request, Response, StatusCode};

use crate::error::Result;
use crate::operation::cancellable;
use crate::serve::hyper::answer::body::Body;
use crate::serve::hyper::answer::websocket;

/// Answers a request to go on with another protocol, and runs `talk` with the stream once the
/// answer has been sent.
///
/// The answer is 101, or 200 to a `CONNECT`. A request that does not ask for an upgrade is answered
/// with 426, and `talk` is dropped.
///
/// A WebSocket's handshake is done as RFC 6455 says, so the stream can be given to a library that
/// speaks the protocol, as one whose handshake is done: see [`guide::websockets`]. A request for one
/// that lacks its key is answered with 400, and one for another version with 426. Whether the page
/// that asks may do so (its `Origin`) is for the handler to decide, before it calls this.
///
/// [`guide::websockets`]: crate::guide::websockets
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
    match agree(&request, answer.headers_mut()) {
        Ok(status) => *answer.status_mut() = status,
        Err(status) => {
            *answer.status_mut() = status;
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

/// Agrees to what the client asks for, or fails because it asks for nothing, or in a wrong way.
/// Either is a status. The headers say which protocol it is, or should be.
fn agree<B>(request: &Request<B>, headers: &mut HeaderMap) -> Result<StatusCode, StatusCode> {
    if request.method() == Method::CONNECT {
        return Ok(StatusCode::OK);
    }
    let protocol = request.headers().get(UPGRADE).filter(|_| asks_for_upgrade(request.headers()));
    let protocol = protocol.ok_or(StatusCode::UPGRADE_REQUIRED)?;
    headers.insert(UPGRADE, protocol.clone());
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if websocket::is(protocol) {
        let version = HeaderValue::from_static(websocket::VERSION);
        let accept = websocket::accept(request).inspect_err(|_| {
            headers.insert(SEC_WEBSOCKET_VERSION, version);
        })?;
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(StatusCode::SWITCHING_PROTOCOLS)
}

/// Whether the header is for this connection, and not one that a proxy has passed on.
fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(','));
    options.any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
}

/// The stream of a connection that goes on with another protocol. See [`upgrade`].
///
/// It implements [`AsyncRead`] and [`AsyncWrite`] of the `futures` crate and, with the feature
/// `tokio-io`, those of tokio. They are checkpoints. A WebSocket over it goes into a
/// [`cancellable_stream`](crate::cancellable_stream): see [`guide::websockets`]. Dropping the stream
/// closes the connection.
///
/// [`guide::websockets`]: crate::guide::websockets
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
