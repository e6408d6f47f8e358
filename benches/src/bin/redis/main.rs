//! A whole program: the Redis-compatible server of the examples, beside the same server on tokio's
//! current-thread runtime, and Redis itself.
//!
//! ```text
//! cargo run --release -p seedbed-bench --no-default-features --features redis --bin redis -- [--rounds N] [--requests N]
//! ```
//!
//! `redis-benchmark` (Debian's `redis-tools`) drives each of them with 50 connections, with 1 and
//! with 16 requests in a pipeline. Servers take turns, case by case and round by round. What is
//! counted is the processor time that a server takes for a request, all its threads together: on a
//! machine that does other things as well, that says more than requests per second. A figure is the
//! median of the rounds; in brackets is how many times as much as seedbed's it is, the least and the
//! most of all rounds.
//!
//! | file | concept |
//! |---|---|
//! | `main` | the comparison |
//! | `on_seedbed` | the example, as it is |
//! | `on_tokio` | the same on tokio: what waits is written anew, the rest is shared |
//! | `server` | a server as a process, and the time it has taken |

mod on_seedbed;
mod on_tokio;
mod server;

use std::env;
use std::process::{Command, ExitCode, Stdio};

use on_tokio::Care;
use server::{SERVE, Server};

/// Starts a server on a port, if there is one here.
type Start = fn(u16) -> Option<Server>;

/// What is compared, and how it is started.
const SUBJECTS: &[(&str, Start)] = &[
    ("seedbed", |port| Server::inside("seedbed", port)),
    ("tokio", |port| Server::inside("tokio", port)),
    ("tokio, without limits or stop", |port| Server::inside("tokio-careless", port)),
    ("redis-server", Server::redis),
];

/// Tests of `redis-benchmark`, requests in a pipeline, and how many times as many requests as
/// usual.
const CASES: &[(&str, usize, usize)] = &[
    ("ping_mbulk", 1, 1),
    ("set", 1, 1),
    ("get", 1, 1),
    ("ping_mbulk", 16, 5),
    ("set", 16, 5),
    ("get", 16, 5),
    ("lpush", 16, 5),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let [SERVE, subject, port] = arguments[..] {
        serve(subject, port.parse().expect("a port is a number"));
        return ExitCode::SUCCESS;
    }
    let (mut rounds, mut requests) = (5, 200_000);
    for option in arguments.chunks(2) {
        match *option {
            ["--rounds", n] => rounds = n.parse().expect("a number of rounds"),
            ["--requests", n] => requests = n.parse().expect("a number of requests"),
            _ => {
                eprintln!("usage: redis [--rounds N] [--requests N]");
                return ExitCode::FAILURE;
            }
        }
    }
    if Command::new("redis-benchmark").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("it needs redis-benchmark (Debian: redis-tools), and for Redis, redis-server");
        return ExitCode::FAILURE;
    }
    for case in CASES {
        compare(case, rounds, requests);
    }
    ExitCode::SUCCESS
}

/// What this program does as a server.
fn serve(subject: &str, port: u16) {
    match subject {
        "seedbed" => on_seedbed::run(port),
        "tokio" => on_tokio::run(port, Care::Full),
        _ => on_tokio::run(port, Care::None),
    }
}

fn compare(&(test, pipeline, times): &(&str, usize, usize), rounds: usize, requests: usize) {
    let mut figures = vec![Vec::new(); SUBJECTS.len()];
    for round in 0..rounds {
        for turn in 0..SUBJECTS.len() {
            // Nobody is always first.
            let subject = (round + turn) % SUBJECTS.len();
            if let Some(micros) = measure(subject, test, pipeline, times * requests) {
                figures[subject].push(micros);
            }
        }
    }
    println!("{test}, {pipeline} at once:");
    let ours = figures[0].clone();
    for ((name, _), figures) in SUBJECTS.iter().zip(figures) {
        if figures.is_empty() {
            continue;
        }
        let ratios = figures.iter().zip(&ours).map(|(theirs, ours)| theirs / ours);
        let (least, most) = ratios.fold((f64::INFINITY, 0f64), |(least, most), ratio| {
            (least.min(ratio), most.max(ratio))
        });
        let (median, ours) = (median(figures), median(ours.clone()));
        println!("    {name:32} {median:7.3} µs ({:.2}: {least:.2} to {most:.2})", median / ours);
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Microseconds of the server's time for one request; `None` if there is no such server here.
fn measure(subject: usize, test: &str, pipeline: usize, requests: usize) -> Option<f64> {
    let port = 20_000 + (std::process::id() % 10_000) as u16;
    let server = SUBJECTS[subject].1(port)?;
    let drive = |requests: usize| {
        let status = Command::new("redis-benchmark")
            .args(["-p", &port.to_string(), "-t", test, "-P", &pipeline.to_string()])
            .args(["-n", &requests.to_string(), "-c", "50", "-r", "10000", "-q"])
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("it was there before").success(), "redis-benchmark failed");
    };
    drive(requests / 20);
    let before = server.time();
    drive(requests);
    let took = server.time() - before;
    server.stop();
    Some(took.as_secs_f64() * 1e6 / requests as f64)
}
