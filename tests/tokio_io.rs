//! tokio's I/O traits over the streams of this crate, without tokio's runtime.
#![cfg(unix)]

use std::io::{self, IoSlice};
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use seedbed::net::{Socket, SocketStream, TcpListener, TcpStream, UnixStream};
use seedbed::{
    Builder, Cancelled, Error, Result, cancel_scope, fail_after, move_on_after, nursery, run,
    yield_now,
};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf,
};

async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

/// More than the buffers between two ends hold.
fn much() -> Vec<u8> {
    (0..3_000_000).map(|i: u32| (i * 31 + i / 251) as u8).collect()
}

/// Sends much through one end, back through tokio's `copy` at the other, and compares.
async fn there_and_back<S: Socket>(near: SocketStream<S>, far: SocketStream<S>) -> Result<()> {
    let sent = much();
    let mut received = Vec::new();
    nursery(async |n| {
        n.spawn(async move {
            let (mut reader, mut writer) = far.into_split();
            let bytes = tokio::io::copy(&mut reader, &mut writer).await?;
            writer.shutdown()?;
            assert_eq!(bytes, 3_000_000);
            Ok(())
        });
        n.spawn(async {
            // `AsyncWriteExt`'s, by name, because the streams have one of that name too.
            AsyncWriteExt::write_all(&mut &near, &sent).await?;
            Ok(AsyncWriteExt::shutdown(&mut &near).await?)
        });
        let mut reader = &near;
        Ok(AsyncReadExt::read_to_end(&mut reader, &mut received).await?)
    })
    .await?;
    assert_eq!(received, sent);
    Ok(())
}

#[test]
fn copies_over_both_kinds() {
    run(async {
        let (near, far) = tcp_pair().await?;
        there_and_back(near, far).await?;
        let (near, far) = UnixStream::pair()?;
        there_and_back(near, far).await
    })
    .unwrap();
}

#[test]
fn every_stream_and_half_has_both_traits() {
    fn reads<R: AsyncRead + Unpin>(_: &R) {}
    fn writes<W: AsyncWrite + Unpin>(writer: &W) {
        assert!(writer.is_write_vectored());
    }
    fn all<S: Socket>(mut stream: SocketStream<S>)
    where
        SocketStream<S>: Unpin,
    {
        reads(&stream);
        writes(&stream);
        reads(&&stream);
        writes(&&stream);
        let (reader, writer) = stream.split();
        reads(&reader);
        writes(&writer);
        let (reader, writer) = stream.into_split();
        reads(&reader);
        writes(&writer);
    }
    let (one, _other) = UnixStream::pair().unwrap();
    all(one);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    all(TcpStream::from_std(stream).unwrap());
}

#[test]
fn borrowed_halves_work_in_two_tasks() {
    run(async {
        let (mut near, far) = UnixStream::pair()?;
        let (mut reader, mut writer) = near.split();
        nursery(async |n| {
            n.spawn(async {
                let buffers = [IoSlice::new(b"one\n"), IoSlice::new(b"two\n")];
                assert_eq!(AsyncWriteExt::write_vectored(&mut writer, &buffers).await?, 8);
                AsyncWriteExt::flush(&mut writer).await?;
                Ok(AsyncWriteExt::shutdown(&mut writer).await?)
            });
            let mut lines = BufReader::new(&far).lines();
            assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
            assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
            assert_eq!(lines.next_line().await?, None);
            far.write_all(b"and back").await?;
            drop(far);
            let mut text = String::new();
            AsyncReadExt::read_to_string(&mut reader, &mut text).await?;
            assert_eq!(text, "and back");
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// What is in the buffer already stays, what was read comes after it, and memory that was never
/// written is not required.
#[test]
fn a_read_appends_to_the_buffer() {
    run(async {
        let (near, far) = UnixStream::pair()?;
        far.write_all(b"hello").await?;
        let mut memory = [std::mem::MaybeUninit::uninit(); 8];
        let mut buffer = ReadBuf::uninit(&mut memory);
        buffer.put_slice(b"> ");
        let mut reader = pin!(&near);
        std::future::poll_fn(|cx| reader.as_mut().poll_read(cx, &mut buffer)).await?;
        assert_eq!(buffer.filled(), b"> hello");
        assert_eq!(buffer.remaining(), 1);
        Ok(())
    })
    .unwrap();
}

/// C1 for foreign traits: a read that waits, and one that comes later, fail with `Cancelled`
/// inside an `io::Error`, which is itself again after `?`.
#[test]
fn c01_a_cancellation_reaches_a_read() {
    run(async {
        let (near, _far) = UnixStream::pair()?;
        let scope = cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(async {
                    let mut reader = &near;
                    let error = AsyncReadExt::read(&mut reader, &mut [0; 8]).await.unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::Other);
                    assert!(error.get_ref().is_some_and(|inner| inner.is::<Cancelled>()));
                    let again = AsyncReadExt::read(&mut reader, &mut [0; 8]).await;
                    assert!(Error::from(again.unwrap_err()).is_cancelled());
                    Err::<(), _>(error.into())
                });
                yield_now().await?;
                scope.cancel();
                Ok(())
            })
            .await?;
            Ok(())
        })
        .await?;
        assert_eq!(scope, None); // absorbed: it was a `Cancelled` on the way, not a failure
        Ok(())
    })
    .unwrap();
}

