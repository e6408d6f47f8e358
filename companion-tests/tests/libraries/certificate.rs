//! A certificate for `localhost`, and who trusts it.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub const NAME: &str = "localhost";

pub struct Certificate {
    own: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    pub fn new() -> Certificate {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new([NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
        Certificate { own: own.der().clone(), key }
    }

    /// What a server that has it needs, and that speaks these protocols.
    pub fn server(&self, protocols: &[&str]) -> ServerConfig {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.own.clone()], key)
            .unwrap();
        config.alpn_protocols = named(protocols);
        config
    }

    /// What a client needs that trusts it and nothing else.
    pub fn client(&self, protocols: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = named(protocols);
        config
    }
}

/// The cryptography is said each time, since another crate of the program might have set another
/// for all.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn named(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect()
}
