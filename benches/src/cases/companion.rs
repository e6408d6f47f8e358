//! What a library costs that needs tokio: a server that sends back what it gets, as in `tcp_echo`,
//! over tokio's streams, which are awaited in the tasks of a run with a companion. Beside it are
//! tokio's multi-thread runtime with one worker, whose tasks run on the worker, and this crate's own
//! streams.

use std::time::Duration;

use super::{Size, tcp_echo};
use crate::row::Row;
use crate::subjects::*;

const SERVERS: &[&str] = &[
    SEEDBED,
    #[cfg(feature = "companion")]
    SEEDBED_COMPANION,
    #[cfg(feature = "companion")]
    TOKIO_WORKER,
];

pub fn rows(size: Size) -> Vec<Row> {
    let time = size.of(Duration::from_millis(1_000), Duration::from_millis(60));
    let row = |connections: usize| {
        let mut row = Row::new(format!("companion/{connections}x64B"), tcp_echo::figures());
        row = row.rounds_divided_by(2);
        for subject in SERVERS {
            row = row.sample(subject, move || tcp_echo::measure(subject, connections, 64, time));
        }
        row
    };
    [1, 64].map(row).into()
}

#[cfg(feature = "companion")]
pub fn tokio(listener: std::net::TcpListener, buffer: usize) {
    use ::tokio::io::{AsyncReadExt, AsyncWriteExt};

    crate::runtimes::tokio::run_worker(async move {
        listener.set_nonblocking(true).expect("sockets can be");
        let listener = ::tokio::net::TcpListener::from_std(listener).expect("a socket");
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            ::tokio::spawn(async move {
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

#[cfg(feature = "companion")]
pub fn seedbed(listener: std::net::TcpListener, buffer: usize) {
    use ::seedbed::tokio::call;
    use ::tokio::io::{AsyncReadExt, AsyncWriteExt};

    crate::runtimes::seedbed::run_with_companion(async {
        listener.set_nonblocking(true)?;
        let listener = ::tokio::net::TcpListener::from_std(listener)?;
        ::seedbed::nursery::<_, ()>(async |n| {
            loop {
                let (mut stream, _) = call(listener.accept()).await?;
                n.spawn(async move {
                    stream.set_nodelay(true)?;
                    let mut buffer = vec![0; buffer];
                    loop {
                        match call(stream.read(&mut buffer)).await? {
                            0 => return Ok(()),
                            n => call(stream.write_all(&buffer[..n])).await?,
                        }
                    }
                });
            }
        })
        .await
    });
}
