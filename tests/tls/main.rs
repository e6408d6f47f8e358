//! TLS: over streams in memory, on a virtual clock, and over sockets.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod certificates;
#[cfg(feature = "hyper")]
mod client;
mod closing;
mod cut;
mod every_step;
mod floods;
mod halves;
mod handshake;
#[cfg(feature = "hyper")]
mod http;
#[path = "../support/live.rs"]
mod live;
#[path = "../support/memory.rs"]
mod memory;
mod refusals;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{
    ClientConfig, DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use seedbed::tls::{self, TlsStream};
use seedbed::{Error, Result, nursery};

use memory::{Memory, pair};

/// The name that certificates are for, unless a test is about that.
const NAME: &str = "server.test";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// An authority that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate, those up to its authority, and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let params = Authority::params();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// An authority that this one vouches for.
    fn below(&self) -> Authority {
        let key = KeyPair::generate().unwrap();
        let params = Authority::params();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    fn params() -> CertificateParams {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Identity { chain: vec![certificate], key }
    }

    /// What a client that trusts it has.
    fn client(&self) -> ClientConfig {
        self.client_with(provider(), DEFAULT_VERSIONS)
    }

    fn client_with(
        &self,
        provider: Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("there is a suite for one of them")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

impl Identity {
    fn server(&self) -> ServerConfig {
        self.server_with(provider())
    }

    fn server_with(&self, provider: Arc<CryptoProvider>) -> ServerConfig {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap()
    }
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// Both sides of a connection that nothing is wrong with.
#[derive(Clone)]
struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Configs {
    fn new() -> Configs {
        Configs::with(|_, _| {})
    }

    fn with(change: impl FnOnce(&mut ClientConfig, &mut ServerConfig)) -> Configs {
        let authority = Authority::new();
        let (mut client, mut server) = (authority.client(), authority.sign(named(NAME)).server());
        change(&mut client, &mut server);
        Configs { client: Arc::new(client), server: Arc::new(server) }
    }

    /// With a client that knows only these versions.
    fn speaking(versions: &[&'static SupportedProtocolVersion]) -> Configs {
        let authority = Authority::new();
        let client = authority.client_with(provider(), versions);
        let server = authority.sign(named(NAME)).server();
        Configs { client: client.into(), server: server.into() }
    }

    /// Does both handshakes.
    async fn connect<S>(&self, near: S, far: S) -> Result<(TlsStream<S>, TlsStream<S>)>
    where
        S: futures::AsyncRead + futures::AsyncWrite + Unpin,
    {
        let mut server = None;
        let client = nursery(async |n| {
            n.spawn(async {
                server = Some(tls::accept(&self.server, far).await?);
                Ok(())
            });
            tls::connect(&self.client, NAME, near).await
        })
        .await?;
        Ok((client, server.unwrap()))
    }

    /// Two ends of a connection in memory.
    async fn pair(&self, capacity: usize) -> Result<(TlsStream<Memory>, TlsStream<Memory>)> {
        let (near, far) = pair(capacity);
        self.connect(near, far).await
    }
}

fn kind_of(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().unwrap_or_else(|| panic!("another error: {error}")).kind()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}
