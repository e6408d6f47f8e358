//! C10: no connection and no byte is lost to a cancellation.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::Write;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures::AsyncRead;
use seedbed::net::{Socket, SocketStream, TcpListener, UnixStream};
use seedbed::{Builder, CancelScope, Result, nursery, run, yield_now};

use super::{narrow_tcp_pair, pattern, poll_once, tcp_pair};

#[test]
fn c10_an_accept_is_cancelled_in_the_instant_a_connection_arrives() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let scope = CancelScope::new();
        nursery(async |n| {
            let accepting = n.spawn(scope.enter(async |_| listener.accept().await));
            yield_now().await?; // it waits
            let client = std::net::TcpStream::connect(listener.local_addr()?)?;
            scope.cancel();
            assert!(accepting.await?.is_none());
            assert_eq!(listener.accept().await?.1, client.local_addr()?);
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// The task that accepts and the one that cancels it are both told in the same round of the
/// reactor, in either order.
#[test]
fn c10_an_accept_that_is_woken_and_cancelled() {
    for seed in 0..32 {
        Builder::new()
            .seed(seed)
            .run(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let (signal, mut other) = std::os::unix::net::UnixStream::pair()?;
                let signal = UnixStream::from_std(signal)?;
                let scope = CancelScope::new();
                nursery(async |n| {
                    let accepting = n.spawn(scope.enter(async |_| listener.accept().await));
                    drop(n.spawn(async {
                        signal.read(&mut [0; 8]).await?;
                        scope.cancel();
                        Ok(())
                    }));
                    yield_now().await?;
                    yield_now().await?; // both wait
                    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
                    other.write_all(b"x")?;
                    let accepted = accepting.await?;
                    let (_, address) = match accepted {
                        Some(accepted) => accepted,
                        None => listener.accept().await?,
                    };
                    assert_eq!(address, client.local_addr()?);
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

/// Which of the two came first is what counts, not which task runs first.
#[test]
fn c10_a_read_that_is_told_of_data_and_then_cancelled_happens() {
    for seed in 0..16 {
        Builder::new()
            .seed(seed)
            .run(async {
                let (one, other) = UnixStream::pair()?;
                let (signal, sender) = UnixStream::pair()?;
                let scope = CancelScope::new();
                nursery(async |n| {
                    let reading = n.spawn(scope.enter(async |_| one.read(&mut [0; 8]).await));
                    drop(n.spawn(async {
                        signal.read(&mut [0; 8]).await?;
                        scope.cancel();
                        Ok(())
                    }));
                    yield_now().await?;
                    yield_now().await?; // both wait
                    other.into_std().write_all(b"abc")?;
                    sender.into_std().write_all(b"x")?;
                    assert_eq!(reading.await?, Some(3));
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

#[test]
fn c10_a_read_is_cancelled_while_data_arrives() {
    run(async {
        let (one, other) = tcp_pair().await?;
        let mut other = other.into_std();
        let scope = CancelScope::new();
        nursery(async |n| {
            let reading = n.spawn(scope.enter(async |_| one.read(&mut [0; 8]).await));
            yield_now().await?;
            other.write_all(b"abc")?;
            scope.cancel();
            assert_eq!(reading.await?, None);
            let mut buffer = [0; 8];
            assert_eq!(one.read(&mut buffer).await?, 3);
            assert_eq!(&buffer[..3], b"abc");
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn c10_a_read_is_dropped_while_data_arrives() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let mut buffer = [0; 8];
        let mut reading = Box::pin(one.read(&mut buffer));
        assert!(poll_once(&mut reading).await.is_pending());
        other.write_all(b"abc").await?;
        yield_now().await?;
        drop(reading);
        assert_eq!(one.read(&mut buffer).await?, 3);
        Ok(())
    })
    .unwrap();
}

/// Cancels the scopes it is given, one after another, whenever it runs.
struct Canceller {
    scope: RefCell<Option<CancelScope>>,
    over: Cell<bool>,
}

impl Canceller {
    async fn run(&self) -> Result<()> {
        while !self.over.get() {
            yield_now().await?;
            if let Some(scope) = self.scope.take() {
                scope.cancel();
            }
        }
        Ok(())
    }

    /// An operation that may be cancelled: then it is `None`.
    async fn may_cancel<T>(&self, work: impl AsyncFnOnce() -> Result<T>) -> Result<Option<T>> {
        let scope = CancelScope::new();
        scope
            .enter(async |scope| {
                self.scope.replace(Some(scope.clone()));
                work().await
            })
            .await
    }
}

/// Bytes go through a narrow stream. Many of the reads and writes are cancelled, and then done
/// again. If one of those had happened, bytes would come twice or be missing.
async fn transfer_with_cancellations<S: Socket>(
    one: &SocketStream<S>,
    other: &SocketStream<S>,
) -> Result<usize> {
    let sent = pattern(120_000);
    let received = RefCell::new(Vec::new());
    let cancelled = Cell::new(0);
    let new = || Canceller { scope: RefCell::new(None), over: Cell::new(false) };
    let (of_reads, of_writes) = (new(), new());
    nursery(async |n| {
        drop(n.spawn(of_reads.run()));
        drop(n.spawn(of_writes.run()));
        drop(n.spawn(async {
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let part = &rest[..rest.len().min(3000)];
                match of_writes.may_cancel(async || one.write(part).await).await? {
                    Some(n) => rest = &rest[n..],
                    None => cancelled.set(cancelled.get() + 1),
                }
            }
            of_writes.over.set(true);
            one.shutdown(Shutdown::Write)
        }));
        drop(n.spawn(async {
            let mut buffer = [0; 1000];
            loop {
                match of_reads.may_cancel(async || other.read(&mut buffer).await).await? {
                    Some(0) => break,
                    Some(n) => received.borrow_mut().extend_from_slice(&buffer[..n]),
                    None => cancelled.set(cancelled.get() + 1),
                }
            }
            of_reads.over.set(true);
            Ok(())
        }));
        Ok(())
    })
    .await?;
    assert!(received.take() == sent);
    Ok(cancelled.get())
}

#[test]
fn c10_no_byte_is_lost_or_sent_twice_by_cancellations() {
    let mut cancelled = 0;
    for seed in 0..6 {
        cancelled += Builder::new()
            .seed(seed)
            .budget(1 + seed as u32)
            .run(async {
                let (one, other) = UnixStream::pair()?;
                let cancelled = transfer_with_cancellations(&one, &other).await?;
                let (one, other) = narrow_tcp_pair().await?;
                Ok(cancelled + transfer_with_cancellations(&one, &other).await?)
            })
            .unwrap();
    }
    assert!(cancelled > 0);
}

#[test]
fn c10_what_was_read_to_the_end_so_far_is_kept() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let mut buffer = b"> ".to_vec();
        other.write_all(b"first, ").await?;
        let scope = CancelScope::new();
        nursery(async |n| {
            let reading = n.spawn(scope.enter(async |_| one.read_to_end(&mut buffer).await));
            yield_now().await?;
            yield_now().await?;
            scope.cancel();
            assert_eq!(reading.await?, None);
            Ok(())
        })
        .await?;
        other.write_all(b"second").await?;
        drop(other);
        assert_eq!(one.read_to_end(&mut buffer).await?, 6);
        assert_eq!(buffer, b"> first, second");
        Ok(())
    })
    .unwrap();
}

/// A waker whose count shows whether anything keeps it.
struct Idle;

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn c10_operations_that_were_dropped_leave_no_wakers() {
    run(async {
        let (one, _other) = UnixStream::pair()?;
        let idle = Arc::new(Idle);
        for _ in 0..1000 {
            let waker = Waker::from(Arc::new(Idle)); // never the same
            let mut buffer = [0; 8];
            let mut reading = Box::pin(one.read(&mut buffer));
            assert!(reading.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let waker = Waker::from(idle.clone());
            assert!(reading.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(Arc::strong_count(&idle), 1);
        // Foreign traits do not tell when an operation is dropped, so some wakers are kept.
        let wakers: Vec<_> = (0..1000).map(|_| Arc::new(Idle)).collect();
        for waker in &wakers {
            let waker = Waker::from(waker.clone());
            let mut buffer = [0; 8];
            let reading =
                Pin::new(&mut &one).poll_read(&mut Context::from_waker(&waker), &mut buffer);
            assert!(reading.is_pending());
        }
        assert!(wakers.iter().filter(|waker| Arc::strong_count(waker) > 1).count() <= 17);
        Ok(())
    })
    .unwrap();
}
