//! Peers that do not speak TLS, speak it badly, or without end.

use std::io;

use rustls::version::TLS12;
use rustls::{ClientConnection, PeerMisbehaved, ProtocolVersion};
use seedbed::net::TcpListener;
use seedbed::tls::{self, TlsFailed, TlsStream};
use seedbed::{Error, Result, nursery};

use super::memory::{Memory, pair};
use super::support::run;
use super::{Configs, NAME, kind_of};

fn misbehaved(error: &Error) -> PeerMisbehaved {
    match error.find::<TlsFailed>().and_then(TlsFailed::error) {
        Some(rustls::Error::PeerMisbehaved(what)) => what.clone(),
        _ => panic!("another error: {error}"),
    }
}

#[test]
fn w06_plain_text_is_told_from_tls() {
    run(async {
        let configs = Configs::new();
        let (near, far) = pair(1 << 20);
        far.outgoing().put(b"GET / HTTP/1.1\r\nhost: me\r\n\r\n");
        let error = tls::accept(&configs.server, near).await.unwrap_err();
        let text = "the TLS handshake with a client failed: the peer does not speak TLS; it began \
                    with `GET / HTTP/1.1\\r\\n`";
        assert_eq!(error.to_string(), text);
        assert_eq!(kind_of(&error), io::ErrorKind::InvalidData);
        // The client gets an alert of two bytes, in a record: 21 is its type.
        assert_eq!(far.incoming().take()[0], 21);

        let (near, far) = pair(1 << 20);
        far.outgoing().put(b"SSH-2.0-OpenSSH_9.2\r\n");
        let error = tls::connect(&configs.client, NAME, near).await.unwrap_err();
        assert!(error.to_string().contains("it began with `SSH-2.0-OpenSSH_`"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_garbage_that_begins_like_tls_is_refused() {
    run(async {
        let configs = Configs::new();
        for garbage in [
            [0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5].as_slice(),
            &[0x16, 3, 1, 0xff, 0xff],
            &[0x17, 3, 3, 0, 1, 0],
            &[0x15, 3, 3, 0, 2, 2, 40],
            &[0x16; 100_000],
        ] {
            let (near, far) = pair(1 << 20);
            far.outgoing().put(garbage);
            let error = tls::accept(&configs.server, near).await.unwrap_err();
            assert_eq!(kind_of(&error), io::ErrorKind::InvalidData, "{error}");
            assert!(error.find::<TlsFailed>().is_some());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_errors_of_a_server_name_the_clients_address() {
    seedbed::run(async {
        let configs = Configs::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = seedbed::net::TcpStream::connect(listener.local_addr()?).await?;
        let (server, peer) = listener.accept().await?;
        client.write_all(b"hello").await?;
        let error = tls::accept(&configs.server, server).await.unwrap_err();
        assert!(error.to_string().contains(&peer.to_string()), "{error}");
        Ok(())
    })
    .unwrap();
}

/// A client that is rustls and nothing else, over one end of a connection in memory.
struct Bare {
    connection: ClientConnection,
    stream: Memory,
}

impl Bare {
    /// Does the handshake with a server.
    async fn connect(configs: &Configs) -> Result<(Bare, TlsStream<Memory>)> {
        let name = NAME.try_into().unwrap();
        let connection = ClientConnection::new(configs.client.clone(), name)?;
        let (stream, far) = pair(1 << 30);
        let mut bare = Bare { connection, stream };
        let server = nursery(async |n| {
            let accepting = n.spawn(tls::accept(&configs.server, far));
            while bare.connection.is_handshaking() {
                bare.send();
                seedbed::yield_now().await?;
                bare.receive()?;
            }
            bare.send();
            accepting.await
        })
        .await?;
        Ok((bare, server))
    }

    fn send(&mut self) {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).unwrap();
        }
        self.stream.outgoing().put(&bytes);
    }

    fn receive(&mut self) -> Result<()> {
        let bytes = self.stream.incoming().take();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            self.connection.read_tls(&mut rest)?;
            self.connection.process_new_packets()?;
        }
        Ok(())
    }
}

#[test]
fn w06_keys_that_change_without_end_are_refused() {
    run(async {
        let (mut client, server) = Bare::connect(&Configs::new()).await?;
        for _ in 0..1_000 {
            client.connection.refresh_traffic_keys()?;
            client.send();
        }
        let error = server.read(&mut [0]).await.unwrap_err();
        assert_eq!(misbehaved(&error), PeerMisbehaved::TooManyKeyUpdateRequests);
        // It stays so, in both directions.
        assert_eq!(kind_of(&server.read(&mut [0]).await.unwrap_err()), io::ErrorKind::InvalidData);
        let error = server.write(b"x").await.unwrap_err();
        assert_eq!(misbehaved(&error), PeerMisbehaved::TooManyKeyUpdateRequests);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_keys_may_change_all_the_time_between_bytes() {
    run(async {
        let (mut client, server) = Bare::connect(&Configs::new()).await?;
        client.receive()?; // tickets
        for i in 0..1_000 {
            client.connection.refresh_traffic_keys()?;
            std::io::Write::write_all(&mut client.connection.writer(), &[i as u8])?;
            client.send();
            let mut byte = [0];
            server.read_exact(&mut byte).await?;
            assert_eq!(byte, [i as u8]);
            // No answer is heaped up for each.
            assert_eq!(client.stream.incoming().take(), []);
        }
        server.write_all(b"x").await?;
        client.receive()?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_an_old_client_cannot_ask_for_another_handshake_without_end() {
    run(async {
        let configs = Configs::speaking(&[&TLS12]);
        let (client, server) = configs.pair(1 << 20).await?;
        let version = client.with_connection(|connection| connection.protocol_version());
        assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
        // In the clear, where it is not allowed any more.
        let pipe = client.with_stream(Memory::outgoing);
        pipe.put(&[0x16, 3, 3, 0, 4, 0, 0, 0, 0]);
        assert_eq!(kind_of(&server.read(&mut [0]).await.unwrap_err()), io::ErrorKind::InvalidData);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_record_that_was_changed_is_refused_and_both_sides_know() {
    run(async {
        let (client, server) = Configs::new().pair(1 << 20).await?;
        client.write_all(b"one").await?;
        let pipe = client.with_stream(Memory::outgoing);
        let good = pipe.take();
        client.write_all(b"two").await?;
        let mut bad = pipe.take();
        *bad.last_mut().unwrap() ^= 1;
        pipe.put(&[good, bad].concat());
        let mut buffer = [0; 8];
        // What came before is read.
        assert_eq!(server.read(&mut buffer).await?, 3);
        let error = server.read(&mut buffer).await.unwrap_err();
        let tls = error.find::<TlsFailed>().and_then(TlsFailed::error);
        assert_eq!(tls, Some(&rustls::Error::DecryptError));
        let error = client.read(&mut buffer).await.unwrap_err();
        assert!(error.to_string().contains("BadRecordMac"), "{error}");
        Ok(())
    })
    .unwrap();
}
