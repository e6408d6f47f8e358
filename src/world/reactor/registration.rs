//! A source of news from the kernel, and how an operation on it waits for some.
//!
//! A source is registered with the reactor of the `run` that uses it, when an operation has to wait
//! for the first time, and again when one has to wait in a later `run`. So an accepted connection
//! that is served without waiting does not cost a system call for this.

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mio::unix::SourceFd;

use crate::error::{Error, Result};
use crate::operation::checkpoint::pass;
use crate::operation::skeleton::{self, Look, Registered, Steps, Tried, When};
use crate::operation::waiters::{Kept, Ticket};
use crate::schedule::budget::{self, Share};
use crate::schedule::ids::RunId;
use crate::schedule::remote::away;
use crate::schedule::units::parked;
use crate::schedule::{current, waker};
use crate::scope;
use crate::world::reactor::REACTOR;
use crate::world::reactor::chunks::ReadinessRef;
use crate::world::reactor::readiness::{Direction, Kind, Readiness, Side};
use crate::world::reactor::refused::refused;
use crate::world::reactor::verb::{Verb, Wanted};

/// A source, which must be in non-blocking mode, and its place in a reactor.
pub(crate) struct Registration<S: AsFd> {
    /// Beside it is the source, until it is taken out.
    readiness: ReadinessRef<Option<S>>,
}

impl<S: AsFd> Registration<S> {
    pub(crate) fn new(source: S) -> Self {
        Registration { readiness: ReadinessRef::new(Some(source)) }
    }

    pub(crate) fn of_kind(kind: Kind, source: S) -> Self {
        let registration = Registration::new(source);
        registration.readiness.kind.set(kind);
        registration
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.readiness.kind.get()
    }

    #[inline]
    pub(crate) fn source(&self) -> &S {
        self.readiness.beside.as_ref().expect("it is used until it is taken out")
    }

    /// Takes the source out, after which this is good for nothing.
    pub(crate) fn take_source(&mut self) -> Option<S> {
        self.deregister();
        self.readiness.beside.take()
    }

    pub(crate) fn into_source(mut self) -> S {
        self.take_source().expect("it has not been taken out")
    }

    /// Registers the source before it is used, as one that serves only to interrupt a sleep.
    pub(crate) fn register_quietly(&self) -> Result<()> {
        self.register()?;
        REACTOR.with(|reactor| {
            if let Some(reactor) = reactor {
                reactor.set_quiet(self.readiness.key());
            }
        });
        Ok(())
    }

    /// Returns what is reported about the other end, from now on even while no operation waits.
    pub(crate) fn observe(&self) -> Result<ReadinessRef> {
        self.register()?;
        Ok(self.readiness.share(()))
    }

    /// Forgets what another `run` knew about the source.
    #[inline]
    fn renew(&self) {
        let run = self.readiness.run.get();
        if run != current::current_run() && !run.is_none() {
            self.forget_other_run();
        }
    }

    #[cold]
    fn forget_other_run(&self) {
        self.deregister(); // it may go on, beside this one
        self.readiness.run.set(RunId::NONE);
        self.readiness.reset();
    }

    #[inline]
    fn register(&self) -> Result<()> {
        self.renew();
        if !self.readiness.run.get().is_none() {
            return Ok(());
        }
        self.register_anew()
    }

    #[cold]
    fn register_anew(&self) -> Result<()> {
        let fd = self.as_fd().as_raw_fd(); // foreign code, for a source of the user's
        let registered = REACTOR.with(|reactor| {
            let reactor = reactor.expect("there is one, or the check would have failed");
            reactor.register(&mut SourceFd(&fd), &self.readiness)
        });
        Ok(registered.map_err(|error| {
            self.readiness.has_to_be_tried();
            refused(fd, error)
        })?)
    }

    fn deregister(&self) {
        let run = self.readiness.run.get();
        if run.is_none() {
            return;
        }
        away::in_run(run, || {
            // The reactor of a run that has ended is closed, and has forgotten its sources.
            if run != current::current_run() {
                return;
            }
            let fd = self.as_fd().as_raw_fd(); // foreign code, for a source of the user's
            REACTOR.with(|reactor| {
                if let Some(reactor) = reactor {
                    reactor.deregister(&mut SourceFd(&fd), &self.readiness);
                }
            });
        });
    }

    /// To be called when an operation got less than it asked for, on a source where that means that
    /// there is no more at present.
    #[inline]
    pub(crate) fn exhausted(&self, side: Side) {
        self.readiness.direction(side).exhausted();
    }

