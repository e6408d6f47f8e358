//! A generator that is part of the future which iterates it. It need not be stored, so nothing of
//! it is boxed, the compiler sees through it, and it is closed before that future ends.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::error::panic::{catch_panic, in_destructor, report};
use crate::error::{AsendError, Error, GeneratorExit, GeneratorMisused, Impossible, Result};
use crate::generator::aclosing::conclude;
use crate::generator::finalize::last_chance;
use crate::generator::link::{Link, Resume, Step, Yielder};
use crate::generator::state::{Close, Kind, Phase};
use crate::scope::aside::Aside;

/// Makes a generator out of `body`, runs `consumer` with it, and closes it before returning,
/// whether the consumer ended with a value, an error, a cancellation or a panic.
///
/// This is [`aclosing`](crate::aclosing) for a generator that is not used anywhere else. The
/// generator is part of the future, so its body is not boxed, may borrow what is outside, and is
/// compiled together with its consumer: this is the fastest kind of generator. The rules for the
/// body are the same as for that of a [`generator`](crate::generator()), the rule for yields among
/// them. A scope that the body opens belongs to the body, and one that the consumer opens belongs
/// to whoever awaits this.
///
/// Kotlin's `flow { … }.collect { … }` has this structure.
///
/// Starting it is not a checkpoint, and neither is closing the generator: only what the body and
/// the consumer await is.
///
/// # Errors
///
/// The consumer's. If the generator's clean-up fails, its error replaces the consumer's, as in
/// Python, and the consumer's is reported through `tracing`. This includes
/// [`IgnoredGeneratorExit`](crate::IgnoredGeneratorExit) if the body yields when it is closed: then
/// `GeneratorExit` is raised there once more and the body is polled once, so that clean-up that
/// does not wait runs. [`Cancelled`](crate::Cancelled), before anything has happened, if the caller
/// loops without ever reaching a checkpoint (see the [guide](crate::guide::scheduling#the-budget)).
///
/// # Panics
///
/// If the consumer or the clean-up panics, this panics with the same payload once the generator has
/// been closed.
///
/// # Dropping
///
/// If the future is dropped while it iterates, the body and the consumer are dropped without
/// cleaning up. This is reported through `tracing`. A generator that may have to be closed later is
/// made by [`generator`](crate::generator()).
///
/// ```
/// use seedbed::{Yielder, iterate, sleep};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let readings = [20, 21, 35, 22]; // borrowed below
/// let mut log = Vec::new();
/// let first_high = iterate(
///     async |y: Yielder<i32>| {
///         for reading in &readings {
///             sleep(Duration::from_secs(1)).await?;
///             if let Err(closed) = y.yield_(*reading).await {
///                 log.push("the sensor is switched off"); // clean-up, which may await
///                 return Err(closed);
///             }
///         }
///         Ok(())
///     },
///     async |items| {
///         while let Some(reading) = items.anext().await? {
///             if reading > 30 {
///                 return Ok(Some(reading));
///             }
///         }
///         Ok(None)
///     },
/// )
/// .await?;
/// assert_eq!(first_high, Some(35));
/// assert_eq!(log, ["the sensor is switched off"]);
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn iterate<T, S, R, B, F, C>(body: F, consumer: C) -> impl Future<Output = Result<R>>
where
    F: FnOnce(Yielder<T, S>) -> B,
    B: Future<Output = Result<()>>,
    C: AsyncFnOnce(&mut Items<'_, T, S, B>) -> Result<R>,
{
    let place = Location::caller();
    async move {
        Aside::new().await?;
        let (outcome, closed);
        {
            let link = Link::shared(Kind::Generator);
            let body = pin!(body(Yielder::new(Link::memory(&link))));
            let mut items = Items { link, body, place };
            // The call is part of the consumer, because it may panic too.
            outcome = catch_panic(async { consumer(&mut items).await }).await;
            closed = catch_panic(items.close()).await;
            items.end();
        } // The body is foreign code, and may panic when it is dropped.
        conclude(outcome, closed, place)
    }
}

/// The generator that the consumer of an [`iterate`] is given.
///
/// Values come out of [`anext`](Self::anext), or as from any [`Stream`](futures_core::Stream). To
/// close it, return from the consumer. `B` is the type of the body's future, which has no name.
pub struct Items<'p, T, S, B> {
    link: Rc<Link<T, S>>,
    body: Pin<&'p mut B>,
    place: &'static Location<'static>,
}

