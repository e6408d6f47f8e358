//! Spawning children that do nothing, and joining them all.
//!
//! All are spawned before any runs. Where there is something that joins a set of tasks (a nursery,
//! a `JoinSet`, `FuturesUnordered`, a scope) it is used; otherwise the handles are awaited in
//! order.

use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

pub fn rows(size: Size) -> Vec<Row> {
    vec![row("spawn_join", size.of(100_000, 20_000))]
}

/// The row for this many children.
pub fn row(name: impl Into<String>, n: usize) -> Row {
    let row = Row::nanoseconds_per("child", n, name).at_least(100_000);
    let row = row.time(SEEDBED, move || seedbed(n));
    #[cfg(feature = "peers")]
    let row = peers::add(row, n);
    row
}

async fn child() {
    tally::count();
}

fn seedbed(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                for _ in 0..n {
                    nursery.spawn(async {
                        child().await;
                        Ok(())
                    });
                }
                Ok(())
            });
            outcome.await.expect("no child fails");
        });
        let elapsed = elapsed.await;
        tally::expect(n);
        Ok(elapsed)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use ::futures::stream::{FuturesUnordered, StreamExt};
    use ::tokio::task::JoinSet;

    use super::*;
    use crate::tally::checked;

    pub fn add(row: Row, n: usize) -> Row {
        row.time(TOKIO, move || tokio(n))
            .time(TOKIO_LOCAL_SET, move || tokio_local_set(n))
            .time(TOKIO_SEND, move || tokio_send(n))
            .time(SMOL, move || smol(n))
            .time(FUTURES_UNORDERED, move || futures_unordered(n))
            .time(MORO_LOCAL, move || moro_local(n))
            .time(MONOIO_EPOLL, move || monoio(n))
            .time(COMPIO_EPOLL, move || compio(n))
            .time(GLOMMIO, move || glommio(n))
    }

    /// Times `work`, and checks that all the children have run.
    async fn join_set(n: usize) {
        let mut children = JoinSet::new();
        for _ in 0..n {
            children.spawn_local(child());
        }
        while let Some(outcome) = children.join_next().await {
            outcome.expect("no child fails");
        }
    }

    fn tokio(n: usize) -> Duration {
        runtimes::tokio::run(checked(n, join_set(n)))
    }

    fn tokio_local_set(n: usize) -> Duration {
        runtimes::tokio::run_local_set(checked(n, join_set(n)))
    }

    fn tokio_send(n: usize) -> Duration {
        runtimes::tokio::run_send(checked(n, async {
            let mut children = Vec::new();
            for _ in 0..n {
                children.push(::tokio::spawn(child()));
            }
            for child in children {
                child.await.expect("no child fails");
            }
        }))
    }

    fn smol(n: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let mut children = Vec::new();
                for _ in 0..n {
                    children.push(executor.spawn(child()));
                }
                for child in children {
                    child.await;
                }
            };
            checked(n, work).await
        })
    }

    fn futures_unordered(n: usize) -> Duration {
        runtimes::futures::run(checked(n, async {
            let mut children = FuturesUnordered::new();
            for _ in 0..n {
                children.push(child());
            }
            while children.next().await.is_some() {}
        }))
    }

    fn moro_local(n: usize) -> Duration {
        runtimes::futures::run(checked(
            n,
            moro_local::async_scope!(|scope| {
                for _ in 0..n {
                    drop(scope.spawn(child()));
                }
            }),
        ))
    }

    fn monoio(n: usize) -> Duration {
        runtimes::monoio::run(
            Driver::Epoll,
            checked(n, async {
                let mut children = Vec::new();
                for _ in 0..n {
                    children.push(::monoio::spawn(child()));
                }
                for child in children {
                    child.await;
                }
            }),
        )
    }

    fn compio(n: usize) -> Duration {
        runtimes::compio::run(
            Driver::Epoll,
            checked(n, async {
                let mut children = Vec::new();
                for _ in 0..n {
                    children.push(::compio::runtime::spawn(child()));
                }
                for child in children {
                    child.await.expect("no child fails");
                }
            }),
        )
    }

    fn glommio(n: usize) -> Duration {
        runtimes::glommio::run(checked(n, async {
            let mut children = Vec::new();
            for _ in 0..n {
                children.push(::glommio::spawn_local(child()));
            }
            for child in children {
                child.await;
            }
        }))
    }
}
