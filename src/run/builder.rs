//! [`run`] and the choices one can make for it.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::rc::Rc;

use crate::error::AlreadyRunning;
use crate::nursery::system::{SYSTEM, System};
use crate::platform::clock::{Clock, VirtualClock};
use crate::platform::on_large_stack;
use crate::run::Runtime;
use crate::schedule::current;
use crate::schedule::order::{Decide, Order};
use crate::schedule::turn::DEFAULT_BUDGET;
use crate::scope::tree::pool::ScopeRef;
use crate::{Error, Result};

/// Runs a future, and all that is spawned under it, to the end, and returns its value or its
/// error.
///
/// Everything happens on this thread. When `run` returns, nothing it started is left: children
/// have ended, because their nurseries have, what else the future owned has been dropped, and the
/// functions that it gave to [other threads](crate::to_thread()) have returned, unless they were
/// abandoned.
///
/// On the process's main thread, Ctrl-C cancels the main future, and `run` returns
/// [`Interrupted`](crate::Interrupted) when that has cleaned up; a second Ctrl-C ends the process
/// at once, unless another library has a handler for it. Such handlers are called as well, during the
/// run and after it. [`Builder::ctrl_c`] turns this off.
///
/// # Errors
///
/// The future's own; [`AlreadyRunning`] if this thread is in a `run` already; an
/// [`io::Error`](std::io::Error) if the kernel has no descriptors for the reactor.
///
/// # Panics
///
/// With the panic of the future, or of a child, once everything has been cleaned up.
///
/// ```
/// let answer = seedbed::run(async { Ok(42) })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().run(main)
}

/// The choices for a [`run`].
///
/// ```
/// use seedbed::{Builder, checkpoint};
///
/// // The same seed gives the same order of tasks, another one perhaps another.
/// Builder::new().seed(7).run(async { checkpoint().await })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until its `run` is called"]
pub struct Builder {
    pub(super) clock: Option<VirtualClock>,
    pub(super) seed: Option<u64>,
    pub(super) decisions: Option<Rc<dyn Decide>>,
    pub(super) budget: u32,
    pub(super) ctrl_c: bool,
    pub(super) detect_deadlock: bool,
    pub(super) fail_when_stuck: bool,
}

impl Builder {
    /// The defaults: the system's clock, no seed, the default [budget](Self::budget), and Ctrl-C
    /// cancels the main future.
    pub fn new() -> Self {
        Builder {
            clock: None,
            seed: None,
            decisions: None,
            budget: DEFAULT_BUDGET,
            ctrl_c: true,
            detect_deadlock: false,
            fail_when_stuck: false,
        }
    }

    /// What [`explore`](crate::testing::explore) runs each schedule with: all that makes a run
    /// repeatable, and what a hang is found by.
    pub(crate) fn exploring(decisions: Rc<dyn Decide>) -> Self {
        Builder { decisions: Some(decisions), ..Builder::new() }
            .clock(&VirtualClock::new())
            .ctrl_c(false)
            .detect_deadlock(true)
            .fail_when_stuck(true)
    }

    pub(super) fn order(&self) -> Order {
        match (&self.decisions, self.seed) {
            (Some(decisions), _) => Order::decided(decisions.clone()),
            (None, Some(seed)) => Order::Drawn(Cell::new(seed)),
            (None, None) => Order::FirstInFirstOut,
        }
    }

