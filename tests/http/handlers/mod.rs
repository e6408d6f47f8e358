//! S3 and S4: an HTTP handler is a task, and learns when its client goes or its server ends.

mod departures;
mod failures;
mod hyper_by_hand;
mod server_end;
#[cfg(feature = "tower")]
mod tower;
mod upgrades;
mod versions;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, Response};
use seedbed::hyper::{Body, Connection, Io, NurseryExecutor};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::{
    CancelScope, Error, Event, Nursery, Result, move_on_after, nursery, sleep, sleep_forever,
};

use super::{GET, SECOND, run_virtually};

const CLEANED_UP: [&str; 3] = ["begin", "cancelled", "rolled back"];

/// How far a handler has come.
#[derive(Default)]
struct Log {
    lines: RefCell<Vec<&'static str>>,
    begun: Event,
}

impl Log {
    fn add(&self, line: &'static str) {
        self.lines.borrow_mut().push(line);
        self.begun.set();
    }

    /// Something that waits, and cleans up for a while under a shield.
    async fn transaction(&self, wait: impl Future<Output = Result<()>>) -> Result<()> {
        struct Guard<'a>(Option<&'a Log>);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if let Some(log) = self.0 {
                    log.add("dropped");
                }
            }
        }
        let mut guard = Guard(Some(self));
        self.add("begin");
        let outcome = wait.await;
        self.add(match &outcome {
            Ok(()) => "done",
            Err(error) if error.is_cancelled() => "cancelled",
            Err(_) => "failed",
        });
        let shield = CancelScope::new().with_shield().with_timeout(SECOND);
        shield.enter(async |_| sleep(SECOND / 10).await).await?;
        self.add("rolled back");
        guard.0 = None;
        outcome
    }

    /// A request for what comes later, or for a stream of events.
    async fn answer<'a>(&'a self, request: Request<Incoming>) -> Result<Response<Body<'a>>> {
        match request.uri().path() {
            "/events" => Ok(Response::new(Body::stream(async |sender| {
                let events = async {
                    loop {
                        sender.send("data: something\n\n").await?;
                        sleep(SECOND).await?;
                    }
                };
                self.transaction(events).await
            }))),
            _ => {
                self.transaction(sleep_forever()).await?;
                Ok(Response::new(Body::empty()))
            }
        }
    }
}

async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

async fn http2_client<'scope>(
    n: &'scope Nursery<'scope, '_>,
    stream: impl futures::AsyncRead + futures::AsyncWrite + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = hyper::client::conn::http2::Builder::new(NurseryExecutor::new(n))
        .handshake(Io::new(stream))
        .await?;
    drop(n.spawn(async {
        let _broken = connection.await;
        Ok(())
    }));
    Ok(sender)
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://me{path}")).body(Full::default()).unwrap()
}

/// Serves one request of HTTP/1, and gives what has come back and what was reported.
fn outcome<'a, B: seedbed::hyper::IntoBody>(
    handler: impl AsyncFn(Request<Incoming>) -> Result<Response<B>> + 'a,
) -> (String, Vec<Error>) {
    let (answer, reported) = (Cell::new(Vec::new()), RefCell::new(Vec::new()));
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            let connection = Connection::new(stream, "test")
                .on_error(|error, _| reported.borrow_mut().push(error));
            n.spawn(connection.serve(&handler));
            client.write_all(GET).await?;
            let mut bytes = Vec::new();
            let reading = move_on_after(SECOND, client.read_to_end(&mut bytes));
            reading.await?;
            answer.set(bytes);
            Ok(())
        })
        .await
    });
    (String::from_utf8(answer.into_inner()).unwrap(), reported.into_inner())
}

/// A stream of which nothing is known except what it reads and writes, like one of TLS.
struct Opaque(TcpStream);

impl futures::AsyncRead for Opaque {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl futures::AsyncWrite for Opaque {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
