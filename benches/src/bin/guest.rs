//! A run as a guest of tokio: what it costs over `run`, what it costs its host, and whether the host
//! keeps its time beside a guest that is busy.
//!
//! ```text
//! cargo run --release -p seedbed-bench --no-default-features --features guest --bin guest -- [--rounds N] [--only WORK] [--cpu-time]
//! cargo run --release -p seedbed-bench --no-default-features --features guest --bin guest -- ticks
//! ```
//!
//! The subjects take turns, round by round, each in a process of its own, which does the work once
//! before it counts. A figure is the median of the rounds, in nanoseconds.

#[path = "../clock.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod clock;
#[path = "../turns.rs"]
mod turns;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use seedbed::{Builder, Result, cancellable, channel, nursery, yield_now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use turns::{Turns, Work};

const PAIRS: usize = 32;
const ECHOES: usize = 64_000;
const MESSAGES: usize = 200_000;
const SIZE: usize = 64;

const WORKS: &[Work<()>] = &[
    Work {
        name: "echo",
        title: "TCP echo, 32 connections, 64 bytes, both ends in one thread",
        count: ECHOES,
        subjects: [
            ("run", |()| seedbed::run(own_streams()).unwrap()),
            ("guest", |()| on_tokio(async { Builder::new().guest(own_streams()).await.unwrap() })),
            ("tokio", |()| on_tokio(tokio_streams())),
            ("tokio's in a guest", |()| {
                on_tokio(async { Builder::new().guest(tokio_streams_in_guest()).await.unwrap() });
            }),
        ],
    },
    Work {
        name: "message",
        title: "a message there and back, capacity 1",
        count: MESSAGES,
        subjects: [
            ("run", |()| seedbed::run(own_messages()).unwrap()),
            ("guest", |()| on_tokio(async { Builder::new().guest(own_messages()).await.unwrap() })),
            ("tokio", |()| on_tokio(tokio_messages())),
            ("tokio to guest", |()| on_tokio(messages_between())),
        ],
    },
];

fn main() {
    let turns = Turns::from_arguments();
    if let Some((work, run)) = turns.here(WORKS) {
        return work.measure(1e9, || (), || run(&()));
    }
    if turns.rest.as_deref() == Some("ticks") {
        return on_tokio(ticks());
    }
    turns.take(WORKS, "| | `run` | guest | tokio | tokio in, or to, a guest |", None);
}

fn on_tokio(main: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, main);
}

// ---- Echoes ------------------------------------------------------------------------------------

async fn own_streams() -> Result<()> {
    let listener = seedbed::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    nursery(async |n| {
        for _ in 0..PAIRS {
            let client = seedbed::net::TcpStream::connect(address).await?;
            let (server, _) = listener.accept().await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            n.spawn(async move {
                let mut bytes = [0; SIZE];
                while server.read(&mut bytes).await? > 0 {
                    server.write_all(&bytes).await?;
                }
                Ok(())
            });
            n.spawn(async move {
                let mut bytes = [0; SIZE];
                for _ in 0..ECHOES / PAIRS {
                    client.write_all(&bytes).await?;
                    client.read_exact(&mut bytes).await?;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await
}

async fn tokio_pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    (client, server)
}

async fn tokio_server(mut server: TcpStream) {
    let mut bytes = [0; SIZE];
    while server.read(&mut bytes).await.unwrap() > 0 {
        server.write_all(&bytes).await.unwrap();
    }
}

async fn tokio_client(mut client: TcpStream) {
    let mut bytes = [0; SIZE];
    for _ in 0..ECHOES / PAIRS {
        client.write_all(&bytes).await.unwrap();
        client.read_exact(&mut bytes).await.unwrap();
    }
}

async fn tokio_streams() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..PAIRS {
        let (client, server) = tokio_pair(&listener).await;
        tasks.push(spawn_local(tokio_server(server)));
        tasks.push(spawn_local(tokio_client(client)));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn tokio_streams_in_guest() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    nursery(async |n| {
        for _ in 0..PAIRS {
            let (client, server) = tokio_pair(&listener).await;
            n.spawn(async move {
                tokio_server(server).await;
                Ok(())
            });
            n.spawn(async move {
                tokio_client(client).await;
                Ok(())
            });
        }
        Ok(())
    })
    .await
}

// ---- Messages ----------------------------------------------------------------------------------

async fn own_messages() -> Result<()> {
    let (there, comes) = channel(1);
    let (back, returns) = channel(1);
    nursery(async |n| {
        n.spawn(async move {
            while let Some(message) = comes.recv().await? {
                back.send(message).await?;
            }
            Ok(())
        });
        for message in 0..MESSAGES {
            there.send(message).await?;
            returns.recv().await?;
        }
        drop(there);
        Ok(())
    })
    .await
}

async fn tokio_messages() {
    let (there, mut comes) = mpsc::channel(1);
    let (back, mut returns) = mpsc::channel(1);
    let other = spawn_local(async move {
        while let Some(message) = comes.recv().await {
            back.send(message).await.unwrap();
        }
    });
    for message in 0..MESSAGES {
        there.send(message).await.unwrap();
        returns.recv().await;
    }
    drop(there);
    other.await.unwrap();
}

async fn messages_between() {
    let (there, mut comes) = mpsc::channel(1);
    let (back, mut returns) = mpsc::channel(1);
    let guest = Builder::new().guest(async move {
        while let Some(message) = cancellable(comes.recv()).await? {
            cancellable(back.send(message)).await?.unwrap();
        }
        Ok(())
    });
    let other = spawn_local(guest);
    for message in 0..MESSAGES {
        there.send(message).await.unwrap();
        returns.recv().await;
    }
    drop(there);
    other.await.unwrap().unwrap();
}

// ---- Ticks -------------------------------------------------------------------------------------

/// How many of 50 ticks of a millisecond tokio's timer keeps beside a guest that is always busy.
async fn ticks() {
    const TICKS: u32 = 50;
    for (work, name) in [
        (Duration::ZERO, "whose tasks only yield"),
        (Duration::from_micros(100), "whose tasks compute for 0.1 ms each time"),
    ] {
        let done = Rc::new(Cell::new(false));
        let busy = {
            let done = done.clone();
            spawn_local(Builder::new().guest(nursery(async move |n| {
                for _ in 0..100 {
                    let done = done.clone();
                    n.spawn(async move {
                        while !done.get() {
                            let until = Instant::now() + work;
                            while Instant::now() < until {}
                            yield_now().await?;
                        }
                        Ok(())
                    });
                }
                Ok(())
            })))
        };
        let mut ticker = tokio::time::interval(Duration::from_millis(1));
        ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        ticker.tick().await;
        let end = Instant::now() + TICKS * Duration::from_millis(1);
        let mut kept = 0;
        while Instant::now() < end {
            ticker.tick().await;
            kept += 1;
        }
        done.set(true);
        busy.await.unwrap().unwrap();
        println!("{kept} of {TICKS} ticks, beside a guest {name}");
    }
}
