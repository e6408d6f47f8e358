//! Running a program under every schedule.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

use super::decisions::{Astray, Decisions, Met, Rest, schedule_of};
use super::failure::{Cause, Failure};
use super::panic_reports::without_panic_reports;
use super::schedule::{Schedule, VARIABLE};
use super::search::Search;
use super::shorten::shorten;
use crate::error::{Result, not_to_be_explored};
use crate::run::Builder;
use crate::schedule::order;

/// Runs a program on a virtual clock, in every order in which its tasks could run and its timers
/// fire. If there are more than a limit, those up to the limit are followed by random ones.
///
/// The closure is called for each schedule, and must create everything the program works on. See
/// [the guide](crate::guide::testing) for what is varied, what counts as a failure, and an example
/// from bug to replay. [`Explore`] has the settings.
///
/// # Panics
///
/// If the program returns an error, panics or hangs under a schedule. The message contains that
/// failure and the schedule, made as simple as possible, as a string that
/// [replays](Explore::replay) it. Setting the environment variable `SEEDBED_SCHEDULE` to the string
/// replays it too.
///
/// ```
/// use seedbed::testing::explore;
/// use seedbed::{channel, nursery};
///
/// let report = explore(|| async {
///     let (sender, receiver) = channel(1);
///     nursery(async |n| {
///         let other = sender.clone();
///         n.spawn(async move { Ok(sender.send(1).await?) });
///         n.spawn(async move { Ok(other.send(2).await?) });
///         let mut got = [receiver.recv().await?, receiver.recv().await?];
///         got.sort();
///         assert_eq!(got, [Some(1), Some(2)]);
///         Ok(())
///     })
///     .await
/// });
/// assert!(report.is_complete());
/// ```
#[track_caller]
pub fn explore(program: impl AsyncFn() -> Result<()>) -> Report {
    Explore::new().check(program)
}

/// The settings of an [`explore`].
///
/// ```
/// use seedbed::testing::Explore;
/// use seedbed::{nursery, yield_now};
///
/// let report = Explore::new().max_schedules(100).random_schedules(50).check(|| async {
///     nursery(async |n| {
///         for _ in 0..5 {
///             n.spawn(yield_now());
///         }
///         Ok(())
///     })
///     .await
/// });
/// assert!(!report.is_complete()); // there are 14,400
/// assert_eq!(report.schedules(), 150);
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until its `check` or `run` is called"]
pub struct Explore {
    max_schedules: usize,
    random_schedules: usize,
    seed: u64,
    max_rounds: u32,
    replay: Option<Schedule>,
}

impl Explore {
    /// Returns the defaults: 10,000 schedules, then 1,000 random ones, with up to 10,000 rounds
    /// each.
    pub fn new() -> Self {
        Explore {
            max_schedules: 10_000,
            random_schedules: 1000,
            seed: 0,
            max_rounds: 10_000,
            replay: None,
        }
    }

    /// Sets how many schedules are tried before random ones; at least one is. They are tried in
    /// this order: first in, first out, then all that deviate from it at one decision, then all
    /// that deviate at two, and so on. Each takes up to 24 bytes of memory.
    pub fn max_schedules(mut self, schedules: usize) -> Self {
        self.max_schedules = schedules;
        self
    }

    /// Sets how many schedules are tried at random if there are more than
    /// [`max_schedules`](Self::max_schedules).
    pub fn random_schedules(mut self, schedules: usize) -> Self {
        self.random_schedules = schedules;
        self
    }

    /// Sets the seed of the random schedules. The same seed gives the same ones.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number of rounds of the scheduler after which a run counts as endless. A round is
    /// one pass over the tasks that are ready when it begins. A run may take up to 256 more rounds
    /// before it is stopped.
    pub fn max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// Makes [`check`](Self::check) and [`run`](Self::run) run only this schedule.
    ///
    /// # Panics
    ///
    /// If the text is not a [`Schedule`].
    ///
    /// ```
    /// use seedbed::testing::Explore;
    ///
    /// let report = Explore::new().replay("fifo").check(|| async { Ok(()) });
    /// assert_eq!(report.schedules(), 1);
    /// ```
    #[track_caller]
    pub fn replay(mut self, schedule: &str) -> Self {
        self.replay = Some(parse(schedule, "the schedule to be replayed"));
        self
    }

