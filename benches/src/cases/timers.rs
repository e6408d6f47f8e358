//! Sleeps of one task.
//!
//! `timers/cancelled`: sleeps that are set and dropped long before their time, as those of time
//! limits are. 10,000 are set at any moment: each new one replaces the oldest. They last 1 to 60
//! seconds, in random order.
//!
//! `timers/fired`: a number of sleeps are set, and awaited one after the other. Their deadlines are
//! in random order, spread evenly over 10 ms of the system's clock, and lie so far ahead that all
//! are set before the first is due. The figure is therefore how long the process was running, not
//! how much time passed.
//!
//! To set a sleep is to poll it for the first time. The task lets others run after every 64, since
//! runtimes with a budget do not set more of them in one go.
//!
//! glommio's and async-io's sleeps are a `Timer`, all others a `sleep`. `FuturesUnordered` and
//! moro-local have none.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::Size;
use crate::clock::{self, Stopwatch};
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::tally;

/// How many of the cancelled sleeps are set at any moment.
const SET: usize = 10_000;
/// How many sleeps are set in one go.
const AT_ONCE: usize = 64;
/// The span of the deadlines of sleeps that fire.
const WINDOW: Duration = Duration::from_millis(10);

pub fn rows(size: Size) -> Vec<Row> {
    let cancelled = size.of(1_000_000, 50_000);
    let row = Row::nanoseconds_per("sleep", cancelled, "timers/cancelled")
        .time(SEEDBED, move || seedbed(cancel(cancelled)));
    #[cfg(feature = "peers")]
    let row = peers::add(row, move || cancel(cancelled))
        .time(GLOMMIO, move || peers::glommio(cancel(cancelled)));

    let fired = size.of(100_000, 10_000);
    // How long setting them may take. Some runtimes take a microsecond for each, and machines are
    // busy.
    let ahead = size.of(Duration::from_millis(400), Duration::from_millis(60));
    let fire = move || fire(fired, ahead);
    let fire_row = Row::nanoseconds_per("sleep", fired, "timers/fired")
        .rounds_divided_by(2)
        .time(SEEDBED, move || seedbed(fire()));
    #[cfg(feature = "peers")]
    let fire_row = peers::add(fire_row, fire)
        .absent(GLOMMIO, "it counts a task's wakers in 16 bits, and panics");
    vec![row, fire_row]
}

/// The work, with a runtime's `sleep` and `yield_now`.
trait Work {
    async fn work<S: Future>(
        self,
        sleep: impl Fn(Duration) -> S,
        yields: impl AsyncFn(),
    ) -> Duration;
}

/// Numbers in random order, the same each time.
fn scattered(i: usize) -> u64 {
    (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

async fn set<S: Future>(sleep: Pin<&mut S>) {
    let mut sleep = sleep;
    let first = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx)));
    assert!(first.await.is_pending(), "a sleep was over at once");
    tally::count();
}

struct Cancel {
    sleeps: usize,
}

fn cancel(sleeps: usize) -> Cancel {
    Cancel { sleeps }
}

impl Work for Cancel {
    async fn work<S: Future>(
        self,
        sleep: impl Fn(Duration) -> S,
        yields: impl AsyncFn(),
    ) -> Duration {
        let mut ring: Vec<Pin<Box<Option<S>>>> = (0..SET).map(|_| Box::pin(None)).collect();
        let elapsed = clock::timed(async {
            for i in 0..self.sleeps {
                let time = Duration::from_millis(1_000 + scattered(i) % 59_000);
                let place = &mut ring[i % SET];
                place.set(Some(sleep(time)));
                set(place.as_mut().as_pin_mut().expect("it was put there")).await;
                if i % AT_ONCE == AT_ONCE - 1 {
                    yields().await;
                }
            }
            for place in &mut ring {
                place.set(None);
            }
        });
        let elapsed = elapsed.await;
        tally::expect(self.sleeps);
        elapsed
    }
}

struct Fire {
    sleeps: usize,
    ahead: Duration,
}

fn fire(sleeps: usize, ahead: Duration) -> Fire {
    Fire { sleeps, ahead }
}

impl Work for Fire {
    async fn work<S: Future>(
        self,
        sleep: impl Fn(Duration) -> S,
        yields: impl AsyncFn(),
    ) -> Duration {
        let step = WINDOW / self.sleeps as u32;
        let watch = Stopwatch::start_cpu();
        let first = Instant::now() + self.ahead;
        let mut sleeps = Vec::with_capacity(self.sleeps);
        for i in 0..self.sleeps {
            let deadline = first + step * (scattered(i) % self.sleeps as u64) as u32;
            sleeps.push(Box::pin(sleep(deadline - Instant::now())));
            set(sleeps[i].as_mut()).await;
            if i % AT_ONCE == AT_ONCE - 1 {
                yields().await;
            }
        }
        assert!(Instant::now() < first, "the machine is too busy: one was due before all were set");
        for sleep in &mut sleeps {
            sleep.await;
        }
        drop(sleeps);
        let elapsed = watch.elapsed();
        assert!(Instant::now() >= first, "they were over before their time");
        tally::expect(self.sleeps);
        elapsed
    }
}

fn seedbed(work: impl Work) -> Duration {
    runtimes::seedbed::run(async {
        let yields = async || seedbed::yield_now().await.expect("not cancelled");
        let work = pin!(work.work(seedbed::sleep, yields));
        Ok(work.await)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use futures_lite::future::yield_now;

    use super::*;

    pub fn add<W: Work>(row: Row, work: impl Fn() -> W + Copy + 'static) -> Row {
        row.time(TOKIO, move || tokio(work()))
            .time(SMOL, move || smol(work()))
            .absent(FUTURES_UNORDERED, "it has no timers")
            .absent(MORO_LOCAL, "it has no timers")
            .time(MONOIO_EPOLL, move || monoio(Driver::Epoll, work()))
            .time(MONOIO_URING, move || monoio(Driver::Uring, work()))
            .time(COMPIO_EPOLL, move || compio(Driver::Epoll, work()))
            .time(COMPIO_URING, move || compio(Driver::Uring, work()))
    }

    fn tokio(work: impl Work) -> Duration {
        runtimes::tokio::run(work.work(::tokio::time::sleep, ::tokio::task::yield_now))
    }

    fn smol(work: impl Work) -> Duration {
        runtimes::smol::run(async |_| work.work(async_io::Timer::after, yield_now).await)
    }

    fn monoio(driver: Driver, work: impl Work) -> Duration {
        runtimes::monoio::run(driver, work.work(::monoio::time::sleep, yield_now))
    }

    fn compio(driver: Driver, work: impl Work) -> Duration {
        runtimes::compio::run(driver, work.work(::compio::runtime::time::sleep, yield_now))
    }

    pub fn glommio(work: impl Work) -> Duration {
        let yields = async || ::glommio::executor().yield_now().await;
        runtimes::glommio::run(work.work(::glommio::timer::Timer::new, yields))
    }
}
