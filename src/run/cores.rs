//! Several cores: a run on each of several threads, which succeed or fail as one.
//!
//! This is a nursery made of threads. Its children are runs, the first of them on the caller's own
//! thread. They share little, behind one lock: how to cancel each of them, and which of them have
//! failed.

use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::task::{Poll, Waker};
use std::thread;

use crate::error::panic::{Payload, catch_panic, quietly};
use crate::error::{Error, Group, Interrupted, Member, Origin, Reason, Result};
use crate::platform::{Arc, Mutex};
use crate::run::Builder;
use crate::run::builder::not_running;
use crate::run::companion::Beside;
use crate::scope::current::with_scope;
use crate::scope::tree::Scope;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{CancelHandle, CancelScope, Uncancellable};
use crate::threads::surroundings::Surroundings;

/// Runs `main(core)` on each of `cores` threads, with core 0 on this thread, and returns their
/// values in the order of the cores. If `cores` is 0, it uses as many as the machine has for this
/// process ([`available_parallelism`](thread::available_parallelism)).
///
/// Each core is a [`run`](crate::run()) with a reactor of its own. Nothing moves between them:
/// whatever a core makes stays on its thread. They share what `main` borrows, which therefore has
/// to be `Sync`, but needs no `Arc`. To distribute the connections of a server, use
/// [`TcpListener::bind_reuse_port`](crate::net::TcpListener::bind_reuse_port). To send something
/// from one core to another, use the channels of the standard library or of other crates
/// ([how](crate::guide::scheduling#other-threads)), or a [`Token`](crate::Token).
///
/// It is structured like a [nursery](crate::nursery()): if one core fails or panics, all the others
/// are cancelled, and `run_on_cores` returns when all have ended. Where Ctrl-C would cancel a
/// `run`, it cancels all the cores. A core that ends without an error leaves the others running.
///
/// The system chooses which thread runs on which core of the machine: nothing is pinned.
///
/// # Errors
///
/// A [`Group`] of what the cores failed with, in the order in which they failed, even if there is
/// only one failure; [`Interrupted`](crate::Interrupted), if there is nothing else.
///
/// If nothing could be started, it is [`AlreadyRunning`](crate::AlreadyRunning) if this thread is
/// already in a `run`, or an [`io::Error`] if the system has no more threads. That error is of the
/// kind [`InvalidInput`](io::ErrorKind::InvalidInput) for [settings](Builder::run_on_cores) that
/// only make sense for one thread.
///
/// # Panics
///
/// If a core panics, this panics with the payload of the first that did, once all cores have ended.
/// The panics of the others are reported through `tracing`.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// let sum = AtomicU32::new(0); // borrowed by all cores
/// let values = seedbed::run_on_cores(4, async |core| {
///     sum.fetch_add(core as u32, Ordering::Relaxed);
///     Ok(core * core)
/// })?;
/// assert_eq!(values, [0, 1, 4, 9]);
/// assert_eq!(sum.into_inner(), 6);
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn run_on_cores<T: Send>(
    cores: usize,
    main: impl AsyncFn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    Builder::new().run_on_cores(cores, main)
}