    /// Performs an operation: calls `attempt` again each time the kernel has news, until it does
    /// not fail with [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// This is a checkpoint, and `attempt` succeeds in the same poll that returns its value: if the
    /// operation is cancelled or dropped, it has not happened. Between news and a cancellation,
    /// whichever came first counts.
    ///
    /// Its errors are raised at the place where this is called, through functions that are
    /// `#[track_caller]`.
    #[inline]
    #[track_caller]
    pub(crate) fn operate<V, R, F>(&self, verb: V, attempt: F) -> Operate<'_, S, V, F>
    where
        V: Verb,
        F: FnMut(&Self) -> io::Result<R>,
    {
        Operate { operation: Operation::new(self, verb), attempt }
    }

    /// Tries an operation if there is a chance that it does not block; `None` if it would block.
    #[inline]
    pub(crate) fn attempt<R>(
        &self,
        side: Side,
        mut attempt: impl FnMut(&Self) -> io::Result<R>,
    ) -> Option<io::Result<R>> {
        let direction = self.readiness.direction(side);
        while direction.is_ready() {
            match attempt(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => direction.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return Some(outcome),
            }
        }
        None
    }

    /// Like [`operate`](Self::operate), for `poll` functions of foreign traits, which have no state
    /// of their own: nothing tells where one operation ends and the next begins.
    ///
    /// If two tasks use the same stream in the same direction, both are woken. A cancellation
    /// reaches both if they are polled with their own wakers, and otherwise the last one.
    #[inline]
    pub(crate) fn poll_operation<R>(
        &self,
        side: Side,
        cx: &Context<'_>,
        attempt: impl FnMut(&Self) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.renew();
        let direction = self.readiness.direction(side);
        if !direction.is_ready() || direction.paid.get() || !pass() {
            if direction.is_ready() || scope::check().is_err() {
                ready!(pay(direction, cx));
            }
            if let Err(error) = scope::check() {
                end(&self.readiness, side);
                return Poll::Ready(Err(error.into()));
            }
        }
        if let Some(outcome) = self.attempt(side, attempt) {
            end(&self.readiness, side);
            return Poll::Ready(outcome);
        }
        if let Err(error) = self.register() {
            end(&self.readiness, side);
            return Poll::Ready(Err(error.into()));
        }
        wait(&self.readiness, side, cx);
        Poll::Pending
    }

    /// A foreign operation that does nothing.
    #[inline]
    pub(crate) fn poll_checkpoint(&self, side: Side, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let direction = self.readiness.direction(side);
        if direction.paid.get() || !pass() {
            ready!(pay(direction, cx));
            let outcome = scope::check();
            end(&self.readiness, side);
            outcome?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsFd> AsFd for Registration<S> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source().as_fd()
    }
}

impl<S: AsFd> Drop for Registration<S> {
    /// The source is closed after this. Otherwise, if the descriptor had a duplicate, the kernel
    /// would go on reporting events for a key that may belong to another source by then.
    fn drop(&mut self) {
        self.deregister();
    }
}

impl<S: AsFd + fmt::Debug> fmt::Debug for Registration<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(f)
    }
}

/// The future of [`Registration::operate`].
///
/// Written out by hand, because it is part of every task that waits for its peer, and an `async`
/// block would be three times as large.
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Operate<'a, S: AsFd, V, F> {
    operation: Operation<'a, S, V>,
    attempt: F,
}

// Nothing in it is pinned.
impl<S: AsFd, V, F> Unpin for Operate<'_, S, V, F> {}

impl<S, V, R, F> Future for Operate<'_, S, V, F>
where
    S: AsFd,
    V: Verb,
    F: FnMut(&Registration<S>) -> io::Result<R>,
{
    type Output = Result<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let this = self.get_mut();
        this.operation.poll(cx, &mut this.attempt)
    }
}

/// An operation on a source, or several in succession, which do `V`.
pub(crate) struct Operation<'a, S: AsFd, V> {
    registration: &'a Registration<S>,
    place: &'static Location<'static>,
    steps: Steps<Ticket, ()>,
    verb: PhantomData<V>,
}

impl<'a, S: AsFd, V: Verb> Operation<'a, S, V> {
    /// An operation that is called where this is called, through functions that are
    /// `#[track_caller]`.
    #[inline]
    #[track_caller]
    pub(crate) fn new(registration: &'a Registration<S>, _verb: V) -> Self {
        let place = Location::caller();
        Operation { registration, place, steps: Steps::new(), verb: PhantomData }
    }

