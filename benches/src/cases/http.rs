//! hyper's HTTP/1 server: 64 connections that are kept alive, each with one `GET` under way, and an
//! answer of 13 bytes of plain text.
//!
//! The server is a process with one thread; the clients are in this one (`load`), the same for all.
//! hyper and its settings are the same for all, over each runtime's sockets and timers: seedbed's
//! own feature, hyper-util for tokio, smol-hyper for smol. monoio, compio and glommio give the
//! kernel buffers of their own and would need a layer that copies in between, which is not how they
//! serve HTTP. They are left out.
//!
//! The figures are the same as for `tcp_echo`.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

use super::Size;
use crate::load::{self, Exchange, Served};
use crate::process;
use crate::row::{Better, Figure, Row};
use crate::runtimes;
use crate::subjects::*;

const CONNECTIONS: usize = 64;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\naccept: text/plain\r\n\r\n";
const TEXT: &str = "Hello, World!";

pub fn rows(size: Size) -> Vec<Row> {
    let time = size.of(Duration::from_millis(1_000), Duration::from_millis(60));
    let figures = vec![
        Figure::new("", "requests/s", Better::More),
        Figure::new("/cpu", "ns of CPU/request", Better::Less),
    ];
    let row = Row::new("http", figures)
        .rounds_divided_by(2)
        .sample(SEEDBED, move || measure(SEEDBED, time));
    #[cfg(feature = "peers")]
    let row = row
        .sample(TOKIO, move || measure(TOKIO, time))
        .sample(SMOL, move || measure(SMOL, time))
        .absent(MONOIO_EPOLL, "hyper does not take its streams as they are")
        .absent(COMPIO_EPOLL, "hyper does not take its streams as they are")
        .absent(GLOMMIO, "hyper does not take its streams as they are");
    vec![row]
}

fn measure(subject: &str, time: Duration) -> Vec<f64> {
    let (server, address) = process::start_server(&["http", subject]);
    let check = |answer: &[u8]| {
        answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(TEXT.as_bytes())
    };
    let exchange = Exchange { request: REQUEST, answer: length_of_answer(address), check: &check };
    let Served { answers, elapsed, cpu } =
        load::load(&server, address, CONNECTIONS, &exchange, time);
    vec![answers as f64 / elapsed.as_secs_f64(), cpu.as_nanos() as f64 / answers as f64]
}

/// All answers have the length of the first: only the date changes.
fn length_of_answer(address: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(REQUEST).expect("the server reads");
    let mut answer = Vec::new();
    while !answer.ends_with(TEXT.as_bytes()) {
        let mut buffer = [0; 1024];
        let n = stream.read(&mut buffer).expect("the server answers");
        assert!(n > 0, "the server has closed the connection");
        answer.extend_from_slice(&buffer[..n]);
    }
    answer.len()
}

/// The inside of the server's process: serves for ever.
pub fn inside(subject: &str) {
    process::serve(|listener| match subject {
        SEEDBED => seedbed(listener),
        #[cfg(feature = "peers")]
        TOKIO => peers::tokio(listener),
        #[cfg(feature = "peers")]
        SMOL => peers::smol(listener),
        _ => panic!("no such server: {subject}"),
    });
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(TEXT.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn seedbed(listener: TcpListener) {
    use seedbed::hyper::{Io, Timer};

    runtimes::seedbed::run(async {
        let listener = seedbed::net::TcpListener::from_std(listener)?;
        seedbed::serve(listener, async |stream, _| {
            stream.set_nodelay(true)?;
            let mut builder = http1::Builder::new();
            let connection =
                builder.timer(Timer).serve_connection(Io::new(stream), service_fn(answer));
            Ok(connection.await?)
        })
        .await
    });
}

#[cfg(feature = "peers")]
mod peers {
    use super::*;

    pub fn tokio(listener: TcpListener) {
        use hyper_util::rt::{TokioIo, TokioTimer};

        runtimes::tokio::run(async {
            listener.set_nonblocking(true).expect("sockets can be");
            let listener = ::tokio::net::TcpListener::from_std(listener).expect("a socket");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                ::tokio::task::spawn_local(async move {
                    stream.set_nodelay(true).expect("it is a TCP connection");
                    http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .await
                });
            }
        })
    }

    pub fn smol(listener: TcpListener) {
        use async_io::Async;
        use smol_hyper::rt::{FuturesIo, SmolTimer};

        runtimes::smol::run(async |executor| {
            let listener = Async::<TcpListener>::try_from(listener).expect("a socket");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let task = executor.spawn(async move {
                    stream.get_ref().set_nodelay(true).expect("it is a TCP connection");
                    http1::Builder::new()
                        .timer(SmolTimer::new())
                        .serve_connection(FuturesIo::new(stream), service_fn(answer))
                        .await
                });
                task.detach();
            }
        })
    }
}
