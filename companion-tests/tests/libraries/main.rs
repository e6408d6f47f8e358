//! Libraries that need tokio's runtime, unmodified, under the scopes of this crate: each call is
//! cancelled after every number of polls, and leaves nothing behind but what the library keeps by
//! its own design, which each test says.
//!
//! | file | what |
//! |---|---|
//! | `cut` | a call that is cancelled after every number of polls |
//! | `left` | what calls leave behind: tasks, connections, descriptors |
//! | `certificate` | a certificate, and who trusts it |
//! | `http_client` | reqwest, over HTTP/1, and over HTTP/2 and TLS, with a server of this crate |
//! | `postgres` | sqlx, with PostgreSQL; a query that is cancelled at the server |
//! | `redis_client` | redis, with `redis-server` |
//! | `grpc` | tonic, client and server |
//! | `quic` | quinn, client and server |
//! | `websocket` | tokio-tungstenite, with a server over this crate's streams |
//! | `console` | what `tokio-console` is told, by console-subscriber |
//! | `elsewhere` | all of them from other threads, and on two cores |
#![cfg(target_os = "linux")]

#[path = "../../../tests/support/alone.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod alone;
mod certificate;
mod console;
mod cut;
mod elsewhere;
mod grpc;
mod http_client;
mod left;
mod postgres;
mod quic;
mod redis_client;
mod websocket;

use std::future::Future;

use seedbed::tokio::{Companion, call};
use seedbed::{Builder, Result};

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().tokio(Companion::new()).run(main)
}

/// Runs a test in a process of its own, whose descriptors and tasks nobody else changes.
fn alone(name: &str, main: impl AsyncFnOnce() -> Result<()>) {
    alone::alone(name, || run(main()).unwrap());
}