#[test]
fn c01_a_cancellation_reaches_a_write_and_a_copy() {
    run(async {
        let (near, far) = UnixStream::pair()?;
        let short = Duration::from_millis(20);
        // Nobody reads: the buffers fill up, and it waits.
        let sent = much();
        let mut writer = &near;
        let write = async { Ok(AsyncWriteExt::write_all(&mut writer, &sent).await?) };
        assert_eq!(move_on_after(short, write).await?, None);
        // Nobody writes: it waits once it has copied what there is.
        let mut sink = tokio::io::sink();
        let mut reader = &far;
        let copy = async { Ok(tokio::io::copy(&mut reader, &mut sink).await?) };
        assert_eq!(move_on_after(short, copy).await?, None);
        Ok(())
    })
    .unwrap();
}

/// C11: even where another library's combinator polls it with a waker of its own.
#[test]
fn c11_a_cancellation_reaches_a_read_in_a_combinator() {
    run(async {
        let (near, _far) = UnixStream::pair()?;
        let mut reads = FuturesUnordered::new();
        reads.push(async {
            let mut buffer = [0; 8];
            Ok::<_, Error>(AsyncReadExt::read(&mut &near, &mut buffer).await?)
        });
        let reading = async { reads.next().await.expect("there is one") };
        assert_eq!(move_on_after(Duration::from_millis(20), reading).await?, None);
        Ok(())
    })
    .unwrap();
}

/// C10: bytes that have arrived are either read or still there.
#[test]
fn c10_a_cancelled_read_loses_nothing() {
    run(async {
        let (near, far) = UnixStream::pair()?;
        far.write_all(b"kept").await?;
        let mut buffer = [0; 4];
        let read = cancel_scope(async |scope| {
            scope.cancel();
            Ok(AsyncReadExt::read(&mut &near, &mut buffer).await?)
        });
        assert_eq!(read.await?, None);
        assert_eq!(AsyncReadExt::read(&mut &near, &mut buffer).await?, 4);
        assert_eq!(&buffer, b"kept");
        Ok(())
    })
    .unwrap();
}

/// R7: what tokio's `copy` never has to wait for must not starve the others.
#[test]
fn r07_a_copy_that_is_always_ready_lets_others_run() {
    let budget = 16;
    let runner = Builder::new().budget(budget);
    runner
        .run(async {
            let (near, far) = UnixStream::pair()?;
            let sent = vec![1; 64 * 1024];
            far.write_all(&sent).await?;
            drop(far);
            let others = std::cell::Cell::new(0);
            nursery(async |n| {
                n.spawn::<_, ()>(async {
                    loop {
                        others.set(others.get() + 1);
                        yield_now().await?;
                    }
                });
                yield_now().await?;
                let before = others.get();
                let mut reader = &near;
                let mut byte = [0];
                for _ in 0..1000 {
                    AsyncReadExt::read_exact(&mut reader, &mut byte).await?;
                }
                assert!(others.get() - before >= 1000 / budget - 1);
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
}

#[test]
fn the_end_of_the_peer_is_the_end() {
    run(async {
        let (near, far) = tcp_pair().await?;
        drop(far);
        let mut buffer = [0; 8];
        let read = async { Ok(AsyncReadExt::read(&mut &near, &mut buffer).await?) };
        assert_eq!(fail_after(Duration::from_secs(10), read).await?, 0);
        Ok(())
    })
    .unwrap();
}