    /// The error for a failure of this operation, raised where it was called.
    #[cold]
    pub(crate) fn failure(&self, error: impl Into<Error>) -> Error {
        error.into().at(self.place)
    }

    /// Continues the operation. When it has ended, the next one begins.
    #[inline]
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&Registration<S>) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        let Operation { registration, place, ref mut steps, verb } = *self;
        registration.renew();
        let mut work = Attempts { registration, place, verb, attempt, value: None };
        let done = ready!(steps.poll(&mut work, cx));
        *steps = Steps::new();
        match done {
            Ok(()) => Poll::Ready(Ok(work.value.expect("it is done"))),
            Err(error) => Poll::Ready(Err(self.failure(error))),
        }
    }

    /// Performs, in place of this operation, one that does nothing.
    pub(crate) fn poll_checkpoint(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.steps.poll(&mut Nothing(self.place, self.verb), cx)
    }
}

impl<S: AsFd, V> Drop for Operation<'_, S, V> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.steps.waits() {
            parked::take_back();
            self.registration.readiness.leave(*ticket);
        }
    }
}

/// The attempts that make up an operation.
struct Attempts<'a, S: AsFd, V, F, R> {
    registration: &'a Registration<S>,
    place: &'static Location<'static>,
    verb: PhantomData<V>,
    attempt: F,
    value: Option<R>,
}

impl<S, V, F, R> skeleton::Operation for Attempts<'_, S, V, F, R>
where
    S: AsFd,
    V: Verb,
    F: FnMut(&Registration<S>) -> io::Result<R>,
{
    const NAME: &'static str = V::NAME;
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = ();
    type Wait = Ticket;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn attempt(&mut self, when: When, _: &mut Context<'_>) -> Tried<()> {
        let is_ready = || self.registration.readiness.direction(V::SIDE).is_ready();
        if when == When::First && is_ready() && !pass() {
            return Tried::AfterCheckpoint;
        }
        match self.registration.attempt(V::SIDE, &mut self.attempt) {
            Some(Ok(value)) => {
                self.value = Some(value);
                Tried::Counted(())
            }
            Some(Err(error)) => Tried::Failed(error.into()),
            None => match scope::check().and_then(|()| self.registration.register()) {
                Ok(()) => Tried::Waits,
                Err(error) => Tried::Failed(error),
            },
        }
    }

    #[inline(always)]
    fn register(&mut self, cx: &Context<'_>, kept: &mut Kept) -> Registered<Ticket> {
        self.registration.readiness.join(V::WANTED, cx, kept)
    }

    #[inline(always)]
    fn look(&mut self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Look<()> {
        self.registration.readiness.look(*ticket, cx)
    }

    fn leave(&mut self, ticket: &mut Ticket) {
        self.registration.readiness.leave(*ticket);
    }
}

/// An operation with nothing to do.
struct Nothing<V>(&'static Location<'static>, PhantomData<V>);

impl<V: Verb> skeleton::Operation for Nothing<V> {
    const NAME: &'static str = V::NAME;
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = ();
    type Wait = Ticket;

    fn place(&self) -> &'static Location<'static> {
        self.0
    }

    fn is_checkpoint(&self) -> bool {
        true
    }

    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<()> {
        Tried::Counted(())
    }

    fn register(&mut self, _: &Context<'_>, _: &mut Kept) -> Registered<Ticket> {
        unreachable!("there is nothing to wait for")
    }

    fn look(&mut self, _: &mut Ticket, _: &mut Context<'_>) -> Look<()> {
        Look::Tries
    }

    fn leave(&mut self, _: &mut Ticket) {}
}

/// Counts an operation in this direction through foreign traits, once.
fn pay(direction: &Direction, cx: &Context<'_>) -> Poll<()> {
    if !direction.paid.replace(true) && budget::spend() == Share::UsedUp && current::is_running() {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}

/// Called when such an operation waits for news.
#[inline]
fn wait(readiness: &Readiness, side: Side, cx: &Context<'_>) {
    readiness.direction(side).paid.set(true); // others run in the meantime
    if !waker::is_of_current_unit(cx.waker()) {
        readiness.watch(side, cx);
    }
    readiness.leave_waker(side, cx.waker());
    parked::leave_without_place(Wanted::by_foreign_trait(side).what);
}

/// Called when such an operation has ended.
#[inline]
fn end(readiness: &Readiness, side: Side) {
    readiness.direction(side).paid.set(false);
    readiness.unwatch(side);
}
