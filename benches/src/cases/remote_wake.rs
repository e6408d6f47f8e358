//! Another thread wakes a task, with the task's waker.
//!
//! `remote_wake/round_trip`: the thread stores a number, wakes the task and parks. The task stores
//! the number as its answer and unparks the thread. They share a CPU, as they take turns (see
//! `cpus`), and a round trip is mostly the kernel switching threads, twice.
//!
//! `remote_wake/flood`: the thread, on another CPU, stores number after number and wakes the task
//! for each, as fast as it can, while the runtime runs. A task that is woken again before it has
//! run runs once. The figure is the time until the task has seen the last number, divided by the
//! number of wakes.
//!
//! The task is a spawned one, and neither thread nor task does anything else. monoio is built with
//! its feature `sync`, without which threads cannot wake its tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::Size;
use crate::clock::Stopwatch;
use crate::cpus::{self, Cpu};
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;

pub fn rows(size: Size) -> Vec<Row> {
    let trips = size.of(20_000, 1_000);
    let round_trip = Row::nanoseconds_per("round trip", trips, "remote_wake/round_trip")
        .time(SEEDBED, move || seedbed(Work::RoundTrip, trips));
    let wakes = size.of(1_000_000, 100_000);
    let flood = Row::nanoseconds_per("wake", wakes, "remote_wake/flood")
        .time(SEEDBED, move || seedbed(Work::Flood, wakes));
    #[cfg(feature = "peers")]
    let (round_trip, flood) =
        (peers::add(round_trip, Work::RoundTrip, trips), peers::add(flood, Work::Flood, wakes));
    vec![round_trip, flood]
}

#[derive(Clone, Copy)]
enum Work {
    RoundTrip,
    Flood,
}

/// What the thread and the task share.
#[derive(Default)]
struct Shared {
    asked: AtomicUsize,
    answered: AtomicUsize,
    /// The task's waker, from its first poll.
    waker: OnceLock<Waker>,
    thread: OnceLock<Thread>,
}

impl Shared {
    /// The thread's work. It begins once the task has left its waker.
    fn ask(&self, work: Work, n: usize) {
        let waker = self.waker.wait();
        for i in 1..=n {
            self.asked.store(i, SeqCst);
            waker.wake_by_ref();
            if let Work::RoundTrip = work {
                while self.answered.load(SeqCst) != i {
                    thread::park();
                }
            }
        }
    }

    /// The task's work.
    async fn answer(&self, n: usize) {
        poll_fn(|cx| {
            self.waker.get_or_init(|| cx.waker().clone());
            let asked = self.asked.load(SeqCst);
            if asked != self.answered.swap(asked, SeqCst) {
                self.thread.wait().unpark();
            }
            if asked == n { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Times the thread and the task, which `run` spawns and joins in a runtime.
async fn work(work: Work, n: usize, run: impl AsyncFnOnce(Arc<Shared>)) -> Duration {
    let _pinned = cpus::pin(Cpu::First);
    let shared = Arc::new(Shared::default());
    let thread = {
        let shared = shared.clone();
        thread::spawn(move || {
            let _pinned = cpus::pin(match work {
                Work::RoundTrip => Cpu::First,
                Work::Flood => Cpu::Second,
            });
            shared.ask(work, n);
        })
    };
    shared.thread.set(thread.thread().clone()).expect("it is set once");
    let watch = Stopwatch::start();
    run(shared.clone()).await;
    let elapsed = watch.elapsed();
    thread.join().expect("the thread does not panic");
    assert_eq!(shared.answered.load(SeqCst), n);
    elapsed
}

fn seedbed(kind: Work, n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = work(kind, n, async |shared| {
            let outcome = seedbed::nursery(async |nursery| {
                nursery.spawn(async {
                    shared.answer(n).await;
                    Ok(())
                });
                Ok(())
            });
            outcome.await.expect("no child fails");
        });
        Ok(elapsed.await)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use ::futures::stream::{FuturesUnordered, StreamExt};

    use super::*;

    pub fn add(row: Row, work: Work, n: usize) -> Row {
        let row = match work {
            Work::RoundTrip => row.time(GLOMMIO, move || glommio(work, n)),
            Work::Flood => {
                row.absent(GLOMMIO, "it counts the wakes under way in 16 bits, and panics")
            }
        };
        row.time(TOKIO, move || tokio(work, n))
            .time(SMOL, move || smol(work, n))
            .time(FUTURES_UNORDERED, move || futures_unordered(work, n))
            .time(MORO_LOCAL, move || moro_local(work, n))
            .time(MONOIO_EPOLL, move || monoio(Driver::Epoll, work, n))
            .time(MONOIO_URING, move || monoio(Driver::Uring, work, n))
            .time(COMPIO_EPOLL, move || compio(Driver::Epoll, work, n))
            .time(COMPIO_URING, move || compio(Driver::Uring, work, n))
    }

    async fn task(shared: Arc<Shared>, n: usize) {
        shared.answer(n).await;
    }

    fn tokio(kind: Work, n: usize) -> Duration {
        runtimes::tokio::run(work(kind, n, async |shared| {
            ::tokio::task::spawn_local(task(shared, n)).await.expect("it does not fail");
        }))
    }

    fn smol(kind: Work, n: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            work(kind, n, async |shared| executor.spawn(task(shared, n)).await).await
        })
    }

    fn futures_unordered(kind: Work, n: usize) -> Duration {
        runtimes::futures::run(work(kind, n, async |shared| {
            let mut tasks = FuturesUnordered::new();
            tasks.push(task(shared, n));
            while tasks.next().await.is_some() {}
        }))
    }

    fn moro_local(kind: Work, n: usize) -> Duration {
        runtimes::futures::run(work(kind, n, async |shared| {
            moro_local::async_scope!(|scope| drop(scope.spawn(task(shared, n)))).await;
        }))
    }

    fn monoio(driver: Driver, kind: Work, n: usize) -> Duration {
        let work = work(kind, n, async |shared| ::monoio::spawn(task(shared, n)).await);
        runtimes::monoio::run(driver, work)
    }

    fn compio(driver: Driver, kind: Work, n: usize) -> Duration {
        let work = work(kind, n, async |shared| {
            ::compio::runtime::spawn(task(shared, n)).await.expect("it does not fail");
        });
        runtimes::compio::run(driver, work)
    }

    fn glommio(kind: Work, n: usize) -> Duration {
        runtimes::glommio::run(work(kind, n, async |shared| {
            ::glommio::spawn_local(task(shared, n)).await;
        }))
    }
}
