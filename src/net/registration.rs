//! A source of news from the kernel, and how an operation on it waits for some.
//!
//! A source is registered with the reactor of the `run` that uses it, when an operation has to
//! wait for the first time, and anew when one has to in a later `run`: an accepted connection
//! that is served at once costs no system call for it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mio::unix::SourceFd;

use crate::coop::{self, Watch};
use crate::run::reactor::{Direction, Readiness, Ticket};
use crate::{Error, Result, context};

/// Which way an operation goes.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Read,
    Write,
}

/// A source, which must be in non-blocking mode, and its place in a reactor.
pub(crate) struct Registration<S> {
    // Dropped before the source is closed: a duplicate of the descriptor would keep the kernel
    // telling of a key that may be another source's by then.
    link: Link,
    source: S,
}

/// The place in a reactor.
struct Link {
    /// The `run` whose reactor it is; 0 if there is none.
    run: Cell<u32>,
    key: Cell<usize>,
    fd: Cell<RawFd>,
    readiness: Rc<Readiness>,
}

impl Link {
    fn direction(&self, side: Side) -> &Direction {
        match side {
            Side::Read => &self.readiness.read,
            Side::Write => &self.readiness.write,
        }
    }

    /// Forgets what an earlier `run` knew of the source.
    fn renew(&self) {
        if self.run.get() != context::current_run() && self.run.get() != 0 {
            self.run.set(0);
            self.readiness.read.reset();
            self.readiness.write.reset();
        }
    }

    fn register(&self, fd: RawFd) -> Result<()> {
        if self.run.get() != 0 {
            return Ok(());
        }
        let key = context::with_runtime(|runtime| {
            let runtime = runtime.expect("there is one, or the check would have failed");
            runtime.reactor.register(&mut SourceFd(&fd), &self.readiness)
        })?;
        self.key.set(key);
        self.fd.set(fd);
        self.run.set(context::current_run());
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The reactor of an earlier run is closed, and has forgotten its sources.
        if self.run.get() != 0 && self.run.get() == context::current_run() {
            context::with_runtime(|runtime| {
                if let Some(runtime) = runtime {
                    runtime.reactor.deregister(self.key.get(), &mut SourceFd(&self.fd.get()));
                }
            });
        }
    }
}

/// How far an operation has come. One that is a future has its own; all calls of a stream's
/// `poll_read` share one, since nobody says where one operation ends and the next begins.
pub(crate) struct Progress {
    /// It has let others run, or its task had not used up its budget.
    paid: bool,
    ticket: Option<Ticket>,
    watch: Watch,
}

impl Progress {
    const fn new() -> Self {
        Progress { paid: false, ticket: None, watch: Watch::new() }
    }

