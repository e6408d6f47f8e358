//! A source of news from the kernel, and how an operation on it waits for some.
//!
//! A source is registered with the reactor of the `run` that uses it, when an operation has to
//! wait for the first time, and anew when one has to in a later `run`: an accepted connection
//! that is served at once costs no system call for it.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mio::unix::SourceFd;

use crate::checkpoint::{Checkpoint, checkpoint};
use crate::coop::{self, Watch};
use crate::run::reactor::{Direction, Look, Readiness, Ticket};
use crate::{Result, context};

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
        self.renew();
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

    /// An operation got less than it asked for, on a source where that means that there is no
    /// more at present.
    pub(crate) fn exhausted(&self, side: Side) {
        self.link.direction(side).exhausted();
    }

    /// An operation: `attempt`, again each time the kernel has news, until it does not fail with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// It is a checkpoint, and `attempt` succeeds in the same poll that returns its value:
    /// cancelled or dropped, the operation has not happened. Whether the news or a cancellation
    /// came first is what decides between the two.
    pub(crate) async fn operate<R>(
        &self,
        side: Side,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Result<R> {
        if let Err(error) = coop::check() {
            Checkpoint::failing(error, 1).await?;
        }
        self.link.renew();
        if self.link.direction(side).is_ready() {
            checkpoint().await?;
        }
        loop {
            if let Some(outcome) = self.attempt(side, &mut attempt) {
                return Ok(outcome?);
            }
            self.wait(side).await?;
        }
    }

    /// Tries an operation if there is hope that it would not block; `None` if it would.
    pub(crate) fn attempt<R>(
        &self,
        side: Side,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Option<io::Result<R>> {
        let direction = self.link.direction(side);
        while direction.is_ready() {
            match attempt(&self.source) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => direction.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return Some(outcome),
            }
        }
        None
    }

    /// Waits for news.
    async fn wait(&self, side: Side) -> Result<()> {
        /// Gives the place among those who wait back.
        struct Place<'a>(&'a Direction, Option<Ticket>);
        impl Drop for Place<'_> {
            fn drop(&mut self) {
                if let Some(ticket) = self.1.take() {
                    self.0.leave(ticket);
                }
            }
        }
        coop::check()?;
        self.link.register(self.source.as_fd().as_raw_fd())?;
        let mut place = Place(self.link.direction(side), None);
        poll_fn(|cx| {
            self.link.renew();
            let Place(direction, ticket) = &mut place;
            match *ticket {
                None => *ticket = Some(direction.join(cx)),
                Some(ticket) => match direction.look(ticket, cx) {
                    Look::Waiting => {}
                    Look::Told => return Poll::Ready(Ok(())),
                    Look::Cancelled(error) => return Poll::Ready(Err(error)),
                },
            }
            Poll::Pending
        })
        .await
    }
}

impl<S: fmt::Debug> fmt::Debug for Registration<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// The operations that go one way through foreign traits, whose `poll` functions have no state of
/// their own: nobody says where one operation ends and the next begins.
///
/// Where two tasks use the same stream the same way both are woken; reached by a cancellation are
/// both if they are polled with their own wakers, else the last one.
pub(crate) struct Shared(Cell<Progress>);

/// How far the present operation has come.
struct Progress {
    /// It has let others run, or its task had not used up its budget.
    paid: bool,
    watch: Watch,
}

impl Progress {
    const NEW: Progress = Progress { paid: false, watch: Watch::new() };

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

impl Shared {
    pub(crate) const fn new() -> Self {
        Shared(Cell::new(Progress::NEW))
    }

    /// As [`Registration::operate`].
    pub(crate) fn poll<S: AsFd, R>(
        &self,
        registration: &Registration<S>,
        side: Side,
        cx: &Context<'_>,
        attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.with_progress(|progress| {
            let Registration { link, source } = registration;
            link.renew();
            if link.direction(side).is_ready() || coop::check().is_err() {
                ready!(progress.pay(cx));
            }
            coop::check()?;
            if let Some(outcome) = registration.attempt(side, attempt) {
                return Poll::Ready(outcome);
            }
            link.register(source.as_fd().as_raw_fd())?;
            progress.paid = true; // others run meanwhile
            progress.watch.arm(cx);
            link.direction(side).wait_unowned(cx.waker());
            Poll::Pending
        })
    }

    /// An operation that does nothing.
    pub(crate) fn poll_checkpoint(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.with_progress(|progress| {
            ready!(progress.pay(cx));
            Poll::Ready(coop::check().map_err(io::Error::from))
        })
    }

    /// Takes the progress out, because wakers are foreign code, and puts it back, or a new one if
    /// the operation has ended.
    fn with_progress<R>(&self, poll: impl FnOnce(&mut Progress) -> Poll<R>) -> Poll<R> {
        let mut progress = self.0.replace(Progress::NEW);
        let outcome = poll(&mut progress);
        if outcome.is_pending() {
            self.0.set(progress);
        }
        outcome
    }
}
