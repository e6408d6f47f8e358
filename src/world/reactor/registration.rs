//! A source of news from the kernel, and how an operation on it waits for some.
//!
//! A source is registered with the reactor of the `run` that uses it, when an operation has to wait
//! for the first time, and again when one has to wait in a later `run`. So an accepted connection
//! that is served without waiting does not cost a system call for this.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mio::unix::SourceFd;

use crate::error::{Error, Result};
use crate::operation::checkpoint::pass;
use crate::operation::skeleton::{self, Look, Registered, Steps, Tried, When};
use crate::operation::waiters::{Kept, Ticket};
use crate::schedule::budget::{self, Share};
use crate::schedule::ids::RunId;
use crate::schedule::{current, waker};
use crate::scope;
use crate::scope::watch::Watch;
use crate::world::reactor::REACTOR;
use crate::world::reactor::readiness::Direction;
pub(crate) use crate::world::reactor::readiness::{Readiness, Side};

/// A source, which must be in non-blocking mode, and its place in a reactor.
pub(crate) struct Registration<S> {
    // Dropped before the source is closed. Otherwise, if the descriptor had a duplicate, the kernel
    // would go on reporting events for a key that may belong to another source by then.
    link: Link,
    source: S,
}

/// The place in a reactor, which is given up when this is dropped.
struct Link {
    readiness: Rc<Readiness>,
    fd: Cell<RawFd>,
}

impl Link {
    /// Forgets what an earlier `run` knew about the source.
    #[inline]
    fn renew(&self) {
        let place = &self.readiness.place;
        if place.run.get() != current::current_run() && !place.run.get().is_none() {
            place.run.set(RunId::NONE);
            self.readiness.reset();
        }
    }

    #[inline]
    fn register(&self, source: &impl AsFd) -> Result<()> {
        self.renew();
        if !self.readiness.place.run.get().is_none() {
            return Ok(());
        }
        self.register_anew(source.as_fd().as_raw_fd())
    }

    #[cold]
    fn register_anew(&self, fd: RawFd) -> Result<()> {
        let key = REACTOR.with(|reactor| {
            let reactor = reactor.expect("there is one, or the check would have failed");
            reactor.register(&mut SourceFd(&fd), &self.readiness)
        })?;
        let place = &self.readiness.place;
        place.key.set(key);
        self.fd.set(fd);
        place.run.set(current::current_run());
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let place = &self.readiness.place;
        // The reactor of any earlier run is closed, and has forgotten its sources.
        if !place.run.get().is_none() && place.run.get() == current::current_run() {
            REACTOR.with(|reactor| {
                if let Some(reactor) = reactor {
                    reactor.deregister(place.key.get(), &mut SourceFd(&self.fd.get()));
                }
            });
        }
    }
}

impl<S: AsFd> Registration<S> {
    pub(crate) fn new(source: S) -> Self {
        Registration { link: Link { readiness: Rc::default(), fd: Cell::new(-1) }, source }
    }

    /// For a source that may well never have any news.
    pub(crate) fn of_listener(source: S) -> Self {
        let registration = Registration::new(source);
        registration.link.readiness.is_listener.set(true);
        registration
    }

    #[inline]
    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// Takes the source out of its reactor.
    pub(crate) fn into_source(self) -> S {
        self.source
    }

    /// Registers the source before it is used, as one that serves only to interrupt a sleep.
    pub(crate) fn register_quietly(&self) -> Result<()> {
        self.link.register(&self.source)?;
        REACTOR.with(|reactor| {
            if let Some(reactor) = reactor {
                reactor.set_quiet(self.link.readiness.place.key.get());
            }
        });
        Ok(())
    }

    /// Returns what is reported about the other end, from now on even while no operation waits.
    #[cfg(feature = "hyper")]
    pub(crate) fn observe(&self) -> Result<Rc<Readiness>> {
        self.link.register(&self.source)?;
        Ok(self.link.readiness.clone())
    }