impl<T, S, B: Future<Output = Result<()>>> Items<'_, T, S, B> {
    /// Runs the body up to its next yield, and returns the value; `None` at the end and ever after.
    /// It does the same as [`Generator::anext`](crate::Generator::anext), and dropping it in flight
    /// loses nothing.
    ///
    /// This is not a checkpoint: only what the body awaits is. Each call counts against the
    /// [budget](crate::guide::scheduling#the-budget).
    ///
    /// # Errors
    ///
    /// The body's, after which it has ended; [`Cancelled`](crate::Cancelled), if the consumer loops
    /// without ever reaching a checkpoint: the generator stays where it was.
    pub fn anext(&mut self) -> impl Future<Output = Result<Option<T>>> + Unpin {
        Next { items: self }
    }

    /// Does the same as [`anext`](Self::anext), and makes the yield that the body is suspended at
    /// return `Some(value)`.
    ///
    /// # Errors
    ///
    /// [`AsendError::Refused`], with the value, if the body is not suspended at a yield: before the
    /// first `anext`, or when an `anext` was dropped in flight. Otherwise the same as for
    /// [`anext`](Self::anext).
    pub async fn asend(&mut self, value: S) -> Result<Option<T>, AsendError<S>> {
        poll_fn(|cx| self.link.pay(cx)).await.map_err(AsendError::Failed)?;
        let what = match self.link.state.phase() {
            Phase::AtYield => {
                self.link.resume(Resume::Value(value));
                return self.poll_body().await.map_err(AsendError::Failed);
            }
            Phase::Ended => return Ok(None),
            Phase::Created => Impossible::SendBeforeFirst("anext"),
            Phase::InFlight | Phase::Running | Phase::Finalizing => Impossible::SendInFlight,
        };
        Err(AsendError::Refused(value, self.misused(what)))
    }

    /// Does the same as [`anext`](Self::anext), and makes the yield that the body is suspended at
    /// fail with `error`. If the body handles it, this returns the next value that it yields.
    ///
    /// # Errors
    ///
    /// `error` itself if the body does not handle it, has not begun (it never will), or has ended.
    /// Otherwise the same as for [`Generator::athrow`](crate::Generator::athrow).
    pub async fn athrow(&mut self, error: impl Into<Error>) -> Result<Option<T>> {
        let error = error.into();
        // The error is not lost: it is raised all the same.
        let heeded = poll_fn(|cx| self.link.pay(cx)).await;
        let outcome = match self.link.state.phase() {
            Phase::AtYield => {
                self.link.resume(Resume::Raise(error));
                self.poll_body().await
            }
            Phase::Created => {
                self.end();
                Err(error)
            }
            Phase::Ended => Err(error),
            Phase::InFlight | Phase::Running | Phase::Finalizing => {
                report!(warn, %error, "not thrown in: the generator runs");
                Err(self.misused(Impossible::ThrowInFlight).into())
            }
        };
        outcome.and_then(|value| heeded.map(|()| value))
    }

    #[inline(always)]
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if !self.link.state.rests() {
            let Some(batch) = self.link.state.in_batch() else {
                return in_registers(self.poll_next_closely(cx));
            };
            if !Aside::passes() {
                return in_registers(self.poll_next_aside(cx));
            }
            return match self.link.next_of_batch(batch) {
                Some(value) => Poll::Ready(Ok(Some(value))),
                None => in_registers(self.poll_next_paid(cx)),
            };
        }
        if !Aside::passes() {
            return in_registers(self.poll_next_aside(cx));
        }
        let goes_on = self.link.state.go_on();
        match self.link.poll_resumed(goes_on, self.body.as_mut(), cx) {
            Ok(value) => Poll::Ready(Ok(Some(value))),
            Err(outcome) => in_registers(self.settle(outcome, cx)),
        }
    }

    #[cold]
    #[inline(never)]
    fn settle(
        &mut self,
        outcome: Poll<Result<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T>>> {
        after(self.link.settle_resumed(outcome, self.body.as_mut(), cx))
    }

    #[cold]
    #[inline(never)]
    fn poll_next_aside(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        ready!(self.link.let_others_run(cx))?;
        self.poll_next_paid(cx)
    }

    #[cold]
    #[inline(never)]
    fn poll_next_closely(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        ready!(self.link.pay(cx))?;
        self.poll_next_paid(cx)
    }

    #[inline(never)]
    fn poll_next_paid(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if let Some(value) = self.link.next_if_in_batch() {
            return Poll::Ready(Ok(Some(value)));
        }
        match self.link.state.phase() {
            Phase::Created => self.link.state.begin(),
            Phase::AtYield => self.link.resume(Resume::Next),
            Phase::InFlight | Phase::Running | Phase::Finalizing => {}
            Phase::Ended => return Poll::Ready(Ok(None)),
        }
        self.poll_on(cx)
    }

    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        after(self.link.poll(self.body.as_mut(), cx))
    }

    async fn poll_body(&mut self) -> Result<Option<T>> {
        poll_fn(|cx| self.poll_on(cx)).await
    }

    /// Closes the generator when its consumer has ended.
    async fn close(&mut self) -> Result<()> {
        match self.link.state.close() {
            Close::Unbegun | Close::Nothing => return Ok(()),
            Close::Exit => self.link.exit(),
        }
        loop {
            match self.poll_body().await {
                Ok(None) => return Ok(()),
                // An `anext` was dropped in flight, and this is the value that it would have
                // returned.
                Ok(Some(value)) => {
                    drop(value);
                    self.link.exit();
                }
                Err(error) if error.is::<GeneratorExit>() => return Ok(()),
                Err(error) => {
                    self.exit_again();
                    return Err(error);
                }
            }
        }
    }

    /// Ends a body that has yielded when it was closed, as far as that is possible. Does nothing to
    /// any other body.
    fn exit_again(&mut self) {
        if self.link.state.phase() == Phase::AtYield {
            self.link.exit();
            let place = self.place;
            last_chance(&place, place, |cx| self.poll_on(cx));
        }
    }
}

