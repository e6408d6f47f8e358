//! An HTTP server: HTTP/1 and HTTP/2 on one port, on one thread or on several, with TLS or without.
//!
//! ```text
//! cargo run --release -p http_server -- --port 8080 --cores 2
//! curl -i localhost:8080/
//! curl -i --http2-prior-knowledge localhost:8080/
//! curl -i 'localhost:8080/slow?ms=300'      # 200; with ms=3000, 504 after a second
//! curl -i localhost:8080/fanout             # 200; with ?fail=2, 502 and what went wrong where
//! curl -N 'localhost:8080/stream?lines=5'   # a line every half second
//!
//! cargo run --release -p http_server -- --port 8443 --tls
//! curl -i --cacert localhost.pem https://localhost:8443/  # HTTP/2; with --http1.1, HTTP/1
//!
//! cargo run --release -p http_server -- --inspect 6680     # http://localhost:6680 shows what it does
//! curl localhost:6680/dump.txt
//! ```
//!
//! `--tls` makes a certificate for `localhost` when it is first used, and keeps it with its key in
//! the file `localhost.pem`. With `--inspect` each core has a page of its own: that of core 1 is on
//! the next port.
//!
//! `tokio-console` shows what it does, if it is compiled with a flag. It writes no log then:
//!
//! ```text
//! RUSTFLAGS='--cfg console_without_tokio_unstable' cargo run --release -p http_server
//! ```
//!
//! Ctrl-C or SIGTERM stops it, on all cores, once every request that has arrived is answered.

use std::cell::Cell;
use std::num::NonZero;
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use seedbed::hyper::body::{Bytes, Incoming};
use seedbed::hyper::header::{CONTENT_TYPE, HeaderValue};
use seedbed::hyper::{Body, Method, Request, Response, Server, StatusCode};
use seedbed::net::{TcpListener, TcpSocket};
use seedbed::signal::{Signal, Signals};
use seedbed::{Error, Result, TooSlow, cancellable, fail_after, inspect, nursery, sleep, tls};

/// How long an answer may take to make.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How long requests may take to finish when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// The application's state on one core. Handlers borrow it. They are all on one thread and end
/// before `main` does, so it needs neither an `Arc` nor a `Mutex`.
#[derive(Default)]
struct App {
    hits: Cell<u64>,
}

fn main() -> Result<()> {
    #[cfg(not(console_without_tokio_unstable))]
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    #[cfg(console_without_tokio_unstable)]
    console_subscriber::init();
    let Options { port, cores, tls, inspect } = options()?;
    let tls = match tls {
        true => Some(certificate::server(Path::new("localhost.pem"))?),
        false => None,
    };
    let reserved = reserve(port)?;
    let address = reserved.local_addr()?;
    // Core 0 is told when to stop, and then drops its end, for which the others wait.
    let (stop, stopped) = oneshot::channel::<()>();
    let (stop, stopped) = (Mutex::new(Some(stop)), stopped.shared());

    let hits = seedbed::run_on_cores(cores, async |core| {
        let app = App::default();
        // From here on these signals no longer end the process: `recv` reports them.
        let signals = match core {
            0 => Some(Signals::new([Signal::TERM, Signal::INT])?),
            _ => None,
        };
        let shutdown = async {
            if let Some(signals) = &signals {
                signals.recv().await?;
                stop.lock().unwrap().take();
            }
            cancellable(stopped.clone()).await // what it returns does not matter: it was dropped
        };
        let listener = TcpListener::bind_reuse_port(address).await?;
        if core == 0 {
            println!("listening on http{}://{address}", if tls.is_some() { "s" } else { "" });
        }

        // Slow and silent clients are bounded: see `seedbed::hyper::Limits`.
        let server = Server::new(listener).shutdown_on(shutdown).grace(GRACE);
        let answer = async |request| answer(&app, request).await;
        nursery(async |n| {
            if let Some(port) = inspect {
                inspect::enable()?; // the page has charts of what is counted
                // A service: it shows the shutdown to its end.
                n.service(inspect::serve(page(port, core).await?));
            }
            match &tls {
                Some(config) => {
                    let accept = async |stream, _| tls::accept(config, stream).await;
                    server.on_accept(accept).serve(answer).await
                }
                None => server.serve(answer).await,
            }
        })
        .await?;
        Ok(app.hits.get())
    })?;

    print!("answered {} requests", hits.iter().sum::<u64>());
    if cores > 1 {
        let by_core = hits.iter().enumerate().map(|(core, hits)| format!("{hits} on core {core}"));
        print!(": {}", by_core.collect::<Vec<_>>().join(", "));
    }
    println!();
    Ok(())
}

