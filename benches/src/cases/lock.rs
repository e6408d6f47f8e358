//! A mutex that is locked and unlocked: one that is free, and one for which ten tasks wait, each of
//! which keeps it for a yield and then hands it to the next. The mutexes are the runtime's own; on
//! smol it is async-lock's.

use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

const TASKS: usize = 10;

pub fn rows(size: Size) -> Vec<Row> {
    let n = size.of(1_000_000, 100_000);
    let each = n / 10 / TASKS;
    let free = Row::nanoseconds_per("lock", n, "lock/free").time(SEEDBED, move || seedbed_free(n));
    let handed = Row::nanoseconds_per("lock", each * TASKS, "lock/handed")
        .time(SEEDBED, move || seedbed_handed(each));
    #[cfg(feature = "peers")]
    let (free, handed) = peers::add(free, n, handed, each);
    vec![free, handed]
}

fn seedbed_free(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let mutex = seedbed::sync::Mutex::new(0);
        let elapsed = clock::timed(async {
            for _ in 0..n {
                *mutex.lock().await.expect("not cancelled") += 1;
            }
        });
        let elapsed = elapsed.await;
        assert_eq!(mutex.into_inner(), n);
        Ok(elapsed)
    })
}

fn seedbed_handed(each: usize) -> Duration {
    runtimes::seedbed::run(async {
        let mutex = seedbed::sync::Mutex::new(());
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                for _ in 0..TASKS {
                    nursery.spawn(async {
                        for _ in 0..each {
                            let _guard = mutex.lock().await?;
                            seedbed::yield_now().await?;
                            tally::count();
                        }
                        Ok(())
                    });
                }
                Ok(())
            });
            outcome.await.expect("no child fails");
        });
        let elapsed = elapsed.await;
        tally::expect(each * TASKS);
        Ok(elapsed)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use std::rc::Rc;

    use ::tokio::task::JoinSet;

    use super::*;
    use crate::tally::checked;

    pub fn add(free: Row, n: usize, handed: Row, each: usize) -> (Row, Row) {
        let free = free.time(TOKIO, move || tokio_free(n)).time(SMOL, move || async_lock_free(n));
        let handed = handed
            .time(TOKIO, move || tokio_handed(each))
            .time(SMOL, move || async_lock_handed(each));
        (free, handed)
    }

    fn tokio_free(n: usize) -> Duration {
        runtimes::tokio::run(async {
            let mutex = ::tokio::sync::Mutex::new(0);
            let elapsed = clock::timed(async {
                for _ in 0..n {
                    *mutex.lock().await += 1;
                }
            });
            let elapsed = elapsed.await;
            assert_eq!(mutex.into_inner(), n);
            elapsed
        })
    }

    fn tokio_handed(each: usize) -> Duration {
        runtimes::tokio::run(checked(each * TASKS, async {
            let mutex = Rc::new(::tokio::sync::Mutex::new(()));
            let mut tasks = JoinSet::new();
            for _ in 0..TASKS {
                let mutex = mutex.clone();
                tasks.spawn_local(async move {
                    for _ in 0..each {
                        let _guard = mutex.lock().await;
                        ::tokio::task::yield_now().await;
                        tally::count();
                    }
                });
            }
            while let Some(outcome) = tasks.join_next().await {
                outcome.expect("no task fails");
            }
        }))
    }

    fn async_lock_free(n: usize) -> Duration {
        runtimes::smol::run(async |_| {
            let mutex = async_lock::Mutex::new(0);
            let elapsed = clock::timed(async {
                for _ in 0..n {
                    *mutex.lock().await += 1;
                }
            });
            let elapsed = elapsed.await;
            assert_eq!(mutex.into_inner(), n);
            elapsed
        })
    }

    fn async_lock_handed(each: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let mutex = Rc::new(async_lock::Mutex::new(()));
                let mut tasks = Vec::new();
                for _ in 0..TASKS {
                    let mutex = mutex.clone();
                    tasks.push(executor.spawn(async move {
                        for _ in 0..each {
                            let _guard = mutex.lock().await;
                            futures_lite::future::yield_now().await;
                            tally::count();
                        }
                    }));
                }
                for task in tasks {
                    task.await;
                }
            };
            checked(each * TASKS, work).await
        })
    }
}
