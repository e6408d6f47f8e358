//! Workers: processes on any number of machines that do the jobs of one queue in NATS JetStream.
//!
//! ```text
//! nats-server -js
//! seq 10000 | cargo run --release -p workers -- submit
//! cargo run --release -p workers -- work --name one     # as many of these as you like, anywhere
//! ```
//!
//! A job is a number, and doing it is to count the steps of Collatz from there to 1.
//!
//! | file | what |
//! |---|---|
//! | `options` | the command line |
//! | `job` | a job, and how it is done |
//! | `queue` | the queue and the results, in JetStream |
//! | `worker` | taking jobs until asked to stop; one job under a lease, with a limit |

mod job;
mod options;
mod queue;
mod worker;

use std::io;

use seedbed::signal::{Signal, Signals};
use seedbed::tokio::Companion;
use seedbed::{Builder, Result, nursery};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::job::Job;
use crate::options::{Options, What, Working};
use crate::queue::Queue;
use crate::worker::Worker;

fn main() -> Result<()> {
    let Options { server, lease, what } = Options::of_command_line()?;
    let verbosity = match &what {
        What::Work(working) if working.is_verbose => Level::DEBUG,
        _ => Level::INFO,
    };
    // The libraries are not more talkative for that.
    let levels = Targets::new().with_default(Level::INFO).with_target("workers", verbosity);
    tracing_subscriber::registry().with(fmt::layer().with_writer(io::stderr)).with(levels).init();
    // async-nats needs tokio, which runs beside this.
    Builder::new().tokio(Companion::new()).run(async {
        let queue = Queue::open(&server, lease).await?;
        match what {
            What::Submit => submit(&queue).await,
            What::Work(working) => work(&queue, &working).await,
        }
    })
}

/// Puts the jobs that stand in the standard input, one a line, into the queue.
async fn submit(queue: &Queue) -> Result<()> {
    let jobs =
        io::read_to_string(io::stdin())?.lines().map(Job::of_line).collect::<Result<Vec<_>>>()?;
    queue.submit(&jobs).await?;
    println!("{} jobs are in the queue", jobs.len());
    Ok(())
}

/// Does jobs until SIGTERM or Ctrl-C. Then what has been begun is finished, within the grace; a
/// second signal ends that, too.
async fn work(queue: &Queue, working: &Working) -> Result<()> {
    let signals = Signals::new([Signal::TERM, Signal::INT])?;
    let worker = Worker::new(queue, working);
    let worker = &worker;
    nursery(async |n| {
        n.service(async move {
            let signal = signals.recv().await?;
            tracing::info!("{signal}: finishing what has been begun");
            n.scope().cancel_gracefully(working.grace);
            let signal = signals.recv().await?;
            n.scope().cancel_with(format!("{signal}, again"));
            Ok(())
        });
        for slot in 0..working.at_once {
            n.named(format!("slot {slot}")).spawn(worker.take_jobs());
        }
        tracing::info!(name = working.name, "working");
        Ok(())
    })
    .await?;
    tracing::info!("{}", worker.summary());
    Ok(())
}
