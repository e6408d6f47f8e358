//! The transitions made by the driver's end. The numbers are those of the diagram in `state`.

use std::marker::PhantomData;

use super::{
    ANSWERS, BATCH, CREATED, ENDED, ERROR, EXIT_DUE, EXIT_IGNORED, EXIT_RAISED, EXITS, FINALIZING,
    FULL, GONE, NEXT, PAUSED, REFUSAL, RUNNING, SUSPENDED, State, UNTOLD, VALUE, WAITS,
};
use crate::scope::frame::HOLD;

/// Whether a body goes on, at first sight.
pub(crate) enum GoOn<'a> {
    Running(GoesOn<'a>),
    /// Nothing was done: there is more to deal with.
    Closely,
}

/// Shows that a body rested, or waited, and was set to be running by whoever has this: it is there,
/// and nobody else uses it.
#[must_use = "the body is said to be running, so it has to be polled"]
pub(crate) struct GoesOn<'a>(PhantomData<&'a State>);

/// Shows that a body rested in a batch. Whoever has this changes nothing about that, and has nothing
/// run that could, before the next value is taken.
pub(crate) struct InBatch<'a>(PhantomData<&'a State>);

/// How a poll of the body has left it, at first sight.
pub(crate) enum Stop {
    AtYield,
    /// Nothing was done: there is more to deal with.
    Closely,
}

/// While this exists, the body is running.
pub(crate) struct Running<'a>(&'a State);

impl Drop for Running<'_> {
    /// 5: the poll is over.
    fn drop(&mut self) {
        self.0.stop_closely();
    }
}

/// Where a value from the consumer goes.
pub(crate) enum Destination {
    ToYield,
    /// No yield waits any more.
    ToNobody,
}

/// Whether something is open around a waiting yield.
pub(crate) enum Yielded {
    /// [Something](State::held) is, and was opened after the yield began to wait.
    Held,
    /// Nothing is, but something else may be waiting beside the yield.
    Beside,
    Alone,
}

/// The news for whoever polls the body.
pub(crate) enum News {
    IgnoredExit,
    Nothing,
}

/// How the closing of a body begins.
pub(crate) enum Close {
    /// The body has not begun, and never will.
    Unbegun,
    /// `GeneratorExit` has to be raised in the body.
    Exit,
    /// There is nothing to do: the body has ended, or has already ignored `GeneratorExit`.
    Nothing,
}

/// Where `GeneratorExit` is raised.
pub(crate) enum Exit {
    AtYield,
    AtNextYield,
}

/// Whether an error from the consumer has been raised at a yield.
pub(crate) enum Delivered {
    Yes,
    No,
}

/// Whether a body had ended before.
pub(crate) enum End {
    Now,
    Before,
}

impl State {
    /// 1: the body is iterated for the first time.
    pub(crate) fn begin(&self) {
        self.update(CREATED, 0);
    }

    /// 2: resumes the waiting yield with a plain next, if one waits.
    pub(crate) fn resume(&self) {
        if self.has(SUSPENDED) {
            self.update(0, NEXT);
        }
    }

    /// 2: resumes the waiting yield with a value.
    pub(crate) fn resume_with_value(&self) -> Destination {
        if !self.has(SUSPENDED) {
            return Destination::ToNobody;
        }
        self.update(ANSWERS, VALUE);
        Destination::ToYield
    }

    /// 2: resumes the waiting yield with an error. If none waits, the error is for the next one.
    pub(crate) fn resume_with_error(&self) {
        self.update(ANSWERS, ERROR);
    }

    /// 2: makes the waiting yield fail, because something was opened beside it.
    pub(crate) fn refuse(&self) {
        self.update(ANSWERS, REFUSAL);
    }

    /// Whether a call has let others run, and is to go on. It is the caller's to do so.
    pub(crate) fn take_paused(&self) -> bool {
        let paused = self.has(PAUSED);
        self.update(PAUSED, 0);
        paused
    }

    /// A call lets others run before it goes on.
    pub(crate) fn set_paused(&self) {
        self.update(0, PAUSED);
    }

    /// Whether the body waits at its yield, and there is nothing else to deal with.
    #[inline(always)]
    pub(crate) fn rests(&self) -> bool {
        self.frame.word() == SUSPENDED
    }

