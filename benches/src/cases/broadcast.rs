//! A message for each of 1, 10 and 1,000 receivers.
//!
//! A task sends, and yields until all receivers, each a task, have received it. The figure is the
//! cost for one receiver. On smol the channel is async-broadcast's.

use std::time::Duration;

use seedbed::sync::broadcast::WhenFull;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

const CAPACITY: usize = 16;

pub fn rows(size: Size) -> Vec<Row> {
    [1, 10, 1_000].map(|receivers| row(receivers, size.of(200_000, 20_000) / receivers)).into()
}

fn row(receivers: usize, n: usize) -> Row {
    let name = format!("broadcast/{receivers}");
    let row = Row::nanoseconds_per("receiver", receivers * n, name)
        .time(SEEDBED, move || seedbed(receivers, n));
    #[cfg(feature = "peers")]
    let row = row
        .time(TOKIO, move || peers::tokio(receivers, n))
        .time(SMOL, move || peers::smol(receivers, n));
    row
}

fn seedbed(receivers: usize, n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                let (sender, _) = seedbed::sync::broadcast::channel(CAPACITY, WhenFull::DropOldest);
                for _ in 0..receivers {
                    let mut receiver = sender.subscribe();
                    nursery.spawn(async move {
                        let mut last = 0;
                        while let Some(i) = receiver.recv().await? {
                            last = i;
                            tally::count();
                        }
                        assert_eq!(last, n);
                        Ok(())
                    });
                }
                seedbed::yield_now().await?;
                for i in 1..=n {
                    sender.try_send(i).expect("there is room");
                    while tally::so_far() < i * receivers {
                        seedbed::yield_now().await?;
                    }
                }
                Ok(())
            });
            outcome.await.expect("no child fails");
        });
        let elapsed = elapsed.await;
        tally::expect(receivers * n);
        Ok(elapsed)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use ::tokio::sync::broadcast;
    use ::tokio::task::JoinSet;

    use super::*;
    use crate::tally::checked;

    pub fn tokio(receivers: usize, n: usize) -> Duration {
        runtimes::tokio::run(checked(receivers * n, async {
            let (sender, _) = broadcast::channel(CAPACITY);
            let mut tasks = JoinSet::new();
            for _ in 0..receivers {
                let mut receiver = sender.subscribe();
                tasks.spawn_local(async move {
                    let mut last = 0;
                    while let Ok(i) = receiver.recv().await {
                        last = i;
                        tally::count();
                    }
                    assert_eq!(last, n);
                });
            }
            tasks.spawn_local(async move {
                for i in 1..=n {
                    sender.send(i).expect("there are receivers");
                    while tally::so_far() < i * receivers {
                        ::tokio::task::yield_now().await;
                    }
                }
            });
            while let Some(outcome) = tasks.join_next().await {
                outcome.expect("no task fails");
            }
        }))
    }

    pub fn smol(receivers: usize, n: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let (sender, receiver) = async_broadcast::broadcast(CAPACITY);
                let mut tasks = Vec::new();
                for _ in 0..receivers {
                    let mut receiver = receiver.clone();
                    tasks.push(executor.spawn(async move {
                        let mut last = 0;
                        while let Ok(i) = receiver.recv().await {
                            last = i;
                            tally::count();
                        }
                        assert_eq!(last, n);
                    }));
                }
                drop(receiver);
                tasks.push(executor.spawn(async move {
                    for i in 1..=n {
                        sender.try_broadcast(i).expect("there is room");
                        while tally::so_far() < i * receivers {
                            futures_lite::future::yield_now().await;
                        }
                    }
                }));
                for task in tasks {
                    task.await;
                }
            };
            checked(receivers * n, work).await
        })
    }
}