    /// Runs on this clock instead of the system's.
    pub fn clock(mut self, clock: &VirtualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Draws the order in which the tasks that are ready run, instead of taking them first in,
    /// first out. With a [`VirtualClock`] and no input from outside, runs with the same seed are
    /// the same.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many operations that could finish at once a task gets through before it lets others run:
    /// at least 1, and 128 by default. With 1 every operation lets others run, as in Trio.
    ///
    /// What is not a [checkpoint](crate::checkpoint()), such as an item of a generator, counts too.
    /// With a budget of 1 it has a count of its own, as large as the default budget, so that it lets
    /// nobody run where it would not in Trio. See [the guide](crate::guide::scheduling#the-budget).
    pub fn budget(mut self, operations: u32) -> Self {
        self.budget = operations.max(1);
        self
    }

    /// Whether Ctrl-C cancels the main future; it does by default. It is heeded only on the
    /// main thread of the process.
    pub fn ctrl_c(mut self, heed: bool) -> Self {
        self.ctrl_c = heed;
        self
    }

    /// Whether it is the error [`Deadlock`](crate::Deadlock) if every task waits, no timer is set,
    /// no input is waited for and no thread is at work in [`to_thread`](crate::to_thread()), where
    /// `run` would wait for a wake from another thread. A function in `to_thread` that waits for this
    /// run, by a [`Token`](crate::Token), is not at work. It is no error, by default. For tests of
    /// programs that have no other threads.
    ///
    /// ```
    /// use seedbed::{Builder, Deadlock, Event};
    ///
    /// let error = Builder::new().detect_deadlock(true).run(async { Event::new().wait().await });
    /// assert!(error.unwrap_err().is::<Deadlock>());
    /// ```
    pub fn detect_deadlock(mut self, detect: bool) -> Self {
        self.detect_deadlock = detect;
        self
    }

    /// Whether it is the error [`Stuck`](crate::Stuck) if something has work ready, or is
    /// cancelled, and does not go on, when there is nothing else to run. It is not, by default:
    /// what is stuck for a second is reported through `tracing`, or at once on a
    /// [virtual clock](Self::clock). For tests.
    ///
    /// It is about code that is *parked*, such as a nursery that a `select!` does not poll any
    /// more and keeps, and about futures of other crates that do not heed a cancellation: see
    /// [the guide](crate::guide::scheduling#a-stuck-task-says-so). Several that are found at the
    /// same time come out as one error; the others are reported.
    ///
    /// ```
    /// use seedbed::{Builder, Stuck, cancel_scope};
    ///
    /// let error = Builder::new().fail_when_stuck(true).run(async {
    ///     cancel_scope(async |scope| {
    ///         scope.cancel();
    ///         std::future::pending::<()>().await; // does not heed it
    ///         Ok(())
    ///     })
    ///     .await
    /// });
    /// assert!(error.unwrap_err().is::<Stuck>());
    /// ```
    pub fn fail_when_stuck(mut self, fail: bool) -> Self {
        self.fail_when_stuck = fail;
        self
    }

    /// Runs a future with these choices. See [`run`].
    ///
    /// # Errors
    ///
    /// As [`run`].
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run<T>(self, main: impl Future<Output = Result<T>>) -> Result<T> {
        self.run_at(Location::caller(), main)
    }

    /// As [`run`](Self::run), on behalf of who called from `place`.
    pub(crate) fn run_at<T>(
        self,
        place: &'static Location<'static>,
        main: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.run_in(ScopeRef::new(place), &|| (), main)
    }

    /// Runs a future with this as its main scope. `interrupted` is called when that is cancelled
    /// because of Ctrl-C.
    pub(super) fn run_in<T>(
        self,
        scope: ScopeRef,
        interrupted: &dyn Fn(),
        main: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let place = scope.place();
        not_running(place)?;
        let clock = self.clock.clone().map_or_else(Clock::default_of_run, Clock::Virtual);
        on_large_stack(|| {
            let runtime =
                Runtime::new(clock, &self, place).map_err(|error| Error::from(error).at(place))?;
            let _parts = runtime.lend_parts();
            let _entered = current::enter_runtime(&runtime);
            runtime.run_main(scope, main, self.ctrl_c, interrupted)
        })
    }
}

/// Fails in a thread that is in a `run` already.
pub(super) fn not_running(place: &'static Location<'static>) -> Result<()> {
    match SYSTEM.with(|system| system.map(System::place)) {
        Some(outer) => Err(AlreadyRunning::new(place, outer).into()),
        None => Ok(()),
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}
