//! A TCP server that sends back what it gets: 1, 64 and 1,000 connections, with messages of 64
//! bytes and of 16 KiB. Each connection has one message under way.
//!
//! The server is a process with one thread; the clients are in this one (`load`), the same for all.
//! Each connection has a task with a buffer of 16 KiB (with io_uring, vectors that the kernel
//! writes to), which reads and then writes everything it has read, with `TCP_NODELAY` set. The
//! hand-written server is a loop on mio with one buffer for all connections.
//!
//! There are two figures: messages per second, which is just as much about the kernel and the
//! clients, and how long the server's process was running for each message (`cpu`). With io_uring
//! some of the kernel's work may be done elsewhere.

use std::net::TcpListener;
use std::time::Duration;

use super::Size;
use crate::load::{self, Exchange, Served};
use crate::process;
use crate::row::{Better, Figure, Row};
use crate::runtimes;
use crate::subjects::*;

/// The buffer of each connection, in bytes.
const BUFFER: usize = 16 * 1024;

pub fn rows(size: Size) -> Vec<Row> {
    let time = size.of(Duration::from_millis(1_000), Duration::from_millis(60));
    let messages = [("64B", 64), ("16KiB", 16 * 1024)];
    let connections = size.of(&[1, 64, 1_000][..], &[1, 64]);
    let mut rows = Vec::new();
    for (name, bytes) in messages {
        for &connections in connections {
            let mut row =
                Row::new(format!("tcp_echo/{connections}x{name}"), figures()).rounds_divided_by(2);
            for subject in SERVERS {
                row = row.sample(subject, move || measure(subject, connections, bytes, time));
            }
            rows.push(row);
        }
    }
    rows
}

pub fn figures() -> Vec<Figure> {
    vec![
        Figure::new("", "messages/s", Better::More),
        Figure::new("/cpu", "ns of CPU/message", Better::Less),
    ]
}

pub fn measure(subject: &str, connections: usize, bytes: usize, time: Duration) -> Vec<f64> {
    let (server, address) = process::start_server(&["tcp_echo", subject, &BUFFER.to_string()]);
    let message: Vec<u8> = (0..bytes).map(|i| i as u8).collect();
    let check = |answer: &[u8]| answer == message;
    let exchange = Exchange { request: &message, answer: bytes, check: &check };
    let Served { answers, elapsed, cpu } =
        load::load(&server, address, connections, &exchange, time);
    vec![answers as f64 / elapsed.as_secs_f64(), cpu.as_nanos() as f64 / answers as f64]
}

/// The subjects that [`serve`] knows.
pub const SERVERS: &[&str] = &[
    SEEDBED,
    HAND_WRITTEN,
    #[cfg(feature = "peers")]
    TOKIO,
    #[cfg(feature = "peers")]
    SMOL,
    #[cfg(feature = "peers")]
    MONOIO_EPOLL,
    #[cfg(feature = "peers")]
    MONOIO_URING,
    #[cfg(feature = "peers")]
    COMPIO_EPOLL,
    #[cfg(feature = "peers")]
    COMPIO_URING,
    #[cfg(feature = "peers")]
    GLOMMIO,
];

/// The inside of the server's process: serves for ever.
pub fn inside(subject: &str, buffer: usize) {
    process::serve(|listener| match subject {
        SEEDBED => seedbed(listener, buffer),
        HAND_WRITTEN => hand_written(listener, buffer),
        #[cfg(feature = "peers")]
        TOKIO => peers::tokio(listener, buffer),
        #[cfg(feature = "companion")]
        TOKIO_WORKER => super::companion::tokio(listener, buffer),
        #[cfg(feature = "companion")]
        SEEDBED_COMPANION => super::companion::seedbed(listener, buffer),
        #[cfg(feature = "peers")]
        SMOL => peers::smol(listener, buffer),
        #[cfg(feature = "peers")]
        MONOIO_EPOLL => peers::monoio(runtimes::Driver::Epoll, listener, buffer),
        #[cfg(feature = "peers")]
        MONOIO_URING => peers::monoio(runtimes::Driver::Uring, listener, buffer),
        #[cfg(feature = "peers")]
        COMPIO_EPOLL => peers::compio(runtimes::Driver::Epoll, listener, buffer),
        #[cfg(feature = "peers")]
        COMPIO_URING => peers::compio(runtimes::Driver::Uring, listener, buffer),
        #[cfg(feature = "peers")]
        GLOMMIO => peers::glommio(listener, buffer),
        _ => panic!("no such server: {subject}"),
    });
}

fn seedbed(listener: TcpListener, buffer: usize) {
    runtimes::seedbed::run(async {
        let listener = seedbed::net::TcpListener::from_std(listener)?;
        seedbed::serve(listener, async |stream, _| {
            stream.set_nodelay(true)?;
            let mut buffer = vec![0; buffer];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return Ok(()),
                    n => stream.write_all(&buffer[..n]).await?,
                }
            }
        })
        .await
    });
}

