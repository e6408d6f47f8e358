//! Four programs that hang, as real ones do, to practise on. The guide's chapter *What is it
//! doing?* goes from what one sees of each to the line that is to blame.
//!
//! ```text
//! cargo run -p hangs -- futurelock          # then Ctrl-\, for a dump
//! cargo run -p hangs -- ignored             # Ctrl-C does not end it; Ctrl-\ says why
//! cargo run -p hangs -- blocked | sleep 99  # nobody reads what it prints
//! cargo run -p hangs -- leak                # goes on, and grows
//! ```
//!
//! With `--inspect 6680` at the end, http://localhost:6680 shows the same in a browser.

mod blocked;
mod futurelock;
mod ignored;
mod leak;

use std::time::Duration;

use seedbed::net::TcpListener;
use seedbed::signal::Signal;
use seedbed::{Builder, Error, Result, inspect, nursery};

#[derive(Clone, Copy)]
enum Hang {
    Futurelock,
    Ignored,
    Blocked,
    Leak,
}

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let (hang, page) = options()?;
    let builder = Builder::new().dump_on(Signal::QUIT).warn_when_blocked(Duration::from_secs(1));
    match page {
        None => builder.run(run(hang)),
        Some(port) => builder.run(nursery(async |n| {
            let listener = TcpListener::bind(("127.0.0.1", port)).await?;
            println!("http://{}", listener.local_addr()?);
            n.named("page").service(inspect::serve(listener));
            run(hang).await
        })),
    }
}

async fn run(hang: Hang) -> Result<()> {
    match hang {
        Hang::Futurelock => futurelock::main().await,
        Hang::Ignored => ignored::main().await,
        Hang::Blocked => blocked::main().await,
        Hang::Leak => leak::main().await,
    }
}

/// Which of them hangs, and the port of the page.
fn options() -> Result<(Hang, Option<u16>)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, page) = match arguments[..] {
        [name] => (name, None),
        [name, "--inspect", port] => (name, Some(port.parse()?)),
        _ => ("", None),
    };
    let hang = match name {
        "futurelock" => Hang::Futurelock,
        "ignored" => Hang::Ignored,
        "blocked" => Hang::Blocked,
        "leak" => Hang::Leak,
        _ => {
            return Err(Error::msg(
                "usage: hangs futurelock|ignored|blocked|leak [--inspect PORT]",
            ));
        }
    };
    Ok((hang, page))
}