impl<T, S, B> Items<'_, T, S, B> {
    fn misused(&self, what: Impossible) -> GeneratorMisused {
        GeneratorMisused::new(what, format!("made at {}", self.place))
    }

    fn end(&self) {
        drop(self.link.end()); // foreign code
    }
}

/// Takes apart what a call out of line has returned in memory, and puts it together again in
/// registers. Otherwise the compiler would have the result of the fast path in memory as well.
#[expect(clippy::needless_match, reason = "not to the compiler")]
#[inline(always)]
fn in_registers<T>(step: Poll<Result<Option<T>>>) -> Poll<Result<Option<T>>> {
    match step {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(Some(value))) => Poll::Ready(Ok(Some(value))),
        Poll::Ready(Ok(None)) => Poll::Ready(Ok(None)),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
    }
}

#[inline(always)]
fn after<T>(step: Poll<Step<T>>) -> Poll<Result<Option<T>>> {
    step.map(|step| match step {
        Step::Yielded(value) => Ok(Some(value)),
        Step::Ignored(error) => Err(error.into()),
        Step::Ended(outcome) => outcome.map(|()| None),
    })
}

impl<T, S, B: Future<Output = Result<()>>> futures_core::Stream for Items<'_, T, S, B> {
    type Item = Result<T>;

    /// Does the same as [`anext`](Items::anext).
    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        Items::poll_next(self.get_mut(), cx).map(Result::transpose)
    }
}

impl<T, S, B> Drop for Items<'_, T, S, B> {
    fn drop(&mut self) {
        let phase = self.link.state.phase();
        if !matches!(phase, Phase::Created | Phase::Ended) {
            in_destructor(|| {
                tracing::warn!(
                    made_at = %self.place,
                    suspended_at = self.link.suspended_at().map(tracing::field::display),
                    "an iteration was dropped before its generator was closed: it does not clean up"
                );
            });
        }
        in_destructor(|| self.end());
    }
}

impl<T, S, B> std::fmt::Debug for Items<'_, T, S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Items")
            .field("made_at", &self.place)
            .field("suspended_at", &self.link.suspended_at())
            .finish_non_exhaustive()
    }
}

/// The future of [`Items::anext`].
struct Next<'g, 'p, T, S, B> {
    items: &'g mut Items<'p, T, S, B>,
}

impl<T, S, B: Future<Output = Result<()>>> Future for Next<'_, '_, T, S, B> {
    type Output = Result<Option<T>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().items.poll_next(cx)
    }
}
