//! What becomes of a child, or of the body, when it has ended: its value, its error or its panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::task::Poll;

use crate::error::panic::{FirstPanic, Payload};
use crate::error::{Error, Result, Spawned};
use crate::nursery::child::Owned;
use crate::nursery::core::Core;
use crate::nursery::core::drive::Left;
use crate::schedule::current::{self, Host};
use crate::schedule::foreign::wake_all;
use crate::schedule::rounds::Visit;
use crate::schedule::seen::onlookers;
use crate::schedule::units::unit::Unit;

/// Why a child has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    /// The child has failed or panicked.
    Failed,
    /// The child has not ended, and is dropped.
    Dropped,
}

impl Core {
    /// Deals with the end of the body.
    pub(super) fn end_body(&self, outcome: std::thread::Result<Result<()>>) {
        self.body_running.set(false);
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(error, None),
            Err(payload) => self.panicked(payload, Spawned::At(self.place)),
        }
    }

    /// Deals with a child that has panicked, or that is moving to another nursery.
    #[cold]
    pub(super) fn after_poll(
        &self,
        unit: NonNull<Unit>,
        outcome: std::thread::Result<Poll<Result<()>>>,
    ) {
        if !self.is_moving.replace(false) {
            return self.end_child(unit, outcome);
        }
        match self.moving_to.take() {
            Some(to) if to.is_open() => {
                let foreign = self.move_child(unit, &to);
                let mut panic = FirstPanic::new();
                if !matches!(outcome, Ok(Poll::Pending)) {
                    panic.catch(|| to.end_child(unit, outcome));
                }
                panic.catch(|| wake_all(foreign));
                panic.resume();
            }
            // The other nursery was dropped in the meantime, so the child is dropped too.
            _ => self.end_child(unit, outcome),
        }
    }

    /// Deals with a child that has ended in any way. One that has not ended is dropped.
    #[cold]
    fn end_child(&self, unit: NonNull<Unit>, outcome: std::thread::Result<Poll<Result<()>>>) {
        match outcome {
            Ok(Poll::Ready(Ok(()))) => self.end_with_value(unit),
            Ok(Poll::Ready(Err(error))) => self.end_with_error(unit, error),
            Ok(Poll::Pending) => {
                // SAFETY: it is attached here.
                onlookers::ended(unsafe { unit.as_ref() });
                self.end_without_value(self.release(unit), Why::Dropped);
            }
            Err(payload) => {
                let child = self.release(unit);
                self.panicked(payload, child.spawned());
                self.end_without_value(child, Why::Failed);
            }
        }
    }

    /// Deals with a child that has ended with a value.
    #[inline]
    pub(super) fn end_with_value(&self, unit: NonNull<Unit>) {
        let child = self.release(unit);
        if let Err(child) = child.free_at_once() {
            self.drop_child(child);
        }
        if self.live.get() == 0
            && let Some(foreign) = self.finish_if_empty()
        {
            foreign.wake();
        }
    }

    /// Deals with a child that has failed.
    #[inline(never)]
    pub(super) fn end_with_error(&self, unit: NonNull<Unit>, error: Error) {
        let child = self.release(unit);
        self.fail(error, Some(child.spawned()));
        self.end_without_value(child, Why::Failed);
    }

    /// Drops the future of a child, and the child.
    #[inline]
    fn end_without_value(&self, child: Owned, why: Why) {
        let why = if why == Why::Failed && child.is_wanted() { self.scope.why() } else { None };
        // Dropping the child's future runs foreign code.
        let dropped = catch_unwind(AssertUnwindSafe(|| child.fail(why)));
        if let Err(payload) = dropped {
            self.panicked(payload, child.spawned());
        }
        self.drop_child(child);
        if let Some(foreign) = self.finish_if_empty() {
            foreign.wake();
        }
    }

    /// Gives up a child that has ended. Dropping its value may run foreign code, and so may waking
    /// the task that waits for it.
    #[inline]
    fn drop_child(&self, child: Owned) {
        let task = child.spawned();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(child))) {
            self.panicked(payload, task);
        }
    }

    /// Deals with a panic of the unit that was being polled.
    #[cold]
    pub(super) fn end_in_panic(&self, host: &Host, visit: Visit, payload: Payload) -> Left {
        let unit = current::polled_unit();
        // SAFETY: it is alive while it is being polled (invariant 2 of `schedule::current`).
        if let Some(unit) = unsafe { unit.as_ref() } {
            self.tell_of_panic(unit);
        }
        if ptr::eq(unit, self.roster.body()) {
            if visit == Visit::First {
                host.share_budget();
            }
            host.polled();
            self.end_body(Err(payload));
            return self.left();
        }
        let Some(unit) = NonNull::new(unit.cast_mut()) else {
            resume_unwind(payload) // it was none of them
        };
        host.polled();
        host.show_frame();
        self.after_poll(unit, Err(payload));
        Left::Something
    }
}
