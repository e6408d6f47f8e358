//! Whether tasks that are always ready leave anything to the others.
//!
//! `fairness/shares`: the server of `tcp_echo`, with a buffer of 4 KiB, and five clients that write
//! as fast as they can and read what comes back. The figure is what the least of them got, as a
//! part of a fifth of everything: 1 is fair.
//!
//! `fairness/timer`: one task computes for 100 µs at a time, and in between uses whatever the
//! runtime has for letting others run if that is due. Beside it another task sleeps for a
//! millisecond, again and again. The figure is how late that was at worst. To let others run if due
//! is a `checkpoint` in seedbed, `consume_budget` in tokio and `yield_if_needed` in glommio. The
//! others have nothing like it, and yield each time.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use super::Size;
use super::tcp_echo::SERVERS;
use crate::process;
use crate::row::{Better, Figure, Row};
use crate::runtimes;
use crate::subjects::*;

const CLIENTS: usize = 5;

/// The buffer of each connection, in bytes.
const BUFFER: usize = 4096;

/// How long the greedy task computes at a time.
const STRETCH: Duration = Duration::from_micros(100);

const SLEEP: Duration = Duration::from_millis(1);

pub fn rows(size: Size) -> Vec<Row> {
    let time = size.of(Duration::from_millis(1_000), Duration::from_millis(100));
    let figure = Figure::new("", "of a fifth", Better::More);
    let mut shares = Row::new("fairness/shares", vec![figure]).rounds_divided_by(2);
    for &subject in SERVERS.iter().filter(|&&subject| subject != HAND_WRITTEN) {
        shares = shares.sample(subject, move || vec![least_share(subject, time)]);
    }

    let figure = Figure::new("", "ms late at worst", Better::Less);
    let timer = Row::new("fairness/timer", vec![figure])
        .rounds_divided_by(2)
        .sample(SEEDBED, move || milliseconds(seedbed(time)));
    #[cfg(feature = "peers")]
    let timer = peers::add(timer, time);
    vec![shares, timer]
}

fn least_share(subject: &str, time: Duration) -> f64 {
    let (_server, address) = process::start_server(&["tcp_echo", subject, &BUFFER.to_string()]);
    let connect = || TcpStream::connect(address).expect("the server listens");
    let streams: Vec<_> = (0..CLIENTS).map(|_| connect()).collect();
    // All clients begin together.
    let clients: Vec<_> =
        streams.into_iter().map(|stream| thread::spawn(move || client(stream, time))).collect();
    let got: Vec<u64> = clients.into_iter().map(|client| client.join().expect("it ends")).collect();
    let least = *got.iter().min().expect("there are five");
    (least * CLIENTS as u64) as f64 / got.iter().sum::<u64>() as f64
}

/// The number of bytes that come back within `time`.
fn client(mut stream: TcpStream, time: Duration) -> u64 {
    let mut writing = stream.try_clone().expect("a descriptor");
    let writer = thread::spawn(move || while writing.write_all(&[b'x'; 256 * 1024]).is_ok() {});
    let (began, mut got) = (Instant::now(), 0);
    let mut buffer = vec![0; 256 * 1024];
    let wait = Some(Duration::from_millis(10));
    stream.set_read_timeout(wait).expect("it is not zero");
    while began.elapsed() < time {
        got += stream.read(&mut buffer).unwrap_or(0) as u64; // or nothing has arrived for that long
    }
    stream.shutdown(Shutdown::Both).expect("it is connected");
    writer.join().expect("it ends");
    got
}

fn milliseconds(time: Duration) -> Vec<f64> {
    vec![time.as_secs_f64() * 1000.0]
}

/// Computes until it is told to end.
async fn compute(ends: Rc<Cell<bool>>, pause: impl AsyncFn()) {
    while !ends.get() {
        let began = Instant::now();
        while began.elapsed() < STRETCH {
            std::hint::spin_loop();
        }
        pause().await;
    }
}

/// Sleeps again and again for `time` in all. Returns by how much a sleep was late at worst.
async fn late<S: Future>(
    ends: Rc<Cell<bool>>,
    time: Duration,
    sleep: impl Fn(Duration) -> S,
) -> Duration {
    let (began, mut worst) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < time {
        let before = Instant::now();
        sleep(SLEEP).await;
        worst = worst.max(before.elapsed().saturating_sub(SLEEP));
    }
    ends.set(true);
    worst
}

fn seedbed(time: Duration) -> Duration {
    let ends = Rc::new(Cell::new(false));
    runtimes::seedbed::run(async {
        let pause = async || seedbed::checkpoint().await.expect("not cancelled");
        seedbed::nursery(async |n| {
            let computing = compute(ends.clone(), pause);
            n.spawn(async {
                computing.await;
                Ok(())
            });
            Ok(late(ends.clone(), time, seedbed::sleep).await)
        })
        .await
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use futures_lite::future::yield_now;

    use super::*;

    pub fn add(row: Row, time: Duration) -> Row {
        row.sample(TOKIO, move || milliseconds(tokio(time)))
            .sample(SMOL, move || milliseconds(smol(time)))
            .absent(MONOIO_EPOLL, "a task that wakes itself runs again before any timer fires")
            .absent(MONOIO_URING, "a task that wakes itself runs again before any timer fires")
            .sample(COMPIO_EPOLL, move || milliseconds(compio(Driver::Epoll, time)))
            .sample(COMPIO_URING, move || milliseconds(compio(Driver::Uring, time)))
            .sample(GLOMMIO, move || milliseconds(glommio(time)))
    }

    fn tokio(time: Duration) -> Duration {
        let ends = Rc::new(Cell::new(false));
        runtimes::tokio::run(async {
            ::tokio::task::spawn_local(compute(ends.clone(), ::tokio::task::consume_budget));
            late(ends, time, ::tokio::time::sleep).await
        })
    }

    fn smol(time: Duration) -> Duration {
        let ends = Rc::new(Cell::new(false));
        runtimes::smol::run(async |executor| {
            executor.spawn(compute(ends.clone(), yield_now)).detach();
            late(ends, time, async_io::Timer::after).await
        })
    }

    fn compio(driver: Driver, time: Duration) -> Duration {
        let ends = Rc::new(Cell::new(false));
        runtimes::compio::run(driver, async {
            ::compio::runtime::spawn(compute(ends.clone(), yield_now)).detach();
            late(ends, time, ::compio::runtime::time::sleep).await
        })
    }

    fn glommio(time: Duration) -> Duration {
        let ends = Rc::new(Cell::new(false));
        runtimes::glommio::run(async {
            let pause = async || ::glommio::executor().yield_if_needed().await;
            ::glommio::spawn_local(compute(ends.clone(), pause)).detach();
            late(ends, time, ::glommio::timer::Timer::new).await
        })
    }
}
