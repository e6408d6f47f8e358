//! The guest as a future.

use std::future::Future;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::panic::{FirstPanic, discard, report};
use crate::error::{AlreadyRunning, Error, Result};
use crate::generator::finalize::abandon_all;
use crate::nursery::core::Core;
use crate::nursery::system::{SYSTEM, System};
use crate::platform::Arc;
use crate::platform::clock::Clock;
use crate::run::builder::Builder;
use crate::run::guest::host::{Host, MakeHost};
use crate::run::{Run, Runs};
use crate::schedule::units::table;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{CancelHandle, CancelScope};
use crate::threads::surroundings::Surroundings;

/// The whole of a run.
pub(crate) type Whole<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// A run that the executor of another library polls: see [`Builder::guest_on`].
///
/// It is a future, with the outcome that [`run`](crate::run()) would return. It stays on its
/// thread: it is not `Send`.
///
/// **It should be awaited to its end.** What it runs cleans up asynchronously, and nothing can be
/// awaited when it is dropped. To stop it early, cancel it through a
/// [`cancel_handle`](Self::cancel_handle), and await it; then it leaves nothing behind. If it is
/// dropped instead, its tasks are dropped as they are, without cleaning up, as tokio's are when they
/// are aborted; its sockets, timers and other descriptors are closed, its child processes are
/// killed and reaped, and a warning says how many tasks there were.
#[must_use = "futures do nothing unless awaited"]
pub struct Guest<'a, T> {
    scope: ScopeRef,
    stage: Stage<'a, T>,
}

enum Stage<'a, T> {
    New(Box<dyn FnOnce(ScopeRef) -> Result<Going<'a, T>> + 'a>),
    Going(Going<'a, T>),
    Over,
}

/// What a run begins with.
pub(super) struct Settings {
    pub(super) clock: Clock,
    pub(super) choices: Builder,
    pub(super) surroundings: Option<Arc<dyn Surroundings>>,
    pub(super) host: MakeHost,
}

/// A run that has begun.
pub(super) struct Going<'a, T> {
    run: Rc<Run>,
    /// Polled and dropped only within the run. `None` when it has ended.
    whole: Option<Whole<'a, T>>,
}

impl Builder {
    /// Makes a run that is a *guest* of another library's executor. It is a future, which the
    /// executor polls on one of its threads, beside its other tasks. In it everything of this crate
    /// works: nurseries, scopes, generators, sockets, threads. So a function of an existing program
    /// can use them, without the program having to be written anew.
    ///
    /// `host` is called at the first poll, with a descriptor, and makes what the guest needs of the
    /// executor: a [`Host`]. With the feature `tokio`, `Builder::guest` is the same for tokio.
    ///
    /// The guest is a run of its own, like any [`run`](crate::run()): nothing of it is seen by the
    /// host or by other guests, of which there may be several on a thread. Each costs three
    /// descriptors, and setting it up takes tens of microseconds, so one that lives long and is
    /// handed work through a [`NurseryHandle`](crate::NurseryHandle) or a
    /// [`Token`](crate::Token) is better than one for each call. Both may be used by the tasks of
    /// the host, and so may events, channels and locks be set, sent to and given back. What waits
    /// has to be awaited inside.
    ///
    /// A task of the guest that does not let others run holds up the host's tasks too. When its
    /// tasks have been polled a few hundred times, or for a millisecond, the guest lets the host
    /// run by itself.
    ///
    /// Ctrl-C is left to the host, whatever [`ctrl_c`](Self::ctrl_c) says.
    ///
    /// The [guide](crate::guide::inside_tokio) has more.
    ///
    /// # Errors
    ///
    /// Those of [`run`](crate::run()); and [`AlreadyRunning`] if it is polled inside a run or another
    /// guest, where its main future can simply be awaited. An [`io::Error`] of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for [`clock`](Self::clock),
    /// [`detect_deadlock`](Self::detect_deadlock) and a companion of tokio's, which need to have the
    /// thread for themselves; an [`io::Error`] if `host` fails.
    ///
    /// # Panics
    ///
    /// Its poll panics as `run` would: if the main future or a child panics, with the same payload,
    /// once everything has been cleaned up.
    #[track_caller]
    pub fn guest_on<'a, T: 'a, H: Host + 'static>(
        self,
        host: impl FnOnce(OwnedFd) -> io::Result<H> + 'static,
        main: impl Future<Output = Result<T>> + 'a,
    ) -> Guest<'a, T> {
        self.guest_in(Location::caller(), host, |whole| whole, main)
    }

    /// Does the same on behalf of the caller at `place`. `enclose` puts something around the whole.
    pub(crate) fn guest_in<'a, T: 'a, H: Host + 'static>(
        self,
        place: &'static Location<'static>,
        host: impl FnOnce(OwnedFd) -> io::Result<H> + 'static,
        enclose: fn(Whole<'a, T>) -> Whole<'a, T>,
        main: impl Future<Output = Result<T>> + 'a,
    ) -> Guest<'a, T> {
        let begin = move |scope: ScopeRef| {
            if let Some(choice) = self.senseless_in_guest() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "the guest made at {place} cannot have `Builder::{choice}`, which needs \
                         to have the thread for itself; leave it out, or give the same future to `run`"
                    ),
                )
                .into());
            }
            let host: MakeHost = Box::new(|descriptor| Ok(Box::new(host(descriptor)?)));
            let choices = self.ctrl_c(false);
            Going::begin(
                Settings { clock: Clock::default_of_run(), choices, surroundings: None, host },
                enclose,
                scope,
                &|| (),
                main,
            )
        };
        Guest { scope: ScopeRef::new(place), stage: Stage::New(Box::new(begin)) }
    }

    fn senseless_in_guest(&self) -> Option<&'static str> {
        match () {
            () if self.clock.is_some() => Some("clock"),
            () if self.detect_deadlock => Some("detect_deadlock"),
            () if self.companion.is_some() => Some("tokio"),
            () => None,
        }
    }
}