    /// To be called when an operation got less than it asked for, on a source where that means that
    /// there is no more at present.
    #[inline]
    pub(crate) fn exhausted(&self, side: Side) {
        self.link.readiness.direction(side).exhausted();
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
    pub(crate) fn operate<R, F>(&self, side: Side, attempt: F) -> Operate<'_, S, F>
    where
        F: FnMut(&S) -> io::Result<R>,
    {
        Operate { operation: Operation::new(self, side), attempt }
    }

    /// Tries an operation if there is a chance that it does not block; `None` if it would block.
    #[inline]
    pub(crate) fn attempt<R>(
        &self,
        side: Side,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Option<io::Result<R>> {
        let direction = self.link.readiness.direction(side);
        while direction.is_ready() {
            match attempt(&self.source) {
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
        attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.link.renew();
        let direction = self.link.readiness.direction(side);
        if !direction.is_ready() || direction.paid.get() || !pass() {
            if direction.is_ready() || scope::check().is_err() {
                ready!(pay(direction, cx));
            }
            if let Err(error) = scope::check() {
                end(&self.link.readiness, side);
                return Poll::Ready(Err(error.into()));
            }
        }
        if let Some(outcome) = self.attempt(side, attempt) {
            end(&self.link.readiness, side);
            return Poll::Ready(outcome);
        }
        if let Err(error) = self.link.register(&self.source) {
            end(&self.link.readiness, side);
            return Poll::Ready(Err(error.into()));
        }
        wait(&self.link.readiness, side, cx);
        Poll::Pending
    }

    /// A foreign operation that does nothing.
    #[inline]
    pub(crate) fn poll_checkpoint(&self, side: Side, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let direction = self.link.readiness.direction(side);
        if direction.paid.get() || !pass() {
            ready!(pay(direction, cx));
            let outcome = scope::check();
            end(&self.link.readiness, side);
            outcome?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: fmt::Debug> fmt::Debug for Registration<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// The future of [`Registration::operate`].
///
/// Written out by hand, because it is part of every task that waits for its peer, and an `async`
/// block would be three times as large.
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Operate<'a, S, F> {
    operation: Operation<'a, S>,
    attempt: F,
}

// Nothing in it is pinned.
impl<S, F> Unpin for Operate<'_, S, F> {}

impl<S: AsFd, R, F: FnMut(&S) -> io::Result<R>> Future for Operate<'_, S, F> {
    type Output = Result<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let this = self.get_mut();
        this.operation.poll(cx, &mut this.attempt)
    }
}

/// An operation on a source, or several in succession.
pub(crate) struct Operation<'a, S> {
    registration: &'a Registration<S>,
    place: &'static Location<'static>,
    side: Side,
    steps: Steps<Ticket, ()>,
}

impl<'a, S: AsFd> Operation<'a, S> {
    /// An operation that is called where this is called, through functions that are
    /// `#[track_caller]`.
    #[inline]
    #[track_caller]
    pub(crate) fn new(registration: &'a Registration<S>, side: Side) -> Self {
        Operation { registration, place: Location::caller(), side, steps: Steps::new() }
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
        attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        let Operation { registration, place, side, ref mut steps } = *self;
        registration.link.renew();
        let mut work = Attempts { registration, place, side, attempt, value: None };
        let done = ready!(steps.poll(&mut work, cx));
        *steps = Steps::new();
        match done {
            Ok(()) => Poll::Ready(Ok(work.value.expect("it is done"))),
            Err(error) => Poll::Ready(Err(self.failure(error))),
        }
    }

    /// Performs, in place of this operation, one that does nothing.
    pub(crate) fn poll_checkpoint(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.steps.poll(&mut Nothing(self.place), cx)
    }
}

impl<S> Drop for Operation<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.steps.waits() {
            self.registration.link.readiness.leave(*ticket);
        }
    }
}

/// The attempts that make up an operation.
struct Attempts<'a, S, F, R> {
    registration: &'a Registration<S>,
    place: &'static Location<'static>,
    side: Side,
    attempt: F,
    value: Option<R>,
}

impl<S, F, R> skeleton::Operation for Attempts<'_, S, F, R>
where
    S: AsFd,
    F: FnMut(&S) -> io::Result<R>,
{
    const NAME: &'static str = "I/O";
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = ();
    type Wait = Ticket;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn attempt(&mut self, when: When, _: &mut Context<'_>) -> Tried<()> {
        let Registration { link, source } = self.registration;
        let is_ready = || link.readiness.direction(self.side).is_ready();
        if when == When::First && is_ready() && !pass() {
            return Tried::AfterCheckpoint;
        }
        match self.registration.attempt(self.side, &mut self.attempt) {
            Some(Ok(value)) => {
                self.value = Some(value);
                Tried::Counted(())
            }
            Some(Err(error)) => Tried::Failed(error.into()),
            None => match scope::check().and_then(|()| link.register(source)) {
                Ok(()) => Tried::Waits,
                Err(error) => Tried::Failed(error),
            },
        }
    }

    #[inline(always)]
    fn register(&mut self, cx: &Context<'_>, kept: &mut Kept) -> Registered<Ticket> {
        self.registration.link.readiness.join(self.side, cx, kept)
    }

    #[inline(always)]
    fn look(&mut self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Look<()> {
        self.registration.link.readiness.look(*ticket, cx)
    }

    fn leave(&mut self, ticket: &mut Ticket) {
        self.registration.link.readiness.leave(*ticket);
    }
}

/// An operation with nothing to do.
struct Nothing(&'static Location<'static>);

impl skeleton::Operation for Nothing {
    const NAME: &'static str = "I/O";
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
        watch(readiness.watch(side), cx);
    }
    readiness.leave_waker(side, cx.waker());
}

#[cold]
fn watch(place: &Cell<Option<Box<Watch>>>, cx: &Context<'_>) {
    let mut watch = place.take().unwrap_or_else(|| Box::new(Watch::new()));
    watch.arm(cx);
    place.set(Some(watch));
}

/// Called when such an operation has ended.
#[inline]
fn end(readiness: &Readiness, side: Side) {
    readiness.direction(side).paid.set(false);
    drop(readiness.watch(side).take());
}
