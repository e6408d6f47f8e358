//! Both sides of TLS, with a certificate that is made once.
#![allow(dead_code, reason = "not every test binary needs all of it")]

use std::sync::{Arc, OnceLock};

use futures::{AsyncRead, AsyncWrite};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use seedbed::tls::{self, TlsStream};
use seedbed::{Result, nursery};

/// What the certificate is for.
pub const NAME: &str = "server.test";

/// Configurations that fit, with their own memory of what can be resumed.
#[derive(Clone)]
pub struct Configs {
    pub client: Arc<ClientConfig>,
    pub server: Arc<ServerConfig>,
}

impl Configs {
    pub fn new(versions: &[&'static SupportedProtocolVersion]) -> Configs {
        static IDENTITY: OnceLock<(CertificateDer<'static>, Vec<u8>)> = OnceLock::new();
        let (certificate, key) = IDENTITY.get_or_init(|| {
            let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a name");
            (made.cert.der().clone(), made.signing_key.serialize_der())
        });
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.clone()));
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("a certificate");
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .expect("they are there")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("they are there")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("a key");
        Configs { client: client.into(), server: server.into() }
    }

    /// Does both handshakes.
    pub async fn connect<S>(&self, near: S, far: S) -> Result<(TlsStream<S>, TlsStream<S>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        nursery(async |n| {
            let accepting = n.spawn(Box::pin(tls::accept(&self.server, far)));
            let client = tls::connect(&self.client, NAME, near).await?;
            Ok((client, accepting.await?))
        })
        .await
    }
}
