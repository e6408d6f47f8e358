//! Cancel scopes: C1 to C16.

#[path = "../support/mod.rs"]
mod support;

mod absorbing;
mod checkpoints;
mod combinators;
mod cost;
mod deadlines;
#[cfg(feature = "fs")]
mod files;
mod foreign_streams;
mod from_elsewhere;
mod graceful;
mod graceful_stop;
mod levels;
#[cfg(all(feature = "process", target_os = "linux"))]
mod processes;
mod reasons;
mod shields;
#[cfg(all(feature = "stdio", unix))]
mod streams;
#[cfg(feature = "tls")]
mod tls;

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;

use futures::{Sink, TryStreamExt, stream};
use seedbed::fd::AsyncFd;
use seedbed::net::{UdpSocket, UnixDatagram};
use seedbed::pipe;
use seedbed::sync::{
    Barrier, Condition, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, oneshot, watch,
};
use seedbed::{
    CancelScope, Cancelled, CapacityLimiter, Error, Event, Reason, Result, cancel_scope,
    cancellable, cancellable_stream, channel, finishing, now, nursery, sleep, sleep_forever,
    sleep_until, thread_channel, yield_now,
};

use crate::support::secs;

fn cancelled(error: &Error) -> &Cancelled {
    error.downcast_ref().unwrap_or_else(|| panic!("`Cancelled` was expected, not {error:?}"))
}

fn reason<T>(outcome: Result<T>) -> Reason {
    cancelled(&outcome.err().expect("it was to be cancelled")).reason().clone()
}

type Op<'a> = (&'static str, Pin<Box<dyn Future<Output = Result<()>> + 'a>>);

/// Waiting operations, none of which ends.
struct Waits {
    event: Event,
    full: (seedbed::Sender<u8>, seedbed::Receiver<u8>),
    empty: (seedbed::Sender<u8>, seedbed::Receiver<u8>),
    locked: Mutex<()>,
    written: RwLock<()>,
    permits: Semaphore,
    cell: OnceCell<()>,
    notify: Notify,
    condition: Condition,
    /// For more than those that wait for it.
    barrier: Barrier,
    /// Nobody sends anything.
    udp: UdpSocket,
    datagrams: (UnixDatagram, UnixDatagram),
    pipe: (pipe::Sender, pipe::Receiver),
    other: AsyncFd<std::os::unix::net::UnixStream>,
    _other_end: std::os::unix::net::UnixStream,
}

impl Waits {
    fn new() -> Waits {
        let (other, other_end) = std::os::unix::net::UnixStream::pair().unwrap();
        let udp = UdpSocket::v4().unwrap();
        udp.bind_to("127.0.0.1:0").unwrap();
        let waits = Waits {
            event: Event::new(),
            full: channel(0),
            empty: channel(0),
            locked: Mutex::new(()),
            written: RwLock::new(()),
            permits: Semaphore::new(1),
            cell: OnceCell::new(),
            notify: Notify::new(),
            condition: Condition::new(),
            barrier: Barrier::new(1000),
            udp,
            datagrams: UnixDatagram::pair().unwrap(),
            pipe: pipe::pipe().unwrap(),
            other: AsyncFd::new(other).unwrap(),
            _other_end: other_end,
        };
        std::mem::forget((waits.locked.try_lock(), waits.written.try_write()));
        waits
    }