    /// Explores the program, as [`explore`] does.
    ///
    /// # Panics
    ///
    /// As [`explore`] does.
    #[track_caller]
    pub fn check(&self, program: impl AsyncFn() -> Result<()>) -> Report {
        match self.run(program) {
            Ok(report) => report,
            Err(failure) => panic!("{failure:?}"),
        }
    }

    /// Explores the program and returns the result.
    ///
    /// # Errors
    ///
    /// [`Failure`], if there is a schedule under which the program fails.
    ///
    /// # Panics
    ///
    /// If the environment variable `SEEDBED_SCHEDULE` is set, and is not a [`Schedule`].
    #[track_caller]
    pub fn run(&self, program: impl AsyncFn() -> Result<()>) -> Result<Report, Failure> {
        let place = Location::caller();
        let trials = Trials { program, max_rounds: self.max_rounds, place };
        match (&self.replay, std::env::var(VARIABLE)) {
            (Some(schedule), _) => trials.replay(schedule.clone()),
            (None, Ok(given)) => trials.replay(parse(&given, VARIABLE)),
            (None, Err(_)) => self.search(&trials),
        }
    }

    fn search(&self, trials: &Trials<impl AsyncFn() -> Result<()>>) -> Result<Report, Failure> {
        let mut search = Search::new(self.max_schedules);
        let mut tried = 0;
        while let Some(schedule) = search.schedule(tried) {
            let trial = without_panic_reports(|| trials.run(schedule.clone(), Rest::First));
            if trial.astray.is_some() || !search.agrees(tried, &trial.met) {
                let cause = Cause::NotDeterministic(
                    "after the same decisions as in an earlier run, it has a different one to make"
                        .into(),
                );
                return Err(Failure { cause, schedule, tried: tried + 1 });
            }
            search.expand(tried, &trial.met);
            tried += 1;
            trials.judge(trial, tried)?;
        }
        let up_to = search.cut_after();
        let random = if up_to.is_some() { self.random_schedules } else { 0 };
        let seeds = Cell::new(self.seed);
        for number in 1..=random {
            // From a random way at every decision to one at every sixteenth: some bugs need many
            // deviations, and some only a few.
            let one_in = 1 << order::below(5, &seeds);
            let random = Cell::new(order::below(usize::MAX, &seeds) as u64);
            let rest = Rest::Drawn { random, one_in };
            let trial = without_panic_reports(|| trials.run(Schedule::default(), rest));
            trials.judge(trial, tried + number)?;
        }
        Ok(Report { in_order: tried, random, bound: up_to.map(Bound::Deviations) })
    }
}

impl Default for Explore {
    fn default() -> Self {
        Self::new()
    }
}

