//! Driving a generator: `anext`, `asend`, `athrow`, `aclose`.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use crate::Result;
use crate::error::panic::{in_destructor, quietly, report};
use crate::error::{AsendError, GeneratorExit, GeneratorMisused};
use crate::error::{Error, NotRunning};
use crate::generator::finalize::Closable;
use crate::generator::link::{Resume, Step};
use crate::generator::{Generator, GeneratorState as State, Inner, Progress};
use crate::schedule::budget;
use crate::schedule::current;
use crate::scope::Uncancellable;

impl<'a, T, S> Generator<'a, T, S> {
    /// Runs the body up to its next yield, and gives the value; `None` at the end, and after it
    /// again.
    ///
    /// Dropping it in flight loses nothing: the next `anext` carries on. It is PEP 525's
    /// `__anext__`.
    ///
    /// Not a checkpoint: only what the body awaits is. A cancellation is raised there, inside the
    /// body, which may handle it and go on. It counts against the
    /// [budget](crate::guide::scheduling#the-budget), and lets other tasks run when that is spent.
    ///
    /// # Errors
    ///
    /// The body's, after which the generator is finished; [`NotRunning`] outside of
    /// [`run`](crate::run); [`Cancelled`](crate::Cancelled), with the generator where it was, in an
    /// endless loop that comes to no checkpoint (see the
    /// [guide](crate::guide::scheduling#the-budget)).
    pub fn anext(&mut self) -> Anext<'_, 'a, T, S> {
        Anext { inner: &self.inner }
    }

    /// As [`anext`](Self::anext), and makes the yield that the body is suspended at return
    /// `Some(value)`.
    ///
    /// # Errors
    ///
    /// [`AsendError::Refused`], with the value, if the body is not suspended at a yield: before
    /// the first `anext`, or when an `anext` was dropped in flight. Otherwise as
    /// [`anext`](Self::anext).
    pub fn asend(&mut self, value: S) -> Asend<'_, 'a, T, S> {
        Asend { inner: &self.inner, value: Some(value), ended: false }
    }

    /// As [`anext`](Self::anext), and makes the yield that the body is suspended at fail with
    /// `error`. If the body handles it, the answer is the next value it yields.
    ///
    /// # Errors
    ///
    /// `error` itself if the body does not handle it, has not begun (it never will), or has ended.
    /// Otherwise as [`anext`](Self::anext); but where that would leave the generator where it was to
    /// say [`Cancelled`](crate::Cancelled), the error has been thrown in first, and what the body
    /// yielded is dropped.
    ///
    /// A body that has yielded when it was [closed](Self::aclose) is left where it is, and the
    /// answer is the end, as in CPython. That the error was not thrown in is reported through
    /// `tracing`.
    pub fn athrow(&mut self, error: impl Into<Error>) -> Athrow<'_, 'a, T, S> {
        Athrow { inner: &self.inner, error: Some(error.into()), unheeded: Ok(()), ended: false }
    }

    /// Closes the generator: raises [`GeneratorExit`] at the yield that the body is suspended at,
    /// and waits until the body has ended. One that has not begun never will. Closing twice is
    /// fine.
    ///
    /// # Errors
    ///
    /// What the body fails with, other than `GeneratorExit`;
    /// [`IgnoredGeneratorExit`](crate::IgnoredGeneratorExit) if it yields instead of ending;
    /// [`Cancelled`](crate::Cancelled), when it has been closed all the same, in an endless loop that
    /// comes to no checkpoint (see the [guide](crate::guide::scheduling#the-budget)).
    ///
    /// # When the body yields
    ///
    /// It is suspended at that yield, and what it yielded is dropped. `anext` and `asend` resume
    /// it; closing it again does nothing. When the generator is dropped, or its nursery or the run
    /// ends, `GeneratorExit` is raised there once more and the body is polled once, so that
    /// clean-up that does not wait runs. A body that yields or waits then is dropped as it is, and
    /// reported through `tracing`. It is what CPython does when it frees such a generator.
    pub fn aclose(&mut self) -> Aclose<'_, 'a, T, S> {
        Aclose { inner: &self.inner, begun: false, waits: None, unheeded: Ok(()) }
    }
}

/// The end of a body that panics.
struct Panicked<'i, 'a, T, S>(&'i Inner<'a, T, S>);

