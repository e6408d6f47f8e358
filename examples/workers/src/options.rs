//! What is said on the command line.

use std::process;
use std::time::Duration;

use seedbed::{Error, Result};

const USAGE: &str =
    "usage: workers submit [--server URL] [--lease SECONDS]  (a job a line on the standard input)
       workers work [--server URL] [--name NAME] [--at-once N] [--lease SECONDS]
                    [--limit SECONDS] [--grace SECONDS] [--verbose]";

pub(crate) struct Options {
    pub(crate) server: String,
    /// How long a job belongs to a worker that does not prolong its lease.
    pub(crate) lease: Duration,
    pub(crate) what: What,
}

pub(crate) enum What {
    Submit,
    Work(Working),
}

pub(crate) struct Working {
    /// The name that stands in results.
    pub(crate) name: String,
    /// How many jobs are done at the same time.
    pub(crate) at_once: usize,
    /// How long a job may take.
    pub(crate) limit: Duration,
    /// How long what has been begun may go on after SIGTERM.
    pub(crate) grace: Duration,
    /// Whether each job is logged.
    pub(crate) is_verbose: bool,
}

impl Options {
    pub(crate) fn of_command_line() -> Result<Options> {
        let mut arguments = std::env::args().skip(1);
        let does_work = match arguments.next().as_deref() {
            Some("submit") => false,
            Some("work") => true,
            _ => return Err(Error::msg(USAGE)),
        };
        let mut server = String::from("nats://127.0.0.1:4222");
        let mut lease = Duration::from_secs(30);
        let mut working = Working {
            name: format!("worker {}", process::id()),
            at_once: 16,
            limit: Duration::from_secs(60),
            grace: Duration::from_secs(20),
            is_verbose: false,
        };
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| Error::msg(USAGE));
            match (option.as_str(), does_work) {
                ("--server", _) => server = value()?,
                ("--name", true) => working.name = value()?,
                ("--at-once", true) => working.at_once = value()?.parse()?,
                ("--lease", _) => lease = seconds(&value()?)?,
                ("--limit", true) => working.limit = seconds(&value()?)?,
                ("--grace", true) => working.grace = seconds(&value()?)?,
                ("--verbose", true) => working.is_verbose = true,
                _ => return Err(Error::msg(USAGE)),
            }
        }
        let what = if does_work { What::Work(working) } else { What::Submit };
        Ok(Options { server, lease, what })
    }
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}
