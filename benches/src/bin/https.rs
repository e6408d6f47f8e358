//! HTTPS with hyper, beside hyper over tokio-rustls: requests over connections that are kept, and
//! handshakes.
//!
//! ```text
//! cargo run --release -p seedbed-bench --no-default-features --features https --bin https -- [--rounds N]
//! ```
//!
//! Each server is a process with one thread, and the clients are in this one, the same for both. The
//! servers take turns, round by round. hyper and its settings, rustls and its cryptography (ring)
//! are the same, and so is the certificate (ECDSA over P-256). Handshakes are whole ones: nothing is
//! resumed. A figure is the median of the rounds; running time is the server's alone.

#[path = "../served.rs"]
mod served;

use std::convert::Infallible;
use std::env;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use seedbed::net::TcpStream;
use seedbed::{Result, nursery, tls};
use served::{Server, median};

const SUBJECTS: [&str; 2] = ["seedbed", "tokio"];
const CONNECTIONS: usize = 64;
const SHAKING: usize = 16;
const TIME: Duration = Duration::from_secs(2);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const TEXT: &str = "Hello, World!";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [inside, subject] = &arguments[..]
        && inside == "--inside"
    {
        return serve(subject);
    }
    let rounds = match &arguments[..] {
        [] => 3,
        [option, rounds] if option == "--rounds" => rounds.parse().expect("a number"),
        _ => panic!("usage: https [--rounds N]"),
    };
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    let servers = SUBJECTS.map(|subject| Server::start(subject, &pem));
    let config = client(made.cert.der());
    let mut figures: [[Vec<f64>; 4]; SUBJECTS.len()] = Default::default();
    for _ in 0..rounds {
        for (server, figures) in servers.iter().zip(&mut figures) {
            let (requests, cpu) = server.count(|| seedbed::run(requests(&config, server.address)));
            figures[0].push(requests / TIME.as_secs_f64());
            figures[1].push(cpu.as_secs_f64() * 1e6 / requests);
            let (shaken, cpu) = server.count(|| seedbed::run(handshakes(&config, server.address)));
            figures[2].push(shaken / TIME.as_secs_f64());
            figures[3].push(cpu.as_secs_f64() * 1e6 / shaken);
        }
    }
    println!("| | requests/s | µs of CPU each | handshakes/s | µs of CPU each |");
    println!("|---|---|---|---|---|");
    for (subject, figures) in SUBJECTS.iter().zip(figures) {
        let [requests, of_request, shaken, of_handshake] = figures.map(median);
        println!(
            "| {subject} | {requests:.0} | {of_request:.2} | {shaken:.0} | {of_handshake:.0} |"
        );
    }
}

// ---- The clients -------------------------------------------------------------------------------

fn client(certificate: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Returns how many requests were answered.
async fn requests(config: &Arc<ClientConfig>, address: SocketAddr) -> Result<u64> {
    at_once(CONNECTIONS, async |until| {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = tls::connect(config, "localhost", stream).await?;
        let (mut count, mut buffer) = (0, [0; 1024]);
        while Instant::now() < until {
            stream.write_all(REQUEST).await?;
            let mut n = 0;
            while !buffer[..n].ends_with(TEXT.as_bytes()) {
                n += stream.read(&mut buffer[n..]).await?;
            }
            count += 1;
        }
        stream.close().await?;
        Ok(count)
    })
    .await
}

/// Returns how many handshakes were done.
async fn handshakes(config: &Arc<ClientConfig>, address: SocketAddr) -> Result<u64> {
    at_once(SHAKING, async |until| {
        let mut count = 0;
        while Instant::now() < until {
            let stream = TcpStream::connect(address).await?;
            tls::connect(config, "localhost", stream).await?.shutdown().await?;
            count += 1;
        }
        Ok(count)
    })
    .await
}

async fn at_once(tasks: usize, work: impl AsyncFn(Instant) -> Result<u64>) -> Result<u64> {
    let (work, until) = (&work, Instant::now() + TIME);
    nursery(async |n| {
        let tasks: Vec<_> = (0..tasks).map(|_| n.spawn(work(until))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await?;
        }
        Ok(sum)
    })
    .await
}

// ---- The servers -------------------------------------------------------------------------------

/// The inside of a server's process: serves until it is killed.
fn serve(subject: &str) {
    let mut pem = Vec::new();
    io::stdin().read_to_end(&mut pem).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&pem).unwrap()];
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    match subject {
        "seedbed" => on_seedbed(Arc::new(config), listener),
        _ => on_tokio(Arc::new(config), listener),
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(TEXT.as_bytes()))))
}

fn on_seedbed(config: Arc<ServerConfig>, listener: std::net::TcpListener) {
    use seedbed::hyper::{Io, Timer};

    seedbed::run(async {
        let listener = seedbed::net::TcpListener::from_std(listener)?;
        seedbed::serve(listener, async |stream, _| {
            stream.set_nodelay(true)?;
            let io = Io::new(tls::accept(&config, stream).await?);
            let connection =
                http1::Builder::new().timer(Timer).serve_connection(io, service_fn(answer));
            Ok(connection.await?)
        })
        .await
    })
    .unwrap();
}

fn on_tokio(config: Arc<ServerConfig>, listener: std::net::TcpListener) {
    use hyper_util::rt::{TokioIo, TokioTimer};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move {
                stream.set_nodelay(true).unwrap();
                let io = TokioIo::new(acceptor.accept(stream).await?);
                let mut builder = http1::Builder::new();
                let connection =
                    builder.timer(TokioTimer::new()).serve_connection(io, service_fn(answer));
                connection.await.map_err(io::Error::other)
            });
        }
    });
}
