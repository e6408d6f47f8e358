//! What becomes of failures and panics in a nursery: they cancel everything else in it, and are
//! passed on when it ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::panic::{FirstPanic, Payload, quietly, report};
use crate::error::{Cancelled, Error, Group, Member, Origin, Reason, Spawned};
use crate::nursery::core::Core;
use crate::scope::tree::Level;

impl Core {
    /// Records a failure, and cancels everything else in the nursery.
    pub(super) fn fail(&self, error: Error, task: Option<Spawned>) {
        // This is the common case: it holds for all children that were cancelled together, except
        // the first.
        if self.scope.is_fully_cancelled() {
            let mut failures = self.failures.borrow_mut();
            if failures.len() == failures.capacity() {
                failures.reserve(self.live.get() + 1); // each of them will probably be one
            }
            failures.push(Member { error, origin: task.map_or(Origin::Body, Origin::Task) });
            return;
        }
        // The error's causes and its text are foreign code.
        let cancelled = catch_unwind(AssertUnwindSafe(|| {
            // A graceful cancellation stays graceful: a sibling that stopped at once must not
            // cancel those that finish their work.
            let level = match self.scope.effective() {
                Level::Spared | Level::Graceful if error.cancellation().is_some() => {
                    Level::Graceful
                }
                _ => Level::Full,
            };
            self.scope.cancel_because(level, || match error.cancellation() {
                Some(why) => why.for_others(),
                None => {
                    Cancelled::by_failure(self.place, task.clone(), Reason::child_failed(&error))
                }
            });
        }));
        let origin = task.clone().map_or(Origin::Body, Origin::Task);
        self.failures.borrow_mut().push(Member { error, origin });
        if let Err(payload) = cancelled {
            self.panicked(payload, task.unwrap_or(Spawned::At(self.place)));
        }
    }

    /// Keeps the first panic, to be passed on, and cancels everything else in the nursery. One of
    /// the body's has the nursery's own place.
    pub(crate) fn panicked(&self, payload: Payload, task: Spawned) {
        let mut further = FirstPanic::new();
        match self.panic.take() {
            None => self.panic.set(Some(payload)),
            Some(first) => {
                self.panic.set(Some(first));
                further.add(payload);
            }
        }
        further.catch(|| {
            self.scope.cancel_because(Level::Full, || {
                let reason = Reason::ChildFailed("it panicked".into());
                Cancelled::by_failure(self.place, Some(task.clone()), reason)
            });
        });
        if let Some(payload) = further.take() {
            self.discard(payload, &task);
        }
    }

    /// Reports a panic that is not passed on.
    pub(super) fn discard(&self, payload: Payload, task: &Spawned) {
        report!(
            error,
            nursery = %self.place,
            at = %task.place(),
            task = task.name(),
            "a further panic in a nursery: only the first is passed on"
        );
        quietly(|| drop(payload));
    }

    /// Takes the failures, in the order in which they happened.
    pub(crate) fn take_failures(&self) -> Vec<Member> {
        self.failures.take()
    }

    /// Resumes the first panic, if there was one. In that case the errors would be lost, so they
    /// are reported.
    pub(crate) fn resume_panic(&self) {
        let Some(payload) = self.panic.take() else { return };
        // Their causes and texts are foreign code.
        quietly(|| {
            let failures = self.take_failures();
            if failures.iter().any(|member| member.error.cancellation().is_none()) {
                let error = Group::from_failures(self.place, failures);
                tracing::error!(nursery = %self.place, %error, "lost to a panic in the same nursery");
            }
        });
        resume_unwind(payload);
    }
}
