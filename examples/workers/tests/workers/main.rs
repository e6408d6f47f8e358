//! The workers, as processes, at a NATS server (`nats-server`, from the Debian package of that name).
//!
//! Nothing here depends on how fast anything is: the tests wait for what the server and the processes
//! say.

mod processes;
mod watch;

use std::collections::BTreeMap;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::time::SystemTime;

use seedbed::signal::Signal;
use seedbed::tokio::Companion;
use seedbed::{Builder, Result, nursery};

use crate::processes::{Program, Server};
use crate::watch::Watch;

fn run(test: impl Future<Output = Result<()>>) {
    Builder::new().tokio(Companion::new()).run(test).unwrap();
}

/// A worker that was asked to stop ends well, and has acknowledged all that it has begun. Returns how
/// many jobs that were.
async fn ends_well(worker: &mut Program) -> Result<u64> {
    let summary = worker.says(&["begun: "]).await?;
    let (_, counts) = summary.split_once("begun: ").unwrap();
    let (begun, done) = counts.split_once(", done: ").unwrap();
    assert_eq!(begun, done);
    assert!(worker.end().await?.success());
    Ok(begun.parse()?)
}

fn steps(mut number: u64) -> u64 {
    let mut steps = 0;
    while number != 1 {
        number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

/// Three workers, of which one is killed and one is asked to stop, each at a moment of its own. None
/// of the jobs is lost, each has the right result, and none was acknowledged before it had.
#[test]
fn ten_thousand_jobs_outlast_two_of_three_workers() {
    const JOBS: u64 = 10_000;
    let random = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    let moment = |random: u32| 1 + u64::from(random) % (JOBS / 2);
    let (killed_at, stopped_at) = (moment(random), moment(random / 7919));
    println!("one is killed after {killed_at} jobs, another is stopped after {stopped_at}");
    run(nursery(async |n| {
        let server = Server::start(n).await?;
        let lease = ["--lease", "2"];
        let jobs = (1..=JOBS).map(|number| format!("{number} {}\n", number % 20));
        server.submit(jobs.collect(), &lease).await?;
        let mut watch = Watch::begin(&server.url).await?;
        assert_eq!(watch.unacknowledged().await?, JOBS);

        let start = |name| server.worker(n, name, &lease);
        let [mut killed, mut stopped, mut last] =
            [start("killed")?, start("stopped")?, start("last")?];
        let mut acknowledged = BTreeMap::new();
        while acknowledged.len() < JOBS as usize {
            let next = watch.next().await?;
            if acknowledged.insert(next.sequence, next.at).is_some() {
                continue;
            }
            let number = acknowledged.len() as u64;
            if number == killed_at {
                killed.signal(Signal::from_raw(9))?;
            }
            if number == stopped_at {
                stopped.signal(Signal::TERM)?;
            }
        }
        assert_eq!(killed.end().await?.signal(), Some(9));
        ends_well(&mut stopped).await?;
        last.signal(Signal::TERM)?;
        ends_well(&mut last).await?;

        assert_eq!(watch.unacknowledged().await?, 0);
        let results = watch.results().await?;
        assert!(results.keys().copied().eq(1..=JOBS), "{} results", results.len());
        for (number, result) in &results {
            assert_eq!(result.steps, steps(*number), "{number}");
            assert!(result.at <= acknowledged[number], "{number} was acknowledged too early");
        }
        drop(watch);
        server.stop().await
    }));
}

/// A job that takes longer than its lease stays with its worker, as long as that is alive. If it is
/// not, for all that the others can see, one of them does the job; and when it goes on after all, the
/// job keeps its first result.
#[test]
fn a_lease_is_prolonged_by_who_is_alive() {
    const LONG: u64 = 1_000_001;
    const TWICE: u64 = 1_000_003;
    run(nursery(async |n| {
        let server = Server::start(n).await?;
        let options = ["--lease", "3", "--at-once", "1", "--verbose"];
        let mut one = server.worker(n, "one", &options)?;
        one.says(&["working"]).await?;
        let mut watch = Watch::begin(&server.url).await?;

        server.submit(format!("{LONG} 7000"), &[]).await?;
        one.says(&["begun", &LONG.to_string()]).await?;
        let mut two = server.worker(n, "two", &options)?;
        two.says(&["working"]).await?;
        assert_eq!(watch.next().await?.sequence, 1);
        two.signal(Signal::TERM)?;
        assert_eq!(ends_well(&mut two).await?, 0, "it was given to nobody else");

        server.submit(format!("{TWICE} 500"), &[]).await?;
        one.says(&["begun", &TWICE.to_string()]).await?;
        one.signal(Signal::from_raw(19))?; // SIGSTOP
        let mut two = server.worker(n, "two", &options)?;
        two.says(&["done", &TWICE.to_string(), "Now"]).await?;
        let twice = watch.next().await?;
        assert_eq!((twice.sequence, twice.deliveries), (2, 2));
        one.signal(Signal::CONT)?;
        one.says(&["done", &TWICE.to_string(), "Before"]).await?;

        for worker in [&mut one, &mut two] {
            worker.signal(Signal::TERM)?;
            ends_well(worker).await?;
        }
        let results = watch.results().await?;
        let by: Vec<_> = results.values().map(|result| result.by.as_str()).collect();
        assert_eq!(by, ["one", "two"]);
        assert_eq!(watch.unacknowledged().await?, 0);
        drop(watch);
        server.stop().await
    }));
}

/// When the grace is over, and when there is a second signal, others have the job at once. Its lease
/// would last for an hour.
#[test]
fn what_is_not_finished_in_time_is_given_back() {
    run(nursery(async |n| {
        let server = Server::start(n).await?;
        server.submit("27 3600000".into(), &["--lease", "3600"]).await?;
        for (grace, signals) in [("0.1", 1), ("3600", 2)] {
            let options = ["--grace", grace, "--limit", "7200", "--verbose"];
            let mut worker = server.worker(n, "one of several", &options)?;
            worker.says(&["begun", "27"]).await?;
            worker.signal(Signal::TERM)?;
            if signals > 1 {
                worker.says(&["finishing what has been begun"]).await?;
                worker.signal(Signal::TERM)?;
            }
            worker.says(&["begun: 1, done: 0"]).await?;
            assert!(worker.end().await?.success());
        }
        let watch = Watch::begin(&server.url).await?;
        assert_eq!(watch.unacknowledged().await?, 1);
        drop(watch);
        server.stop().await
    }));
}
