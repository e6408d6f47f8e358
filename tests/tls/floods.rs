//! Peers that go on without end with what costs them little: they change keys, ask for another
//! handshake, warn, or send nothing. It is refused, or it costs little here too: memory is bounded,
//! others run, and whoever reads can be cancelled.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;

use rustls::crypto::cipher::{
    AeadKey, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundOpaqueMessage, OutboundPlainMessage, Tls12AeadAlgorithm, Tls13AeadAlgorithm,
    UnsupportedOperationError,
};
use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{
    ClientConnection, Connection, ConnectionTrafficSecrets, ContentType, PeerMisbehaved,
    ServerConnection, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};
use seedbed::tls::{self, TlsFailed, TlsStream};
use seedbed::{CancelScope, Error, Result, nursery, yield_now};

use super::memory::{Memory, pair};
use super::support::run;
use super::{Authority, Configs, NAME, kind_of, live, named, provider};

fn misbehaved(error: &Error) -> PeerMisbehaved {
    match error.find::<TlsFailed>().and_then(TlsFailed::error) {
        Some(rustls::Error::PeerMisbehaved(what)) => what.clone(),
        _ => panic!("another error: {error}"),
    }
}

/// A side that is rustls and nothing else, over one end of a connection in memory.
struct Bare {
    connection: Connection,
    stream: Memory,
}

impl Bare {
    /// A client, and the server that it has done the handshake with.
    async fn client(configs: &Configs) -> Result<(Bare, TlsStream<Memory>)> {
        let name = NAME.try_into().unwrap();
        let (stream, far) = pair(1 << 30);
        let client = ClientConnection::new(configs.client.clone(), name)?.into();
        Bare { connection: client, stream }.meet(tls::accept(&configs.server, far)).await
    }

    /// A server, and its client.
    async fn server(configs: &Configs) -> Result<(Bare, TlsStream<Memory>)> {
        let (stream, far) = pair(1 << 30);
        let server = ServerConnection::new(configs.server.clone())?.into();
        Bare { connection: server, stream }.meet(tls::connect(&configs.client, NAME, far)).await
    }

    async fn meet(mut self, other: tls::Handshake<Memory>) -> Result<(Bare, TlsStream<Memory>)> {
        let other = nursery(async |n| {
            let other = n.spawn(other);
            while self.connection.is_handshaking() {
                self.send();
                yield_now().await?;
                self.receive()?;
            }
            self.send();
            other.await
        })
        .await?;
        self.receive()?;
        Ok((self, other))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.connection.writer().write_all(bytes).unwrap();
        self.send();
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

/// What becomes of the data that somebody writes, before it is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// It is a message of the handshake.
    Handshake,
    Alert,
    /// Nothing is left of it.
    Nothing,
}

struct Changing<A: 'static + ?Sized>(Change, &'static A);

struct Encrypter(Change, Box<dyn MessageEncrypter>);

impl MessageEncrypter for Encrypter {
    fn encrypt(
        &mut self,
        mut message: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, rustls::Error> {
        if message.typ == ContentType::ApplicationData {
            match self.0 {
                Change::Handshake => message.typ = ContentType::Handshake,
                Change::Alert => message.typ = ContentType::Alert,
                Change::Nothing => message.payload = OutboundChunks::Single(&[]),
            }
        }
        self.1.encrypt(message, number)
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        self.1.encrypted_payload_len(length)
    }
}

impl Tls12AeadAlgorithm for Changing<dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Encrypter(self.0, self.1.encrypter(key, iv, extra)))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.1.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.1.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.1.extract_keys(key, iv, explicit)
    }
}

impl Tls13AeadAlgorithm for Changing<dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Encrypter(self.0, self.1.encrypter(key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.1.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.1.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.1.extract_keys(key, iv)
    }
}

/// Cryptography that changes what is written.
fn changing(change: Change, suite: SupportedCipherSuite) -> Arc<CryptoProvider> {
    let common = |common: &CipherSuiteCommon| CipherSuiteCommon {
        suite: common.suite,
        hash_provider: common.hash_provider,
        confidentiality_limit: common.confidentiality_limit,
    };
    // A few bytes for each test.
    let suite = match suite {
        SupportedCipherSuite::Tls12(suite) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&suite.common),
                prf_provider: suite.prf_provider,
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: Box::leak(Box::new(Changing(change, suite.aead_alg))),
            })))
        }
        SupportedCipherSuite::Tls13(suite) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&suite.common),
                hkdf_provider: suite.hkdf_provider,
                aead_alg: Box::leak(Box::new(Changing(change, suite.aead_alg))),
                quic: None,
            })))
        }
    };
    Arc::new(CryptoProvider { cipher_suites: vec![suite], ..(*provider()).clone() })
}

