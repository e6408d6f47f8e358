//! A chat for browsers.
//!
//! ```text
//! cargo run --release -p chat -- --port 8080
//! ```
//!
//! Open <http://localhost:8080/> in two windows. A room has an address, such as
//! <http://localhost:8080/#tea>. Ctrl-C or SIGTERM stops the server: each page is told, and says so.
//!
//! Behind a proxy, or for the pages of another site, `--origin https://example.org` allows that
//! site's pages to open a WebSocket.

use chat::{Chat, Limits};
use seedbed::net::TcpListener;
use seedbed::signal::{Signal, Signals};
use seedbed::{Error, Result};

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Options { port, origins } = Options::of_command_line()?;
    seedbed::run(async {
        let signals = Signals::new([Signal::TERM, Signal::INT])?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        println!("listening on http://{}/", listener.local_addr()?);
        let stop = async { signals.recv().await.map(drop) };
        Chat::new(Limits::default(), origins).serve(listener, stop).await
    })
}

struct Options {
    /// 0 lets the system choose.
    port: u16,
    origins: Vec<String>,
}

impl Options {
    fn of_command_line() -> Result<Options> {
        let mut options = Options { port: 8080, origins: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        let usage = || Error::msg("usage: chat [--port N] [--origin ORIGIN]...");
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or_else(usage)?;
            match option.as_str() {
                "--port" => options.port = value.parse()?,
                "--origin" => options.origins.push(value),
                _ => return Err(usage()),
            }
        }
        Ok(options)
    }
}
