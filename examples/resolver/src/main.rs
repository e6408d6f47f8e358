//! Looks names up with the servers that `/etc/resolv.conf` names, or with another one.
//!
//! ```text
//! cargo run -p resolver -- example.org docs.rs
//! cargo run -p resolver -- --server 9.9.9.9 example.org
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use resolver::Resolver;
use seedbed::net::lookup_host;
use seedbed::{Builder, Error, Result};

fn main() -> Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let servers = if names.first().is_some_and(|first| first == "--server") && names.len() > 1 {
        vec![names.drain(..2).nth(1).unwrap_or_default().parse()?]
    } else {
        servers()?
    };
    if names.is_empty() {
        return Err(Error::msg("usage: resolver [--server ADDRESS] NAME…"));
    }
    let servers = servers.into_iter().map(|server: IpAddr| SocketAddr::new(server, 53)).collect();
    let resolver = Arc::new(Resolver::new(servers));
    let look_up = async move |host: &str, port: u16| resolver.look_up(host, port).await;
    Builder::new().resolver(look_up).run(async {
        for name in &names {
            // As `TcpStream::connect` does.
            for address in lookup_host((name.as_str(), 443)).await? {
                println!("{name}: {}", address.ip());
            }
        }
        Ok(())
    })
}

/// The system's servers.
fn servers() -> Result<Vec<IpAddr>> {
    let text = std::fs::read_to_string("/etc/resolv.conf")?;
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver "));
    Ok(servers.filter_map(|server| server.trim().parse().ok()).collect())
}
