//! [`run`], and the settings for it.

use std::cell::Cell;
use std::future::Future;
#[cfg(all(unix, not(loom), feature = "net"))]
use std::net::SocketAddr;
use std::panic::Location;
#[cfg(all(unix, not(loom), feature = "signal"))]
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::error::{AlreadyRunning, Error, Result};
use crate::nursery::system::{SYSTEM, System};
use crate::platform::Arc;
use crate::platform::clock::Clock;
use crate::platform::on_large_stack;
use crate::platform::virtual_clock::VirtualClock;
use crate::run::blocked::Limit;
use crate::run::companion::{Accompany, Beside};
#[cfg(all(debug_assertions, unix, not(loom)))]
use crate::run::guest;
use crate::run::look::Interruptible;
#[cfg(all(not(loom), feature = "tokio"))]
use crate::run::within_tokio;
use crate::run::{Run, Runs};
use crate::schedule::budget::DEFAULT_BUDGET;
use crate::schedule::order::{Decide, Order};
use crate::schedule::seen::onlookers::{self, Attend};
use crate::scope::tree::pool::ScopeRef;
#[cfg(all(unix, not(loom), feature = "signal"))]
use crate::snapshot::on_signal::{OnSignal, To};
use crate::threads::surroundings::Surroundings;
#[cfg(all(unix, not(loom), feature = "net"))]
use crate::world::net::resolver::Resolver;
#[cfg(all(unix, not(loom), feature = "signal"))]
use crate::world::signal::Signal;

/// Runs a future, and everything spawned under it, to the end, and returns its value or its error.
///
/// Everything happens on this thread. When `run` returns, nothing that it started is left. Children
/// have ended, because their nurseries have. Whatever else the future owned has been dropped. The
/// functions given to [other threads](crate::to_thread()) have returned, unless they were
/// abandoned.
///
/// On the process's main thread, Ctrl-C cancels the main future, and `run` returns
/// [`Interrupted`](crate::Interrupted) when that has cleaned up. A second Ctrl-C ends the process
/// at once, unless another library has a handler for it. Such handlers are also called, both during
/// the run and after it. [`Builder::ctrl_c`] turns all this off. It needs the feature `signal`,
/// which is on by default: without it, the first Ctrl-C ends the process.
///
/// # Errors
///
/// The future's own; [`AlreadyRunning`] if this thread is already in a `run`; an
/// [`io::Error`](std::io::Error) if the kernel has no descriptors for the reactor.
///
/// # Panics
///
/// If the future or a child panics, with the same payload, once everything has been cleaned up.
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

/// The settings for a [`run`].
///
/// ```
/// use seedbed::{Builder, checkpoint};
///
/// // The same seed gives the same order of tasks; a different one may give another.
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
    pub(super) blocked: Limit,
    pub(super) companion: Option<Rc<dyn Accompany>>,
    pub(super) attends: Vec<Attend>,
    #[cfg(all(unix, not(loom), feature = "net"))]
    pub(super) resolver: Option<Resolver>,
    #[cfg(all(unix, not(loom), feature = "signal"))]
    pub(super) dump_on: Option<(Signal, To)>,
}

impl Builder {
    /// Returns the defaults: the system's clock, no seed, the default [budget](Self::budget), and a
    /// Ctrl-C that cancels the main future.
    pub fn new() -> Self {
        Builder {
            clock: None,
            seed: None,
            decisions: None,
            budget: DEFAULT_BUDGET,
            ctrl_c: true,
            detect_deadlock: false,
            fail_when_stuck: false,
            blocked: Limit::ByDefault,
            companion: None,
            attends: Vec::new(),
            #[cfg(all(unix, not(loom), feature = "net"))]
            resolver: None,
            #[cfg(all(unix, not(loom), feature = "signal"))]
            dump_on: None,
        }
    }

    /// The settings with which [`explore`](crate::testing::explore) runs each schedule: all that
    /// make a run repeatable and detect a hang.
    pub(crate) fn exploring(decisions: Rc<dyn Decide>) -> Self {
        Builder { decisions: Some(decisions), ..Builder::new() }
            .clock(&VirtualClock::new())
            .ctrl_c(false)
            .detect_deadlock(true)
            .fail_when_stuck(true)
            .warn_when_blocked(None)
    }

    /// Has somebody look on in the run, from before it begins.
    pub(crate) fn attended(mut self, attend: Attend) -> Self {
        self.attends.push(attend);
        self
    }

    pub(super) fn order(&self) -> Order {
        match (&self.decisions, self.seed) {
            (Some(decisions), _) => Order::decided(decisions.clone()),
            (None, Some(seed)) => Order::Drawn(Cell::new(seed)),
            (None, None) => Order::FirstInFirstOut,
        }
    }

