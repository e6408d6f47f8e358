//! A time limit of a second around an operation that is ready: a future that returns a number.
//!
//! The limits are each runtime's own. smol has none. Its documentation suggests racing the
//! operation against a `Timer`, which is not even made where the operation is ready, so what is
//! measured there is nothing but the operation. `FuturesUnordered` and moro-local have no timers.
//!
//! seedbed's limit is a cancel scope, and lets others run now and then, as tokio's does.

use std::hint::black_box;
use std::time::Duration;

use super::Size;
use crate::clock;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;

const LIMIT: Duration = Duration::from_secs(1);

pub fn rows(size: Size) -> Vec<Row> {
    let n = size.of(1_000_000, 50_000);
    let row = Row::nanoseconds_per("limit", n, "timeout").time(SEEDBED, move || seedbed(n));
    #[cfg(feature = "peers")]
    let row = peers::add(row, n);
    vec![row]
}

fn seedbed(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            for i in 0..n {
                let value = seedbed::fail_after(LIMIT, async { Ok(black_box(i)) }).await;
                assert_eq!(value.expect("it is in time"), i);
            }
        });
        Ok(elapsed.await)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use futures_lite::FutureExt;

    use super::*;

    pub fn add(row: Row, n: usize) -> Row {
        row.time(TOKIO, move || tokio(n))
            .time(SMOL, move || smol(n))
            .absent(FUTURES_UNORDERED, "it has no timers")
            .absent(MORO_LOCAL, "it has no timers")
            .time(MONOIO_EPOLL, move || monoio(n))
            .time(COMPIO_EPOLL, move || compio(n))
            .time(GLOMMIO, move || glommio(n))
    }

    fn tokio(n: usize) -> Duration {
        runtimes::tokio::run(clock::timed(async {
            for i in 0..n {
                let value = ::tokio::time::timeout(LIMIT, async { black_box(i) }).await;
                assert_eq!(value.expect("it is in time"), i);
            }
        }))
    }

    fn smol(n: usize) -> Duration {
        runtimes::smol::run(async |_| {
            let elapsed = clock::timed(async {
                for i in 0..n {
                    let operation = async { Some(black_box(i)) };
                    let limit = async {
                        async_io::Timer::after(LIMIT).await;
                        None
                    };
                    assert_eq!(operation.or(limit).await, Some(i));
                }
            });
            elapsed.await
        })
    }

    fn monoio(n: usize) -> Duration {
        let work = clock::timed(async {
            for i in 0..n {
                let value = ::monoio::time::timeout(LIMIT, async { black_box(i) }).await;
                assert_eq!(value.expect("it is in time"), i);
            }
        });
        runtimes::monoio::run(Driver::Epoll, work)
    }

    fn compio(n: usize) -> Duration {
        let work = clock::timed(async {
            for i in 0..n {
                let value = ::compio::runtime::time::timeout(LIMIT, async { black_box(i) }).await;
                assert_eq!(value.expect("it is in time"), i);
            }
        });
        runtimes::compio::run(Driver::Epoll, work)
    }

    fn glommio(n: usize) -> Duration {
        runtimes::glommio::run(clock::timed(async {
            for i in 0..n {
                let value = ::glommio::timer::timeout(LIMIT, async { Ok(black_box(i)) }).await;
                assert_eq!(value.expect("it is in time"), i);
            }
        }))
    }
}
