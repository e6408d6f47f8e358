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

use std::task::{Context, Poll};

pub use aclose::Aclose;
pub(super) use aclose::Closing;
pub use anext::Anext;
pub use asend::Asend;
pub use athrow::Athrow;

use crate::error::{GeneratorMisused, Impossible, NotRunning, Result};
use crate::generator::Inner;
use crate::generator::link::Step;
use crate::generator::state::Phase;
use crate::schedule::current;

/// Ends a body that panics.
struct Panicked<'i, 'a, T, S>(&'i Inner<'a, T, S>);

impl<T, S> Drop for Panicked<'_, '_, T, S> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl<T, S> Inner<'_, T, S> {
    /// To be called before the first poll of the body.
    fn begin(&self) -> Result<()> {
        if !current::is_running() {
            return Err(NotRunning.into());
        }
        self.registered.set(self.finalizer.begin(&self.this));
        self.link.state.begin();
        Ok(())
    }

    fn misused(&self, what: Impossible) -> GeneratorMisused {
        GeneratorMisused::new(what, self.qualname.borrow().to_string())
    }

    /// Continues to poll the body. `None` when the body has ended.
    pub(in crate::generator) fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let panicked = Panicked(self);
        // The body cannot poll itself meanwhile.
        let step = if let Ok(mut body) = self.body.try_borrow_mut()
            && let Some(body) = &mut *body
        {
            Some(self.link.poll(body.as_mut(), cx))
        } else {
            None
        };
        std::mem::forget(panicked);
        match step {
            Some(step) => self.after(step),
            None => Poll::Ready(self.without_body()),
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

    #[cold]
    fn without_body(&self) -> Result<Option<T>> {
        if self.link.state.is_running() {
            return Err(self.misused(Impossible::FromInside).into());
        }
        Ok(None) // the body has ended
    }
}
