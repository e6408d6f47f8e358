//! Messages between a thread that blocks and a task that awaits, over channels for both.
//!
//! `thread_channel/to_task` and `thread_channel/to_thread`: messages one way, as many as go through,
//! over one channel of capacity 64. Thread and task have a CPU each. The figure is the cost of a
//! message, from the first to the last one received.
//!
//! `thread_channel/round_trip`: a number there and back, over two channels of capacity 1. They share
//! a CPU, as they take turns (see `cpus`).
//!
//! | subject | channel |
//! |---|---|
//! | seedbed | `thread_channel` |
//! | tokio | `sync::mpsc` |
//! | smol | async-channel |
//! | futures' `block_on` | flume |

use std::thread;
use std::time::Duration;

use super::Size;
use crate::clock::Stopwatch;
use crate::cpus::{self, Cpu};
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::tally;

const CAPACITY: usize = 64;

pub fn rows(size: Size) -> Vec<Row> {
    let messages = size.of(500_000, 50_000);
    let trips = size.of(20_000, 1_000);
    vec![
        row("message", "thread_channel/to_task", Way::ToTask, messages),
        row("message", "thread_channel/to_thread", Way::ToThread, messages),
        row("round trip", "thread_channel/round_trip", Way::ThereAndBack, trips),
    ]
}

fn row(item: &'static str, name: &'static str, way: Way, n: usize) -> Row {
    let row = Row::nanoseconds_per(item, n, name)
        .time(SEEDBED, move || runtimes::seedbed::run(async { Ok(work::<Seedbed>(way, n).await) }));
    #[cfg(feature = "peers")]
    let row = peers::add(row, way, n);
    row
}

#[derive(Clone, Copy)]
enum Way {
    ToTask,
    ToThread,
    ThereAndBack,
}

/// A kind of channel. Nothing fails before the other end is dropped.
trait Channel {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver);

    fn blocking_send(sender: &Self::Sender, message: usize);

    fn blocking_recv(receiver: &mut Self::Receiver) -> Option<usize>;

    async fn send(sender: &Self::Sender, message: usize);

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize>;
}

async fn work<C: Channel>(way: Way, n: usize) -> Duration {
    let elapsed = match way {
        Way::ToTask => to_task::<C>(n).await,
        Way::ToThread => to_thread::<C>(n).await,
        Way::ThereAndBack => there_and_back::<C>(n).await,
    };
    tally::expect(n);
    elapsed
}

/// Times a thread and a task, this one.
async fn beside(
    cpu: Cpu,
    thread: impl FnOnce() + Send + 'static,
    task: impl Future<Output = ()>,
) -> Duration {
    let _pinned = cpus::pin(Cpu::First);
    let watch = Stopwatch::start();
    let thread = thread::spawn(move || {
        let _pinned = cpus::pin(cpu);
        thread();
    });
    task.await;
    thread.join().expect("the thread does not panic");
    watch.elapsed()
}

async fn to_task<C: Channel>(n: usize) -> Duration {
    let (sender, mut receiver) = C::make(CAPACITY);
    let thread = move || (0..n).for_each(|i| C::blocking_send(&sender, i));
    let task = async {
        for i in 0..n {
            assert_eq!(C::recv(&mut receiver).await, Some(i));
            tally::count();
        }
        assert_eq!(C::recv(&mut receiver).await, None);
    };
    beside(Cpu::Second, thread, task).await
}

async fn to_thread<C: Channel>(n: usize) -> Duration {
    let (sender, mut receiver) = C::make(CAPACITY);
    let thread = move || {
        for i in 0..n {
            assert_eq!(C::blocking_recv(&mut receiver), Some(i));
        }
        assert_eq!(C::blocking_recv(&mut receiver), None);
    };
    let task = async move {
        for i in 0..n {
            C::send(&sender, i).await;
            tally::count();
        }
    };
    beside(Cpu::Second, thread, task).await
}

async fn there_and_back<C: Channel>(n: usize) -> Duration {
    let (there, mut there_end) = C::make(1);
    let (back, mut back_end) = C::make(1);
    let thread = move || {
        while let Some(i) = C::blocking_recv(&mut there_end) {
            C::blocking_send(&back, i);
        }
    };
    let task = async move {
        for i in 0..n {
            C::send(&there, i).await;
            assert_eq!(C::recv(&mut back_end).await, Some(i));
            tally::count();
        }
    };
    beside(Cpu::First, thread, task).await
}

struct Seedbed;

impl Channel for Seedbed {
    type Sender = seedbed::ThreadSender<usize>;
    type Receiver = seedbed::ThreadReceiver<usize>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        seedbed::thread_channel(capacity)
    }

    fn blocking_send(sender: &Self::Sender, message: usize) {
        sender.blocking_send(message).expect("there is a receiver");
    }

    fn blocking_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.blocking_recv().expect("this thread has no run")
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send(message).await.expect("there is a receiver");
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await.expect("nothing is cancelled")
    }
}

#[cfg(feature = "peers")]
mod peers {
    use ::tokio::sync::mpsc;

    use super::*;

    pub fn add(row: Row, way: Way, n: usize) -> Row {
        row.time(TOKIO, move || runtimes::tokio::run(work::<Tokio>(way, n)))
            .time(SMOL, move || runtimes::smol::run(async |_| work::<AsyncChannel>(way, n).await))
            .time(FUTURES_UNORDERED, move || runtimes::futures::run(work::<Flume>(way, n)))
    }

    struct Tokio;

    impl Channel for Tokio {
        type Sender = mpsc::Sender<usize>;
        type Receiver = mpsc::Receiver<usize>;

        fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
            mpsc::channel(capacity)
        }

        fn blocking_send(sender: &Self::Sender, message: usize) {
            sender.blocking_send(message).expect("there is a receiver");
        }

        fn blocking_recv(receiver: &mut Self::Receiver) -> Option<usize> {
            receiver.blocking_recv()
        }

        async fn send(sender: &Self::Sender, message: usize) {
            sender.send(message).await.expect("there is a receiver");
        }

        async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
            receiver.recv().await
        }
    }

    struct AsyncChannel;

    impl Channel for AsyncChannel {
        type Sender = async_channel::Sender<usize>;
        type Receiver = async_channel::Receiver<usize>;

        fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
            async_channel::bounded(capacity)
        }

        fn blocking_send(sender: &Self::Sender, message: usize) {
            sender.send_blocking(message).expect("there is a receiver");
        }

        fn blocking_recv(receiver: &mut Self::Receiver) -> Option<usize> {
            receiver.recv_blocking().ok()
        }

        async fn send(sender: &Self::Sender, message: usize) {
            sender.send(message).await.expect("there is a receiver");
        }

        async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
            receiver.recv().await.ok()
        }
    }

    struct Flume;

    impl Channel for Flume {
        type Sender = flume::Sender<usize>;
        type Receiver = flume::Receiver<usize>;

        fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
            flume::bounded(capacity)
        }

        fn blocking_send(sender: &Self::Sender, message: usize) {
            sender.send(message).expect("there is a receiver");
        }

        fn blocking_recv(receiver: &mut Self::Receiver) -> Option<usize> {
            receiver.recv().ok()
        }

        async fn send(sender: &Self::Sender, message: usize) {
            sender.send_async(message).await.expect("there is a receiver");
        }

        async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
            receiver.recv_async().await.ok()
        }
    }
}
