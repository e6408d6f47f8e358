//! 100 senders, each a task, and one receiver, over one channel of capacity 64. The figure is the
//! cost of a message.
//!
//! The channels are those that `ping_pong` uses for capacity 1. The one of futures has, by design,
//! one more place for each sender. glommio's local channel has only one sender, which the tasks
//! share.

use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

const SENDERS: usize = 100;
const CAPACITY: usize = 64;

pub fn rows(size: Size) -> Vec<Row> {
    let each = size.of(1_000, 100);
    let row = Row::nanoseconds_per("message", SENDERS * each, "fan_in")
        .time(SEEDBED, move || seedbed(each));
    #[cfg(feature = "peers")]
    let row = peers::add(row, each);
    vec![row]
}

/// The sum of what is received.
fn sum(each: usize) -> usize {
    SENDERS * each * (each - 1) / 2
}

fn seedbed(each: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                let (sender, receiver) = seedbed::channel(CAPACITY);
                for _ in 0..SENDERS {
                    let sender = sender.clone();
                    nursery.spawn(async move {
                        for i in 0..each {
                            sender.send(i).await?;
                        }
                        Ok(())
                    });
                }
                drop(sender);
                let mut received = 0;
                while let Some(i) = receiver.recv().await? {
                    received += i;
                    tally::count();
                }
                assert_eq!(received, sum(each));
                Ok(())
            });
            outcome.await.expect("no child fails");
        });
        let elapsed = elapsed.await;
        tally::expect(SENDERS * each);
        Ok(elapsed)
    })
}

#[cfg(feature = "peers")]
mod peers {
    use crate::runtimes::Driver;
    use std::rc::Rc;

    use ::futures::SinkExt;
    use ::futures::channel::mpsc as futures_mpsc;
    use ::futures::future::join;
    use ::futures::stream::{FuturesUnordered, StreamExt};
    use ::tokio::task::JoinSet;

    use super::*;
    use crate::tally::checked;

    pub fn add(row: Row, each: usize) -> Row {
        row.time(TOKIO, move || tokio(each))
            .time(SMOL, move || smol(each))
            .time(FUTURES_UNORDERED, move || futures_unordered(each))
            .time(MORO_LOCAL, move || moro_local(each))
            .time(MONOIO_EPOLL, move || monoio(each))
            .time(COMPIO_EPOLL, move || compio(each))
            .time(GLOMMIO, move || glommio(each))
    }

    /// Receives to the end, and checks what it got.
    async fn receive(each: usize, mut next: impl AsyncFnMut() -> Option<usize>) {
        let mut received = 0;
        while let Some(i) = next().await {
            received += i;
            tally::count();
        }
        assert_eq!(received, sum(each));
    }

    fn tokio(each: usize) -> Duration {
        runtimes::tokio::run(checked(SENDERS * each, async {
            let (sender, mut receiver) = ::tokio::sync::mpsc::channel(CAPACITY);
            let mut senders = JoinSet::new();
            for _ in 0..SENDERS {
                let sender = sender.clone();
                senders.spawn_local(async move {
                    for i in 0..each {
                        sender.send(i).await.expect("there is a receiver");
                    }
                });
            }
            drop(sender);
            receive(each, async || receiver.recv().await).await;
            while let Some(outcome) = senders.join_next().await {
                outcome.expect("no task fails");
            }
        }))
    }

    fn smol(each: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let (sender, receiver) = async_channel::bounded(CAPACITY);
                let mut senders = Vec::new();
                for _ in 0..SENDERS {
                    let sender = sender.clone();
                    senders.push(executor.spawn(async move {
                        for i in 0..each {
                            sender.send(i).await.expect("there is a receiver");
                        }
                    }));
                }
                drop(sender);
                receive(each, async || receiver.recv().await.ok()).await;
                for sender in senders {
                    sender.await;
                }
            };
            checked(SENDERS * each, work).await
        })
    }

    async fn send_futures(mut sender: futures_mpsc::Sender<usize>, each: usize) {
        for i in 0..each {
            sender.send(i).await.expect("there is a receiver");
        }
    }

    fn futures_unordered(each: usize) -> Duration {
        runtimes::futures::run(checked(SENDERS * each, async {
            let (sender, mut receiver) = futures_mpsc::channel(CAPACITY);
            let mut senders = FuturesUnordered::new();
            for _ in 0..SENDERS {
                senders.push(send_futures(sender.clone(), each));
            }
            drop(sender);
            let joined = async { while senders.next().await.is_some() {} };
            join(receive(each, async || receiver.next().await), joined).await;
        }))
    }

    fn moro_local(each: usize) -> Duration {
        runtimes::futures::run(checked(
            SENDERS * each,
            moro_local::async_scope!(|scope| {
                let (sender, mut receiver) = futures_mpsc::channel(CAPACITY);
                for _ in 0..SENDERS {
                    drop(scope.spawn(send_futures(sender.clone(), each)));
                }
                drop(sender);
                receive(each, async || receiver.next().await).await;
            }),
        ))
    }

    fn monoio(each: usize) -> Duration {
        let work = async {
            let (sender, mut receiver) = local_sync::mpsc::bounded::channel(CAPACITY);
            let mut senders = Vec::new();
            for _ in 0..SENDERS {
                let sender = sender.clone();
                senders.push(::monoio::spawn(async move {
                    for i in 0..each {
                        sender.send(i).await.expect("there is a receiver");
                    }
                }));
            }
            drop(sender);
            receive(each, async || receiver.recv().await).await;
            for sender in senders {
                sender.await;
            }
        };
        runtimes::monoio::run(Driver::Epoll, checked(SENDERS * each, work))
    }

    fn compio(each: usize) -> Duration {
        let work = async {
            let (sender, receiver) = flume::bounded(CAPACITY);
            let mut senders = Vec::new();
            for _ in 0..SENDERS {
                let sender = sender.clone();
                senders.push(::compio::runtime::spawn(async move {
                    for i in 0..each {
                        sender.send_async(i).await.expect("there is a receiver");
                    }
                }));
            }
            drop(sender);
            receive(each, async || receiver.recv_async().await.ok()).await;
            for sender in senders {
                sender.await.expect("no task fails");
            }
        };
        runtimes::compio::run(Driver::Epoll, checked(SENDERS * each, work))
    }

    fn glommio(each: usize) -> Duration {
        runtimes::glommio::run(checked(SENDERS * each, async {
            let (sender, receiver) = ::glommio::channels::local_channel::new_bounded(CAPACITY);
            let sender = Rc::new(sender);
            let mut senders = Vec::new();
            for _ in 0..SENDERS {
                let sender = sender.clone();
                senders.push(::glommio::spawn_local(async move {
                    for i in 0..each {
                        sender.send(i).await.expect("there is a receiver");
                    }
                }));
            }
            drop(sender);
            receive(each, async || receiver.recv().await).await;
            for sender in senders {
                sender.await;
            }
        }))
    }
}