impl<T> Guest<'_, T> {
    /// Returns a handle that cancels the guest, from any task and any thread, also before it is
    /// first polled. It ends when its tasks have cleaned up, so it has to be awaited.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelScope::of(self.scope.clone()).cancel_handle()
    }
}

impl<T> Future for Guest<'_, T> {
    type Output = Result<T>;

    /// # Panics
    ///
    /// If the guest does, and if it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        if let Some(outer) = SYSTEM.with(|system| system.map(System::place)) {
            let place = this.scope.place();
            return Poll::Ready(Err(AlreadyRunning::of_guest(place, outer).into()));
        }
        if let Stage::New(_) = this.stage
            && let Stage::New(begin) = mem::replace(&mut this.stage, Stage::Over)
        {
            this.stage = Stage::Going(begin(this.scope.clone())?);
        }
        let Stage::Going(going) = &mut this.stage else {
            panic!("the guest made at {} was polled after it was ready", this.scope.place());
        };
        let polled = going.poll(cx);
        if polled.is_ready() {
            this.stage = Stage::Over;
        }
        polled
    }
}

impl<T> std::fmt::Debug for Guest<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("place", &self.scope.place()).finish_non_exhaustive()
    }
}

impl<'a, T: 'a> Going<'a, T> {
    /// # Errors
    ///
    /// The system's, if it has no descriptors left; the host's.
    pub(super) fn begin(
        settings: Settings,
        enclose: fn(Whole<'a, T>) -> Whole<'a, T>,
        scope: ScopeRef,
        interrupted: &'a dyn Fn(),
        main: impl Future<Output = Result<T>> + 'a,
    ) -> Result<Going<'a, T>> {
        let place = scope.place();
        let Settings { clock, choices, surroundings, host } = settings;
        let run = Run::new(clock, &choices, Runs::AsGuest(host), surroundings, place)
            .map_err(|error| Error::from(error).at(place))?;
        let whole = {
            let run = run.clone();
            async move { run.run_whole(&choices, scope, interrupted, main).await }
        };
        Ok(Going { run, whole: Some(enclose(Box::pin(whole))) })
    }
}

impl<T> Going<'_, T> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let whole = self.whole.as_mut().expect("it has not ended");
        let polled = catch_unwind(AssertUnwindSafe(|| self.run.within(|| whole.as_mut().poll(cx))));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        // What is left of it is as good as nothing.
        let mut panic = FirstPanic::new();
        panic.catch(|| self.run.within(|| self.whole = None));
        match polled {
            Ok(polled) => {
                panic.resume();
                polled
            }
            Err(payload) => {
                if let Some(further) = panic.take() {
                    discard(further);
                }
                resume_unwind(payload)
            }
        }
    }

    /// Drops the tasks of the run as they are.
    fn abandon(&mut self) {
        let Going { run, whole } = self;
        run.system.abandon();
        let mut panic = FirstPanic::new();
        run.within(|| {
            let tasks = 1 + table::find(Core::is_child).len();
            let generators = run.generators.count();
            report!(
                warn,
                guest = %run.system.place(),
                tasks,
                generators,
                "a guest was dropped before it had ended: {tasks} tasks and {generators} generators \
                 were dropped without cleaning up; cancel it through its `cancel_handle`, and await it"
            );
            panic.catch(|| abandon_all(&run.generators));
            panic.catch(|| *whole = None);
        });
        panic.resume();
    }
}

impl<T> Drop for Going<'_, T> {
    fn drop(&mut self) {
        if self.whole.is_some() {
            self.abandon();
        }
    }
}