/// Finds the port on which all cores are going to listen, and reserves it for them.
fn reserve(port: u16) -> Result<TcpSocket> {
    let socket = TcpSocket::v4()?;
    socket.set_reuse_address(true)?;
    socket.bind(("127.0.0.1", port))?;
    // Only now: we do not want to share the port with a server that is already there.
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Where the page of a core can be opened.
async fn page(port: u16, core: usize) -> Result<TcpListener> {
    let port = if port == 0 { 0 } else { port + u16::try_from(core)? };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("core {core} can be looked at on http://{}", listener.local_addr()?);
    Ok(listener)
}

struct Options {
    port: u16,
    cores: usize,
    tls: bool,
    inspect: Option<u16>,
}

/// `--port N`, or 8080; 0 lets the system choose. `--cores N`, or 1. `--tls`. `--inspect N`: the
/// port of the page that shows what the server does.
fn options() -> Result<Options> {
    let mut options = Options { port: 8080, cores: 1, tls: false, inspect: None };
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::msg("usage: http_server [--port N] [--cores N] [--tls] [--inspect N]");
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(usage);
        match option.as_str() {
            "--port" => options.port = value()?.parse()?,
            "--cores" => options.cores = value()?.parse::<NonZero<usize>>()?.get(),
            "--tls" => options.tls = true,
            "--inspect" => options.inspect = Some(value()?.parse()?),
            _ => return Err(usage()),
        }
    }
    Ok(options)
}

type Answer = Response<Body<'static>>;

/// Answers one request within a time limit, and finds the status for what went wrong.
async fn answer(app: &App, request: Request<Incoming>) -> Result<Answer> {
    app.hits.set(app.hits.get() + 1);
    match fail_after(ANSWER_LIMIT, route(app, &request)).await {
        Ok(answer) => Ok(answer),
        // The server is ending, or the client is gone. That is not ours to answer: it has to reach
        // its scope.
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) if error.is::<TooSlow>() => {
            Ok(text(StatusCode::GATEWAY_TIMEOUT, "that took too long\n"))
        }
        // If a fan-out fails this is a tree: which tasks failed, why, and where in the program.
        Err(error) => Ok(text(StatusCode::BAD_GATEWAY, format!("{error:?}\n"))),
    }
}

async fn route(app: &App, request: &Request<Incoming>) -> Result<Answer> {
    if !matches!(request.method(), &Method::GET | &Method::HEAD) {
        return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n"));
    }
    match request.uri().path() {
        "/" => Ok(text(StatusCode::OK, format!("Hello! This is hit {}.\n", app.hits.get()))),
        "/slow" => slow(query(request, "ms").unwrap_or(100)).await,
        "/fanout" => fan_out(query(request, "fail")).await,
        "/stream" => Ok(lines(query(request, "lines").unwrap_or(10))),
        _ => Ok(text(StatusCode::NOT_FOUND, "no such page\n")),
    }
}

/// Takes its time. The limit around it can cut it short at any `await`, and it need not know.
async fn slow(ms: u64) -> Result<Answer> {
    sleep(Duration::from_millis(ms)).await?;
    Ok(text(StatusCode::OK, format!("that took {ms} ms\n")))
}

/// Asks four services at once. If one fails, the others are cancelled and have ended before the
/// nursery is left: nothing goes on behind the client's back.
async fn fan_out(fails: Option<u64>) -> Result<Answer> {
    let sum = nursery(async |n| {
        let tasks: Vec<_> = (1..=4).map(|service| n.spawn(ask(service, fails))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await?;
        }
        Ok(sum)
    })
    .await?;
    Ok(text(StatusCode::OK, format!("four services have answered: {sum} in all\n")))
}

/// Stands for a request to another machine.
async fn ask(service: u64, fails: Option<u64>) -> Result<u64> {
    sleep(Duration::from_millis(20 * service)).await?;
    if fails == Some(service) {
        return Err(Error::msg(format_args!("service {service} is down")));
    }
    Ok(10 * service)
}

/// Lines with pauses. A task sends them while the client reads, and is cancelled if the client goes
/// away.
fn lines(count: u64) -> Answer {
    let body = Body::stream(async move |sender| {
        for line in 1..=count {
            if line > 1 {
                sleep(Duration::from_millis(500)).await?;
            }
            sender.send(format!("line {line} of {count}\n")).await?;
        }
        Ok(())
    });
    response(StatusCode::OK, body)
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    response(status, Body::from(text.into()))
}

fn response(status: StatusCode, body: Body<'static>) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The value of `name` in a request's query, if it is there and can be parsed.
fn query<T: FromStr>(request: &Request<Incoming>, name: &str) -> Option<T> {
    let mut pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name)?.1.parse().ok()
}
