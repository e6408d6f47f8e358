//! A read or a write of a TLS stream as an operation of this crate, over whatever stream.

use std::panic::Location;
use std::task::{Context, Poll, ready};

use crate::error::{Error, Result};
use crate::operation::checkpoint::pass;
use crate::operation::skeleton::{self, Look, Registered, Shown, Steps, Tried, When};
use crate::operation::waiters::Kept;
use crate::scope::watch::Watch;

/// An operation, or several in succession.
///
/// It happens in the same poll that returns its value: if it is cancelled or dropped, it has not
/// happened.
pub(super) struct Transfer {
    place: &'static Location<'static>,
    steps: Steps<Watch, ()>,
}

impl Transfer {
    /// An operation that is called where this is called, through functions that are
    /// `#[track_caller]`.
    #[track_caller]
    pub(super) fn new() -> Transfer {
        Transfer { place: Location::caller(), steps: Steps::new() }
    }

    /// The error for a failure of this operation, raised where it was called.
    #[cold]
    pub(super) fn failure(&self, error: impl Into<Error>) -> Error {
        error.into().at(self.place)
    }

    /// Continues the operation. When it has ended, the next one begins.
    pub(super) fn poll<R, E: Into<Error>>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&mut Context<'_>) -> Poll<Result<R, E>>,
    ) -> Poll<Result<R>> {
        let mut work = Attempts { place: self.place, attempt, value: None };
        let done = ready!(self.steps.poll(&mut work, cx));
        self.steps = Steps::new();
        Poll::Ready(match done {
            Ok(()) => Ok(work.value.expect("it is done")),
            Err(error) => Err(self.failure(error)),
        })
    }
}

struct Attempts<F, R> {
    place: &'static Location<'static>,
    attempt: F,
    value: Option<R>,
}

impl<F, R, E> skeleton::Operation for Attempts<F, R>
where
    F: FnMut(&mut Context<'_>) -> Poll<Result<R, E>>,
    E: Into<Error>,
{
    const NAME: &'static str = "TLS";
    const IS_SHOWN: Shown = Shown::Itself;
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = ();
    type Wait = Watch;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn attempt(&mut self, when: When, cx: &mut Context<'_>) -> Tried<()> {
        if when == When::First && !pass() {
            return Tried::AfterCheckpoint;
        }
        match (self.attempt)(cx) {
            Poll::Ready(Ok(value)) => {
                self.value = Some(value);
                Tried::Counted(())
            }
            Poll::Ready(Err(error)) => Tried::Failed(error.into()),
            Poll::Pending => Tried::Waits,
        }
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Watch> {
        let mut watch = Watch::armed(cx);
        // The stream, which is foreign code, may have cancelled the scope.
        match watch.check() {
            Ok(()) => Registered::Waits(watch),
            Err(error) => {
                watch.disarm();
                Registered::Failed(error)
            }
        }
    }

    fn look(&mut self, watch: &mut Watch, cx: &mut Context<'_>) -> Look<()> {
        watch.arm(cx);
        let mut outcome = watch.check();
        if outcome.is_ok() {
            match (self.attempt)(cx) {
                Poll::Ready(Ok(value)) => {
                    watch.disarm();
                    self.value = Some(value);
                    return Look::Got(());
                }
                Poll::Ready(Err(error)) => outcome = Err(error.into()),
                Poll::Pending => {
                    watch.arm(cx);
                    outcome = watch.check();
                }
            }
        }
        match outcome {
            Ok(()) => Look::Waits,
            Err(error) => {
                watch.disarm();
                Look::Cancelled(error, None)
            }
        }
    }

    fn leave(&mut self, _: &mut Watch) {}
}
