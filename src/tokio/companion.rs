//! A tokio runtime beside a run.
//!
//! ```text
//! run's thread                         the runtime's worker
//!   begin ── builds ───────────────────► sockets, timers, tasks of libraries
//!   enter: `Handle::current` is its      │
//!   the run ◄── wakes, by the inbox ─────┘
//!   leave; everything of the run is gone
//!   end: tasks that are left get the grace; then they are dropped, and their number is told
//! ```

use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::process;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ::tokio::runtime::{self, EnterGuard, Handle, Runtime, RuntimeMetrics};

use crate::error::panic::{quietly, report};
use crate::platform::Mutex;
use crate::run::Builder;
use crate::run::companion::{self, Accompany};
use crate::threads::surroundings::{Entered, Surroundings};

/// How long the tasks that are left have when the run has ended.
const GRACE: Duration = Duration::from_secs(5);

/// How long the runtime has, after that, to drop the tasks that are cut.
const TO_DROP: Duration = Duration::from_millis(100);

/// The longest time that tokio can add to the present.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A tokio runtime for a run, for libraries that need one: see [`Builder::tokio`].
///
/// A new one has one worker thread of its own, which waits for the sockets and timers of these
/// libraries and runs the tasks that they spawn; whatever the program itself awaits is polled on the
/// run's thread. A program that wants more workers, or a runtime that outlives the run, makes one
/// and passes its `Handle`, which is only entered, and not ended.
///
/// ```
/// use std::time::Duration;
/// use seedbed::tokio::Companion;
///
/// let companion = Companion::new().grace(Duration::from_secs(1));
/// seedbed::Builder::new().tokio(companion).run(async {
///     assert_eq!(tokio::spawn(async { 42 }).await?, 42);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a `Builder` has it"]
pub struct Companion(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Own { grace: Duration },
    OfOthers(Handle),
}

impl Companion {
    /// Returns the settings of a runtime that is made when the run begins: one worker, and a grace
    /// of 5 seconds.
    pub fn new() -> Self {
        Companion(Kind::Own { grace: GRACE })
    }

    /// Sets for how long the run, once all of it has ended, waits for tasks that its libraries have
    /// spawned and nobody awaits, and for functions in tokio's `spawn_blocking`. Most such tasks
    /// notice that what they worked for has gone, and end at once. Those that do not are dropped,
    /// and their number is reported through `tracing`; a function goes on on its thread.
    ///
    /// It has no effect on a runtime that was passed by its handle.
    pub fn grace(mut self, grace: Duration) -> Self {
        if let Kind::Own { grace: own } = &mut self.0 {
            *own = grace;
        }
        self
    }
}

impl Default for Companion {
    fn default() -> Self {
        Self::new()
    }
}

/// Somebody else's runtime.
impl From<Handle> for Companion {
    fn from(handle: Handle) -> Companion {
        Companion(Kind::OfOthers(handle))
    }
}

impl Builder {
    /// Gives the run a tokio runtime, for libraries that need one. Its context is entered for all of
    /// the run: in tasks, in generators, in their destructors, in the functions of
    /// [`to_thread`](crate::to_thread()), and on each core of
    /// [`run_on_cores`](Self::run_on_cores), which share it. Each use of such a library should be a
    /// [`call`](crate::tokio::call).
    ///
    /// This is a [`Companion`], or the `Handle` of a runtime that somebody else has made. A
    /// companion begins before the main future is polled. When the run has ended, in whichever way,
    /// and has dropped everything, tasks that are still in the companion get its
    /// [grace](Companion::grace).
    ///
    /// # Errors
    ///
    /// `run` fails with an [`io::Error`] if the runtime cannot be built.
    ///
    /// ```
    /// use seedbed::Builder;
    /// use seedbed::tokio::{Companion, call};
    ///
    /// Builder::new().tokio(Companion::new()).run(async {
    ///     let (sender, receiver) = tokio::sync::oneshot::channel();
    ///     tokio::spawn(async { sender.send("from tokio's thread") });
    ///     assert_eq!(call(receiver).await?, "from tokio's thread");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn tokio(self, companion: impl Into<Companion>) -> Self {
        self.accompanied(Rc::new(companion.into()))
    }
}

impl Accompany for Companion {
    fn begin(
        &self,
        place: &'static Location<'static>,
    ) -> io::Result<Arc<dyn companion::Companion>> {
        Ok(match &self.0 {
            Kind::Own { grace } => Arc::new(Own::begin(*grace, place)?),
            Kind::OfOthers(handle) => Arc::new(OfOthers(handle.clone())),
        })
    }
}