#[track_caller]
fn parse(text: &str, what: &str) -> Schedule {
    match text.parse() {
        Ok(schedule) => schedule,
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Everything that is needed to run one program again and again.
struct Trials<F> {
    program: F,
    max_rounds: u32,
    place: &'static Location<'static>,
}

struct Trial {
    outcome: Result<(), Cause>,
    met: Vec<Met>,
    astray: Option<Astray>,
}

impl<F: AsyncFn() -> Result<()>> Trials<F> {
    fn run(&self, schedule: Schedule, rest: Rest) -> Trial {
        let decisions = Rc::new(Decisions::new(schedule, rest, self.max_rounds));
        let builder = Builder::exploring(decisions.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            builder.run_at(self.place, async { (self.program)().await })
        }));
        let outcome = match outcome {
            Ok(outcome) => outcome.map_err(Cause::Error),
            Err(payload) => Err(Cause::of_panic(payload)),
        };
        // Whatever the program has made of that error.
        let outcome = match decisions.left_to_others() {
            Some(place) => Err(Cause::Error(not_to_be_explored(place))),
            None => outcome,
        };
        let (met, astray) = decisions.finish();
        Trial { outcome, met, astray }
    }

    /// If the trial failed, finds a simple schedule that fails too, and runs it once more, this
    /// time with its panic reported.
    fn judge(&self, trial: Trial, tried: usize) -> Result<(), Failure> {
        let Err(cause) = trial.outcome else { return Ok(()) };
        let kind = cause.kind();
        let schedule = without_panic_reports(|| {
            shorten(schedule_of(&trial.met), |candidate| {
                let trial = self.run(candidate, Rest::First);
                let fails = trial.outcome.is_err_and(|cause| cause.kind() == kind);
                fails.then(|| schedule_of(&trial.met))
            })
        });
        let cause = match self.run(schedule.clone(), Rest::First).outcome {
            // That was the first schedule to be tried, and it would have failed then.
            Err(_) if tried > 1 && schedule == Schedule::default() => Cause::NotDeterministic(
                "under first in, first out it passed before, and now it fails: something is kept \
                 from one call of the closure to the next, or comes from outside"
                    .into(),
            ),
            Err(again) if again.kind() == kind => again,
            _ => {
                Cause::NotDeterministic("it failed, but did not fail when it was run again".into())
            }
        };
        Err(Failure { cause, schedule, tried })
    }

    fn replay(&self, schedule: Schedule) -> Result<Report, Failure> {
        let trial = self.run(schedule.clone(), Rest::First);
        match (trial.outcome, trial.astray) {
            (Err(cause), _) => Err(Failure { cause, schedule: schedule_of(&trial.met), tried: 1 }),
            (Ok(()), Some(Astray { told, ways })) => {
                let at = match ways {
                    0 => format!("the program makes no decision {}", told.position),
                    _ => format!("the program has only {ways} ways at decision {}", told.position),
                };
                let cause = Cause::NotDeterministic(format!(
                    "{at}, so this cannot be a schedule of the program as it is now"
                ));
                Err(Failure { cause, schedule, tried: 1 })
            }
            (Ok(()), None) => Ok(Report { in_order: 1, random: 0, bound: Some(Bound::Replay) }),
        }
    }
}

/// The extent of an exploration that found no failure.
///
/// ```
/// use seedbed::testing::explore;
/// use seedbed::{checkpoint, nursery};
///
/// let report = explore(|| async {
///     nursery(async |n| {
///         for _ in 0..3 {
///             n.spawn(checkpoint());
///         }
///         Ok(())
///     })
///     .await
/// });
/// assert!(report.is_complete());
/// assert_eq!(report.to_string(), "all 90 schedules pass");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    in_order: usize,
    random: usize,
    bound: Option<Bound>,
}

/// Why not every schedule was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// There are more. All schedules with up to this many deviations were run.
    Deviations(usize),
    /// Only one schedule was asked for.
    Replay,
}

impl Report {
    /// How many schedules were run.
    #[must_use]
    pub fn schedules(&self) -> usize {
        self.in_order + self.random
    }

    /// How many of them were random.
    #[must_use]
    pub fn random_schedules(&self) -> usize {
        self.random
    }

    /// Whether every schedule was run.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.bound.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { in_order, random, bound } = self;
        match bound {
            None if *in_order == 1 => f.write_str("the only schedule passes"),
            None => write!(f, "all {in_order} schedules pass"),
            Some(Bound::Replay) => f.write_str("the replayed schedule passes"),
            Some(Bound::Deviations(most)) => write!(
                f,
                "{in_order} schedules pass, including all with up to {most} deviation{} from \
                 first in, first out, and {random} random ones; there are more",
                if *most == 1 { "" } else { "s" }
            ),
        }
    }
}