    fn pay(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.paid {
            self.paid = true;
            if coop::spend() && context::current_run() != 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsFd> Registration<S> {
    pub(crate) fn new(source: S) -> Self {
        let link = Link {
            run: Cell::new(0),
            key: Cell::new(0),
            fd: Cell::new(-1),
            readiness: Rc::default(),
        };
        Registration { link, source }
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// Takes the source out of its reactor.
    pub(crate) fn into_source(self) -> S {
        self.source
    }

    /// Registers the source before it is used, as one that is only there to interrupt a sleep.
    pub(crate) fn register_quietly(&self) -> Result<()> {
        self.link.register(self.source.as_fd().as_raw_fd())?;
        context::with_runtime(|runtime| {
            if let Some(runtime) = runtime {
                runtime.reactor.set_quiet(self.link.key.get());
            }
        });
        Ok(())
    }

    /// Tries something that nobody waits for, which is no checkpoint; `None` if there is no news.
    pub(crate) fn attempt<R>(
        &self,
        side: Side,
        attempt: impl FnOnce(&S) -> io::Result<R>,
    ) -> Option<io::Result<R>> {
        let direction = self.link.direction(side);
        if !direction.is_ready() {
            return None;
        }
        match attempt(&self.source) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                direction.clear_ready();
                None
            }
            outcome => Some(outcome),
        }
    }

    /// An operation got less than it asked for, on a source where that means that there is no
    /// more at present.
    pub(crate) fn exhausted(&self, side: Side) {
        self.link.direction(side).exhausted();
    }

    /// An operation: `attempt`, again each time the kernel has news, until it does not fail with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// It is a checkpoint, and `attempt` succeeds in the same poll that returns its value:
    /// cancelled or dropped, the operation has not happened.
    pub(crate) async fn operate<R>(
        &self,
        side: Side,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Result<R> {
        /// Gives the place among those who wait back.
        struct Leave<'a>(&'a Direction, Progress);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                if let Some(ticket) = self.1.ticket {
                    self.0.leave(ticket);
                }
            }
        }
        let mut leave = Leave(self.link.direction(side), Progress::new());
        poll_fn(|cx| {
            let Leave(direction, progress) = &mut leave;
            ready!(self.poll_attempt(side, progress, cx, &mut attempt)).map_or_else(
                || {
                    direction.wait(&mut progress.ticket, cx.waker());
                    Poll::Pending
                },
                Poll::Ready,
            )
        })
        .await
    }

    /// Tries once, if there is hope; `None` if the operation has to wait for news.
    fn poll_attempt<R>(
        &self,
        side: Side,
        progress: &mut Progress,
        cx: &Context<'_>,
        attempt: &mut impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<Option<Result<R>>> {
        self.link.renew();
        let direction = self.link.direction(side);
        let outcome = loop {
            // A failing checkpoint counts as well: a loop that does not heed it must not starve
            // others.
            if let Err(cancelled) = coop::check() {
                ready!(progress.pay(cx));
                break Err(cancelled);
            }
            if !direction.is_ready() {
                match self.link.register(self.source.as_fd().as_raw_fd()) {
                    Ok(()) => {
                        progress.paid = true; // others run meanwhile
                        progress.watch.arm(cx);
                        return Poll::Ready(None);
                    }
                    Err(error) => break Err(error),
                }
            }
            ready!(progress.pay(cx));
            match attempt(&self.source) {
                Ok(value) => break Ok(value),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => direction.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(Error::from(error)),
            }
        };
        progress.watch.disarm();
        progress.paid = false;
        Poll::Ready(Some(outcome))
    }
}

impl<S: fmt::Debug> fmt::Debug for Registration<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// The progress of the operations that go one way through foreign traits, whose `poll` functions
/// have no state of their own.
///
/// Two tasks that use the same stream the same way are both woken, but for cancellation that is
/// sure only where they are polled with their own wakers.
pub(crate) struct Shared(RefCell<Progress>);

impl Shared {
    pub(crate) const fn new() -> Self {
        Shared(RefCell::new(Progress::new()))
    }

    /// As [`Registration::operate`].
    pub(crate) fn poll<S: AsFd, R>(
        &self,
        registration: &Registration<S>,
        side: Side,
        cx: &Context<'_>,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        // Taken out while foreign code, such as a waker, may run.
        let mut progress = self.0.replace(Progress::new());
        let outcome = registration.poll_attempt(side, &mut progress, cx, &mut attempt);
        let old = self.0.replace(progress);
        drop(old);
        match ready!(outcome) {
            Some(outcome) => Poll::Ready(outcome.map_err(io::Error::from)),
            None => {
                registration.link.direction(side).wait_unowned(cx.waker());
                Poll::Pending
            }
        }
    }

    /// An operation that does nothing.
    pub(crate) fn poll_checkpoint(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut progress = self.0.replace(Progress::new());
        let paid = progress.pay(cx);
        if paid.is_ready() {
            progress.paid = false;
        }
        let old = self.0.replace(progress);
        drop(old);
        paid.map(|()| coop::check().map_err(io::Error::from))
    }
}