impl<T, S> Drop for Panicked<'_, '_, T, S> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl<T, S> Inner<'_, T, S> {
    /// Before the first poll of the body.
    fn begin(&self) -> Result<()> {
        if current::current_run() == 0 {
            return Err(NotRunning.into());
        }
        self.registered.set(self.finalizer.begin(&self.this));
        self.progress.set(Progress::Begun);
        Ok(())
    }

    fn misused(&self, what: &'static str) -> GeneratorMisused {
        GeneratorMisused::new(what, self.qualname.borrow().to_string())
    }

    /// Polls the body on. `None` when it has ended.
    pub(super) fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let panicked = Panicked(self);
        // It cannot drive itself meanwhile.
        let step = if let Ok(mut body) = self.body.try_borrow_mut()
            && let Some(body) = &mut *body
        {
            Some(self.link.poll(body, cx))
        } else {
            None
        };
        std::mem::forget(panicked);
        match step {
            Some(step) => self.after(step),
            None => Poll::Ready(self.without_body()),
        }
    }

    /// What follows a poll of the body.
    #[inline(always)]
    fn after(&self, step: Poll<Step<T>>) -> Poll<Result<Option<T>>> {
        step.map(|step| match step {
            Step::Yielded(value) => Ok(Some(value)),
            Step::Ignored(error) => Err(error.into()),
            Step::Ended(outcome) => {
                self.finish();
                outcome.map(|()| None)
            }
        })
    }

    #[cold]
    fn without_body(&self) -> Result<Option<T>> {
        if self.link.is_running() {
            return Err(self.misused("it is driven from inside of its own body").into());
        }
        Ok(None) // it has ended
    }

    #[inline(always)]
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        ready!(self.aside.pay(cx))?;
        let panicked = Panicked(self);
        let step = if let Ok(mut body) = self.body.try_borrow_mut()
            && let Some(body) = &mut *body
        {
            self.link.go_on(body, cx)
        } else {
            None
        };
        std::mem::forget(panicked);
        match step {
            Some(step) => self.after(step),
            None => self.poll_next_closely(cx),
        }
    }

    #[inline(never)]
    fn poll_next_closely(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        match self.state() {
            State::Created => self.begin()?,
            State::Suspended => self.link.resume(Resume::Next),
            State::Running => return self.poll_on(cx),
            State::Finished => return Poll::Ready(Ok(None)),
        }
        self.poll_body(cx)
    }

    /// Polls a body on that is in flight, unless its finalizer has taken it over: two must not
    /// drive one body.
    #[inline]
    fn poll_on(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if self.finalizing.get() && self.state() == State::Running {
            return Poll::Ready(Err(self.misused("it is being finalized").into()));
        }
        self.poll_body(cx)
    }

    /// Closes. `begun` tells the first poll from the later ones.
    pub(super) fn poll_close(&self, begun: &mut bool, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !std::mem::replace(begun, true) {
            if self.link.has_ignored_exit() {
                return Poll::Ready(Ok(()));
            }
            match self.state() {
                State::Created => self.finish(),
                State::Suspended | State::Running => self.link.exit(),
                State::Finished => {}
            }
        }
        loop {
            if self.state() == State::Finished {
                return Poll::Ready(Ok(()));
            }
            match self.poll_body(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(())),
                // An `anext` was dropped in flight, and this is the value it would have given.
                Poll::Ready(Ok(Some(value))) => {
                    drop(value);
                    self.link.exit();
                }
                Poll::Ready(Err(error)) if error.is::<GeneratorExit>() => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<T, S> Inner<'_, T, S> {
    /// The end of a body that has yielded when it was closed: raises `GeneratorExit` once more and
    /// polls the body once, so that what does not wait runs. Nothing to others.
    #[cold]
    pub(super) fn exit_again(&self) {
        if !self.link.has_ignored_exit() || self.link.is_running() {
            return;
        }
        self.deregister();
        // In a destructor there is nobody to pass a panic on to, and an error's text, a payload and
        // a subscriber are foreign code.
        quietly(|| {
            let polled = catch_unwind(AssertUnwindSafe(|| {
                self.link.exit();
                budget::with_whole_budget(|| {
                    self.poll_body(&mut Context::from_waker(Waker::noop()))
                })
            }));
            let why = match polled {
                Ok(Poll::Ready(Ok(None))) => return,
                Ok(Poll::Ready(Err(error))) if error.is::<GeneratorExit>() => return,
                Ok(Poll::Ready(Err(error))) => error.to_string(),
                // It was not suspended at a yield, and the exit is still to be raised.
                Ok(Poll::Ready(Ok(Some(_)))) => "it yields".into(),
                Ok(Poll::Pending) => "it waits for something".into(),
                Err(payload) => {
                    quietly(|| drop(payload));
                    "it panicked".into()
                }
            };
            tracing::error!(
                generator = %Closable::qualname(self),
                made_at = %self.place,
                error = %why,
                "a generator that had ignored `GeneratorExit` did not end when it was given up"
            );
        });
        in_destructor(|| self.finish());
    }
}

/// The future of [`Generator::anext`].
#[must_use = "futures do nothing unless awaited"]
pub struct Anext<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
}

impl<T, S> Future for Anext<'_, '_, T, S> {
    type Output = Result<Option<T>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.poll_next(cx)
    }
}

/// The future of [`Generator::asend`].
#[must_use = "futures do nothing unless awaited"]
pub struct Asend<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
    /// Until it is sent.
    value: Option<S>,
    ended: bool,
}