    /// Whether the body waits at its yield, whose next values are in the link, if there are any left,
    /// and there is nothing else to deal with.
    #[inline(always)]
    pub(crate) fn in_batch(&self) -> Option<InBatch<'_>> {
        (self.frame.word() == SUSPENDED | BATCH).then_some(InBatch(PhantomData))
    }

    /// 2 and 3: resumes the yield of a body that [rests](Self::rests) with a plain next. A poll of
    /// the body begins.
    #[inline(always)]
    pub(crate) fn go_on(&self) -> GoesOn<'_> {
        debug_assert!(self.rests());
        self.frame.set_word(RUNNING | SUSPENDED | NEXT);
        GoesOn(PhantomData)
    }

    /// 2 and 3: the same with a value, which is in the link.
    #[inline(always)]
    pub(crate) fn go_on_with_value(&self) -> GoesOn<'_> {
        debug_assert!(self.rests());
        self.frame.set_word(RUNNING | SUSPENDED | VALUE);
        GoesOn(PhantomData)
    }

    /// 3: a poll of the body begins, if the body waits for something other than its yield, in the
    /// same place as it is polled now.
    #[inline]
    pub(crate) fn go_on_waiting(&self, is_where_it_was: impl FnOnce() -> bool) -> GoOn<'_> {
        let word = self.frame.word();
        if word & (HOLD - 1) == WAITS && is_where_it_was() {
            self.frame.set_word(word & !WAITS | RUNNING);
            return GoOn::Running(GoesOn(PhantomData));
        }
        GoOn::Closely
    }

    /// 3: a poll of the body begins.
    #[inline]
    pub(crate) fn run(&self) -> Running<'_> {
        self.update(0, RUNNING);
        Running(self)
    }

    /// The poll that has begun goes on until the returned value is dropped.
    pub(crate) fn still_running(&self) -> Running<'_> {
        debug_assert!(self.is_running());
        Running(self)
    }

    /// Forgets that the body waited for something other than its yield.
    pub(crate) fn clear_waits(&self) {
        self.update(WAITS, 0);
    }

    /// 5: the poll is over. Changes nothing if that was known already.
    pub(crate) fn stop_closely(&self) {
        self.update(RUNNING, 0);
    }

    /// 5: the poll is over, and the body is at a yield, if there is nothing else to deal with. The
    /// value that it has yielded is the caller's to take.
    #[inline(always)]
    pub(crate) fn stop(&self) -> Stop {
        if self.frame.word() == RUNNING | SUSPENDED | FULL {
            self.frame.set_word(SUSPENDED);
            return Stop::AtYield;
        }
        Stop::Closely
    }

    /// Whether the body waits, and no yield does, and there is nothing else to deal with.
    #[inline]
    pub(crate) fn only_runs(&self) -> bool {
        self.frame.word() & (HOLD - 1) == RUNNING
    }

    /// Whether a yield has given a value, which is the caller's to take.
    #[inline]
    pub(crate) fn take_full(&self) -> bool {
        let full = self.has(FULL);
        self.update(FULL, 0);
        full
    }

    /// Whether a value was sent in and no yield has returned it. It is the caller's to take.
    #[inline]
    pub(crate) fn take_value(&self) -> bool {
        let value = self.has(VALUE);
        self.update(VALUE, 0);
        value
    }

    /// The link begins to be dropped.
    pub(crate) fn go(&self) {
        self.update(0, GONE);
    }

    /// Records that the body waits for something other than its yield, or may do so.
    #[inline]
    pub(crate) fn set_waits(&self) {
        self.update(0, WAITS);
    }

    /// To be called when a yield has given its value. Returns whether the body may stay suspended
    /// there.
    #[inline]
    pub(crate) fn yielded(&self) -> Yielded {
        match () {
            () if self.is_held() => Yielded::Held,
            () if self.waits() => Yielded::Beside,
            () => Yielded::Alone,
        }
    }

    /// To be called when the body has stopped and no yield has given a value.
    pub(crate) fn tell(&self) -> News {
        if !self.has(UNTOLD) {
            return News::Nothing;
        }
        self.update(UNTOLD, 0);
        News::IgnoredExit
    }

    /// How the closing begins.
    pub(crate) fn close(&self) -> Close {
        match () {
            () if self.has(ENDED | EXIT_IGNORED) => Close::Nothing,
            () if self.has(CREATED) => Close::Unbegun,
            () => Close::Exit,
        }
    }

    /// Has `GeneratorExit` raised.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_at_yield() {
            self.update(EXITS, EXIT_RAISED);
            return Exit::AtYield;
        }
        if !self.has(EXIT_RAISED) {
            self.update(EXITS, EXIT_DUE);
        }
        Exit::AtNextYield
    }

    /// To be called when the finalizer begins to close the body.
    pub(crate) fn begin_finalizing(&self) {
        self.update(0, FINALIZING);
    }

    /// To be called when the finalizer has closed the body, or was given up.
    pub(crate) fn end_finalizing(&self) {
        self.update(FINALIZING, 0);
    }

    /// 7: the body has ended. From now on, holds that are still open count in the present frame.
    pub(crate) fn end(&self) -> End {
        if self.has(ENDED) {
            return End::Before;
        }
        self.update(0, ENDED);
        self.frame.pass_on_holds();
        End::Now
    }

    /// Takes back the error that was left for the next yield. The error itself is in the link.
    pub(crate) fn take_undelivered(&self) -> Delivered {
        if !self.has(ERROR) {
            return Delivered::Yes;
        }
        self.update(ERROR, 0);
        Delivered::No
    }
}
