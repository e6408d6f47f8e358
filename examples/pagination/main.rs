//! A generator that pages through an HTTP API, and a flow that looks up what it gives.
//!
//! ```text
//! cargo run --example pagination
//! ```
//!
//! The consumer sees one book after another. The pages, and when to fetch the next one, are the
//! generator's business. What is known of a book takes one more request, and four of these are
//! under way at once, beside the consumer. When it has seen enough it leaves: then requests that are
//! under way are cancelled, the generator is closed, and what nobody asks for is not fetched. The
//! example itself serves the API, over HTTPS, with a certificate that it makes.

mod https;

use std::cell::RefCell;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::LINK;
use hyper::{Request, Response, StatusCode, Uri};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use seedbed::flow::{Flow, Source};
use seedbed::hyper::Server;
use seedbed::net::TcpListener;
use seedbed::{Error, Generator, Result, Yielder, flow, generator, nursery, tls};

/// How many books are looked up at once.
pub const AHEAD: usize = 4;

// ---- The generator, and the flow ---------------------------------------------------------------

/// The paths of all the books there are.
fn catalogue(client: Client) -> Generator<'static, String> {
    generator(async move |y: Yielder<String>| {
        let mut next = Some("/books?page=1".to_owned());
        while let Some(path) = next {
            // The time limit, which is in there, is around the request, not around the yields. There
            // it would be an error, because it would keep running while the consumer does what it
            // likes with the book.
            let page = client.fetch(&path).await?;
            next = page.next;
            y.yield_all(page.lines).await?;
        }
        Ok(())
    })
}

/// All the books there are, in order, with what is known of each.
fn books(client: Client) -> Flow<'static, impl Source<Value = String>> {
    flow(catalogue(client.clone())).buffered(AHEAD, async move |path: String| {
        let mut book = client.fetch(&path).await?;
        book.lines.pop().ok_or_else(|| Error::msg("nothing is known of it"))
    })
}

/// Returns the books that were read, and the requests that the server got.
pub fn demonstrate() -> Result<(Vec<String>, Vec<String>)> {
    seedbed::run(async {
        let listener = TcpListener::bind("localhost:0").await?;
        let (server, client) = configs()?;
        let client = Client { config: client, port: listener.local_addr()?.port() };
        let requests = RefCell::default();
        let read = nursery(async |n| {
            n.spawn(async {
                Server::new(listener)
                    .on_accept(async |stream, _| tls::accept(&server, stream).await)
                    .serve(async |request| answer(&request, &requests))
                    .await
            });
            let books = books(client).take(7).inspect(|book| println!("{book}"));
            let read = books.collect().await?; // everything is closed now
            n.cancel(); // the server is no longer needed
            Ok(read)
        })
        .await?;
        let requests = requests.into_inner();
        println!("requests: {}", requests.join(", "));
        Ok((read, requests))
    })
}

pub fn main() -> Result<()> {
    demonstrate().map(drop)
}

// ---- The client --------------------------------------------------------------------------------

#[derive(Clone)]
struct Client {
    config: Arc<ClientConfig>,
    port: u16,
}

struct Page {
    lines: Vec<String>,
    /// The path of the next page, if there is one.
    next: Option<String>,
}

impl Client {
    async fn fetch(&self, path: &str) -> Result<Page> {
        let url: Uri = format!("https://localhost:{}{path}", self.port).parse()?;
        let answer = https::get(&self.config, &url).await?;
        if answer.status() != StatusCode::OK {
            return Err(Error::msg(format_args!("{url}: {}", answer.status())));
        }
        // Link: </books?page=2>; rel="next"
        let link = answer.headers().get(LINK).map(|link| link.to_str()).transpose()?;
        let next = link.and_then(|link| link.strip_prefix('<')?.strip_suffix(">; rel=\"next\""));
        let next = next.map(str::to_owned);
        let text = String::from_utf8(answer.into_body().into())?;
        Ok(Page { lines: text.lines().map(str::to_owned).collect(), next })
    }
}

// ---- The server --------------------------------------------------------------------------------

const BOOKS: usize = 1000;
const PER_PAGE: usize = 3;

/// What the server and the client need for TLS: the client trusts only this server.
fn configs() -> Result<(Arc<ServerConfig>, Arc<ClientConfig>)> {
    let provider = Arc::new(ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.der();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], made.signing_key.into())?;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    server.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    client.alpn_protocols = server.alpn_protocols.clone();
    Ok((server.into(), client.into()))
}

fn answer(
    request: &Request<Incoming>,
    requests: &RefCell<Vec<String>>,
) -> Result<Response<String>> {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    requests.borrow_mut().push(format!("{} {path}", request.method()));
    let path = path.strip_prefix("/books").unwrap_or_default();
    if let Some(page) = number(path, "?page=") {
        listed(page)
    } else if let Some(book) = number(path, "/") {
        Ok(Response::new(format!("book {book}, {} pages\n", 100 + book)))
    } else {
        Ok(Response::builder().status(StatusCode::NOT_FOUND).body(String::new())?)
    }
}

fn number(path: &str, prefix: &str) -> Option<usize> {
    path.strip_prefix(prefix)?.parse().ok().filter(|&number| number > 0)
}

fn listed(page: usize) -> Result<Response<String>> {
    let numbers = (1..=BOOKS).skip((page - 1) * PER_PAGE).take(PER_PAGE);
    let mut answer = Response::builder();
    if page * PER_PAGE < BOOKS {
        answer = answer.header(LINK, format!("</books?page={}>; rel=\"next\"", page + 1));
    }
    Ok(answer.body(numbers.map(|n| format!("/books/{n}\n")).collect())?)
}
