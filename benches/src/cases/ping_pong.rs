//! Two tasks and two channels: one task sends a number and waits for it to come back, the other
//! sends back what it gets. A round trip is two messages and two changes of task, or more.
//!
//! The channels have capacity 1, or capacity 0, where sending waits for the receiver. They are the
//! runtime's own where it has any, and otherwise those that it is commonly used with:
//!
//! | | capacity 1 | capacity 0 |
//! |---|---|---|
//! | seedbed | `channel` | `channel` |
//! | tokio | `sync::mpsc` | flume: its own have none |
//! | smol | async-channel | flume |
//! | `FuturesUnordered`, moro-local | `futures::channel::mpsc`, whose 0 is one for each sender | flume |
//! | monoio | local-sync | flume |
//! | compio | flume | flume |
//! | glommio | `local_channel` | none |

use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

pub fn rows(size: Size) -> Vec<Row> {
    let n = size.of(100_000, 10_000);
    let row = |capacity| {
        Row::nanoseconds_per("round trip", n, format!("ping_pong/{capacity}"))
            .time(SEEDBED, move || seedbed(n, capacity))
    };
    #[cfg(feature = "peers")]
    return vec![peers::add_1(row(1), n), peers::add_0(row(0), n)];
    #[cfg(not(feature = "peers"))]
    vec![row(1), row(0)]
}

async fn ping(n: usize, send: impl AsyncFn(usize), mut receive: impl AsyncFnMut() -> usize) {
    for i in 0..n {
        send(i).await;
        assert_eq!(receive().await, i);
        tally::count();
    }
}

async fn pong(n: usize, send: impl AsyncFn(usize), mut receive: impl AsyncFnMut() -> usize) {
    for _ in 0..n {
        send(receive().await).await;
    }
}

