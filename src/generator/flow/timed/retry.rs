//! A flow that is begun again when it fails.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::panic::report;
use crate::error::{Error, Result, RetriesExhausted};
use crate::generator::flow::closing::settle;
use crate::generator::flow::nested::Nested;
use crate::generator::flow::timed::alarm::Alarm;
use crate::generator::flow::timed::policy::{Next, Retry};
use crate::generator::flow::{Flow, Source};
use crate::operation::checkpoint::{Checkpoint, checkpoint};
use crate::operation::time::now;

/// A flow that is made anew when it fails, until it comes to its end or has been tried often enough.
///
/// `make` makes the flow for each attempt. It may have operators, such as a
/// [`timeout`](Flow::timeout), which are part of what is tried. A flow that has failed is closed
/// first. Then there is a pause, as the [policy](Retry) says, and then the next attempt begins.
/// Nothing is under way meanwhile, so this needs no task. The name is Kotlin's.
///
/// An item that has been given stays given: the next attempt begins from the start, unless `make`
/// knows how far the last one had come.
///
/// # Errors
///
/// [`RetriesExhausted`](crate::RetriesExhausted) after the last attempt, with the number of
/// attempts and the last error as its cause. An error that [`only_if`](Retry::only_if) refuses
/// comes as it is. A cancellation comes at once, whatever the policy says. An error of a later
/// operator is not retried.
///
/// If a flow that has failed also fails to close, that error takes the place of the first, and the
/// first is reported through `tracing`.
///
/// # Panics
///
/// If `make` or an attempt does: the flow is closed, and its terminal operation panics.
///
/// # With `StreamExt`
///
/// `futures` has no such operator. What is written by hand tends to begin the next attempt while
/// the last one still has its connection, as a stream that was dropped closes it some time later;
/// and to treat a cancellation as one more failure. (Kotlin's `retry` did that once.)
///
/// ```
/// use seedbed::{Error, RetriesExhausted, Yielder, flow, generator, now};
/// use std::cell::Cell;
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let seen = Cell::new(0); // the next attempt goes on from there
/// let events = || {
///     let from = seen.get();
///     flow(generator(async move |y: Yielder<u32>| {
///         for event in from..from + 3 {
///             y.yield_(event).await?;
///         }
///         Err(Error::msg("connection lost"))
///     }))
/// };
/// let start = now();
/// let policy = flow::Retry::attempts(4).first_delay(Duration::from_secs(1));
/// let mut all = Vec::new();
/// let error = flow::retry(policy, events)
///     .for_each(async |event| {
///         seen.set(event + 1);
///         all.push(event);
///         Ok(())
///     })
///     .await
///     .unwrap_err();
/// assert_eq!(all, (0..12).collect::<Vec<_>>());
/// assert_eq!(error.find::<RetriesExhausted>().unwrap().attempts(), 4);
/// assert_eq!(now() - start, Duration::from_secs(1 + 2 + 4));
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn retry<'a, S, F>(policy: Retry<'a>, make: F) -> Flow<'a, impl Source<Value = S::Value> + 'a>
where
    S: Source + 'a,
    F: FnMut() -> Flow<'a, S> + 'a,
{
    let place = Location::caller();
    Flow::new(move |tasks| Retrying {
        source: None,
        make,
        policy,
        attempts: 0,
        step: Step::Begins,
        alarm: Alarm::new(place),
        nested: Nested::new(tasks, place),
        place,
    })
}

pin_project! {
    struct Retrying<'a, S, F> {
        // The present attempt, if one is under way.
        #[pin]
        source: Option<S>,
        make: F,
        policy: Retry<'a>,
        // How many attempts have begun that count.
        attempts: u32,
        step: Step,
        alarm: Alarm,
        nested: Nested<'a>,
        place: &'static Location<'static>,
    }
}

enum Step {
    Begins,
    Runs,
    /// The attempt has failed with this error.
    Closes(Option<Error>),
    Waits,
    /// There is no pause, but attempts that never wait must not keep the task from being cancelled.
    Passes(Checkpoint),
}

impl<'a, S, F> Stream for Retrying<'a, S, F>
where
    S: Source + 'a,
    F: FnMut() -> Flow<'a, S>,
{
    type Item = Result<S::Value>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            match this.step {
                Step::Begins => {
                    let flow = (this.make)(); // foreign code
                    this.source.set(Some(this.nested.open(flow)));
                    *this.attempts = this.attempts.saturating_add(1);
                    *this.step = Step::Runs;
                }
                Step::Runs => {
                    let source = this.source.as_mut().as_pin_mut().expect("it runs");
                    match ready!(source.poll_item(cx)) {
                        Some(Ok(item)) => {
                            *this.attempts = this.policy.after_item(*this.attempts).max(1);
                            return Poll::Ready(Some(Ok(item)));
                        }
                        Some(Err(error)) if error.cancellation().is_none() => {
                            *this.step = Step::Closes(Some(error));
                        }
                        end => return Poll::Ready(end),
                    }
                }
                Step::Closes(failed) => {
                    let source = this.source.as_mut().as_pin_mut().expect("it has failed");
                    let closed = ready!(source.poll_close(cx));
                    let failed = failed.take().map_or(Ok(()), Err);
                    let outcome: Result<()> = settle(Ok(failed), Ok(closed));
                    *this.step = Step::Begins;
                    this.source.set(None); // foreign code
                    let Err(error) = outcome else { continue };
                    if error.cancellation().is_some() {
                        return Poll::Ready(Some(Err(error)));
                    }
                    match this.policy.after(*this.attempts, &error) {
                        Next::Fail => return Poll::Ready(Some(Err(error))),
                        Next::GiveUp => {
                            let error = RetriesExhausted::new(*this.attempts, this.place, error);
                            return Poll::Ready(Some(Err(error.into())));
                        }
                        Next::Wait(Duration::ZERO) => *this.step = Step::Passes(checkpoint()),
                        Next::Wait(delay) => {
                            this.alarm.set(now(), delay);
                            *this.step = Step::Waits;
                        }
                    }
                }
                Step::Waits => {
                    if let Err(cancelled) = ready!(this.alarm.poll(cx)) {
                        return Poll::Ready(Some(Err(cancelled)));
                    }
                    *this.step = Step::Begins;
                }
                Step::Passes(checkpoint) => {
                    let passed = ready!(Pin::new(checkpoint).poll(cx));
                    *this.step = Step::Begins;
                    if let Err(cancelled) = passed {
                        return Poll::Ready(Some(Err(cancelled)));
                    }
                }
            }
        }
    }
}

impl<'a, S, F> Source for Retrying<'a, S, F>
where
    S: Source + 'a,
    F: FnMut() -> Flow<'a, S>,
{
    type Value = S::Value;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        if let Step::Closes(Some(error)) = this.step {
            report!(warn, %error, "a flow had failed when its consumer left");
            *this.step = Step::Closes(None);
        }
        match this.source.as_pin_mut() {
            Some(source) => source.poll_close(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
