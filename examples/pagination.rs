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
//! example itself serves the API, over TCP. Server and client know just enough of HTTP/1.1 for that.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use seedbed::flow::{Flow, Source};
use seedbed::net::{TcpListener, TcpStream};
use seedbed::{Error, Generator, Result, Yielder, fail_after, flow, generator, nursery, serve};

/// How long one page may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How many books are looked up at once.
pub const AHEAD: usize = 4;

// ---- The generator, and the flow ---------------------------------------------------------------

/// The paths of all the books there are.
fn catalogue(server: SocketAddr) -> Generator<'static, String> {
    generator(async move |y: Yielder<String>| {
        let mut next = Some("/books?page=1".to_owned());
        while let Some(path) = next {
            // The time limit is around the request, not around the yields. There it would be an
            // error, because it would keep running while the consumer does what it likes with the
            // book.
            let page = fail_after(LIMIT, fetch(server, &path)).await?;
            next = page.next;
            y.yield_all(page.lines).await?;
        }
        Ok(())
    })
}

/// All the books there are, in order, with what is known of each.
fn books(server: SocketAddr) -> Flow<'static, impl Source<Value = String>> {
    flow(catalogue(server)).buffered(AHEAD, async move |path: String| {
        let mut book = fail_after(LIMIT, fetch(server, &path)).await?;
        book.lines.pop().ok_or_else(|| Error::msg("nothing is known of it"))
    })
}

/// Returns the books that were read, and the requests that the server got.
pub fn demonstrate() -> Result<(Vec<String>, Vec<String>)> {
    seedbed::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let requests = RefCell::default();
        let read = nursery(async |n| {
            n.spawn(serve(listener, async |stream, _| answer(&stream, &requests).await));
            let books = books(server).take(7).inspect(|book| println!("{book}"));
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

struct Page {
    lines: Vec<String>,
    /// The path of the next page, if there is one.
    next: Option<String>,
}

async fn fetch(server: SocketAddr, path: &str) -> Result<Page> {
    let stream = TcpStream::connect(server).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| Error::msg("no header"))?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(Error::msg(head.lines().next().unwrap_or("no status")));
    }
    // Link: </books?page=2>; rel="next"
    let link = head.lines().find_map(|line| line.strip_prefix("Link: <"));
    let next = link.and_then(|link| link.strip_suffix(">; rel=\"next\""));
    Ok(Page { lines: body.lines().map(str::to_owned).collect(), next: next.map(str::to_owned) })
}

// ---- The server --------------------------------------------------------------------------------

const BOOKS: usize = 1000;
const PER_PAGE: usize = 3;

async fn answer(stream: &TcpStream, requests: &RefCell<Vec<String>>) -> Result<()> {
    let request = request_line(stream).await?;
    let path = request.strip_prefix("GET /books").unwrap_or_default();
    let answer = if let Some(page) = number(path, "?page=") {
        listed(page)
    } else if let Some(book) = number(path, "/") {
        described(book)
    } else {
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n".to_owned()
    };
    requests.borrow_mut().push(request);
    stream.write_all(answer.as_bytes()).await
}

fn number(path: &str, prefix: &str) -> Option<usize> {
    path.strip_prefix(prefix)?.parse().ok().filter(|&number| number > 0)
}

/// Reads a request, and returns its method and path.
async fn request_line(stream: &TcpStream) -> Result<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => return Err(Error::msg("half a request")),
            n => request.extend_from_slice(&buffer[..n]),
        }
    }
    let request = String::from_utf8(request)?;
    let line = request.lines().next().unwrap_or_default();
    Ok(line.trim_end_matches(" HTTP/1.1").to_owned())
}

fn listed(page: usize) -> String {
    let numbers = (1..=BOOKS).skip((page - 1) * PER_PAGE).take(PER_PAGE);
    let body: String = numbers.map(|n| format!("/books/{n}\n")).collect();
    let link = match page * PER_PAGE < BOOKS {
        true => format!("Link: </books?page={}>; rel=\"next\"\r\n", page + 1),
        false => String::new(),
    };
    format!("HTTP/1.1 200 OK\r\n{link}Connection: close\r\n\r\n{body}")
}

fn described(book: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbook {book}, {} pages\n", 100 + book)
}
