//! Waiting for blocking work on another thread.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::error::{Error, NotRunning, Result, used_in_a_fork};
use crate::nursery::system;
use crate::operation::skeleton::{
    Look, Operation, Registered, Steps, Tried, When, polled_after_it_was_ready,
};
use crate::operation::sync::limiter::{Acquire, CapacityLimiter, Permit};
use crate::operation::waiters::Kept;
use crate::platform::part::part;
use crate::scope::Uncancellable;
use crate::scope::watch::Watch;
use crate::threads::Token;
use crate::threads::job::{self, Abandoned, Entry, JOBS, Work};
use crate::threads::stop::Stop;

/// How many threads a `run` uses at once by default, as in Trio.
const DEFAULT_LIMIT: usize = 40;

/// The default limiter of a run.
pub(crate) struct DefaultLimiter(CapacityLimiter);

impl Default for DefaultLimiter {
    fn default() -> Self {
        DefaultLimiter(CapacityLimiter::new(DEFAULT_LIMIT))
    }
}

part! {
    /// The default limiter of the present run.
    pub(crate) const DEFAULT_LIMITER: DefaultLimiter;
}

/// Runs a function that blocks, or computes for a long time, on another thread, and waits for its
/// value. This is Trio's `to_thread.run_sync`.
///
/// It is a checkpoint: in a scope that is already cancelled, the function is dropped without being
/// called. The function begins when the [limiter](ToThread::limiter) has a permit for it, and until
/// then it can be cancelled. **Once it has begun it cannot:** a thread cannot be stopped, and a
/// cancelled task that went on without it would leave it running. So it is waited for and its value
/// is returned, and the next checkpoint fails. If the function may be left running, say so with
/// [`abandon_on_cancel`](ToThread::abandon_on_cancel).
///
/// If the future is dropped while the function runs, `run` waits for the function before it
/// returns. Its value is then dropped, and its panic is reported through `tracing`. A function is
/// also reported, since it may hang, when it has been waited for for five seconds, or for as long as
/// [`Builder::warn_when_blocked`](crate::Builder::warn_when_blocked) says, although its scope was
/// cancelled or the run is ending.
///
/// Inside the function, [`Token::current`](crate::Token::current) is the token of the run that it
/// works for. Threads are used again, so others find whatever it leaves in thread-locals. The
/// threads run on the cores that the process's main thread was bound to when its first `run` began,
/// whoever starts them. A forked process has threads of its own; fork outside `run`, because a run
/// goes on only in the process that it began in.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled) if the function was not begun, or was abandoned;
/// [`NotRunning`](crate::NotRunning) outside [`run`](crate::run); an [`io::Error`](std::io::Error)
/// if the system cannot start another thread.
///
/// # Panics
///
/// If the function panics, with the same payload.
///
/// ```
/// use seedbed::to_thread;
///
/// seedbed::run(async {
///     let text = to_thread(|| std::fs::read_to_string("Cargo.toml")).await??;
///     assert!(text.contains("seedbed"));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// (The first `?` is for this future's own errors, the second for the function's.)
#[track_caller]
pub fn to_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> ToThread<T> {
    ToThread::new(f, Location::caller())
}

/// Returns the default limiter of [`to_thread`]'s threads: 40 in each `run`, unless its
/// [`set_total`](CapacityLimiter::set_total) is called. This is Trio's
/// `current_default_thread_limiter`. It is not a checkpoint.
///
/// # Errors
///
/// [`NotRunning`](crate::NotRunning) outside [`run`](crate::run).
///
/// ```
/// use seedbed::current_default_thread_limiter;
///
/// seedbed::run(async {
///     current_default_thread_limiter()?.set_total(8);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn current_default_thread_limiter() -> Result<CapacityLimiter> {
    default_limiter()
}

fn default_limiter() -> Result<CapacityLimiter> {
    DEFAULT_LIMITER.with(|default| Ok(default.ok_or(NotRunning)?.0.clone()))
}

/// The future of [`to_thread`].
#[must_use = "futures do nothing unless awaited"]
pub struct ToThread<T: 'static> {
    stage: Stage<T>,
    limited: Limited,
    abandoned: Abandoned,
    on_cancel: OnCancel,
    /// How the function is asked to stop, if it can be.
    stop: Option<Arc<Stop>>,
    place: &'static Location<'static>,
}

/// The limiter whose permit the function needs.
enum Limited {
    ByDefault,
    By(CapacityLimiter),
    /// The one that the present run has for functions of this kind.
    ByPart(fn() -> Option<CapacityLimiter>),
}

/// What becomes of the function when it is cancelled while a thread is running it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnCancel {
    Wait,
    Abandon,
}

