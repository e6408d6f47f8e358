//! Children that sleep for an hour are cancelled, all at once, and joined. The measurement begins
//! with the cancellation. It is checked that all are asleep by then, and that all are dropped
//! afterwards.
//!
//! seedbed cancels a nursery: each child is polled, sees the error and returns it. The others drop
//! their futures: tokio those of a `JoinSet` (`shutdown`). smol, compio and glommio cancel a task
//! when its handle is dropped; all handles are dropped before any task is waited for, which is
//! faster than one `cancel().await` after the other. `FuturesUnordered` is dropped with everything
//! in it, and moro-local's scope is terminated, which does the same. Neither has a sleep of its
//! own, so they use async-io's.

use std::time::Duration;

use super::Size;
use crate::clock::Stopwatch;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::tally;

const HOUR: Duration = Duration::from_secs(3600);

pub fn rows(size: Size) -> Vec<Row> {
    let n = size.of(100_000, 10_000);
    let row = Row::nanoseconds_per("child", n, "cancel_storm").time(SEEDBED, move || seedbed(n));
    #[cfg(feature = "peers")]
    let row = peers::add(row, n);
    vec![row]
}

/// Something each child owns. It counts twice: when the child begins, and when it is gone.
struct Alive;

impl Alive {
    fn new() -> Alive {
        tally::count();
        Alive
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        tally::count();
    }
}

fn seedbed(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let watch = seedbed::nursery(async |nursery| {
            for _ in 0..n {
                nursery.spawn(async {
                    let _alive = Alive::new();
                    seedbed::sleep(HOUR).await
                });
            }
            seedbed::yield_now().await?;
            tally::expect(n);
            let watch = Stopwatch::start();
            nursery.cancel();
            Ok(watch)
        });
        let elapsed = watch.await?.elapsed();
        tally::expect(n);
        Ok(elapsed)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use ::futures::stream::{FuturesUnordered, StreamExt};
    use ::tokio::task::JoinSet;
    use async_io::Timer;
    use futures_lite::future::{poll_once, yield_now};

    use super::*;

    pub fn add(row: Row, n: usize) -> Row {
        row.time(TOKIO, move || tokio(n))
            .time(SMOL, move || smol(n))
            .time(FUTURES_UNORDERED, move || futures_unordered(n))
            .time(MORO_LOCAL, move || moro_local(n))
            .absent(MONOIO_EPOLL, "its tasks cannot be cancelled")
            .time(COMPIO_EPOLL, move || compio(n))
            .time(GLOMMIO, move || glommio(n))
    }

    /// Lets others run until all of the children have begun.
    async fn begun(n: usize) {
        while tally::so_far() < n {
            yield_now().await;
        }
        tally::expect(n);
    }

    /// Lets others run until all of the children are gone.
    async fn gone(n: usize) {
        while tally::so_far() < n {
            yield_now().await;
        }
        tally::expect(n);
    }

    fn tokio(n: usize) -> Duration {
        runtimes::tokio::run(async {
            let mut children = JoinSet::new();
            for _ in 0..n {
                children.spawn_local(async {
                    let _alive = Alive::new();
                    ::tokio::time::sleep(HOUR).await;
                });
            }
            begun(n).await;
            let watch = Stopwatch::start();
            children.shutdown().await;
            let elapsed = watch.elapsed();
            tally::expect(n);
            elapsed
        })
    }

    async fn timer_child() {
        let _alive = Alive::new();
        Timer::after(HOUR).await;
    }

    fn smol(n: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let mut children = Vec::new();
            for _ in 0..n {
                children.push(executor.spawn(timer_child()));
            }
            begun(n).await;
            let watch = Stopwatch::start();
            drop(children);
            gone(n).await;
            watch.elapsed()
        })
    }

    fn futures_unordered(n: usize) -> Duration {
        async_io::block_on(async {
            let mut children = FuturesUnordered::new();
            for _ in 0..n {
                children.push(timer_child());
            }
            while tally::so_far() < n {
                assert!(poll_once(children.next()).await.is_none());
            }
            tally::expect(n);
            let watch = Stopwatch::start();
            drop(children);
            let elapsed = watch.elapsed();
            tally::expect(n);
            elapsed
        })
    }

    fn moro_local(n: usize) -> Duration {
        async_io::block_on(async {
            let scope = moro_local::async_scope!(|scope| -> Stopwatch {
                for _ in 0..n {
                    drop(scope.spawn(timer_child()));
                }
                begun(n).await;
                scope.terminate(Stopwatch::start()).await
            });
            let watch = scope.await;
            let elapsed = watch.elapsed();
            tally::expect(n);
            elapsed
        })
    }

    fn compio(n: usize) -> Duration {
        runtimes::compio::run(Driver::Epoll, async {
            let mut children = Vec::new();
            for _ in 0..n {
                children.push(::compio::runtime::spawn(async {
                    let _alive = Alive::new();
                    ::compio::runtime::time::sleep(HOUR).await;
                }));
            }
            begun(n).await;
            let watch = Stopwatch::start();
            drop(children);
            gone(n).await;
            watch.elapsed()
        })
    }

    fn glommio(n: usize) -> Duration {
        runtimes::glommio::run(async {
            let mut children = Vec::new();
            for _ in 0..n {
                children.push(::glommio::spawn_local(async {
                    let _alive = Alive::new();
                    ::glommio::timer::sleep(HOUR).await;
                }));
            }
            begun(n).await;
            let watch = Stopwatch::start();
            drop(children);
            gone(n).await;
            watch.elapsed()
        })
    }
}
