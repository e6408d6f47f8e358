//! A schedule as a string: where it departs from first in, first out.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

/// An order in which the tasks of a program may run, as printed by [`explore`](super::explore).
///
/// Wherever there is more than one way to go on, the scheduler makes a decision. A schedule lists
/// the decisions, counted from 0, at which it takes a way other than the first: `12.1-40.2` takes
/// the second way at decision 12 and the third at decision 40. The schedule with an empty list is
/// `fifo`, which is what an ordinary [`run`](crate::run()) on the [virtual
/// clock](super::VirtualClock) does.
///
/// A schedule means the same as long as neither the program nor this crate changes.
///
/// ```
/// use seedbed::testing::Schedule;
///
/// let schedule: Schedule = "12.1-40.2".parse()?;
/// assert_eq!(schedule.to_string(), "12.1-40.2");
/// assert_eq!("fifo".parse::<Schedule>()?, Schedule::default());
/// assert!("12.1-12.2".parse::<Schedule>().is_err());
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// Sorted by position.
    pub(super) deviations: Vec<Deviation>,
}

/// A decision for a way other than the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Deviation {
    /// The decision, counted from 0.
    pub(super) position: u32,
    /// The way taken, counted from 0; never 0.
    pub(super) choice: u32,
}

/// The environment variable that names a schedule to replay.
pub(super) const VARIABLE: &str = "SEEDBED_SCHEDULE";

/// The schedule without deviations, as a string.
const NONE: &str = "fifo";

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.deviations.is_empty() {
            return f.write_str(NONE);
        }
        for (index, Deviation { position, choice }) in self.deviations.iter().enumerate() {
            let separator = if index == 0 { "" } else { "-" };
            write!(f, "{separator}{position}.{choice}")?;
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = NotASchedule;

    fn from_str(text: &str) -> Result<Schedule, NotASchedule> {
        let mut deviations: Vec<Deviation> = Vec::new();
        if text != NONE {
            for part in text.split('-') {
                let after = deviations.last().map(|last| last.position);
                let deviation = parse(part, after).ok_or_else(|| NotASchedule(text.to_owned()))?;
                deviations.push(deviation);
            }
        }
        Ok(Schedule { deviations })
    }
}

fn parse(part: &str, after: Option<u32>) -> Option<Deviation> {
    let (position, choice) = part.split_once('.')?;
    let (position, choice) = (position.parse().ok()?, choice.parse().ok()?);
    (after.is_none_or(|after| after < position) && choice > 0)
        .then_some(Deviation { position, choice })
}

/// A text that is not a [`Schedule`].
///
/// ```
/// let error = "12".parse::<seedbed::testing::Schedule>().unwrap_err();
/// assert!(error.to_string().contains("`12`"));
/// ```
#[derive(Clone, Debug)]
pub struct NotASchedule(String);

impl fmt::Display for NotASchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a schedule; a schedule is `{NONE}` or looks like `12.1-40.2`, where the \
             numbers before the dots increase and those after them are not 0",
            self.0
        )
    }
}

impl StdError for NotASchedule {}
