//! The calls of a consumer: a future for each, and the polling of the body, which they share.
//!
//! | file | concept |
//! |---|---|
//! | `anext` | the next item |
//! | `asend` | the same, with a value sent in |
//! | `athrow` | the same, with an error thrown in |
//! | `aclose` | closing a generator, and ending a body that ignores this |

mod aclose;
mod anext;
mod asend;
mod athrow;

use std::rc::Rc;
use std::task::{Context, Poll};

pub use aclose::Aclose;
pub(super) use aclose::Closing;
pub use anext::Anext;
pub use asend::Asend;
pub use athrow::Athrow;

use crate::error::{GeneratorMisused, Impossible, NotRunning, Result};
use crate::generator::Inner;
use crate::generator::link::Step;
use crate::generator::state::{GoesOn, Phase};
use crate::schedule::current;

/// Ends a body that panics.
struct Panicked<'i, 'a, T, S>(&'i Inner<'a, T, S>);

impl<T, S> Drop for Panicked<'_, '_, T, S> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.panicked();
    }
}

impl<T, S> Inner<'_, T, S> {
    /// To be called before the first poll of the body.
    fn begin(self: &Rc<Self>) -> Result<()> {
        if !current::is_running() {
            return Err(NotRunning.into());
        }
        self.registered.set(self.finalizer.begin(self.closable()));
        self.link.state.begin();
        Ok(())
    }

    /// To be called when a poll of the body has panicked, and the body is not used any more.
    #[cold]
    #[inline(never)]
    fn panicked(&self) {
        self.link.state.stop_closely();
        self.finish();
    }

    /// Polls the body, which was at its yield and was resumed. Returns the next value; otherwise
    /// the result of the poll, which has yet to be [dealt with](Self::settle).
    #[inline(always)]
    fn poll_resumed(&self, _: GoesOn<'_>, cx: &mut Context<'_>) -> Result<T, Poll<Result<()>>> {
        let panicked = Panicked(self);
        // SAFETY: the caller has set `RUNNING`, and has given that up.
        let outcome = self.link.poll_once(unsafe { self.body.resumed() }, cx);
        std::mem::forget(panicked);
        self.link.take_yielded(&outcome).ok_or(outcome)
    }

    /// Deals with the result of a poll of the body that did not end at a yield. The body is still
    /// said to be running.
    #[cold]
    #[inline(never)]
    fn settle(&self, outcome: Poll<Result<()>>, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let panicked = Panicked(self);
        let step = {
            let _running = self.link.state.still_running();
            // SAFETY: `RUNNING` is set by those who call this.
            let body = unsafe { self.body.resumed() };
            self.link.settle(outcome, body, cx)
        };
        std::mem::forget(panicked);
        self.after(step)
    }

    fn misused(&self, what: Impossible) -> GeneratorMisused {
        GeneratorMisused::new(what, self.qualname.borrow().to_string())
    }

    /// Continues to poll the body. `None` when the body has ended.
    pub(in crate::generator) fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if self.link.state.is_running() {
            // The body cannot poll itself.
            return Poll::Ready(Err(self.misused(Impossible::FromInside).into()));
        }
        let panicked = Panicked(self);
        let step = {
            let _running = self.link.state.run();
            // SAFETY: it was not running, and is set to be running now.
            let body = unsafe { self.body.running() };
            body.map(|body| self.link.poll_running(body, cx))
        };
        std::mem::forget(panicked);
        match step {
            Some(step) => self.after(step),
            None => Poll::Ready(Ok(None)), // the body has ended
        }
    }

    /// Continues to poll a body that is in flight, unless its finalizer does: only one may poll it.
    #[inline]
    fn poll_on(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        match self.link.state.phase() {
            Phase::Finalizing => Poll::Ready(Err(self.misused(Impossible::WhileFinalized).into())),
            _ => self.poll_body(cx),
        }
    }

    /// Deals with the result of a poll of the body.
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
}
