//! A yield in a task that is in a task, and so on, so many deep.
//!
//! Each task spawns the next one and joins it; the innermost yields. Nothing else is ready. The
//! figure is the cost of one yield, with the spawning and joining divided among all yields.
//!
//! Where tasks are in one flat set (tokio, smol and others) depth costs nothing. Where tasks are
//! owned by whatever waits for them (seedbed, `FuturesUnordered`, moro-local) a wake has to come
//! down to its task.

use std::pin::Pin;
use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

pub fn rows(size: Size) -> Vec<Row> {
    let yields = size.of(100_000, 10_000);
    let row = |depth| {
        let row = Row::nanoseconds_per("yield", yields, format!("nested/{depth}"))
            .time(SEEDBED, move || seedbed(depth, yields));
        #[cfg(feature = "peers")]
        let row = peers::add(row, depth, yields);
        row
    };
    [1, 16, 256].map(row).into()
}

fn seedbed(depth: usize, yields: usize) -> Duration {
    fn nest(
        depth: usize,
        yields: usize,
    ) -> Pin<Box<dyn Future<Output = seedbed::Result<()>> + 'static>> {
        Box::pin(async move {
            if depth > 0 {
                return seedbed::nursery(async |nursery| {
                    nursery.spawn(nest(depth - 1, yields));
                    Ok(())
                })
                .await;
            }
            for _ in 0..yields {
                seedbed::yield_now().await?;
                tally::count();
            }
            Ok(())
        })
    }
    runtimes::seedbed::run(async {
        let elapsed =
            clock::timed(async { nest(depth, yields).await.expect("no child fails") }).await;
        tally::expect(yields);
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
    use crate::tally::checked;

    pub fn add(row: Row, depth: usize, yields: usize) -> Row {
        row.time(TOKIO, move || tokio(depth, yields))
            .time(SMOL, move || smol(depth, yields))
            .time(FUTURES_UNORDERED, move || futures_unordered(depth, yields))
            .time(MORO_LOCAL, move || moro_local(depth, yields))
            .time(MONOIO_EPOLL, move || monoio(depth, yields))
            .time(COMPIO_EPOLL, move || compio(depth, yields))
            .time(GLOMMIO, move || glommio(depth, yields))
    }

    type Nested = Pin<Box<dyn Future<Output = ()>>>;

    async fn innermost(yields: usize) {
        for _ in 0..yields {
            yield_now().await;
            tally::count();
        }
    }

    fn tokio(depth: usize, yields: usize) -> Duration {
        fn nest(depth: usize, yields: usize) -> Nested {
            Box::pin(async move {
                if depth > 0 {
                    let mut children = JoinSet::new();
                    children.spawn_local(nest(depth - 1, yields));
                    children.join_next().await.expect("a child").expect("it does not fail");
                    return;
                }
                for _ in 0..yields {
                    ::tokio::task::yield_now().await;
                    tally::count();
                }
            })
        }
        runtimes::tokio::run(checked(yields, nest(depth, yields)))
    }

    fn smol(depth: usize, yields: usize) -> Duration {
        fn nest(executor: runtimes::smol::Executor, depth: usize, yields: usize) -> Nested {
            Box::pin(async move {
                match depth {
                    0 => innermost(yields).await,
                    _ => executor.spawn(nest(executor.clone(), depth - 1, yields)).await,
                }
            })
        }
        runtimes::smol::run(async |executor| checked(yields, nest(executor, depth, yields)).await)
    }

    fn futures_unordered(depth: usize, yields: usize) -> Duration {
        fn nest(depth: usize, yields: usize) -> Nested {
            Box::pin(async move {
                if depth == 0 {
                    return innermost(yields).await;
                }
                let mut children = FuturesUnordered::new();
                children.push(nest(depth - 1, yields));
                while children.next().await.is_some() {}
            })
        }
        runtimes::futures::run(checked(yields, nest(depth, yields)))
    }

    fn moro_local(depth: usize, yields: usize) -> Duration {
        fn nest(depth: usize, yields: usize) -> Nested {
            Box::pin(async move {
                if depth == 0 {
                    return innermost(yields).await;
                }
                moro_local::async_scope!(|scope| drop(scope.spawn(nest(depth - 1, yields)))).await
            })
        }
        runtimes::futures::run(checked(yields, nest(depth, yields)))
    }

    fn monoio(depth: usize, yields: usize) -> Duration {
        fn nest(depth: usize, yields: usize) -> Nested {
            Box::pin(async move {
                match depth {
                    0 => innermost(yields).await,
                    _ => ::monoio::spawn(nest(depth - 1, yields)).await,
                }
            })
        }
        runtimes::monoio::run(Driver::Epoll, checked(yields, nest(depth, yields)))
    }

    fn compio(depth: usize, yields: usize) -> Duration {
        fn nest(depth: usize, yields: usize) -> Nested {
            Box::pin(async move {
                if depth == 0 {
                    return innermost(yields).await;
                }
                let child = ::compio::runtime::spawn(nest(depth - 1, yields));
                child.await.expect("no child fails");
            })
        }
        runtimes::compio::run(Driver::Epoll, checked(yields, nest(depth, yields)))
    }

    fn glommio(depth: usize, yields: usize) -> Duration {
        fn nest(depth: usize, yields: usize) -> Nested {
            Box::pin(async move {
                match depth {
                    0 => innermost(yields).await,
                    _ => ::glommio::spawn_local(nest(depth - 1, yields)).await,
                }
            })
        }
        runtimes::glommio::run(checked(yields, nest(depth, yields)))
    }
}
