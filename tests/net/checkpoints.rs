//! C2: every operation is a checkpoint.

use std::cell::Cell;
use std::future::Future;
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;

use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::{Builder, Cancelled, Error, Result, cancel_scope, nursery, run, yield_now};

use super::tcp_pair;

fn is_cancelled<T: std::fmt::Debug>(result: Result<T>) -> bool {
    result.unwrap_err().is::<Cancelled>()
}

#[test]
fn c02_every_operation_looks_for_cancellation_first() {
    run(async {
        let (one, mut other) = tcp_pair().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let waiting = std::net::TcpStream::connect(address)?;
        let (u, _v) = UnixStream::pair()?;
        other.write_all(b"x").await?; // everything could be done at once
        cancel_scope(async |scope| {
            scope.cancel();
            let mut b = [0; 1];
            let mut v = Vec::new();
            assert!(is_cancelled(one.read(&mut b).await));
            assert!(is_cancelled(one.read(&mut []).await));
            assert!(is_cancelled(one.read_vectored(&mut [IoSliceMut::new(&mut b)]).await));
            assert!(is_cancelled(one.read_exact(&mut b).await));
            assert!(is_cancelled(one.read_exact(&mut []).await));
            assert!(is_cancelled(one.read_to_end(&mut v).await));
            assert!(is_cancelled(one.peek(&mut b).await));
            assert!(is_cancelled(one.readable().await));
            assert!(is_cancelled(one.write(b"y").await));
            assert!(is_cancelled(one.write(b"").await));
            assert!(is_cancelled(one.write_vectored(&[IoSlice::new(b"y")]).await));
            assert!(is_cancelled(one.write_all(b"y").await));
            assert!(is_cancelled(one.write_all(b"").await));
            assert!(is_cancelled(one.writable().await));
            assert!(is_cancelled(one.flush().await));
            assert!(is_cancelled(listener.accept().await));
            assert!(is_cancelled(TcpListener::bind("127.0.0.1:0").await));
            assert!(is_cancelled(TcpStream::connect(address).await));
            assert!(is_cancelled(u.read(&mut b).await));
            // Through foreign traits, inside an `io::Error`, and out of it again.
            assert!(is_cancelled(
                AsyncReadExt::read_to_end(&mut &one, &mut v).await.map_err(Error::from)
            ));
            assert!(is_cancelled(
                AsyncWriteExt::write_all(&mut other, b"y").await.map_err(Error::from)
            ));
            assert!(is_cancelled(AsyncWriteExt::flush(&mut &one).await.map_err(Error::from)));
            assert!(is_cancelled(AsyncWriteExt::close(&mut &one).await.map_err(Error::from)));
            one.shutdown(Shutdown::Write)?; // is none
            Ok(())
        })
        .await?;
        // Nothing of it has happened.
        let mut b = [0; 8];
        assert_eq!((one.read(&mut b).await?, b[0]), (1, b'x'));
        assert_eq!(other.read(&mut b).await?, 0);
        assert_eq!(listener.accept().await?.1, waiting.local_addr()?);
        Ok(())
    })
    .unwrap();
}

/// How often another task runs while `work` does.
async fn turns_of_others(work: impl Future<Output = Result<()>>) -> Result<usize> {
    let turns = Cell::new(0);
    let over = Cell::new(false);
    nursery(async |n| {
        drop(n.spawn(async {
            while !over.get() {
                turns.set(turns.get() + 1);
                yield_now().await?;
            }
            Ok(())
        }));
        yield_now().await?;
        turns.set(0);
        let outcome = work.await;
        over.set(true);
        outcome
    })
    .await?;
    Ok(turns.get())
}

#[test]
fn c02_operations_that_are_ready_let_others_run() {
    let operations = 64;
    for budget in [1, 4, 16] {
        let least = operations / budget as usize;
        let (read, written, failed, foreign) = Builder::new()
            .budget(budget)
            .run(async {
                let (one, other) = UnixStream::pair()?;
                let written = turns_of_others(async {
                    for _ in 0..operations {
                        assert_eq!(one.write(b"xy").await?, 2);
                    }
                    Ok(())
                })
                .await?;
                let read = turns_of_others(async {
                    for _ in 0..operations {
                        assert_eq!(other.read(&mut [0]).await?, 1);
                    }
                    Ok(())
                })
                .await?;
                let foreign = turns_of_others(async {
                    for _ in 0..operations {
                        assert_eq!((&mut &other).read(&mut [0]).await?, 1);
                    }
                    Ok(())
                })
                .await?;
                // A loop that ignores it.
                let failed = turns_of_others(async {
                    cancel_scope(async |scope| {
                        scope.cancel();
                        for _ in 0..operations {
                            assert!(is_cancelled(other.read(&mut [0]).await));
                        }
                        Ok(())
                    })
                    .await?;
                    Ok(())
                })
                .await?;
                Ok((read, written, failed, foreign))
            })
            .unwrap();
        for turns in [read, written, failed, foreign] {
            assert!(turns >= least && turns <= least + 2, "{turns} with a budget of {budget}");
        }
    }
}
