//! The latest of a value that changes, seen by 1, 10 and 1,000 receivers.
//!
//! A task sends, and yields until all receivers, each a task, have received it. The figure is the
//! cost for one receiver. smol has nothing of the
//! kind.

use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

pub fn rows(size: Size) -> Vec<Row> {
    [1, 10, 1_000].map(|receivers| row(receivers, size.of(200_000, 20_000) / receivers)).into()
}

fn row(receivers: usize, n: usize) -> Row {
    let name = format!("watch/{receivers}");
    let row = Row::nanoseconds_per("receiver", receivers * n, name)
        .time(SEEDBED, move || seedbed(receivers, n));
    #[cfg(feature = "peers")]
    let row = row.time(TOKIO, move || peers::tokio(receivers, n));
    row
}

fn seedbed(receivers: usize, n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                let (sender, receiver) = seedbed::sync::watch::channel(0);
                for _ in 0..receivers {
                    let mut receiver = receiver.clone();
                    nursery.spawn(async move {
                        let mut last = 0;
                        while let Some(()) = receiver.changed().await? {
                            last = *receiver.borrow_and_update();
                            tally::count();
                        }
                        assert_eq!(last, n);
                        Ok(())
                    });
                }
                seedbed::yield_now().await?;
                for i in 1..=n {
                    sender.send(i)?;
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
    use ::tokio::sync::watch;
    use ::tokio::task::JoinSet;

    use super::*;
    use crate::tally::checked;

    pub fn tokio(receivers: usize, n: usize) -> Duration {
        runtimes::tokio::run(checked(receivers * n, async {
            let (sender, _) = watch::channel(0);
            let mut tasks = JoinSet::new();
            for _ in 0..receivers {
                let mut receiver = sender.subscribe();
                tasks.spawn_local(async move {
                    let mut last = 0;
                    while receiver.changed().await.is_ok() {
                        last = *receiver.borrow_and_update();
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
}