impl Builder {
    /// Runs on several cores, each with these settings. See [`run_on_cores`].
    ///
    /// This cannot be combined with a [`clock`](Self::clock), which jumps when its own thread has
    /// nothing to do, nor with [`detect_deadlock`](Self::detect_deadlock), which does not know what
    /// other threads are about to do, nor with an [`instrument`](Self::instrument), which stays on
    /// its thread.
    ///
    /// # Errors
    ///
    /// The same as for [`run_on_cores`].
    ///
    /// # Panics
    ///
    /// The same as for [`run_on_cores`].
    ///
    /// ```
    /// let values = seedbed::Builder::new().budget(1).run_on_cores(2, async |core| Ok(core))?;
    /// assert_eq!(values, [0, 1]);
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn run_on_cores<T: Send>(
        self,
        cores: usize,
        main: impl AsyncFn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let place = Location::caller();
        not_running(place)?;
        let Builder {
            clock,
            seed,
            decisions: _, // never without a clock
            budget,
            ctrl_c,
            detect_deadlock,
            fail_when_stuck,
            blocked,
            companion,
            attends,
            #[cfg(all(unix, not(loom), feature = "net"))]
            resolver,
            #[cfg(all(unix, not(loom), feature = "signal"))]
            dump_on,
        } = self;
        let senseless = match () {
            () if detect_deadlock => Some("detect_deadlock"),
            () if clock.is_some() => Some("clock"),
            () if !attends.is_empty() => Some("instrument"),
            () => None,
        };
        if let Some(choice) = senseless {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the `run_on_cores` at {place} cannot have `Builder::{choice}`, \
                     which only makes sense for one thread; leave it out, or use `run`"
                ),
            )
            .into());
        }
        let beside = Beside::begin(companion.as_deref(), place)?; // all of them together
        let cores = match cores {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            cores => cores,
        };
        let shared = &Shared::new(place, cores - 1);
        let run = |core| {
            let builder = Builder {
                seed,
                budget,
                ctrl_c,
                fail_when_stuck,
                blocked,
                #[cfg(all(unix, not(loom), feature = "net"))]
                resolver: resolver.clone(),
                #[cfg(all(unix, not(loom), feature = "signal"))]
                dump_on: dump_on.clone(),
                ..Builder::new()
            };
            shared.run(core, builder, beside.surroundings(), async { main(core).await })
        };
        let outcomes: io::Result<Vec<_>> = thread::scope(|threads| {
            let run = &run;
            let start = |core| {
                let thread = thread::Builder::new().name(format!("core {core}"));
                thread.spawn_scoped(threads, move || {
                    let _ended = Ended(shared);
                    run(core)
                })
            };
            let others: Vec<_> = (1..cores)
                .map(start)
                .collect::<io::Result<_>>()
                .inspect_err(|error| shared.cancel_others(0, because(error.to_string())))?;
            let first = run(0);
            let others = others
                .into_iter()
                .map(|core| core.join().unwrap_or_else(|payload| resume_unwind(payload)));
            Ok([first].into_iter().chain(others).collect())
        });
        let outcomes = outcomes.inspect_err(|_| shared.resume_panic())?;
        shared.outcome(outcomes)
    }
}

/// The state that the cores share.
struct Shared {
    place: &'static Location<'static>,
    state: Mutex<State>,
}

struct State {
    /// The main scopes of the cores that have begun.
    scopes: Vec<(usize, CancelHandle)>,
    /// Why all the cores were cancelled, if they were.
    cancelled: Option<Reason>,
    /// The cores that have failed, in the order in which they did.
    failed: Vec<usize>,
    /// The payload of the first panic.
    panic: Option<Payload>,
    /// How many cores other than the first have not ended, and the waker of the task that waits for
    /// them.
    others: usize,
    waiting: Option<Waker>,
}

fn because(failure: String) -> Reason {
    Reason::ChildFailed(failure)
}

impl Shared {
    fn new(place: &'static Location<'static>, others: usize) -> Shared {
        let state = State {
            scopes: Vec::new(),
            cancelled: None,
            failed: Vec::new(),
            panic: None,
            others,
            waiting: None,
        };
        Shared { place, state: Mutex::new(state) }
    }

