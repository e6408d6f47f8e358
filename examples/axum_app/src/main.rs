//! An application with axum on seedbed: notes, which are kept in memory, and what becomes of them.
//!
//! ```text
//! cargo run --release -p axum_app -- --port 8080       # or with --tls FILE
//! curl -i localhost:8080/notes -H 'content-type: application/json' -d '{"text":"buy milk"}'
//! curl -i localhost:8080/notes                         # JSON
//! curl -i 'localhost:8080/notes?contains=milk'
//! curl -i localhost:8080/notes/1 -X DELETE
//! seq 100000 | curl localhost:8080/import -X POST -T - # a note for each line, as they arrive
//! curl -N localhost:8080/notes.csv                     # a line for each note, as they are read
//! curl -N localhost:8080/events                        # server-sent events: what is added, and removed
//! curl -i 'localhost:8080/slow?ms=300'                 # 200; with ms=3000, 504 after a second
//! websocat ws://localhost:8080/talk                    # each line is a note
//! ```
//!
//! `--tls` names the file of a certificate and its key, which are made if it is not there.
//!
//! axum is used without its feature `tokio`: there is no other runtime. Handlers that await seedbed
//! are in `local`, because axum wants them to be `Send`. Stopped by Ctrl-C or SIGTERM, the server
//! ends once every request that has arrived is answered, and tells those who listen.

mod app;
mod bodies;
mod handlers;
mod layers;
mod talk;

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use seedbed::hyper::{Server, local};
use seedbed::net::TcpListener;
use seedbed::signal::{Signal, Signals};
use seedbed::tls::{self, rustls::ServerConfig};
use seedbed::{Error, Result};

use crate::app::{App, Shared};

/// How long requests may take to finish when the server stops.
const GRACE: Duration = Duration::from_secs(10);

fn router(app: Shared) -> Router {
    let routes = Router::new()
        .route("/notes", get(handlers::list).post(handlers::add))
        .route("/notes/{id}", get(handlers::show).delete(handlers::remove))
        // A handler that awaits seedbed is not `Send`. What `local` makes of it is.
        .route("/slow", get(|app, query| local(handlers::slow(app, query))))
        .route("/import", post(|app, body| local(bodies::import(app, body))))
        .route("/notes.csv", get(bodies::export))
        .route("/events", get(bodies::events))
        .route("/talk", get(talk::talk));
    layers::around(routes).with_state(app)
}

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Options { port, tls } = options()?;
    let app = local(Rc::new(App::new()));
    seedbed::run(async {
        let signals = Signals::new([Signal::TERM, Signal::INT])?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        println!("listening on {scheme}://{}", listener.local_addr()?);

        let server = Server::new(listener).shutdown_on(signals.recv()).grace(GRACE);
        let router = router(app.clone());
        match &tls {
            None => server.serve_tower(router).await,
            Some(config) => {
                let server = server.on_accept(async |stream, _| tls::accept(config, stream).await);
                server.serve_tower(router).await
            }
        }
    })?;
    println!("{}", app.summary());
    Ok(())
}

struct Options {
    port: u16,
    tls: Option<Arc<ServerConfig>>,
}

/// `--port N`, or 8080; 0 lets the system choose. `--tls FILE`.
fn options() -> Result<Options> {
    let mut options = Options { port: 8080, tls: None };
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::msg("usage: axum_app [--port N] [--tls FILE]");
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(usage)?;
        match option.as_str() {
            "--port" => options.port = value.parse()?,
            "--tls" => options.tls = Some(certificate::server(Path::new(&value))?),
            _ => return Err(usage()),
        }
    }
    Ok(options)
}