    fn locks(&self) -> Vec<Op<'_>> {
        vec![
            ("mutex", Box::pin(async { self.locked.lock().await.map(drop) })),
            ("read", Box::pin(async { self.written.read().await.map(drop) })),
            ("write", Box::pin(async { self.written.write().await.map(drop) })),
            ("semaphore", Box::pin(async { self.permits.acquire_many(2).await.map(drop) })),
            (
                "owned semaphore",
                Box::pin(async {
                    let semaphore = Rc::new(Semaphore::new(0));
                    semaphore.acquire_owned().await.map(drop)
                }),
            ),
            (
                "limiter",
                Box::pin(async {
                    let limiter = CapacityLimiter::new(1);
                    let _only = limiter.try_acquire();
                    limiter.acquire().await.map(drop)
                }),
            ),
            (
                "once_cell",
                Box::pin(async {
                    self.cell.get_or_init(async || sleep_forever().await).await.map(drop)
                }),
            ),
        ]
    }

    fn notices(&self) -> Vec<Op<'_>> {
        vec![
            ("notify", Box::pin(self.notify.notified())),
            (
                "condition",
                Box::pin(async {
                    let mutex = Mutex::new(());
                    self.condition.wait(mutex.lock().await?).await.map(drop)
                }),
            ),
            (
                "condition with a predicate",
                Box::pin(async {
                    let mutex = Mutex::new(());
                    self.condition.wait_while(mutex.lock().await?, |()| true).await.map(drop)
                }),
            ),
            ("barrier", Box::pin(async { self.barrier.wait().await.map(drop) })),
            (
                "oneshot recv",
                Box::pin(async {
                    let (_sender, receiver) = oneshot::channel();
                    receiver.await
                }),
            ),
            (
                "oneshot closed",
                Box::pin(async {
                    let (mut sender, _receiver) = oneshot::channel::<()>();
                    sender.closed().await
                }),
            ),
            (
                "watch changed",
                Box::pin(async {
                    let (_sender, mut receiver) = watch::channel(());
                    receiver.changed().await.map(drop)
                }),
            ),
            (
                "broadcast recv",
                Box::pin(async {
                    let (_sender, mut receiver) =
                        broadcast::channel::<()>(1, broadcast::WhenFull::Wait);
                    receiver.recv().await.map(drop)
                }),
            ),
            (
                "broadcast send",
                Box::pin(async {
                    let (sender, _receiver) = broadcast::channel(1, broadcast::WhenFull::Wait);
                    sender.try_send(()).unwrap();
                    Ok(sender.send(()).await?)
                }),
            ),
            (
                "reserve",
                Box::pin(async {
                    let (sender, _receiver) = channel(1);
                    sender.try_send(()).unwrap();
                    sender.reserve().await.map(drop)
                }),
            ),
            (
                "thread send",
                Box::pin(async {
                    let (sender, _receiver) = thread_channel(0);
                    Ok(sender.send(()).await?)
                }),
            ),
            (
                "thread recv",
                Box::pin(async {
                    let (_sender, receiver) = thread_channel::<()>(1);
                    receiver.recv().await.map(drop)
                }),
            ),
            (
                "thread recv_many",
                Box::pin(async {
                    let (_sender, receiver) = thread_channel::<()>(1);
                    receiver.recv_many(&mut Vec::new(), 2).await.map(drop)
                }),
            ),
            (
                "recv_many",
                Box::pin(async {
                    let (_sender, receiver) = channel::<()>(1);
                    receiver.recv_many(&mut Vec::new(), 2).await.map(drop)
                }),
            ),
            (
                "a receiver as a stream",
                Box::pin(async {
                    let (_sender, mut receiver) = channel::<()>(1);
                    receiver.try_next().await.map(drop)
                }),
            ),
            (
                "another library's stream",
                Box::pin(async {
                    let mut stream = cancellable_stream(stream::pending::<Result<()>>());
                    stream.try_next().await.map(drop)
                }),
            ),
            (
                "a sender as a sink",
                Box::pin(async {
                    let (sender, _receiver) = channel(1);
                    sender.try_send(()).unwrap();
                    let mut sender = pin!(sender);
                    poll_fn(|cx| sender.as_mut().poll_ready(cx)).await
                }),
            ),
            (
                "broadcast closed",
                Box::pin(async {
                    let (sender, _receiver) =
                        broadcast::channel::<()>(1, broadcast::WhenFull::Wait);
                    sender.closed().await
                }),
            ),
            (
                "watch wait_for",
                Box::pin(async {
                    let (_sender, mut receiver) = watch::channel(());
                    receiver.wait_for(|()| false).await.map(drop)
                }),
            ),
            (
                "watch closed",
                Box::pin(async {
                    let (sender, _receiver) = watch::channel(());
                    sender.closed().await
                }),
            ),
        ]
    }

    fn descriptors(&self) -> Vec<Op<'_>> {
        vec![
            ("udp recv", Box::pin(async { self.udp.recv_from(&mut [0; 8]).await.map(drop) })),
            ("udp readable", Box::pin(self.udp.readable())),
            (
                "unix datagram recv",
                Box::pin(async { self.datagrams.0.recv(&mut [0; 8]).await.map(drop) }),
            ),
            (
                "unix datagram peek",
                Box::pin(async { self.datagrams.1.peek(&mut [0; 8]).await.map(drop) }),
            ),
            ("pipe read", Box::pin(async { self.pipe.1.read(&mut [0; 8]).await.map(drop) })),
            ("pipe readable", Box::pin(self.pipe.1.readable())),
            ("descriptor readable", Box::pin(self.other.readable())),
            (
                "descriptor read_with",
                Box::pin(self.other.read_with(|_| Err(std::io::ErrorKind::WouldBlock.into()))),
            ),
        ]
    }

    fn all(&self) -> Vec<Op<'_>> {
        let mut all: Vec<Op<'_>> = vec![
            ("event", Box::pin(self.event.wait())),
            ("send", Box::pin(async { Ok(self.full.0.send(1).await?) })),
            ("recv", Box::pin(async { self.empty.1.recv().await.map(drop) })),
            ("sleep", Box::pin(sleep(secs(1_000_000)))),
            ("sleep_until", Box::pin(async { sleep_until(now() + secs(1_000_000)).await })),
            ("sleep_forever", Box::pin(sleep_forever())),
            ("cancellable", Box::pin(cancellable(pending()))),
            (
                "nursery",
                Box::pin(nursery(async |n| {
                    drop(n.spawn(async { sleep_forever().await }));
                    Ok(())
                })),
            ),
            (
                "start",
                Box::pin(nursery(async |n| {
                    n.start::<_, ()>(async |_| sleep_forever().await).await
                })),
            ),
            (
                "scope",
                Box::pin(async { cancel_scope(async |_| self.event.wait().await).await.map(drop) }),
            ),
            ("finishing", Box::pin(finishing(self.event.wait()))),
        ];
        all.extend(self.locks());
        all.extend(self.notices());
        all.extend(self.descriptors());
        #[cfg(feature = "tls")]
        all.extend(tls::waits());
        all
    }
}

/// Does `op`, and cancels it after so many rounds.
#[allow(dead_code, reason = "it needs a feature")]
async fn cancelled_after<T>(
    rounds: usize,
    op: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    let scope = CancelScope::new();
    nursery(async |n| {
        let task = n.spawn(scope.enter(async |_| op.await));
        for _ in 0..rounds {
            yield_now().await?;
        }
        scope.cancel();
        task.await
    })
    .await
}

fn first_error(outcomes: Vec<Result<()>>) -> Result<()> {
    outcomes.into_iter().collect()
}