    /// Runs one core on its thread. Returns no value if it panicked.
    fn run<T>(
        &self,
        core: usize,
        builder: Builder,
        surroundings: Option<Arc<dyn Surroundings>>,
        main: impl Future<Output = Result<T>>,
    ) -> Result<Option<T>> {
        let scope = ScopeRef::new(self.place);
        self.begin(core, CancelScope::of(scope.clone()).cancel_handle());
        let interrupted = || self.cancel_others(core, Reason::Interrupted);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            builder.run_in(scope, surroundings, &interrupted, self.watch(core, main))
        }));
        // A failure of the body has been reported already; this is about the rest of its run.
        match outcome {
            Ok(outcome) => {
                if let Err(error) = &outcome
                    && !error.is_cancelled()
                    && !error.is::<Interrupted>()
                {
                    self.failed(core, error);
                }
                outcome
            }
            Err(payload) => {
                self.panicked(core, payload);
                Ok(None)
            }
        }
    }

    /// The body of a core's run. It is the main future, whose failure the other cores learn of at
    /// once, not when the run has cleaned up.
    async fn watch<T>(
        &self,
        core: usize,
        main: impl Future<Output = Result<T>>,
    ) -> Result<Option<T>> {
        let outcome = match catch_panic(main).await {
            Ok(outcome) => outcome.map(Some),
            Err(payload) => {
                self.panicked(core, payload);
                Ok(None)
            }
        };
        if let Err(error) = &outcome {
            let cancelled = with_scope(|scope| scope.is_some_and(Scope::is_cancelled));
            if !(cancelled && error.cancellation().is_some()) {
                self.failed(core, error);
            }
        }
        if core == 0 {
            // Ctrl-C is handled on this thread, and only while its run goes on.
            self.others_ended().await;
        }
        outcome
    }

    /// Records that a core is about to begin, with this as its main scope.
    fn begin(&self, core: usize, scope: CancelHandle) {
        let mut state = self.state.lock();
        if let Some(reason) = &state.cancelled {
            self.cancel(&scope, reason);
        }
        state.scopes.push((core, scope));
    }

    /// Cancels a core, for the reason for which all cores are cancelled.
    fn cancel(&self, scope: &CancelHandle, reason: &Reason) {
        // The place that spawned the failed one, as in a nursery.
        let by = matches!(reason, Reason::ChildFailed(_)).then_some(self.place);
        scope.cancel_because(reason.clone(), by);
    }

    /// Cancels all cores except this one, which is failing or was interrupted. Only the first
    /// reason counts.
    fn cancel_others(&self, core: usize, reason: Reason) {
        let mut state = self.state.lock();
        if state.cancelled.is_none() {
            for (_, scope) in state.scopes.iter().filter(|(other, _)| *other != core) {
                self.cancel(scope, &reason);
            }
            state.cancelled = Some(reason);
        }
    }

    fn failed(&self, core: usize, error: &Error) {
        if self.state.lock().failed.contains(&core) {
            return;
        }
        let reason = because(error.one_line()); // foreign code
        self.state.lock().failed.push(core);
        self.cancel_others(core, reason);
    }

    fn panicked(&self, core: usize, payload: Payload) {
        // Stored before the others are cancelled, because they may panic as a result.
        let further = {
            let mut state = self.state.lock();
            match state.panic {
                None => {
                    state.panic = Some(payload);
                    None
                }
                Some(_) => Some(payload),
            }
        };
        self.cancel_others(core, because("it panicked".into()));
        if let Some(payload) = further {
            quietly(|| {
                tracing::error!(
                    core,
                    at = %self.place,
                    "another core panicked too: only the first panic is passed on"
                );
                drop(payload);
            });
        }
    }

    /// Waits until all cores except the first have ended. This is not a checkpoint.
    async fn others_ended(&self) {
        let _uncancellable = Uncancellable::new();
        poll_fn(|cx| {
            let mut state = self.state.lock();
            if state.others == 0 {
                return Poll::Ready(());
            }
            state.waiting = Some(cx.waker().clone()); // the run's own, just a number
            Poll::Pending
        })
        .await;
    }

    /// Continues with the first panic, if there was one.
    fn resume_panic(&self) {
        let payload = self.state.lock().panic.take();
        if let Some(payload) = payload {
            resume_unwind(payload);
        }
    }

    /// The outcome of all the cores.
    fn outcome<T>(&self, outcomes: Vec<Result<Option<T>>>) -> Result<Vec<T>> {
        let failed = mem::take(&mut self.state.lock().failed);
        if failed.is_empty() {
            self.resume_panic();
            let values = outcomes.into_iter();
            return values.map(|value| Ok(value?.expect("it has not panicked"))).collect();
        }
        let mut errors: Vec<_> = outcomes.into_iter().map(Result::err).collect();
        // A core that panicked after it had failed has no error.
        let failures = failed.into_iter().filter_map(|core| {
            errors[core].take().map(|error| Member { error, origin: Origin::Core(core) })
        });
        let failures: Vec<_> = failures.collect();
        let error = (!failures.is_empty()).then(|| Group::from_failures(self.place, failures));
        if let Some(error) = &error
            && self.state.lock().panic.is_some()
        {
            quietly(
                || tracing::error!(at = %self.place, %error, "lost to a panic on another core"),
            );
        }
        self.resume_panic();
        Err(error.expect("a core that failed has an error"))
    }
}

/// This is dropped when a core other than the first ends.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.others -= 1;
        let waiting = if state.others == 0 { state.waiting.take() } else { None };
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}
