//! The handshake: what it agrees on, over which streams, and how long it may take.

use std::time::Duration;

use rustls::version::TLS12;
use rustls::{Connection, ProtocolVersion};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::testing::VirtualClock;
use seedbed::tls::{self, TlsFailed};
use seedbed::{CancelScope, Deadlock, NotRunning, Result, TooSlow, fail_after, nursery, sleep};

use super::memory::{Memory, pair};
use super::support::{run, run_on, secs, shape};
use super::{Configs, NAME, kind_of, pattern};

/// Says hello in one direction and the other.
async fn greet<S>(client: &tls::TlsStream<S>, server: &tls::TlsStream<S>) -> Result<()>
where
    S: futures::AsyncRead + futures::AsyncWrite + Unpin,
{
    for (from, to) in [(client, server), (server, client)] {
        nursery(async |n| {
            n.spawn(from.write_all(b"hello"));
            let mut buffer = [0; 5];
            to.read_exact(&mut buffer).await?;
            assert_eq!(&buffer, b"hello");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[test]
fn w06_tls_works_over_every_kind_of_stream() {
    run(async {
        let configs = Configs::new();
        for capacity in [1, 100, 1 << 20] {
            let (client, server) = configs.pair(capacity).await?;
            greet(&client, &server).await?;
        }
        // Over itself.
        let (near, far) = configs.pair(1 << 20).await?;
        let (client, server) = configs.connect(near, far).await?;
        greet(&client, &server).await
    })
    .unwrap();
    seedbed::run(async {
        let configs = Configs::new();
        let (near, far) = UnixStream::pair()?;
        let (client, server) = configs.connect(near, far).await?;
        greet(&client, &server).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let near = TcpStream::connect(listener.local_addr()?).await?;
        let (far, _) = listener.accept().await?;
        // A stream that is only borrowed.
        let (client, server) = configs.connect(&near, &far).await?;
        greet(&client, &server).await
    })
    .unwrap();
}

#[test]
fn w06_the_two_sides_agree_on_a_protocol_and_a_name() {
    run(async {
        let configs = Configs::with(|client, server| {
            client.alpn_protocols = vec![b"one".to_vec(), b"two".to_vec()];
            server.alpn_protocols = vec![b"two".to_vec(), b"three".to_vec()];
        });
        let (client, server) = configs.pair(1 << 20).await?;
        for stream in [&client, &server] {
            assert_eq!(stream.alpn_protocol().unwrap(), b"two");
            let version = stream.with_connection(|connection| connection.protocol_version());
            assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
        }
        server.with_connection(|connection| {
            let Connection::Server(server) = connection else { panic!("it is the server") };
            assert_eq!(server.server_name(), Some(NAME));
        });
        let (client, server) = Configs::new().pair(1 << 20).await?;
        assert_eq!((client.alpn_protocol(), server.alpn_protocol()), (None, None));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_handshake_that_is_slow_ends_with_its_limit() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let configs = Configs::new();
        let begun = seedbed::now();
        // The peer says nothing.
        let (near, _far) = pair(1 << 20);
        let error = tls::connect(&configs.client, NAME, near).await.unwrap_err();
        assert_eq!(seedbed::now() - begun, secs(10));
        assert_eq!(kind_of(&error), std::io::ErrorKind::TimedOut);
        let text = "the TLS handshake with `server.test` failed: it was not done within 10s";
        assert_eq!(error.to_string(), text);
        let place = error.place().unwrap();
        assert_eq!((place.file(), place.line()), (file!(), line!() - 6));

        // One byte a second, and one that would never end.
        let (near, far) = pair(1 << 20);
        let pipe = near.incoming();
        let hello = hello(&configs).await?;
        let begun = seedbed::now();
        let error = nursery(async |n| {
            n.spawn(async {
                for byte in &hello {
                    pipe.put(&[*byte]);
                    sleep(secs(1)).await?;
                }
                Ok(())
            });
            let limit = Duration::from_secs(30);
            let outcome = tls::accept(&configs.server, near).limit(limit).await;
            n.cancel();
            Ok(outcome.unwrap_err())
        })
        .await?;
        drop(far);
        assert_eq!(seedbed::now() - begun, secs(30));
        assert_eq!(kind_of(&error), std::io::ErrorKind::TimedOut);
        assert!(error.to_string().starts_with("the TLS handshake with a client failed"));

        // A limit around it is one of that.
        let (near, _far) = pair(1 << 20);
        let handshake = tls::connect(&configs.client, NAME, near);
        let error = fail_after(secs(1), handshake).await.unwrap_err();
        assert!(error.is::<TooSlow>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_handshake_may_have_no_limit() {
    let clock = VirtualClock::new();
    let outcome = run_on(&clock, async {
        let (near, _far) = pair(1 << 20);
        tls::accept(&Configs::new().server, near).limit(Duration::MAX).await
    });
    // It waits without a timer.
    assert!(outcome.unwrap_err().is::<Deadlock>());
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

/// Before TLS 1.3 the server has the last word, and its client waits for that.
#[test]
fn w06_a_server_of_old_tls_leaves_no_part_of_the_handshake_unsent() {
    run(async {
        let configs = Configs::speaking(&[&TLS12]);
        for capacity in [1, 10, 50, 1 << 20] {
            let (client, server) = configs.pair(capacity).await?;
            let version = client.with_connection(|connection| connection.protocol_version());
            assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
            greet(&client, &server).await?;
        }
        Ok(())
    })
    .unwrap();
}

/// How a client begins.
async fn hello(configs: &Configs) -> Result<Vec<u8>> {
    let (near, far) = pair(1 << 20);
    let begun = tls::connect(&configs.client, NAME, near);
    seedbed::move_on_after(Duration::from_millis(1), begun).await?;
    Ok(far.incoming().take())
}

#[test]
fn w06_a_handshake_may_come_in_single_bytes() {
    run(async {
        let configs = Configs::new();
        let (near, far) = pair(1 << 20);
        for pipe in [near.incoming(), near.outgoing()] {
            pipe.at_once.set(1);
            pipe.unrest.set(7);
        }
        let (client, server) = configs.connect(near, far).await?;
        greet(&client, &server).await
    })
    .unwrap();
}

#[test]
fn w06_a_handshake_that_is_cancelled_drops_its_stream_at_once() {
    run(async {
        let configs = Configs::new();
        let (near, far) = pair(1 << 20);
        let scope = CancelScope::new();
        nursery(async |n| {
            n.spawn(async {
                let handshake = tls::connect(&configs.client, NAME, near);
                let none = scope.enter(async |_| handshake.await).await?;
                assert!(none.is_none());
                Ok(())
            });
            while !far.outgoing().is_awaited() {
                seedbed::yield_now().await?;
            }
            scope.cancel();
            let error = tls::accept(&configs.server, far).await.unwrap_err();
            assert_eq!(kind_of(&error), std::io::ErrorKind::UnexpectedEof);
            assert!(error.to_string().ends_with("the peer has ended the connection"), "{error}");
            Ok(())
        })
        .await?;
        // In a scope that is cancelled already, it does not begin.
        let (near, far) = pair(1 << 20);
        let none = super::support::cancelled(tls::connect(&configs.client, NAME, near)).await?;
        assert!(none.is_none());
        assert_eq!(far.incoming().take(), []);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_outside_of_a_run_there_is_no_handshake() {
    let configs = Configs::new();
    let (near, _far): (Memory, Memory) = pair(1 << 20);
    let error = futures::executor::block_on(tls::connect(&configs.client, NAME, near)).unwrap_err();
    assert!(error.is::<NotRunning>());
}

#[test]
fn w06_a_name_that_no_certificate_can_be_for_is_refused() {
    run(async {
        let configs = Configs::new();
        for name in ["", "no name", "[not an address]", "a..b"] {
            let (near, _far) = pair(1 << 20);
            let error = tls::connect(&configs.client, name, near).await.unwrap_err();
            assert_eq!(kind_of(&error), std::io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
            assert!(error.find::<TlsFailed>().is_none());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_server_does_not_wait_until_its_tickets_are_read() {
    run(async {
        // As little room as a client's part of the handshake needs.
        let configs = Configs::with(|_, server| server.send_tls13_tickets = 100);
        let (near, far) = pair(1000);
        let sent = pattern(100_000);
        let mut received = vec![0; sent.len()];
        nursery(async |n| {
            n.spawn(async {
                let server = tls::accept(&configs.server, far).await?;
                server.read_exact(&mut received).await?;
                server.close().await
            });
            let client = tls::connect(&configs.client, NAME, near).await?;
            client.write_all(&sent).await?; // before it reads anything
            client.close().await
        })
        .await
        .map_err(|error| panic!("{}", shape(&error)))?;
        assert!(sent == received);
        Ok(())
    })
    .unwrap();
}
