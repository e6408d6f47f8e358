//! TLS with [rustls], client and server, over any stream. This needs the feature `tls`.
//!
//! [`connect`] and [`accept`] do the handshake over a stream that there is already, and return a
//! [`TlsStream`]. What they are to agree to, and whom they trust, is said by the configuration, a
//! [`ClientConfig`](rustls::ClientConfig) or [`ServerConfig`](rustls::ServerConfig) of rustls,
//! which is the same for many connections.
//!
//! # Cryptography
//!
//! rustls leaves the cryptography to a *provider*, and this crate chooses none. A program has
//! rustls among its dependencies with the provider that it wants, and gives that to the
//! configuration:
//!
//! ```toml
//! [dependencies]
//! rustls = { version = "0.23", default-features = false, features = ["std", "tls12", "ring"] }
//! seedbed = { version = "0.1", features = ["tls"] }
//! ```
//!
//! ```
//! use seedbed::tls::rustls::crypto::CryptoProvider;
//! use seedbed::tls::rustls::{ClientConfig, Error, RootCertStore};
//! use std::sync::Arc;
//!
//! /// Trusts these authorities, and speaks HTTP/2 rather than HTTP/1.
//! fn config(
//!     provider: Arc<CryptoProvider>, // `Arc::new(rustls::crypto::ring::default_provider())`
//!     roots: RootCertStore,
//! ) -> Result<Arc<ClientConfig>, Error> {
//!     let mut config = ClientConfig::builder_with_provider(provider)
//!         .with_safe_default_protocol_versions()?
//!         .with_root_certificates(roots)
//!         .with_no_client_auth();
//!     config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
//!     Ok(Arc::new(config))
//! }
//! ```
//!
//! # Servers
//!
//! The handshake belongs into the task of its connection, as at [`accept`]. That of an HTTP server
//! is a stage before HTTP:
//!
#![cfg_attr(
    feature = "hyper",
    doc = "
```
use seedbed::hyper::{Request, Response, Server, body::Incoming};
use seedbed::net::TcpListener;
use seedbed::tls::{self, rustls::ServerConfig};
use std::sync::Arc;

async fn serve(listener: TcpListener, config: &Arc<ServerConfig>) -> seedbed::Result<()> {
    Server::new(listener)
        .on_accept(async |stream, _peer| tls::accept(config, stream).await)
        .serve(async |_: Request<Incoming>| {
            Ok::<_, seedbed::Error>(Response::new(String::from(\"hello\\n\")))
        })
        .await
}
```
"
)]
//!
//! The server chooses between HTTP/1 and HTTP/2 by what the client begins with, which is what they
//! have agreed on by ALPN.
//!
//! # Limits
//!
//! A handshake is done within [a time](Handshake::limit). Whatever else a peer may do without end,
//! such as changing keys or asking for another handshake, rustls allows a few times. A connection
//! that waits keeps no buffer, except one of rustls of 4 KiB.
//!
//! Data cannot be sent before the handshake is done (0-RTT).
//!
//! | file | concept |
//! |---|---|
//! | `handshake` | beginning, on either side: the entry points |
//! | `stream` | a connection whose handshake is done |
//! | `foreign` | the traits of other libraries that it implements |
//! | `transfer` | a read or a write as an operation of this crate |
//! | `io` | what goes on between rustls and the stream underneath |
//! | `waiting` | the tasks that wait for that stream to take something |
//! | `session` | rustls: plaintext at one end, ciphertext at the other |
//! | `buffer` | ciphertext that rustls has not taken yet |
//! | `peer` | what errors call the other end |
//! | `failure` | what can go wrong |

mod buffer;
mod failure;
mod foreign;
mod handshake;
mod io;
mod peer;
mod session;
mod stream;
mod transfer;
mod waiting;

pub use failure::TlsFailed;
pub use handshake::{Handshake, accept, connect};
pub use rustls;
pub use stream::TlsStream;