fn seedbed(n: usize, capacity: usize) -> Duration {
    runtimes::seedbed::run(async {
        let there = seedbed::channel(capacity);
        let back = seedbed::channel(capacity);
        let send = async |(sender, _): &(seedbed::Sender<_>, _), i| {
            sender.send(i).await.expect("there is a receiver");
        };
        let receive = async |(_, receiver): &(_, seedbed::Receiver<_>)| {
            receiver.recv().await.expect("not cancelled").expect("there is a sender")
        };
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                nursery.spawn(async {
                    ping(n, async |i| send(&there, i).await, async || receive(&back).await).await;
                    Ok(())
                });
                nursery.spawn(async {
                    pong(n, async |i| send(&back, i).await, async || receive(&there).await).await;
                    Ok(())
                });
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
    use ::futures::channel::mpsc as futures_mpsc;
    use ::futures::future::LocalBoxFuture;
    use ::futures::stream::{FuturesUnordered, StreamExt};
    use ::futures::{FutureExt, SinkExt};
    use ::glommio::channels::local_channel;
    use ::tokio::sync::mpsc as tokio_mpsc;
    use ::tokio::task::JoinSet;
    use local_sync::mpsc::bounded as local_mpsc;

    use super::*;
    use crate::tally::checked;

    pub fn add_1(row: Row, n: usize) -> Row {
        row.time(TOKIO, move || on_tokio(n, tokio_pair(n)))
            .time(SMOL, move || on_smol(n, async_channel_pair(n)))
            .time(FUTURES_UNORDERED, move || on_futures_unordered(n, futures_pair(n)))
            .time(MORO_LOCAL, move || on_moro_local(n, futures_pair(n)))
            .time(MONOIO_EPOLL, move || on_monoio(n, local_sync_pair(n)))
            .time(COMPIO_EPOLL, move || on_compio(n, flume_pair(n, 1)))
            .time(GLOMMIO, move || on_glommio(n, glommio_pair(n)))
    }

    pub fn add_0(row: Row, n: usize) -> Row {
        row.time(TOKIO, move || on_tokio(n, flume_pair(n, 0)))
            .time(SMOL, move || on_smol(n, flume_pair(n, 0)))
            .time(FUTURES_UNORDERED, move || on_futures_unordered(n, flume_pair(n, 0)))
            .time(MORO_LOCAL, move || on_moro_local(n, flume_pair(n, 0)))
            .time(MONOIO_EPOLL, move || on_monoio(n, flume_pair(n, 0)))
            .time(COMPIO_EPOLL, move || on_compio(n, flume_pair(n, 0)))
            .absent(GLOMMIO, "its channels have no capacity 0")
    }

    // The two tasks, for each kind of channel.

    type Pair<A, B> = (A, B);

    trait Task: Future<Output = ()> + 'static {}
    impl<F: Future<Output = ()> + 'static> Task for F {}

    fn tokio_pair(n: usize) -> Pair<impl Task, impl Task> {
        let (there, mut there_end) = tokio_mpsc::channel(1);
        let (back, mut back_end) = tokio_mpsc::channel(1);
        (
            ping(
                n,
                async move |i| there.send(i).await.expect("there is a receiver"),
                async move || back_end.recv().await.expect("there is a sender"),
            ),
            pong(
                n,
                async move |i| back.send(i).await.expect("there is a receiver"),
                async move || there_end.recv().await.expect("there is a sender"),
            ),
        )
    }

    fn async_channel_pair(n: usize) -> Pair<impl Task, impl Task> {
        let (there, there_end) = async_channel::bounded(1);
        let (back, back_end) = async_channel::bounded(1);
        (
            ping(
                n,
                async move |i| there.send(i).await.expect("there is a receiver"),
                async move || back_end.recv().await.expect("there is a sender"),
            ),
            pong(
                n,
                async move |i| back.send(i).await.expect("there is a receiver"),
                async move || there_end.recv().await.expect("there is a sender"),
            ),
        )
    }

    fn flume_pair(n: usize, capacity: usize) -> Pair<impl Task, impl Task> {
        let (there, there_end) = flume::bounded(capacity);
        let (back, back_end) = flume::bounded(capacity);
        (
            ping(
                n,
                async move |i| there.send_async(i).await.expect("there is a receiver"),
                async move || back_end.recv_async().await.expect("there is a sender"),
            ),
            pong(
                n,
                async move |i| back.send_async(i).await.expect("there is a receiver"),
                async move || there_end.recv_async().await.expect("there is a sender"),
            ),
        )
    }

    fn local_sync_pair(n: usize) -> Pair<impl Task, impl Task> {
        let (there, mut there_end) = local_mpsc::channel(1);
        let (back, mut back_end) = local_mpsc::channel(1);
        (
            ping(
                n,
                async move |i| there.send(i).await.expect("there is a receiver"),
                async move || back_end.recv().await.expect("there is a sender"),
            ),
            pong(
                n,
                async move |i| back.send(i).await.expect("there is a receiver"),
                async move || there_end.recv().await.expect("there is a sender"),
            ),
        )
    }

    fn glommio_pair(n: usize) -> Pair<impl Task, impl Task> {
        let (there, there_end) = local_channel::new_bounded(1);
        let (back, back_end) = local_channel::new_bounded(1);
        (
            ping(
                n,
                async move |i| there.send(i).await.expect("there is a receiver"),
                async move || back_end.recv().await.expect("there is a sender"),
            ),
            pong(
                n,
                async move |i| back.send(i).await.expect("there is a receiver"),
                async move || there_end.recv().await.expect("there is a sender"),
            ),
        )
    }

    /// Its senders need `&mut`, which an `AsyncFn` cannot give, so this is written out.
    fn futures_pair(n: usize) -> Pair<impl Task, impl Task> {
        let (mut there, mut there_end) = futures_mpsc::channel(0);
        let (mut back, mut back_end) = futures_mpsc::channel(0);
        let ping = async move {
            for i in 0..n {
                there.send(i).await.expect("there is a receiver");
                assert_eq!(back_end.next().await, Some(i));
                tally::count();
            }
        };
        let pong = async move {
            for _ in 0..n {
                let i = there_end.next().await.expect("there is a sender");
                back.send(i).await.expect("there is a receiver");
            }
        };
        (ping, pong)
    }

    // Spawning and joining both tasks, on each runtime.

    fn on_tokio(n: usize, (ping, pong): Pair<impl Task, impl Task>) -> Duration {
        runtimes::tokio::run(checked(n, async {
            let mut tasks = JoinSet::new();
            tasks.spawn_local(ping);
            tasks.spawn_local(pong);
            while let Some(outcome) = tasks.join_next().await {
                outcome.expect("no task fails");
            }
        }))
    }

    fn on_smol(n: usize, (ping, pong): Pair<impl Task, impl Task>) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let (ping, pong) = (executor.spawn(ping), executor.spawn(pong));
                ping.await;
                pong.await;
            };
            checked(n, work).await
        })
    }

    fn on_futures_unordered(n: usize, (ping, pong): Pair<impl Task, impl Task>) -> Duration {
        runtimes::futures::run(checked(n, async {
            let mut tasks = FuturesUnordered::<LocalBoxFuture<'static, ()>>::new();
            tasks.push(ping.boxed_local());
            tasks.push(pong.boxed_local());
            while tasks.next().await.is_some() {}
        }))
    }

    fn on_moro_local(n: usize, (ping, pong): Pair<impl Task, impl Task>) -> Duration {
        runtimes::futures::run(checked(
            n,
            moro_local::async_scope!(|scope| {
                drop(scope.spawn(ping));
                drop(scope.spawn(pong));
            }),
        ))
    }

    fn on_monoio(n: usize, (ping, pong): Pair<impl Task, impl Task>) -> Duration {
        let work = async {
            let (ping, pong) = (::monoio::spawn(ping), ::monoio::spawn(pong));
            ping.await;
            pong.await;
        };
        runtimes::monoio::run(Driver::Epoll, checked(n, work))
    }

    fn on_compio(n: usize, (ping, pong): Pair<impl Task, impl Task>) -> Duration {
        let work = async {
            let ping = ::compio::runtime::spawn(ping);
            let pong = ::compio::runtime::spawn(pong);
            ping.await.expect("no task fails");
            pong.await.expect("no task fails");
        };
        runtimes::compio::run(Driver::Epoll, checked(n, work))
    }

    fn on_glommio(n: usize, (ping, pong): Pair<impl Task, impl Task>) -> Duration {
        runtimes::glommio::run(checked(n, async {
            let (ping, pong) = (::glommio::spawn_local(ping), ::glommio::spawn_local(pong));
            ping.await;
            pong.await;
        }))
    }
}
