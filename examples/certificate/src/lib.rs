//! A certificate for this machine, which is made when it is first used, and a client that trusts it.
#![cfg(unix)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use seedbed::{Error, Result};

/// What a server of HTTPS needs, with the certificate and the key that are in this file. If there is
/// no such file, it is made.
pub fn server(file: &Path) -> Result<Arc<ServerConfig>> {
    if !fs::exists(file)? {
        make(file)?;
    }
    let unusable = |error| Error::msg(format_args!("{}: {error}", file.display()));
    let pem = fs::read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(unusable)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain.map_err(unusable)?, key)?;
    config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    Ok(Arc::new(config))
}

/// What a client needs that trusts the certificate in this file and no other. It asks for no
/// protocol.
pub fn client(file: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file)?)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Makes a certificate that is signed by itself, and its key, which nobody else may read.
fn make(file: &Path) -> Result<()> {
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let made = rcgen::generate_simple_self_signed(names)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    write!(file, "{}{}", made.cert.pem(), made.signing_key.serialize_pem())?;
    Ok(())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
