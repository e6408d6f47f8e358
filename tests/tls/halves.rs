//! Two tasks on one connection, one that reads and one that writes.

use std::future::Future;
use std::task::Poll;

use futures::task::noop_waker_ref;
use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::{Result, move_on_after, nursery, sleep, yield_now};

use super::memory::Memory;
use super::support::{run, secs};
use super::{Configs, pattern};

#[test]
fn w06_both_directions_go_on_at_once() {
    run(async {
        let configs = Configs::new();
        for capacity in [1, 500, 20_000, 1 << 20] {
            let (client, server) = configs.pair(capacity).await?;
            let sent = pattern(if capacity == 1 { 2_000 } else { 100_000 });
            nursery(async |n| {
                for (mine, other) in [(&client, &server), (&server, &client)] {
                    n.spawn(async {
                        mine.write_all(&sent).await?;
                        mine.shutdown().await
                    });
                    n.spawn(async {
                        let mut received = Vec::new();
                        other.read_to_end(&mut received).await?;
                        assert!(sent == received);
                        Ok(())
                    });
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_reader_and_a_writer_that_both_wait_are_woken_each_for_itself() {
    run(async {
        let (client, server) = Configs::new().pair(2_000).await?;
        let sent = pattern(100_000);
        nursery(async |n| {
            let reader = n.spawn(async {
                let mut buffer = [0; 5];
                client.read_exact(&mut buffer).await?;
                Ok(buffer)
            });
            let writer = n.spawn(client.write_all(&sent));
            sleep(secs(1)).await?; // both wait
            assert!(!reader.is_finished() && !writer.is_finished());
            // The writer still waits when the reader goes on.
            server.write_all(b"hello").await?;
            assert_eq!(&reader.await?, b"hello");
            sleep(secs(1)).await?;
            assert!(!writer.is_finished());
            // A reader waits when the writer goes on.
            let reader = n.spawn(async { client.read(&mut [0; 5]).await });
            let mut received = vec![0; sent.len()];
            server.read_exact(&mut received).await?;
            assert!(sent == received);
            writer.await?;
            assert!(!reader.is_finished());
            server.write_all(b"x").await?;
            assert_eq!(reader.await?, 1);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn w06_whoever_waits_to_read_sends_what_a_write_has_left() {
    run(async {
        let (client, server) = Configs::new().pair(2_000).await?;
        let sent = pattern(10_000);
        nursery(async |n| {
            // One write takes it all, and the stream does not. Then nobody writes any more.
            assert_eq!(client.write(&sent).await?, sent.len());
            n.spawn(async {
                let mut received = vec![0; sent.len()];
                server.read_exact(&mut received).await?;
                assert!(sent == received);
                server.write_all(b"answer").await
            });
            let mut answer = [0; 6];
            client.read_exact(&mut answer).await?;
            assert_eq!(&answer, b"answer");
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// The stream keeps one waker a direction, and the task that it wakes may be gone.
#[test]
fn w06_a_writer_is_woken_though_a_reader_that_sent_for_it_has_gone() {
    run(async {
        for first in ["reader", "writer"] {
            let (client, server) = Configs::new().pair(2_000).await?;
            let sent = pattern(10_000);
            nursery(async |n| {
                assert_eq!(client.write(&sent).await?, sent.len());
                let read = async || move_on_after(secs(1), client.read(&mut [0])).await.map(drop);
                let read = &read;
                if first == "reader" {
                    n.spawn(read());
                    yield_now().await?;
                }
                let flushing = n.spawn(client.flush());
                if first == "writer" {
                    yield_now().await?;
                    n.spawn(read());
                }
                sleep(secs(2)).await?; // the reader has gone
                assert!(!flushing.is_finished());
                let mut received = vec![0; sent.len()];
                server.read_exact(&mut received).await?;
                flushing.await
            })
            .await?;
            // And the other way round: a writer that is given up leaves it to the reader.
            let (client, server) = Configs::new().pair(2_000).await?;
            nursery(async |n| {
                assert_eq!(client.write(&sent).await?, sent.len());
                let flush = async || move_on_after(secs(1), client.flush()).await.map(drop);
                let flush = &flush;
                if first == "writer" {
                    n.spawn(flush());
                    yield_now().await?;
                }
                let reading = n.spawn(async { client.read(&mut [0]).await });
                if first == "reader" {
                    yield_now().await?;
                    n.spawn(flush());
                }
                sleep(secs(2)).await?;
                let mut received = vec![0; sent.len()];
                server.read_exact(&mut received).await?;
                server.write_all(b"x").await?;
                assert_eq!(reading.await?, 1);
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_writer_that_waits_learns_that_the_connection_is_broken() {
    run(async {
        let (client, server) = Configs::new().pair(2_000).await?;
        client.with_stream(Memory::incoming).take(); // tickets
        nursery(async |n| {
            let writing = n.spawn(async { Ok(client.write_all(&pattern(10_000)).await) });
            yield_now().await?;
            server.with_stream(Memory::outgoing).put(&[23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            server.with_stream(Memory::outgoing).put(&[0; 11]);
            assert!(client.read(&mut [0]).await.is_err());
            // Though the peer never takes anything.
            let error = move_on_after(secs(1), writing).await?.expect("it is told").unwrap_err();
            assert!(error.to_string().starts_with("TLS with `server.test` failed"), "{error}");
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// Polls a future once, with a waker that does nothing.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut std::task::Context::from_waker(noop_waker_ref()))
}

#[test]
fn w06_what_is_dropped_while_it_waits_has_not_happened() {
    run(async {
        let (client, server) = Configs::new().pair(2_000).await?;
        let mut buffer = [0; 4];
        assert!(poll(client.read(&mut buffer)).is_pending());
        server.write_all(b"abcd").await?;
        for byte in b"abcd" {
            assert!(matches!(poll(client.read(&mut buffer[..1])), Poll::Ready(Ok(1))));
            assert_eq!(buffer[0], *byte);
        }
        assert!(poll(client.read(&mut buffer)).is_pending());
        // The first is written, and leaves no room for the second.
        let sent = pattern(10_000);
        assert!(matches!(poll(client.write(&sent)), Poll::Ready(Ok(10_000))));
        for _ in 0..3 {
            assert!(poll(client.write(b"never")).is_pending());
        }
        let mut received = Vec::new();
        nursery(async |n| {
            n.spawn(client.shutdown());
            server.read_to_end(&mut received).await
        })
        .await?;
        assert!(sent == received);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_foreign_traits_work_by_reference_and_by_value() {
    run(async {
        let (client, mut server) = Configs::new().pair(3_000).await?;
        let sent = pattern(100_000);
        nursery(async |n| {
            n.spawn(async {
                let (mut near, mut far) = AsyncReadExt::split(&mut server);
                futures::io::copy(&mut near, &mut far).await?;
                far.close().await?;
                Ok(())
            });
            n.spawn(async {
                let pieces = [&sent[..7], &[], &sent[7..9_000], &sent[9_000..]];
                let mut pieces = pieces.map(std::io::IoSlice::new);
                let mut rest = &mut pieces[..];
                while rest.iter().any(|piece| !piece.is_empty()) {
                    let n = (&client).write_vectored(rest).await?;
                    std::io::IoSlice::advance_slices(&mut rest, n);
                }
                AsyncWriteExt::close(&mut &client).await?;
                Ok(())
            });
            let mut received = Vec::new();
            AsyncReadExt::read_to_end(&mut &client, &mut received).await?;
            assert!(sent == received);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[cfg(feature = "tokio-io")]
#[test]
fn w06_tokios_traits_work_as_those_of_futures_do() {
    run(async {
        let (client, server) = Configs::new().pair(3_000).await?;
        let sent = pattern(100_000);
        nursery(async |n| {
            n.spawn(async {
                let (mut near, mut far) = (&server, &server);
                tokio::io::copy(&mut near, &mut far).await?;
                tokio::io::AsyncWriteExt::shutdown(&mut far).await?;
                Ok(())
            });
            let (mut reader, mut writer) = tokio::io::split(client);
            let sent = &sent;
            n.spawn(async move {
                tokio::io::AsyncWriteExt::write_all(&mut writer, sent).await?;
                tokio::io::AsyncWriteExt::shutdown(&mut writer).await?;
                Ok(())
            });
            let mut received = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut received).await?;
            assert!(*sent == received);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn w06_a_connection_that_is_used_by_its_own_stream_fails() {
    use std::cell::RefCell;
    use std::io;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::Context;

    use futures::{AsyncRead, AsyncWrite};
    use seedbed::tls::TlsStream;

    type Shared = Rc<RefCell<Option<Rc<TlsStream<Nosy>>>>>;

    /// A stream that reads and writes the connection over it.
    struct Nosy(Memory, Shared, Rc<RefCell<Vec<io::Error>>>);

    impl Nosy {
        fn meddle(&self, cx: &mut Context<'_>) {
            let Some(above) = self.1.borrow().clone() else { return };
            for outcome in [
                Pin::new(&mut &*above).poll_read(cx, &mut [0]),
                Pin::new(&mut &*above).poll_write(cx, &[0]),
            ] {
                if let Poll::Ready(Err(error)) = outcome {
                    self.2.borrow_mut().push(error);
                }
            }
        }
    }

    impl AsyncRead for Nosy {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.meddle(cx);
            Pin::new(&mut self.0).poll_read(cx, into)
        }
    }

    impl AsyncWrite for Nosy {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.meddle(cx);
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_close(cx)
        }
    }

    run(async {
        let (above, errors) = (Shared::default(), Rc::default());
        let nosy = |memory| Nosy(memory, above.clone(), Rc::clone(&errors));
        let (near, far) = super::memory::pair(1 << 20);
        let (client, server) = Configs::new().connect(nosy(near), nosy(far)).await?;
        let client = Rc::new(client);
        above.replace(Some(client.clone()));
        client.write_all(b"ping").await?;
        let mut buffer = [0; 4];
        server.read_exact(&mut buffer).await?;
        server.write_all(b"pong").await?;
        client.read_exact(&mut buffer).await?;
        above.replace(None);
        assert!(!errors.borrow().is_empty());
        let text = "a TLS connection was used from within its own reads and writes";
        assert!(errors.borrow().iter().all(|error| error.to_string() == text));
        Ok(()) as Result<()>
    })
    .unwrap();
}
