//! The chat server, and clients that do what no browser would.
#![cfg(unix)]

mod client;
mod hostile;
mod leaving;
mod rooms;

use std::time::Duration;

use chat::{Chat, Limits};
use client::Client;
use seedbed::net::{UnixListener, UnixStream};
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Event, Result, nursery};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that is running.
struct Server {
    path: std::path::PathBuf,
    stop: Event,
    clock: VirtualClock,
}

impl Server {
    async fn connect(&self) -> Result<Client> {
        Ok(Client::new(UnixStream::connect(&self.path).await?))
    }

    async fn join(&self, room: &str, name: &str) -> Result<Client> {
        self.connect().await?.join(room, name).await
    }

    /// How much time has passed since the server was started.
    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// Runs a server and, beside it, `clients`. Then the server is stopped, and has to end.
fn serving(limits: Limits, clients: impl AsyncFnOnce(&Server) -> Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new();
    let server =
        Server { path: folder.path().join("chat"), stop: Event::new(), clock: clock.clone() };
    let outcome = Builder::new().clock(&clock).detect_deadlock(true).run(async {
        let listener = UnixListener::bind(&server.path).await?;
        let chat = Chat::new(limits, vec!["https://friend.example".into()]);
        nursery(async |n| {
            n.spawn(chat.serve(listener, server.stop.wait()));
            clients(&server).await?;
            server.stop.set();
            Ok(())
        })
        .await
    });
    outcome.unwrap();
}
