//! A generator that pages through an HTTP API.
//!
//! ```text
//! cargo run --example pagination
//! ```
//!
//! The consumer sees one book after another. The pages, and when to fetch the next one, are the
//! generator's business. Pages that nobody asks for are not fetched. The example itself serves the
//! API, over TCP. Server and client know just enough of HTTP/1.1 for that.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream};
use seedbed::{Error, Generator, Result, Yielder, aclosing, fail_after, generator, nursery};

/// How long one page may take.
const LIMIT: Duration = Duration::from_secs(5);

// ---- The generator -----------------------------------------------------------------------------

/// All the books there are.
fn books(server: SocketAddr) -> Generator<'static, String> {
    generator(async move |y: Yielder<String>| {
        let mut next = Some("/books?page=1".to_owned());
        while let Some(path) = next {
            // The time limit is around the request, not around the yields. There it would be an
            // error, because it would keep running while the consumer does what it likes with the
            // book.
            let page = fail_after(LIMIT, fetch(server, &path)).await?;
            next = page.next;
            for book in page.books {
                y.yield_(book).await?;
            }
        }
        Ok(())
    })
}

/// Returns the books that were read, and the requests that the server got.
pub fn demonstrate() -> Result<(Vec<String>, Vec<String>)> {
    seedbed::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let requests = RefCell::default();
        let read = nursery(async |n| {
            n.spawn(serve(&listener, &requests));
            let read = aclosing(books(server), async |books| {
                let mut read = Vec::new();
                while read.len() < 7
                    && let Some(book) = books.anext().await?
                {
                    println!("{book}");
                    read.push(book);
                }
                Ok(read)
            })
            .await?;
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
    books: Vec<String>,
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
    Ok(Page { books: body.lines().map(str::to_owned).collect(), next: next.map(str::to_owned) })
}

// ---- The server --------------------------------------------------------------------------------

const BOOKS: usize = 1000;
const PER_PAGE: usize = 3;

/// Serves one client after another, forever.
async fn serve(listener: &TcpListener, requests: &RefCell<Vec<String>>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let request = request_line(&stream).await?;
        let answer = match request.strip_prefix("GET /books?page=").map(str::parse) {
            Some(Ok(page)) if page > 0 => answer(page),
            _ => "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n".to_owned(),
        };
        requests.borrow_mut().push(request);
        stream.write_all(answer.as_bytes()).await?;
    }
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

fn answer(page: usize) -> String {
    let numbers = (1..=BOOKS).skip((page - 1) * PER_PAGE).take(PER_PAGE);
    let body: String = numbers.map(|n| format!("book {n}\n")).collect();
    let link = match page * PER_PAGE < BOOKS {
        true => format!("Link: </books?page={}>; rel=\"next\"\r\n", page + 1),
        false => String::new(),
    };
    format!("HTTP/1.1 200 OK\r\n{link}Connection: close\r\n\r\n{body}")
}