/// A runtime that belongs to the run at `place`.
struct Own {
    handle: Handle,
    /// Taken when it ends.
    runtime: Mutex<Option<Runtime>>,
    grace: Duration,
    place: &'static Location<'static>,
    process: u32,
}

impl Own {
    fn begin(grace: Duration, place: &'static Location<'static>) -> io::Result<Own> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("seedbed tokio")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let runtime = Mutex::new(Some(runtime));
        Ok(Own { handle, runtime, grace, place, process: process::id() })
    }
}

impl Surroundings for Own {
    fn enter(&self) -> Box<dyn Entered + '_> {
        Box::new(InContext::enter(&self.handle))
    }
}

impl companion::Companion for Own {
    fn end(&self) {
        let Some(runtime) = self.runtime.lock().take() else { return };
        if self.process != process::id() {
            // This process was forked during the run, and does not have the runtime's threads.
            return mem::forget(runtime);
        }
        let began = Instant::now();
        let cut = wait_for_tasks(&self.handle.metrics(), self.grace);
        let rest = self.grace.saturating_sub(began.elapsed()).clamp(TO_DROP, FOR_EVER);
        let ended = shut_down(runtime, rest);
        let Own { grace, place, .. } = *self;
        if cut > 0 {
            report!(
                warn,
                opened_at = %place,
                tasks = cut,
                ?grace,
                "tasks in the tokio companion of a run had not ended when its grace was over, and \
                 were cut off; await what spawns them to its end, or let the companion have more \
                 time with `Companion::grace`"
            );
        }
        if ended == Ended::InPart {
            report!(
                warn,
                opened_at = %place,
                ?grace,
                "the tokio companion of a run has threads that had not ended when its grace was \
                 over, and go on: functions in tokio's `spawn_blocking`, or tasks that block"
            );
        }
    }
}

/// Waits until no task is left, for as long as the grace. Returns how many are left.
///
/// tokio does not say when a task has ended, so this looks from time to time. Most have ended by the
/// first look.
fn wait_for_tasks(metrics: &RuntimeMetrics, grace: Duration) -> usize {
    const SHORTEST: Duration = Duration::from_micros(20);
    const LONGEST: Duration = Duration::from_millis(5);
    let began = Instant::now();
    let mut pause = SHORTEST;
    loop {
        let left = metrics.num_alive_tasks();
        let time = grace.saturating_sub(began.elapsed());
        if left == 0 || time.is_zero() {
            return left;
        }
        thread::sleep(pause.min(time));
        pause = LONGEST.min(pause * 2);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Entirely,
    /// Some of its threads go on.
    InPart,
}

/// Ends the runtime, and waits for its threads for so long.
///
/// tokio refuses to wait on a thread that is polling one of its tasks, which this one may be if
/// `run` was called there. So another one waits.
fn shut_down(runtime: Runtime, time: Duration) -> Ended {
    let runtime = Arc::new(Mutex::new(Some(runtime)));
    let theirs = runtime.clone();
    let waiter = thread::Builder::new().name("seedbed tokio".into()).spawn(move || {
        let began = Instant::now();
        if let Some(runtime) = theirs.lock().take() {
            runtime.shutdown_timeout(time);
        }
        if began.elapsed() < time { Ended::Entirely } else { Ended::InPart }
    });
    let ended = waiter.ok().and_then(|waiter| match waiter.join() {
        Ok(ended) => Some(ended),
        Err(payload) => {
            quietly(|| drop(payload));
            None
        }
    });
    // If there was no thread to wait.
    if let Some(runtime) = runtime.lock().take() {
        runtime.shutdown_background();
    }
    ended.unwrap_or(Ended::InPart)
}

/// A runtime that somebody else ends.
struct OfOthers(Handle);

impl Surroundings for OfOthers {
    fn enter(&self) -> Box<dyn Entered + '_> {
        Box::new(InContext::enter(&self.0))
    }
}

impl companion::Companion for OfOthers {
    fn end(&self) {}
}

/// As long as this lives, a runtime's context is entered on this thread.
struct InContext<'a>(Option<EnterGuard<'a>>);

impl<'a> InContext<'a> {
    fn enter(handle: &'a Handle) -> InContext<'a> {
        InContext(Some(handle.enter()))
    }
}

impl Drop for InContext<'_> {
    fn drop(&mut self) {
        // It panics if the program has leaked a guard of its own. Whatever is being returned should
        // not be lost for that.
        let guard = self.0.take();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(guard))) {
            quietly(|| drop(payload));
            report!(
                error,
                "an `EnterGuard` of tokio's that was made in a run is still there; enter a runtime \
                 at each poll with `Call::on`, and hold no guard across an await"
            );
        }
    }
}
