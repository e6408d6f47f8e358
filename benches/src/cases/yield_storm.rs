//! Tasks that do nothing but yield: each lets all the others run, a number of times. It is checked
//! that they do.
//!
//! They are spawned and joined as in `spawn_join`. Runtimes with a `yield_now` of their own are
//! measured with it, the others with that of futures-lite, which wakes its own task and returns
//! `Pending` once. In monoio such a task runs again before the others, and there is no other way to
//! yield.

use std::cell::Cell;
use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

pub fn rows(size: Size) -> Vec<Row> {
    vec![row("yield_storm", 1_000, size.of(500, 50))]
}

/// The row for this many tasks that yield this many times.
pub fn row(name: impl Into<String>, tasks: usize, yields: usize) -> Row {
    let row = Row::nanoseconds_per("yield", tasks * yields, name)
        .at_least(200_000)
        .time(SEEDBED, move || seedbed(tasks, yields));
    #[cfg(feature = "peers")]
    let row = peers::add(row, tasks, yields);
    row
}

thread_local! {
    /// The number of yields during which no other task ran.
    static ALONE: Cell<usize> = const { Cell::new(0) };
}

/// A task goes on after a yield; `before` is how much had been done when it yielded.
fn resumed(before: usize) {
    if tally::so_far() == before {
        ALONE.set(ALONE.get() + 1);
    }
    tally::count();
}

/// Checks the number of yields, and that they let others run, except for the last ones, when there
/// may be nobody else.
fn expect(yields: usize) {
    tally::expect(yields);
    let alone = ALONE.take();
    assert!(alone < yields / 10, "{alone} of {yields} yields did not let others run");
}

fn seedbed(tasks: usize, yields: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                for _ in 0..tasks {
                    nursery.spawn(async {
                        for _ in 0..yields {
                            let before = tally::so_far();
                            seedbed::yield_now().await?;
                            resumed(before);
                        }
                        Ok(())
                    });
                }
                Ok(())
            });
            outcome.await.expect("no child fails");
        });
        let elapsed = elapsed.await;
        expect(tasks * yields);
        Ok(elapsed)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use ::futures::stream::{FuturesUnordered, StreamExt};
    use ::tokio::task::JoinSet;
    use futures_lite::future::yield_now;

    use super::*;

    pub fn add(row: Row, n: usize, yields: usize) -> Row {
        row.time(TOKIO, move || tokio(n, yields))
            .time(TOKIO_LOCAL_SET, move || tokio_local_set(n, yields))
            .time(TOKIO_SEND, move || tokio_send(n, yields))
            .time(SMOL, move || smol(n, yields))
            .time(FUTURES_UNORDERED, move || futures_unordered(n, yields))
            .time(MORO_LOCAL, move || moro_local(n, yields))
            .absent(MONOIO_EPOLL, "a task that wakes itself runs again before the others")
            .time(COMPIO_EPOLL, move || compio(n, yields))
            .time(GLOMMIO, move || glommio(n, yields))
    }

    /// Times `work`, and checks that all the yields happened.
    async fn checked(yields: usize, work: impl Future<Output = ()>) -> Duration {
        let elapsed = clock::timed(work).await;
        expect(yields);
        elapsed
    }

    async fn task(yields: usize) {
        for _ in 0..yields {
            let before = tally::so_far();
            yield_now().await;
            resumed(before);
        }
    }

    async fn tokio_task(yields: usize) {
        for _ in 0..yields {
            let before = tally::so_far();
            ::tokio::task::yield_now().await;
            resumed(before);
        }
    }

    async fn join_set(n: usize, yields: usize) {
        let mut tasks = JoinSet::new();
        for _ in 0..n {
            tasks.spawn_local(tokio_task(yields));
        }
        while let Some(outcome) = tasks.join_next().await {
            outcome.expect("no task fails");
        }
    }

    fn tokio(n: usize, yields: usize) -> Duration {
        runtimes::tokio::run(checked(n * yields, join_set(n, yields)))
    }

    fn tokio_local_set(n: usize, yields: usize) -> Duration {
        runtimes::tokio::run_local_set(checked(n * yields, join_set(n, yields)))
    }

    fn tokio_send(n: usize, yields: usize) -> Duration {
        runtimes::tokio::run_send(checked(n * yields, async {
            let mut tasks = Vec::new();
            for _ in 0..n {
                tasks.push(::tokio::spawn(tokio_task(yields)));
            }
            for task in tasks {
                task.await.expect("no task fails");
            }
        }))
    }

    fn smol(n: usize, yields: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let mut tasks = Vec::new();
                for _ in 0..n {
                    tasks.push(executor.spawn(task(yields)));
                }
                for task in tasks {
                    task.await;
                }
            };
            checked(n * yields, work).await
        })
    }

    fn futures_unordered(n: usize, yields: usize) -> Duration {
        runtimes::futures::run(checked(n * yields, async {
            let mut tasks = FuturesUnordered::new();
            for _ in 0..n {
                tasks.push(task(yields));
            }
            while tasks.next().await.is_some() {}
        }))
    }

    fn moro_local(n: usize, yields: usize) -> Duration {
        runtimes::futures::run(checked(
            n * yields,
            moro_local::async_scope!(|scope| {
                for _ in 0..n {
                    drop(scope.spawn(task(yields)));
                }
            }),
        ))
    }

    fn compio(n: usize, yields: usize) -> Duration {
        runtimes::compio::run(
            Driver::Epoll,
            checked(n * yields, async {
                let mut tasks = Vec::new();
                for _ in 0..n {
                    tasks.push(::compio::runtime::spawn(task(yields)));
                }
                for task in tasks {
                    task.await.expect("no task fails");
                }
            }),
        )
    }

    async fn glommio_task(yields: usize) {
        for _ in 0..yields {
            let before = tally::so_far();
            ::glommio::executor().yield_now().await;
            resumed(before);
        }
    }

    fn glommio(n: usize, yields: usize) -> Duration {
        runtimes::glommio::run(checked(n * yields, async {
            let mut tasks = Vec::new();
            for _ in 0..n {
                tasks.push(::glommio::spawn_local(glommio_task(yields)));
            }
            for task in tasks {
                task.await;
            }
        }))
    }
}
