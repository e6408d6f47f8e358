//! A job, and how it is done.

use std::time::Duration;

use seedbed::{Error, Result, checkpoint, sleep};
use serde::{Deserialize, Serialize};

/// A job, as it lies in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The number to begin with. It is also the job's name: two jobs with the same number are the
    /// same job.
    pub(crate) number: u64,
    /// How many milliseconds the job waits, as if for somebody else.
    #[serde(default)]
    pub(crate) waits: u64,
}

impl Job {
    /// A job from a line such as `27`, or `27 500`, which waits for half a second.
    pub(crate) fn of_line(line: &str) -> Result<Job> {
        let words: Vec<_> = line.split_whitespace().map(str::parse).collect();
        match words[..] {
            [Ok(number)] if number > 0 => Ok(Job { number, waits: 0 }),
            [Ok(number), Ok(waits)] if number > 0 => Ok(Job { number, waits }),
            _ => Err(Error::msg(format!("no job: `{line}`"))),
        }
    }

    /// The number of steps from the job's number to 1, where an even number is halved, and an odd one
    /// becomes three times itself, plus 1.
    pub(crate) async fn steps(&self) -> Result<u64> {
        sleep(Duration::from_millis(self.waits)).await?;
        let (mut number, mut steps) = (self.number, 0_u64);
        while number != 1 {
            let next = match number % 2 {
                0 => Some(number / 2),
                _ => number.checked_mul(3).and_then(|number| number.checked_add(1)),
            };
            number = next.ok_or_else(|| Error::msg("the numbers have become too large"))?;
            steps += 1;
            if steps.is_multiple_of(1000) {
                checkpoint().await?; // a long job lets others run, and can be cancelled
            }
        }
        Ok(steps)
    }
}