// The value is moved, never pinned.
impl<T, S> Unpin for Asend<'_, '_, T, S> {}

impl<T, S> Future for Asend<'_, '_, T, S> {
    type Output = Result<Option<T>, AsendError<S>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.ended, "`Generator::asend` was polled after it was ready");
        let outcome = match ready!(this.inner.aside.pay(cx)) {
            Ok(()) => ready!(this.go_on(cx)),
            Err(error) => Err(AsendError::Failed(error)),
        };
        this.ended = true;
        Poll::Ready(outcome)
    }
}

impl<T, S> Asend<'_, '_, T, S> {
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, AsendError<S>>> {
        let inner = self.inner;
        if let Some(value) = self.value.take() {
            let what = match inner.state() {
                State::Suspended => {
                    inner.link.resume(Resume::Value(value));
                    return inner.poll_body(cx).map_err(AsendError::Failed);
                }
                State::Finished => return Poll::Ready(Ok(None)),
                State::Created => "a value cannot be sent before the first `anext`",
                State::Running => {
                    "a value cannot be sent while it runs: an `anext` was dropped in flight, and \
                     has to be carried on first"
                }
            };
            return Poll::Ready(Err(AsendError::Refused(value, inner.misused(what))));
        }
        inner.poll_on(cx).map_err(AsendError::Failed)
    }
}

/// The future of [`Generator::athrow`].
#[must_use = "futures do nothing unless awaited"]
pub struct Athrow<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
    /// Until it is thrown.
    error: Option<Error>,
    /// What the task is to be told of a cancellation, once that is done.
    unheeded: Result<()>,
    ended: bool,
}

impl<T, S> Future for Athrow<'_, '_, T, S> {
    type Output = Result<Option<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.ended, "`Generator::athrow` was polled after it was ready");
        // What is thrown is not lost: it is raised all the same.
        if let Err(cancelled) = ready!(this.inner.aside.pay(cx)) {
            this.unheeded = Err(cancelled);
        }
        let outcome = ready!(this.go_on(cx));
        this.ended = true;
        let unheeded = std::mem::replace(&mut this.unheeded, Ok(()));
        Poll::Ready(outcome.and_then(|value| unheeded.map(|()| value)))
    }
}

impl<T, S> Athrow<'_, '_, T, S> {
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let inner = self.inner;
        if let Some(error) = self.error.take() {
            match inner.state() {
                State::Suspended if inner.link.has_ignored_exit() => {
                    report!(
                        warn,
                        generator = %Closable::qualname(inner),
                        %error,
                        "not thrown in: the generator has been closed"
                    );
                    return Poll::Ready(Ok(None));
                }
                State::Suspended => {
                    inner.link.resume(Resume::Raise(error));
                    return inner.poll_body(cx);
                }
                State::Created => {
                    inner.finish();
                    return Poll::Ready(Err(error));
                }
                State::Finished => return Poll::Ready(Err(error)),
                State::Running => {
                    let what = "an error cannot be thrown in while it runs: an `anext` was dropped \
                                in flight, and has to be carried on first";
                    report!(warn, %error, "not thrown in: the generator runs");
                    return Poll::Ready(Err(inner.misused(what).into()));
                }
            }
        }
        inner.poll_on(cx)
    }
}

/// The future of [`Generator::aclose`].
#[must_use = "futures do nothing unless awaited"]
pub struct Aclose<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
    begun: bool,
    /// While its finalizer closes it.
    waits: Option<Uncancellable>,
    /// What the task is to be told of a cancellation, once the generator is closed.
    pub(super) unheeded: Result<()>,
}

impl<T, S> Future for Aclose<'_, '_, T, S> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(this.poll_closed(cx))?;
        Poll::Ready(std::mem::replace(&mut this.unheeded, Ok(())))
    }
}

impl<T, S> Aclose<'_, '_, T, S> {
    /// As `poll`, and leaves what the task is to be told in `unheeded`.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self;
        // Closing is clean-up, and goes on.
        if let Err(cancelled) = ready!(this.inner.aside.pay(cx)) {
            this.unheeded = Err(cancelled);
        }
        if this.inner.finalizing.get() && this.inner.state() == State::Running {
            if this.inner.link.is_running() {
                return Poll::Ready(this.inner.without_body().map(drop));
            }
            // Two must not drive one body: its finalizer does, and reports what goes wrong.
            let waker = cx.waker().clone(); // foreign code, by which it may end
            if this.inner.finalizing.get() && this.inner.state() == State::Running {
                if this.waits.is_none() {
                    this.waits = Uncancellable::new();
                }
                drop(this.inner.finished.replace(Some(waker)));
                return Poll::Pending;
            }
        }
        this.waits = None;
        this.inner.poll_close(&mut this.begun, cx)
    }
}
