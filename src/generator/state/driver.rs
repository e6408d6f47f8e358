//! The transitions made by the driver's end. The numbers are those of the diagram in `state`.

use super::{
    ANSWERS, CREATED, ENDED, ERROR, EXIT_DUE, EXIT_IGNORED, EXIT_RAISED, EXITS, FINALIZING, NEXT,
    REFUSAL, RUNNING, SUSPENDED, State, UNTOLD, VALUE, WAITS,
};
use crate::scope::frame::HOLD;

/// The result of a plain next.
pub(in crate::generator) enum GoOn {
    /// The body is running.
    Running,
    /// Nothing was done: there is more to deal with.
    Closely,
}

/// How a poll of the body has left it, at first sight.
pub(in crate::generator) enum Stop {
    AtYield,
    /// Nothing was done: it has to be looked at [closely](State::stop_closely).
    Closely,
}

/// How a poll of the body has left it.
pub(in crate::generator) enum Stopped {
    /// No yield waits, and there is nothing else to deal with.
    NotAtYield,
    /// There is something else to deal with.
    Closely,
}

/// Where a value from the consumer goes.
pub(in crate::generator) enum Destination {
    ToYield,
    /// No yield waits any more.
    ToNobody,
}

/// Whether something is open around a waiting yield.
pub(in crate::generator) enum Yielded {
    /// [Something](State::held) is, and was opened after the yield began to wait.
    Held,
    /// Nothing is, but something else may be waiting beside the yield.
    Beside,
    Alone,
}

/// The news for whoever polls the body.
pub(in crate::generator) enum News {
    IgnoredExit,
    Nothing,
}

/// How the closing of a body begins.
pub(in crate::generator) enum Close {
    /// The body has not begun, and never will.
    Unbegun,
    /// `GeneratorExit` has to be raised in the body.
    Exit,
    /// There is nothing to do: the body has ended, or has already ignored `GeneratorExit`.
    Nothing,
}

/// Where `GeneratorExit` is raised.
pub(in crate::generator) enum Exit {
    AtYield,
    AtNextYield,
}

/// Whether an error from the consumer has been raised at a yield.
pub(in crate::generator) enum Delivered {
    Yes,
    No,
}

/// Whether a body had ended before.
pub(in crate::generator) enum End {
    Now,
    Before,
}

impl State {
    /// 1: the body is iterated for the first time.
    pub(in crate::generator) fn begin(&self) {
        self.update(CREATED, 0);
    }

    /// 2: resumes the waiting yield with a plain next, if one waits.
    pub(in crate::generator) fn resume(&self) {
        if self.has(SUSPENDED) {
            self.update(0, NEXT);
        }
    }

    /// 2: resumes the waiting yield with a value.
    pub(in crate::generator) fn resume_with_value(&self) -> Destination {
        if !self.has(SUSPENDED) {
            return Destination::ToNobody;
        }
        self.update(ANSWERS, VALUE);
        Destination::ToYield
    }

    /// 2: resumes the waiting yield with an error. If none waits, the error is for the next one.
    pub(in crate::generator) fn resume_with_error(&self) {
        self.update(ANSWERS, ERROR);
    }

    /// 2: makes the waiting yield fail, because something was opened beside it.
    pub(in crate::generator) fn refuse(&self) {
        self.update(ANSWERS, REFUSAL);
    }

    /// 2 and 3: resumes the waiting yield with a plain next, and a poll of the body begins. Only 3,
    /// if the body waits for something else, in the same place as it is polled now.
    #[inline(always)]
    pub(in crate::generator) fn go_on(&self, is_where_it_was: impl FnOnce() -> bool) -> GoOn {
        match self.frame.word() {
            SUSPENDED => self.frame.set_word(RUNNING | SUSPENDED | NEXT),
            word if word & (HOLD - 1) == WAITS && is_where_it_was() => {
                self.frame.set_word(word & !WAITS | RUNNING);
            }
            _ => return GoOn::Closely,
        }
        GoOn::Running
    }

    /// 3: a poll of the body begins.
    #[inline]
    pub(in crate::generator) fn run(&self) {
        self.update(WAITS, RUNNING);
    }

    /// 3: the body is polled again, in the same poll of its driver.
    #[inline]
    pub(in crate::generator) fn run_again(&self) {
        self.update(0, RUNNING);
    }

    /// 5: the poll is over, and the body is at a yield, if there is nothing else to deal with.
    #[inline(always)]
    pub(in crate::generator) fn stop(&self) -> Stop {
        if self.frame.word() == RUNNING | SUSPENDED {
            self.frame.set_word(SUSPENDED);
            return Stop::AtYield;
        }
        Stop::Closely
    }

    /// 5: the poll is over. Changes nothing if that was known already.
    #[inline]
    pub(in crate::generator) fn stop_closely(&self) -> Stopped {
        let word = self.frame.word();
        self.frame.set_word(word & !RUNNING);
        if word & (HOLD - 1) == RUNNING { Stopped::NotAtYield } else { Stopped::Closely }
    }

    /// Records that the body waits for something other than its yield, or may do so.
    #[inline]
    pub(in crate::generator) fn set_waits(&self) {
        self.update(0, WAITS);
    }

    /// To be called when a yield has given its value. Returns whether the body may stay suspended
    /// there.
    #[inline]
    pub(in crate::generator) fn yielded(&self) -> Yielded {
        match () {
            () if self.is_held() => Yielded::Held,
            () if self.waits() => Yielded::Beside,
            () => Yielded::Alone,
        }
    }

    /// To be called when the body has stopped and no yield has given a value.
    pub(in crate::generator) fn tell(&self) -> News {
        if !self.has(UNTOLD) {
            return News::Nothing;
        }
        self.update(UNTOLD, 0);
        News::IgnoredExit
    }

    /// How the closing begins.
    pub(in crate::generator) fn close(&self) -> Close {
        match () {
            () if self.has(ENDED | EXIT_IGNORED) => Close::Nothing,
            () if self.has(CREATED) => Close::Unbegun,
            () => Close::Exit,
        }
    }

    /// Has `GeneratorExit` raised.
    pub(in crate::generator) fn exit(&self) -> Exit {
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
    pub(in crate::generator) fn begin_finalizing(&self) {
        self.update(0, FINALIZING);
    }

    /// To be called when the finalizer has closed the body, or was given up.
    pub(in crate::generator) fn end_finalizing(&self) {
        self.update(FINALIZING, 0);
    }

    /// 7: the body has ended. From now on, holds that are still open count in the present frame.
    pub(in crate::generator) fn end(&self) -> End {
        if self.has(ENDED) {
            return End::Before;
        }
        self.update(0, ENDED);
        self.frame.pass_on_holds();
        End::Now
    }

    /// Takes back the error that was left for the next yield. The error itself is in the link.
    pub(in crate::generator) fn take_undelivered(&self) -> Delivered {
        if !self.has(ERROR) {
            return Delivered::Yes;
        }
        self.update(ERROR, 0);
        Delivered::No
    }
}
