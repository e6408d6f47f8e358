//! Certificates that are not as they should be. Each side gets an error that names the other.

use std::sync::Arc;

use rcgen::CertificateParams;
use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore, ServerConfig};
use seedbed::tls::{self, TlsFailed};
use seedbed::{Error, Result, nursery};

use super::memory::pair;
use super::support::run;
use super::{Authority, NAME, kind_of, named, provider};

/// What a client says to the server's certificate, and what the server learns of that.
async fn judge(client: &ClientConfig, server: ServerConfig) -> Result<(Error, Error)> {
    let (client, server) = (Arc::new(client.clone()), Arc::new(server));
    let (near, far) = pair(1 << 20);
    let mut other = None;
    let mine = nursery(async |n| {
        n.spawn(async {
            // In TLS 1.3 a server may be done before the client has looked at its certificate.
            other = match tls::accept(&server, far).await {
                Ok(stream) => stream.read(&mut [0]).await.err(),
                Err(error) => Some(error),
            };
            Ok(())
        });
        Ok(tls::connect(&client, NAME, near).await.unwrap_err())
    })
    .await?;
    let other = other.expect("the server was told");
    assert_eq!(kind_of(&mine), std::io::ErrorKind::InvalidData);
    assert_eq!(kind_of(&other), std::io::ErrorKind::InvalidData);
    Ok((mine, other))
}

fn certificate_error(error: &Error) -> &CertificateError {
    match error.find::<TlsFailed>().and_then(TlsFailed::error) {
        Some(rustls::Error::InvalidCertificate(error)) => error,
        _ => panic!("another error: {error}"),
    }
}

fn alert(error: &Error) -> AlertDescription {
    match error.find::<TlsFailed>().and_then(TlsFailed::error) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("another error: {error}"),
    }
}

#[test]
fn w06_a_certificate_that_has_expired_is_refused() {
    run(async {
        let authority = Authority::new();
        let mut params = named(NAME);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        let server = authority.sign(params).server();
        let (mine, other) = judge(&authority.client(), server).await?;
        let error = certificate_error(&mine);
        assert!(matches!(error, CertificateError::ExpiredContext { .. }), "{error:?}");
        let text = mine.to_string();
        assert!(text.starts_with("the TLS handshake with `server.test` failed: "), "{text}");
        assert!(text.contains("expired"), "{text}");
        assert_eq!(alert(&other), AlertDescription::CertificateExpired);
        assert!(other.to_string().ends_with("(the peer does not accept this side's certificate)"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_certificate_for_another_name_is_refused() {
    run(async {
        let authority = Authority::new();
        let server = authority.sign(named("other.test")).server();
        let (mine, _) = judge(&authority.client(), server).await?;
        let error = certificate_error(&mine);
        assert!(matches!(error, CertificateError::NotValidForNameContext { .. }), "{error:?}");
        let text = mine.to_string();
        assert!(text.contains("`server.test`") && text.contains("other.test"), "{text}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_certificate_that_nobody_trusted_has_signed_is_refused() {
    run(async {
        let authority = Authority::new();
        // Of another authority, and signed by itself.
        let stranger = Authority::new().sign(named(NAME));
        let own: CertificateParams = named(NAME);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = own.self_signed(&key).unwrap().der().clone();
        let own = super::Identity { chain: vec![certificate], key };
        for identity in [stranger, own] {
            let (mine, other) = judge(&authority.client(), identity.server()).await?;
            assert_eq!(certificate_error(&mine), &CertificateError::UnknownIssuer);
            let hint = "it is self-signed, or its chain is not complete)";
            assert!(mine.to_string().ends_with(hint), "{mine}");
            assert_eq!(alert(&other), AlertDescription::UnknownCA);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_chain_that_is_cut_is_refused() {
    run(async {
        let authority = Authority::new();
        let middle = authority.below();
        let mut identity = middle.sign(named(NAME));
        let (mine, _) = judge(&authority.client(), identity.server()).await?;
        assert_eq!(certificate_error(&mine), &CertificateError::UnknownIssuer);
        // And accepted when it is whole.
        identity.chain.push(middle.certificate);
        let configs =
            super::Configs { client: authority.client().into(), server: identity.server().into() };
        configs.pair(1 << 20).await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn w06_a_client_without_the_certificate_that_is_asked_for_is_refused() {
    run(async {
        let authority = Authority::new();
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.clone())?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build().unwrap();
        let identity = authority.sign(named(NAME));
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(identity.key.serialize_der());
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(identity.chain, key.into())?;
        let (near, far) = pair(1 << 20);
        let (client, server) = (Arc::new(authority.client()), Arc::new(server));
        let refused = nursery(async |n| {
            let accepting = n.spawn(async {
                Ok(tls::accept(&server, far).await.expect_err("the client has no certificate"))
            });
            // A client of TLS 1.3 is done before the server has looked.
            let stream = tls::connect(&client, NAME, near).await?;
            let error = stream.read(&mut [0]).await.unwrap_err();
            assert_eq!(alert(&error), AlertDescription::CertificateRequired);
            let text = error.to_string();
            assert!(text.starts_with("TLS with `server.test` failed: "), "{text}");
            accepting.await
        })
        .await?;
        assert_eq!(kind_of(&refused), std::io::ErrorKind::InvalidData);
        Ok(())
    })
    .unwrap();
}