fn hand_written(listener: TcpListener, buffer: usize) {
    use std::io::{ErrorKind, Read, Write};

    use mio::net::{TcpListener, TcpStream};
    use mio::{Events, Interest, Poll, Token};

    struct Connection {
        stream: TcpStream,
        /// What was read and could not yet be written.
        unwritten: Vec<u8>,
    }

    /// Whether the connection has ended.
    fn echo(connection: &mut Connection, buffer: &mut [u8]) -> bool {
        let Connection { stream, unwritten } = connection;
        loop {
            while !unwritten.is_empty() {
                match stream.write(unwritten) {
                    Ok(n) => drop(unwritten.drain(..n)),
                    Err(error) => return error.kind() != ErrorKind::WouldBlock,
                }
            }
            let n = match stream.read(buffer) {
                Ok(0) => return true,
                Ok(n) => n,
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            };
            match stream.write(&buffer[..n]) {
                Ok(written) => unwritten.extend_from_slice(&buffer[written..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    unwritten.extend_from_slice(&buffer[..n]);
                }
                Err(_) => return true,
            }
            // A short read is the last one until the kernel says otherwise.
            if n < buffer.len() && unwritten.is_empty() {
                return false;
            }
        }
    }

    const LISTENER: Token = Token(usize::MAX);
    let mut poll = Poll::new().expect("the kernel has epoll");
    listener.set_nonblocking(true).expect("sockets can be");
    let mut listener = TcpListener::from_std(listener);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("a socket");
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; buffer];
    let mut connections: Vec<Option<Connection>> = Vec::new();
    loop {
        poll.poll(&mut events, None).expect("epoll waits");
        for event in &events {
            if event.token() != LISTENER {
                let place = &mut connections[event.token().0];
                if place.as_mut().is_some_and(|connection| echo(connection, &mut buffer)) {
                    *place = None;
                }
                continue;
            }
            while let Ok((mut stream, _)) = listener.accept() {
                stream.set_nodelay(true).expect("it is a TCP connection");
                let token = Token(connections.len());
                let interests = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, token, interests).expect("a socket");
                connections.push(Some(Connection { stream, unwritten: Vec::new() }));
            }
        }
    }
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use std::os::fd::{FromRawFd, IntoRawFd};

    use super::*;

    pub fn tokio(listener: TcpListener, buffer: usize) {
        use ::tokio::io::{AsyncReadExt, AsyncWriteExt};

        runtimes::tokio::run(async {
            listener.set_nonblocking(true).expect("sockets can be");
            let listener = ::tokio::net::TcpListener::from_std(listener).expect("a socket");
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                ::tokio::task::spawn_local(async move {
                    stream.set_nodelay(true)?;
                    let mut buffer = vec![0; buffer];
                    loop {
                        match stream.read(&mut buffer).await? {
                            0 => return std::io::Result::Ok(()),
                            n => stream.write_all(&buffer[..n]).await?,
                        }
                    }
                });
            }
        })
    }

    pub fn smol(listener: TcpListener, buffer: usize) {
        use async_io::Async;
        use futures_lite::{AsyncReadExt, AsyncWriteExt};

        runtimes::smol::run(async |executor| {
            let listener = Async::<TcpListener>::try_from(listener).expect("a socket");
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let task = executor.spawn(async move {
                    stream.get_ref().set_nodelay(true)?;
                    let mut buffer = vec![0; buffer];
                    loop {
                        match stream.read(&mut buffer).await? {
                            0 => return std::io::Result::Ok(()),
                            n => stream.write_all(&buffer[..n]).await?,
                        }
                    }
                });
                task.detach();
            }
        })
    }

    pub fn monoio(driver: Driver, listener: TcpListener, buffer: usize) {
        use ::monoio::io::{AsyncReadRent, AsyncWriteRentExt};

        runtimes::monoio::run(driver, async {
            // io_uring waits in the kernel, which requires blocking sockets.
            listener.set_nonblocking(matches!(driver, Driver::Epoll)).expect("sockets can be");
            let listener = ::monoio::net::TcpListener::from_std(listener).expect("a socket");
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                ::monoio::spawn(async move {
                    stream.set_nodelay(true)?;
                    let mut buffer = Vec::with_capacity(buffer);
                    loop {
                        let (read, filled) = stream.read(buffer).await;
                        if read? == 0 {
                            return std::io::Result::Ok(());
                        }
                        let (written, emptied) = stream.write_all(filled).await;
                        written?;
                        buffer = emptied;
                    }
                });
            }
        })
    }

    pub fn compio(driver: Driver, listener: TcpListener, buffer: usize) {
        use ::compio::buf::BufResult;
        use ::compio::io::{AsyncRead, AsyncWriteExt};

        runtimes::compio::run(driver, async {
            let listener = ::compio::net::TcpListener::from_std(listener).expect("a socket");
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let task = ::compio::runtime::spawn(async move {
                    stream.set_nodelay(true)?;
                    let mut buffer = Vec::with_capacity(buffer);
                    loop {
                        let BufResult(read, filled) = stream.read(buffer).await;
                        if read? == 0 {
                            return std::io::Result::Ok(());
                        }
                        let BufResult(written, mut emptied) = stream.write_all(filled).await;
                        written?;
                        emptied.clear();
                        buffer = emptied;
                    }
                });
                task.detach();
            }
        })
    }

    pub fn glommio(listener: TcpListener, buffer: usize) {
        use ::futures::{AsyncReadExt, AsyncWriteExt};

        runtimes::glommio::run(async {
            // SAFETY: the descriptor belongs to a listener, and to nothing else any more.
            let listener =
                unsafe { ::glommio::net::TcpListener::from_raw_fd(listener.into_raw_fd()) };
            loop {
                let mut stream = listener.accept().await.expect("a connection");
                let task = ::glommio::spawn_local(async move {
                    stream.set_nodelay(true)?;
                    let mut buffer = vec![0; buffer];
                    loop {
                        match stream.read(&mut buffer).await? {
                            0 => return std::io::Result::Ok(()),
                            n => stream.write_all(&buffer[..n]).await?,
                        }
                    }
                });
                task.detach();
            }
        })
    }
}
