//! Channels for one message. `ready`: made, sent to and received from by one task. `waited`: one
//! task makes a channel and waits for the message, and the other one, which yields in between,
//! sends it. The channels are the runtime's own; on smol they are those of futures.

use std::cell::Cell;
use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

pub fn rows(size: Size) -> Vec<Row> {
    let n = size.of(500_000, 50_000);
    let row = |name, run: fn(usize) -> Duration| {
        Row::nanoseconds_per("message", n, name).time(SEEDBED, move || run(n))
    };
    let (ready, waited) =
        (row("oneshot/ready", seedbed_ready), row("oneshot/waited", seedbed_waited));
    #[cfg(feature = "peers")]
    let (ready, waited) = peers::add(ready, waited, n);
    vec![ready, waited]
}

fn seedbed_ready(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            for i in 0..n {
                let (sender, receiver) = seedbed::sync::oneshot::channel();
                sender.send(i).expect("there is a receiver");
                assert_eq!(receiver.await.expect("it was sent"), i);
                tally::count();
            }
        });
        let elapsed = elapsed.await;
        tally::expect(n);
        Ok(elapsed)
    })
}

fn seedbed_waited(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let asks = &Cell::new(None);
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                nursery.spawn(async {
                    for i in 0..n {
                        let (sender, receiver) = seedbed::sync::oneshot::channel();
                        asks.set(Some(sender));
                        assert_eq!(receiver.await?, i);
                        tally::count();
                    }
                    Ok(())
                });
                let mut sent = 0;
                while sent < n {
                    if let Some(sender) = asks.take() {
                        sender.send(sent)?;
                        sent += 1;
                    }
                    seedbed::yield_now().await?;
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
    use std::rc::Rc;

    use ::futures::channel::oneshot as futures_oneshot;
    use ::tokio::sync::oneshot as tokio_oneshot;

    use super::*;
    use crate::tally::checked;

    pub fn add(ready: Row, waited: Row, n: usize) -> (Row, Row) {
        let ready = ready.time(TOKIO, move || tokio_ready(n)).time(SMOL, move || smol_ready(n));
        let waited = waited.time(TOKIO, move || tokio_waited(n)).time(SMOL, move || smol_waited(n));
        (ready, waited)
    }

    fn tokio_ready(n: usize) -> Duration {
        runtimes::tokio::run(checked(n, async {
            for i in 0..n {
                let (sender, receiver) = tokio_oneshot::channel();
                sender.send(i).expect("there is a receiver");
                assert_eq!(receiver.await, Ok(i));
                tally::count();
            }
        }))
    }

    fn smol_ready(n: usize) -> Duration {
        runtimes::smol::run(async |_| {
            let work = async {
                for i in 0..n {
                    let (sender, receiver) = futures_oneshot::channel();
                    sender.send(i).expect("there is a receiver");
                    assert_eq!(receiver.await, Ok(i));
                    tally::count();
                }
            };
            checked(n, work).await
        })
    }

    fn tokio_waited(n: usize) -> Duration {
        runtimes::tokio::run(checked(n, async {
            let asks = Rc::new(Cell::new(None));
            let asker = ::tokio::task::spawn_local({
                let asks = asks.clone();
                async move {
                    for i in 0..n {
                        let (sender, receiver) = tokio_oneshot::channel();
                        asks.set(Some(sender));
                        assert_eq!(receiver.await, Ok(i));
                        tally::count();
                    }
                }
            });
            let answerer = ::tokio::task::spawn_local(async move {
                let mut sent = 0;
                while sent < n {
                    if let Some(sender) = asks.take() {
                        sender.send(sent).expect("there is a receiver");
                        sent += 1;
                    }
                    ::tokio::task::yield_now().await;
                }
            });
            answerer.await.expect("it does not fail");
            asker.await.expect("it does not fail");
        }))
    }

    fn smol_waited(n: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let asks = Rc::new(Cell::new(None));
                let asker = executor.spawn({
                    let asks = asks.clone();
                    async move {
                        for i in 0..n {
                            let (sender, receiver) = futures_oneshot::channel();
                            asks.set(Some(sender));
                            assert_eq!(receiver.await, Ok(i));
                            tally::count();
                        }
                    }
                });
                let answerer = executor.spawn(async move {
                    let mut sent = 0;
                    while sent < n {
                        if let Some(sender) = asks.take() {
                            sender.send(sent).expect("there is a receiver");
                            sent += 1;
                        }
                        futures_lite::future::yield_now().await;
                    }
                });
                answerer.await;
                asker.await;
            };
            checked(n, work).await
        })
    }
}
