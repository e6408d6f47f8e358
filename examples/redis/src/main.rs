//! A Redis-compatible server, on one thread.
//!
//! ```text
//! cargo run --release -p redis_server -- --port 6379 --file keys.resp
//! redis-cli                                  # SET a 1 EX 60, LPUSH l x, SUBSCRIBE news, help set
//! redis-benchmark -q -t get,set,lpush -P 16
//! ```
//!
//! Ctrl-C, SIGTERM and `SHUTDOWN` stop it. It answers what has arrived, writes the answers, and then
//! saves its keys in the file.

mod options;

use redis_server::data::{Data, snapshot};
use redis_server::serve::Server;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seedbed::Result;
use seedbed::net::TcpListener;
use seedbed::signal::{Signal, Signals};

use crate::options::Options;

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Options { port, file, mut settings } = Options::of_command_line()?;
    settings.most_clients = settings.most_clients.min(allow_descriptors(settings.most_clients));

    let data = seedbed::run(async {
        let signals = Signals::new([Signal::TERM, Signal::INT])?;
        let server = Server::new(Data::default(), settings);
        if let Some(file) = &file {
            server.load(file)?;
        }
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        println!("listening on {}", listener.local_addr()?);
        server.serve(listener, signals.recv()).await?;
        Ok(server.into_data())
    })?;

    if let Some(file) = &file {
        snapshot::save(&data.store, file)?;
        print!("saved {} keys, ", data.store.len());
    }
    println!("executed {} commands", data.counts.commands);
    Ok(())
}

/// Allows the process as many descriptors as this many clients need, as far as the system lets it.
/// Returns how many clients there can be.
fn allow_descriptors(clients: usize) -> usize {
    /// For everything else that a server has open.
    const OTHERS: u64 = 32;
    let wanted = clients as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    let allowed = match limit {
        Rlimit { current: Some(current), maximum } if current < wanted => {
            let more = maximum.map_or(wanted, |maximum| maximum.min(wanted));
            match setrlimit(Resource::Nofile, Rlimit { current: Some(more), maximum }) {
                Ok(()) => more,
                Err(_) => current,
            }
        }
        _ => wanted,
    };
    allowed.saturating_sub(OTHERS).max(1) as usize
}