    /// Sets the clock to run on, instead of the system's.
    pub fn clock(mut self, clock: &VirtualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Makes the order of the ready tasks random, instead of first in, first out. On a
    /// [`VirtualClock`], and without input from outside, runs with the same seed are the same.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how many operations that could finish at once a task completes before it lets others
    /// run: at least 1, and 128 by default. With a budget of 1 every operation lets others run, as
    /// in Trio.
    ///
    /// Things that are not [checkpoints](crate::checkpoint()), such as an item of a generator,
    /// count too. With a budget of 1 they have a count of their own, as large as the default
    /// budget, so that they do not let others run where they would not in Trio. See [the
    /// guide](crate::guide::scheduling#the-budget).
    pub fn budget(mut self, operations: u32) -> Self {
        self.budget = operations.max(1);
        self
    }

    /// Sets whether Ctrl-C cancels the main future, as it does by default. This works only on the
    /// main thread of the process, and only with the feature `signal`.
    pub fn ctrl_c(mut self, cancels: bool) -> Self {
        self.ctrl_c = cancels;
        self
    }

    /// Sets whether a deadlock is the error [`Deadlock`](crate::Deadlock), which is off by default.
    /// It is a deadlock if every task waits, no timer is set, no input is awaited and no thread is
    /// at work in [`to_thread`](crate::to_thread()). Without this, `run` would wait for a wake from
    /// another thread. A function in `to_thread` that itself waits for this run, through a
    /// [`Token`](crate::Token), does not count as at work.
    ///
    /// This is meant for tests of programs that have no other threads.
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

    /// Sets whether a stuck task is the error [`Stuck`](crate::Stuck), which is off by default. A
    /// task is stuck if it has work ready, or is cancelled, and does not go on although there is
    /// nothing else to run. Without this, what is stuck for a second is reported through `tracing`,
    /// or at once on a [virtual clock](Self::clock).
    ///
    /// This is meant for tests. It finds code that is *parked*, such as a nursery that a `select!`
    /// keeps but no longer polls, and futures of other crates that do not respond to cancellation:
    /// see [the guide](crate::guide::scheduling#a-stuck-task-says-so). If several are found at the
    /// same time, one is the error and the others are reported.
    ///
    /// ```
    /// use seedbed::{Builder, Stuck, cancel_scope};
    ///
    /// let error = Builder::new().fail_when_stuck(true).run(async {
    ///     cancel_scope(async |scope| {
    ///         scope.cancel();
    ///         std::future::pending::<()>().await; // does not respond to it
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

    /// Has names looked up by a function, and not by the system. It is called with the host and the
    /// port of what [`TcpStream::connect`](crate::net::TcpStream::connect),
    /// [`TcpListener::bind`](crate::net::TcpListener::bind) or
    /// [`lookup_host`](crate::net::lookup_host) was given, unless that is numeric, and returns the
    /// addresses in the order in which to try them.
    ///
    /// A test can give names to its own servers in this way, and a program can keep what it has
    /// looked up, or ask a server of its choice. The function runs in the task that asks, and is
    /// cancelled with it. The system can be asked by
    /// [`system_lookup`](crate::net::system_lookup); asking itself is an error. With
    /// [`run_on_cores`](Self::run_on_cores) all cores use it, so it has to be `Send` and `Sync`;
    /// what it returns need not be.
    ///
    /// If it fails with an [`io::Error`](std::io::Error), the error names the host; any other error
    /// is passed on as it is. There is an [example][dns] that asks servers of DNS itself, with the
    /// messages of `hickory-proto`.
    ///
    /// [dns]: https://docs.rs/crate/seedbed/latest/source/examples/resolver/src/lib.rs
    ///
    /// ```
    /// use seedbed::net::system_lookup;
    /// use seedbed::Builder;
    /// use std::net::SocketAddr;
    ///
    /// let ours: SocketAddr = "127.0.0.1:7001".parse()?;
    /// let resolver = async move |host: &str, port: u16| match host {
    ///     "api.example.org" => Ok(vec![ours]), // whatever the port
    ///     _ => system_lookup(host, port).await,
    /// };
    /// Builder::new().resolver(resolver).run(async {
    ///     let found = seedbed::net::lookup_host("api.example.org:443").await?;
    ///     assert_eq!(found, [ours]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(all(unix, not(loom), feature = "net"))]
    pub fn resolver(
        mut self,
        resolver: impl AsyncFn(&str, u16) -> Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Has a [dump](crate::inspect) of the run written to standard error whenever this signal
    /// comes: by convention [`Signal::QUIT`](crate::signal::Signal::QUIT), which `Ctrl-\` sends.
    /// This needs the feature `signal`.
    ///
    /// A thread of its own waits for the signal and asks the run. If the run's thread is held up
    /// and does not answer within a second, the thread writes that instead. With
    /// [`run_on_cores`](Self::run_on_cores), every run writes a dump. While the run goes on, the
    /// signal has no other effect; a run that has to be killed still can be, by any other signal. A
    /// run has one such signal: if this or [`dump_to`](Self::dump_to) is called again, the last
    /// call counts.
    ///
    /// If the signal cannot be listened to, [`run`](Self::run) fails, as
    /// [`Signals::new`](crate::signal::Signals::new) does.
    ///
    /// ```
    /// use seedbed::{Builder, signal::Signal, sleep};
    /// use std::time::Duration;
    ///
    /// Builder::new().dump_on(Signal::QUIT).run(async {
    ///     sleep(Duration::from_millis(1)).await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[cfg(all(unix, not(loom), feature = "signal"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
    pub fn dump_on(mut self, signal: Signal) -> Self {
        self.dump_on = Some((signal, To::Stderr));
        self
    }

    /// Does the same as [`dump_on`](Self::dump_on), but appends the dumps to a file instead of
    /// writing them to standard error. The file is opened for each dump, and created if it is not
    /// there. If it cannot be written, the dump goes to standard error after all, with the reason.
    ///
    /// ```
    /// use seedbed::{Builder, signal::Signal, sleep};
    /// use std::time::Duration;
    ///
    /// let file = std::env::temp_dir().join("my-program.dump"); // `kill -USR1`, and look there
    /// Builder::new().dump_to(Signal::USR1, file).run(async {
    ///     sleep(Duration::from_millis(1)).await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[cfg(all(unix, not(loom), feature = "signal"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
    pub fn dump_to(mut self, signal: Signal, file: impl Into<PathBuf>) -> Self {
        self.dump_on = Some((signal, To::File(file.into())));
        self
    }

    /// Runs a future with these settings, as [`run`] does.
    ///
    /// # Errors
    ///
    /// The same as for [`run`].
    ///
    /// # Panics
    ///
    /// The same as for [`run`].
    #[track_caller]
    pub fn run<T>(self, main: impl Future<Output = Result<T>>) -> Result<T> {
        self.run_at(Location::caller(), main)
    }

    /// Does the same as [`run`](Self::run), on behalf of the caller at `place`.
    pub(crate) fn run_at<T>(
        self,
        place: &'static Location<'static>,
        main: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        not_running(place)?;
        #[cfg(all(not(loom), feature = "tokio"))]
        within_tokio::tell_if_polled(place);
        let beside = Beside::begin(self.companion.as_deref(), place)?;
        self.run_in(ScopeRef::new(place), beside.surroundings(), &|| (), main)
    }

    /// Runs a future with this as its main scope, on a thread where nothing runs yet, in
    /// surroundings. `interrupted` is called when Ctrl-C cancels it.
    pub(super) fn run_in<T>(
        self,
        scope: ScopeRef,
        surroundings: Option<Arc<dyn Surroundings>>,
        interrupted: &dyn Fn(),
        main: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let place = scope.place();
        // Left when everything of the run has been dropped.
        let _entered = surroundings.as_ref().map(|surroundings| surroundings.enter());
        let clock = self.clock.clone().map_or_else(Clock::default_of_run, Clock::Virtual);
        #[cfg(all(debug_assertions, unix, not(loom)))]
        if guest::suite::is_wanted() {
            return guest::suite::run(self, clock, surroundings.clone(), scope, interrupted, main);
        }
        on_large_stack(|| {
            let run = Run::new(clock, &self, Runs::Alone, surroundings.clone(), place)
                .map_err(|error| Error::from(error).at(place))?;
            run.within(|| {
                let whole = pin!(run.run_whole(&self, scope, interrupted, main));
                match whole.poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => unreachable!("it sleeps by itself"),
                }
            })
        })
    }
}

impl Run {
    /// Polls the main future to its end, and then everything it leaves behind. Meanwhile Ctrl-C
    /// cancels it, if that is wanted.
    pub(super) async fn run_whole<T>(
        &self,
        choices: &Builder,
        scope: ScopeRef,
        interrupted: &dyn Fn(),
        main: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let _over = onlookers::tell_when_over();
        choices.attends.iter().for_each(|attend| onlookers::add(attend()));
        #[cfg(all(unix, not(loom), feature = "signal"))]
        let _dumps = choices
            .dump_on
            .clone()
            .map(|(signal, to)| OnSignal::begin(signal, to))
            .transpose()
            .map_err(|error| Error::from(error).at(scope.place()))?;
        let interruptible = choices.ctrl_c.then(|| Interruptible::new(self, &scope));
        let _interruptible = interruptible.transpose()?;
        self.run_main(scope, main, interrupted).await
    }
}

/// Fails if this thread is already in a `run`.
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
