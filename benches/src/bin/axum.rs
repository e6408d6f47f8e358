//! An axum router served by `hyper::serve_tower`, beside `axum::serve` on tokio's current-thread
//! runtime.
//!
//! ```text
//! cargo run --release -p seedbed-bench --no-default-features --features axum --bin axum -- [--rounds N]
//! ```
//!
//! Each server is a process with one thread, and the clients are in this one, the same for both. The
//! servers take turns, round by round, and none is always first. The routes: one that answers with a
//! text, one with a path, a state and JSON, and one that awaits a message to itself before that, of
//! its own runtime's channel. hyper's version is the same, and axum's. A figure is the median of the
//! rounds; running time is the server's alone.

#[path = "../served.rs"]
mod served;

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use seedbed::hyper::local;
use seedbed::net::TcpStream;
use seedbed::{Result, nursery};
use serde::Serialize;
use served::{Server, median};

const SUBJECTS: [&str; 2] = ["seedbed", "tokio"];
const ROUTES: [&str; 3] = ["/text", "/users/7", "/awaited/7"];
const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(2);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [inside, subject] = &arguments[..]
        && inside == "--inside"
    {
        return serve(subject);
    }
    let rounds = match &arguments[..] {
        [] => 3,
        [option, rounds] if option == "--rounds" => rounds.parse().expect("a number"),
        _ => panic!("usage: axum [--rounds N]"),
    };
    let servers = SUBJECTS.map(|subject| Server::start(subject, ""));
    let mut figures: [[[Vec<f64>; 2]; ROUTES.len()]; SUBJECTS.len()] = Default::default();
    for round in 0..rounds {
        for (route, path) in ROUTES.iter().enumerate() {
            for turn in 0..SUBJECTS.len() {
                let subject = (turn + round) % SUBJECTS.len();
                let server = &servers[subject];
                let (requests, cpu) = server.count(|| seedbed::run(requests(server.address, path)));
                let [rates, times] = &mut figures[subject][route];
                rates.push(requests / TIME.as_secs_f64());
                times.push(cpu.as_secs_f64() * 1e6 / requests);
            }
        }
    }
    println!("| requests/s (µs of CPU each) | {} |", ROUTES.join(" | "));
    println!("|---|---|---|---|");
    for (subject, figures) in SUBJECTS.iter().zip(figures) {
        print!("| {subject} |");
        for [rates, times] in figures {
            print!(" {:.0} ({:.2}) |", median(rates), median(times));
        }
        println!();
    }
}

/// Returns how many requests were answered.
async fn requests(address: SocketAddr, path: &str) -> Result<u64> {
    let until = Instant::now() + TIME;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let request = request.as_bytes();
    nursery(async |n| {
        let ask = async || {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut count, mut buffer, mut expected) = (0, [0; 1024], 0);
            while Instant::now() < until {
                stream.write_all(request).await?;
                let mut n = stream.read(&mut buffer).await?;
                if expected == 0 {
                    assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", path);
                    expected = n; // it is in one piece when nothing is behind it
                }
                while n < expected {
                    n += stream.read(&mut buffer[n..]).await?;
                }
                count += 1;
            }
            Ok(count)
        };
        let tasks: Vec<_> = (0..CONNECTIONS).map(|_| n.spawn(ask())).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await?;
        }
        Ok(sum)
    })
    .await
}

// ---- The servers -------------------------------------------------------------------------------

struct Names(Vec<String>);

#[derive(Serialize)]
struct User {
    id: usize,
    name: String,
}

impl Names {
    fn user(&self, id: usize) -> Json<User> {
        Json(User { id, name: self.0[id % self.0.len()].clone() })
    }
}

type Shared = State<Arc<Names>>;

/// What both have.
fn router() -> Router<Arc<Names>> {
    Router::new()
        .route("/text", get(async || "Hello, World!"))
        .route("/users/{id}", get(async |State(names): Shared, Path(id)| names.user(id)))
}

/// The inside of a server's process: serves until it is killed.
fn serve(subject: &str) {
    let names = Arc::new(Names((0..10).map(|i| format!("user {i}")).collect()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    match subject {
        "seedbed" => on_seedbed(names, listener),
        _ => on_tokio(names, listener),
    }
}

fn on_seedbed(names: Arc<Names>, listener: std::net::TcpListener) {
    async fn awaited(State(names): Shared, Path(id): Path<usize>) -> Json<User> {
        let (sender, receiver) = seedbed::channel(1);
        sender.send(id).await.expect("it is received");
        names.user(receiver.recv().await.expect("nobody cancels").expect("it was sent"))
    }
    let router = router().route("/awaited/{id}", get(|names, id| local(awaited(names, id))));
    seedbed::run(async {
        let listener = seedbed::net::TcpListener::from_std(listener)?;
        seedbed::hyper::serve_tower(listener, router.with_state(names)).await
    })
    .unwrap();
}

fn on_tokio(names: Arc<Names>, listener: std::net::TcpListener) {
    async fn awaited(State(names): Shared, Path(id): Path<usize>) -> Json<User> {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        sender.send(id).await.expect("it is received");
        names.user(receiver.recv().await.expect("it was sent"))
    }
    use axum::serve::ListenerExt;

    let router = router().route("/awaited/{id}", get(awaited));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        // As seedbed does by itself.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, router.with_state(names)).await.unwrap();
    });
}
