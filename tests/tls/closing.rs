//! How a connection ends, and what is not lost then.

use std::io;

use seedbed::net::{TcpListener, TcpStream};
use seedbed::tls::{self, TlsFailed, TlsStream};
use seedbed::{CancelScope, Result, move_on_after, nursery};

use super::memory::Memory;
use super::support::{cancelled, is_cancelled, run, secs};
use super::{Configs, kind_of, pattern};

#[test]
fn w06_an_end_is_told_from_a_connection_that_was_cut() {
    run(async {
        let configs = Configs::new();
        let mut buffer = [0; 8];
        let (client, server) = configs.pair(1 << 20).await?;
        client.write_all(b"all").await?;
        client.shutdown().await?;
        assert_eq!(server.read(&mut buffer).await?, 3);
        assert_eq!(server.read(&mut buffer).await?, 0);
        assert_eq!(server.read(&mut buffer).await?, 0);

        // A stream that is dropped says nothing.
        let (client, server) = configs.pair(1 << 20).await?;
        client.write_all(b"all").await?;
        drop(client);
        assert_eq!(server.read(&mut buffer).await?, 3);
        for _ in 0..2 {
            let error = server.read(&mut buffer).await.unwrap_err();
            assert_eq!(kind_of(&error), io::ErrorKind::UnexpectedEof);
            let text = "the connection to a client ended without a close_notify, so what has come \
                        may not be all that was sent";
            assert_eq!(error.to_string(), text);
            assert!(error.find::<TlsFailed>().is_some());
        }
        let mut text = Vec::new();
        assert!(server.read_to_end(&mut text).await.is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_one_direction_may_end_while_the_other_goes_on() {
    run(async {
        let (client, server) = Configs::new().pair(1 << 20).await?;
        client.shutdown().await?;
        client.shutdown().await?; // once is enough
        assert_eq!(server.read(&mut [0]).await?, 0);
        let sent = pattern(100_000);
        let mut received = Vec::new();
        nursery(async |n| {
            n.spawn(async {
                server.write_all(&sent).await?;
                server.close().await
            });
            client.read_to_end(&mut received).await
        })
        .await?;
        assert!(sent == received);
        let error = client.write(b"more").await.unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::BrokenPipe);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_what_was_written_before_a_close_is_not_lost() {
    run(async {
        let configs = Configs::new();
        for capacity in [1, 1_000, 1 << 20] {
            let (client, server) = configs.pair(capacity).await?;
            let sent = pattern(if capacity == 1 { 2_000 } else { 200_000 });
            let mut received = Vec::new();
            nursery(async |n| {
                n.spawn(async {
                    let mut rest = sent.as_slice();
                    while !rest.is_empty() {
                        // Not `write_all`, which flushes.
                        rest = &rest[client.write(rest).await?..];
                    }
                    client.close().await
                });
                server.read_to_end(&mut received).await?;
                server.close().await
            })
            .await?;
            assert!(sent == received);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_client_that_never_reads_its_tickets_does_not_lose_what_it_sends() {
    seedbed::run(async {
        let configs = Configs::with(|_, server| server.send_tls13_tickets = 8);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sent = pattern(4_000_000);
        for _ in 0..5 {
            let near = TcpStream::connect(listener.local_addr()?).await?;
            let (far, _) = listener.accept().await?;
            let (client, server) = configs.connect(near, far).await?;
            let mut received = Vec::new();
            nursery(async |n| {
                n.spawn(async {
                    client.write_all(&sent).await?;
                    client.close().await
                });
                server.read_to_end(&mut received).await?;
                server.close().await
            })
            .await?;
            assert!(sent == received, "{} bytes have come", received.len());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_closing_takes_two_seconds_at_most() {
    run(async {
        let configs = Configs::new();
        // The other side takes nothing more, or only does not end its own direction.
        for capacity in [1 << 20, 2_000] {
            let (client, server) = configs.pair(capacity).await?;
            client.write(&pattern(10_000)).await?;
            let begun = seedbed::now();
            client.close().await?;
            assert_eq!(seedbed::now() - begun, secs(2));
            drop(server);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_close_that_is_cancelled_has_told_the_peer() {
    run(async {
        let configs = Configs::new();
        let (client, server) = configs.pair(1 << 20).await?;
        client.write_all(b"all").await?;
        assert!(cancelled(client.close()).await?.is_none());
        let mut text = Vec::new();
        server.read_to_end(&mut text).await?;
        assert_eq!(text, b"all");

        // Unless there was no room for that.
        let (client, server) = configs.pair(2_000).await?;
        client.write(&pattern(10_000)).await?;
        assert!(cancelled(client.close()).await?.is_none());
        assert!(server.read_to_end(&mut text).await.is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_shutdown_that_is_cancelled_can_be_gone_on_with() {
    run(async {
        let (client, server) = Configs::new().pair(2_000).await?;
        let sent = pattern(10_000);
        assert_eq!(client.write(&sent).await?, sent.len());
        assert!(move_on_after(secs(1), client.shutdown()).await?.is_none());
        assert_eq!(kind_of(&client.write(b"x").await.unwrap_err()), io::ErrorKind::BrokenPipe);
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
fn w06_servers_close_what_their_handlers_drop() {
    seedbed::run(async {
        let configs = Configs::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = CancelScope::new();
        let sent = pattern(1_000_000);
        nursery(async |n| {
            n.spawn(server.enter(async |_| {
                seedbed::serve(listener, async |stream, _| {
                    let stream = tls::accept(&configs.server, stream).await?;
                    stream.read_exact(&mut [0]).await?; // and leaves the rest
                    stream.write_all(&sent).await?;
                    stream.shutdown().await
                })
                .await
            }));
            for _ in 0..5 {
                let stream = TcpStream::connect(address).await?;
                let client = tls::connect(&configs.client, super::NAME, stream).await?;
                client.write_all(&pattern(10_000)).await?;
                let mut received = Vec::new();
                client.read_to_end(&mut received).await?;
                assert!(sent == received);
                client.close().await?;
            }
            server.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn w06_the_stream_underneath_may_fail() {
    run(async {
        let (client, server) = Configs::new().pair(1 << 20).await?;
        client.with_stream(Memory::outgoing).cut_after.set(0);
        // It was taken for written, so the next one learns that it was not.
        assert_eq!(client.write(b"x").await?, 1);
        let error = client.flush().await.unwrap_err();
        assert_eq!(kind_of(&error), io::ErrorKind::WriteZero);
        assert!(server.read(&mut [0]).await.is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_every_operation_is_a_checkpoint() {
    run(async {
        let (client, server) = Configs::new().pair(1 << 20).await?;
        server.write_all(b"something to read").await?;
        let mut buffer = [0; 8];
        let mut text = Vec::new();
        let client: &TlsStream<_> = &client;
        let scope = CancelScope::new();
        scope.cancel();
        scope
            .enter(async |_| -> Result<()> {
                assert!(is_cancelled(&client.read(&mut buffer).await));
                assert!(is_cancelled(&client.read_exact(&mut buffer).await));
                assert!(is_cancelled(&client.read_exact(&mut []).await));
                assert!(is_cancelled(&client.read_to_end(&mut text).await));
                assert!(is_cancelled(&client.write(b"x").await));
                assert!(is_cancelled(&client.write_all(b"x").await));
                assert!(is_cancelled(&client.write_all(b"").await));
                assert!(is_cancelled(&client.flush().await));
                assert!(is_cancelled(&client.shutdown().await));
                Ok(())
            })
            .await?;
        // None has happened: not even the shutdown has begun.
        assert_eq!(client.read(&mut buffer).await?, 8);
        client.write_all(b"y").await?;
        assert_eq!(server.read(&mut buffer).await?, 1);
        assert_eq!(buffer[0], b'y');
        Ok(())
    })
    .unwrap();
}