/// Configurations of a side that changes what it writes, and one that does not.
fn configs(change: Change, suite: SupportedCipherSuite) -> Configs {
    let authority = Authority::new();
    let identity = authority.sign(named(NAME));
    let provider = changing(change, suite);
    Configs {
        client: authority.client_with(provider.clone(), rustls::ALL_VERSIONS).into(),
        server: identity.server_with(provider).into(),
    }
}

#[test]
fn w06_keys_that_change_without_end_are_refused() {
    run(async {
        let (mut client, server) = Bare::client(&Configs::new()).await?;
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
        let (mut client, server) = Bare::client(&Configs::new()).await?;
        client.receive()?; // tickets
        for i in 0..1_000 {
            client.connection.refresh_traffic_keys()?;
            client.write(&[i as u8]);
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

/// Before TLS 1.3 either side can ask for another handshake. It is told no, once.
#[test]
fn w06_another_handshake_is_not_begun_however_often_it_is_asked_for() {
    run(async {
        let old = configs(Change::Handshake, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
        let hello = {
            let name = NAME.try_into().unwrap();
            let mut bytes = Vec::new();
            ClientConnection::new(old.client.clone(), name)?.write_tls(&mut bytes)?;
            bytes.split_off(5) // a record's header
        };
        let plain = Configs::with(|_, _| {});
        let by_client =
            Bare::client(&Configs { server: old.server.clone(), ..old.clone() }).await?;
        let by_server = Bare::server(&old).await?;
        drop(plain);
        for ((mut peer, stream), ask) in [(by_client, &hello[..]), (by_server, &[0, 0, 0, 0])] {
            (0..1_000).for_each(|_| peer.write(ask));
            let error = stream.read(&mut [0]).await.unwrap_err();
            assert_eq!(misbehaved(&error), PeerMisbehaved::TooManyRenegotiationRequests);
            assert!(error.to_string().starts_with("TLS with "), "{error}");
            // The answer is a warning, and then an alert.
            let answer = peer.stream.incoming().take();
            assert!(answer.len() < 100, "{} bytes", answer.len());
            assert_eq!(kind_of(&stream.write(b"x").await.unwrap_err()), io::ErrorKind::InvalidData);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_warnings_without_end_are_refused() {
    run(async {
        let old = configs(Change::Alert, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
        let (mut client, server) = Bare::client(&old).await?;
        (0..1_000).for_each(|_| client.write(&[1, 90]));
        let error = server.read(&mut [0]).await.unwrap_err();
        assert_eq!(misbehaved(&error), PeerMisbehaved::TooManyWarningAlertsReceived);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_records_with_nothing_in_them_without_end_are_refused() {
    run(async {
        for suite in [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256] {
            let (mut client, server) = Bare::client(&configs(Change::Nothing, suite)).await?;
            (0..1_000).for_each(|_| client.write(b"x"));
            let error = server.read(&mut [0]).await.unwrap_err();
            assert_eq!(misbehaved(&error), PeerMisbehaved::TooManyEmptyFragments);
        }
        Ok(())
    })
    .unwrap();
}

/// A byte between two changes of the keys is enough for these to go on.
#[test]
fn w06_a_flood_costs_bounded_memory_and_starves_nobody() {
    let used = live::most_bytes(|| {
        run(async {
            let (mut client, server) = Bare::client(&Configs::new()).await?;
            let (scope, turns, read) = (CancelScope::new(), Cell::new(0), Cell::new(0));
            nursery(async |n| {
                n.spawn(async {
                    // There is always something to read.
                    for turn in 0..1_000 {
                        for _ in 0..20 {
                            client.connection.refresh_traffic_keys()?;
                            client.write(b"x");
                        }
                        turns.set(turn);
                        yield_now().await?;
                    }
                    scope.cancel();
                    Ok(())
                });
                let cancelled = scope
                    .enter(async |_| -> Result<()> {
                        loop {
                            read.set(read.get() + server.read(&mut [0; 5]).await?);
                        }
                    })
                    .await?;
                assert!(cancelled.is_none());
                Ok(())
            })
            .await?;
            assert_eq!(turns.get(), 999);
            assert!(read.get() > 10_000, "only {} bytes", read.get());
            Ok(())
        })
        .unwrap();
    });
    assert!(used < 1_000_000, "{used} bytes");
}