enum Stage<T> {
    New(Work),
    Acquiring(Work, Acquire),
    /// The function has its permit.
    Started(Steps<Thread<T>, std::thread::Result<T>>),
}

/// A wait for a thread.
struct Thread<T> {
    entry: Rc<Entry<T>>,
    watch: Watch,
    /// The scope that keeps the wait from being cancelled.
    uncancellable: Option<Uncancellable>,
}

impl<T: Send + 'static> ToThread<T> {
    /// Does the same as [`to_thread`], on behalf of the caller at `place`.
    pub(crate) fn new(
        f: impl FnOnce() -> T + Send + 'static,
        place: &'static Location<'static>,
    ) -> Self {
        ToThread {
            stage: Stage::New(job::work(f, place)),
            limited: Limited::ByDefault,
            abandoned: Abandoned::GivesPermitBack,
            on_cancel: OnCancel::Wait,
            stop: None,
            place,
        }
    }
}

impl<T> ToThread<T> {
    /// Sets whether the function may be abandoned. If so, a cancellation is raised at once. The
    /// function goes on, `run` does not wait for it, its value is dropped, and its panic is
    /// reported through `tracing`. The same happens if the future is dropped.
    ///
    /// A permit of a [limiter that was given](Self::limiter) comes back when the function has
    /// ended, because it stands for whatever that limiter counts. A permit of the run's default
    /// limiter comes back at once, so that a function that hangs does not hold up other work. This
    /// applies to up to 400 functions in each `run` that are abandoned at the same time. Any beyond
    /// that keep their permits until they end, as all of them do in Trio. So, look-ups and other
    /// limiters aside, a run never has more threads than the total of its default limiter plus 400.
    ///
    /// Use it only for functions that do no harm if they end at any later time, or never.
    ///
    /// ```
    /// use seedbed::{move_on_after, to_thread};
    /// use std::{thread, time::Duration};
    ///
    /// seedbed::run(async {
    ///     let forever = to_thread(|| loop { thread::park() }).abandon_on_cancel(true);
    ///     let none: Option<()> = move_on_after(Duration::from_millis(5), forever).await?;
    ///     assert_eq!(none, None);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn abandon_on_cancel(mut self, abandon: bool) -> Self {
        self.on_cancel = if abandon { OnCancel::Abandon } else { OnCancel::Wait };
        self
    }

    /// Sets the limiter whose permit the function needs, instead of the run's
    /// [default](current_default_thread_limiter).
    ///
    /// ```
    /// use seedbed::{CapacityLimiter, to_thread};
    ///
    /// seedbed::run(async {
    ///     let connections = CapacityLimiter::new(5); // so many the database takes
    ///     let query = to_thread(|| "SELECT 42").limiter(&connections);
    ///     assert_eq!(query.await?, "SELECT 42");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn limiter(self, limiter: &CapacityLimiter) -> Self {
        self.limited(limiter.clone(), Abandoned::KeepsPermit)
    }

    /// Sets the limiter, and what becomes of its permit if the function is abandoned.
    pub(crate) fn limited(mut self, limiter: CapacityLimiter, abandoned: Abandoned) -> Self {
        (self.limited, self.abandoned) = (Limited::By(limiter), abandoned);
        self
    }

    /// Sets the limiter to one that is found when the function is about to begin. It keeps its
    /// permits.
    pub(crate) fn limited_by_part(mut self, find: fn() -> Option<CapacityLimiter>) -> Self {
        (self.limited, self.abandoned) = (Limited::ByPart(find), Abandoned::KeepsPermit);
        self
    }

    /// Sets how the function is asked to stop when this is cancelled or dropped. A cancellation is
    /// still waited for, until the function has noticed.
    pub(crate) fn stopped_by(mut self, stop: Arc<Stop>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Whether a thread has the function.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.stage, Stage::Started(_))
    }

    fn acquire(&self) -> Result<Acquire> {
        let limiter = match &self.limited {
            Limited::ByDefault => return Ok(default_limiter()?.acquire_for(self.place)),
            Limited::By(limiter) => limiter.clone(),
            Limited::ByPart(find) => find().ok_or(NotRunning)?,
        };
        Ok(limiter.acquire_for(self.place))
    }
}

impl<T> Future for ToThread<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.place;
        self.poll_stages(cx).map_err(|error| error.at(place))
    }
}

impl<T> ToThread<T> {
    fn poll_stages(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if let Stage::New(_) = &self.stage
            && let Stage::New(work) = self.next_stage()
        {
            self.stage = Stage::Acquiring(work, self.acquire()?);
        }
        let mut job = None;
        if let Stage::Acquiring(_, acquire) = &mut self.stage {
            let permit = ready!(Pin::new(acquire).poll(cx));
            if let Stage::Acquiring(work, _) = self.next_stage() {
                job = Some((work, permit?));
            }
        }
        let ToThread { ref mut stage, abandoned, on_cancel, ref stop, place, .. } = *self;
        let Stage::Started(steps) = stage else { unreachable!("it has its permit") };
        let stop = stop.as_deref();
        let mut work = Running { job, abandoned, on_cancel, stop, place, _value: PhantomData };
        let ended = ready!(steps.poll(&mut work, cx));
        Poll::Ready(ended.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))))
    }

    /// Takes out the present stage, and leaves the last one, which has not begun.
    fn next_stage(&mut self) -> Stage<T> {
        std::mem::replace(&mut self.stage, Stage::Started(Steps::new()))
    }
}

impl<T> Drop for ToThread<T> {
    fn drop(&mut self) {
        let ToThread { ref mut stage, abandoned, on_cancel, ref stop, place, .. } = *self;
        if let Stage::Started(steps) = stage {
            steps.drop(&mut Running {
                job: None,
                abandoned,
                on_cancel,
                stop: stop.as_deref(),
                place,
                _value: PhantomData,
            });
        }
    }
}

/// A function that has its permit.
struct Running<'a, T> {
    /// Present until a thread has it.
    job: Option<(Work, Permit)>,
    _value: PhantomData<T>,
    abandoned: Abandoned,
    on_cancel: OnCancel,
    stop: Option<&'a Stop>,
    place: &'static Location<'static>,
}

impl<T: 'static> Running<'_, T> {
    fn start(&mut self) -> Result<Rc<Entry<T>>> {
        let (work, permit) = self.job.take().expect("it has its permit");
        let place = self.place;
        if let Some(run) = system::forked_from() {
            return Err(used_in_a_fork("to_thread", place, run));
        }
        let token = Token::here().expect("the check has passed");
        let started = JOBS.with(|jobs| {
            let jobs = jobs.expect("the check has passed");
            jobs.start(token, work, permit, self.abandoned, place)
        });
        started.map_err(|error| {
            let text = format!("no thread could be started for `to_thread` at {place}: {error}");
            Error::from(io::Error::new(error.kind(), text))
        })
    }

    /// Goes on waiting for the thread, unless this is cancelled and the thread may be abandoned.
    fn go_on(&mut self, thread: &mut Thread<T>, cx: &Context<'_>) -> Result<()> {
        match self.on_cancel {
            OnCancel::Wait => {
                if let Some(stop) = self.stop
                    && !stop.is_asked()
                {
                    thread.watch.arm(cx);
                    stop.ask_if_cancelled(thread.watch.check());
                }
                thread.uncancellable = Uncancellable::new();
            }
            OnCancel::Abandon => {
                thread.watch.arm(cx);
                thread.watch.check().inspect_err(|_| self.leave(thread))?;
            }
        }
        thread.entry.arm(cx);
        Ok(())
    }
}

impl<T: 'static> Operation for Running<'_, T> {
    const NAME: &'static str = "to_thread";
    // If it was cancelled after it was given the permit, it has already been counted.
    const COUNTS_WHEN_CANCELLED: u8 = 0;

    type Got = std::thread::Result<T>;
    type Wait = Thread<T>;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Self::Got> {
        if self.job.is_some() { Tried::Waits } else { polled_after_it_was_ready(self) }
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Thread<T>> {
        let entry = match self.start() {
            Ok(entry) => entry,
            Err(error) => return Registered::Failed(error),
        };
        let mut thread = Thread { entry, watch: Watch::new(), uncancellable: None };
        match self.go_on(&mut thread, cx) {
            Ok(()) => Registered::Waits(thread),
            Err(error) => Registered::Failed(error),
        }
    }

    fn look(&mut self, thread: &mut Thread<T>, cx: &mut Context<'_>) -> Look<Self::Got> {
        if let Some(outcome) = thread.entry.take() {
            return Look::Got(outcome);
        }
        match self.go_on(thread, cx) {
            Ok(()) => Look::Waits,
            Err(error) => Look::Cancelled(error, None),
        }
    }

    fn leave(&mut self, thread: &mut Thread<T>) {
        thread.entry.disarm();
        if let Some(stop) = self.stop {
            stop.ask_as_dropped();
        }
        if self.on_cancel == OnCancel::Abandon {
            thread.entry.abandon();
        }
    }
}

impl<T> std::fmt::Debug for ToThread<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToThread").field("place", &self.place).finish_non_exhaustive()
    }
}
