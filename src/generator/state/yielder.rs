//! The transitions made by the body's end, that is, by a yield. The numbers are those of the
//! diagram in `state`.

use super::{
    ANSWERS, ENDED, ERROR, EXIT_DUE, EXIT_IGNORED, EXIT_RAISED, EXITS, NEXT, REFUSAL, RUNNING,
    SUSPENDED, State, UNTOLD, VALUE,
};
use crate::scope::current::is_current_frame;

/// The result of a yield, at first sight.
pub(in crate::generator) enum Suspend {
    Suspended,
    /// Nothing was done: it has to be looked at [closely](State::suspend_closely).
    Closely,
}

/// The result of a yield.
pub(in crate::generator) enum Suspension {
    Suspended,
    /// It is suspended, but ignores `GeneratorExit`: nobody gets its value.
    IgnoringExit,
    /// The body has ended.
    TooLate,
    /// The yield is polled in another frame.
    OtherFrame,
    /// Another yield is waiting.
    Twice,
    /// [Something](State::held) is open.
    Held,
    /// An error was left for the yield, and is in the link.
    Error,
    /// `GeneratorExit` was due, and has to be raised.
    Exit,
}

/// Whether a waiting yield was resumed by a plain next, at first sight.
pub(in crate::generator) enum Notice {
    Next,
    /// Nothing was done: it has to be looked at [closely](State::notice_closely).
    Closely,
}

/// What a waiting yield has been resumed with.
pub(in crate::generator) enum Resumed {
    Next,
    /// The value is in the link.
    Value,
    /// The error is in the link.
    Error,
    NotYet,
}

/// The fate of the link's contents when a waiting yield was dropped.
pub(in crate::generator) enum GivenUp {
    /// It was an error from the consumer, and is kept for the next yield.
    Kept,
    /// Nobody must get them, if there are any.
    Dropped,
}

impl State {
    /// 4: the yield begins to wait, if there is nothing else to deal with. The whole check is one
    /// comparison.
    #[inline(always)]
    pub(in crate::generator) fn suspend(&self) -> Suspend {
        if is_current_frame(&self.frame) && self.frame.word() == RUNNING {
            self.frame.set_word(RUNNING | SUSPENDED);
            return Suspend::Suspended;
        }
        Suspend::Closely
    }

    /// 4: the yield begins to wait, or is told why it must not.
    #[inline]
    pub(in crate::generator) fn suspend_closely(&self) -> Suspension {
        if self.has(ENDED) {
            return Suspension::TooLate;
        }
        if !is_current_frame(&self.frame) {
            return Suspension::OtherFrame;
        }
        if self.has(SUSPENDED) {
            return Suspension::Twice;
        }
        if self.is_held() {
            return Suspension::Held;
        }
        if self.has(ERROR) {
            self.update(ERROR, 0);
            return Suspension::Error;
        }
        if self.has(EXIT_DUE) {
            self.update(EXITS, EXIT_RAISED);
            return Suspension::Exit;
        }
        if self.has(EXIT_RAISED) {
            // The closer gets the error, as in Python.
            self.update(EXITS, EXIT_IGNORED | UNTOLD | SUSPENDED);
            return Suspension::IgnoringExit;
        }
        self.update(0, SUSPENDED);
        Suspension::Suspended
    }

    /// 6: the yield notices that it was resumed, if a plain next is all there is to deal with.
    #[inline(always)]
    pub(in crate::generator) fn notice(&self) -> Notice {
        if self.frame.word() == RUNNING | SUSPENDED | NEXT {
            self.frame.set_word(RUNNING);
            return Notice::Next;
        }
        Notice::Closely
    }

    /// 6: the yield notices that it was resumed, if it was.
    #[inline]
    pub(in crate::generator) fn notice_closely(&self) -> Resumed {
        let resumed = match () {
            () if self.has(NEXT) => Resumed::Next,
            () if self.has(VALUE) => Resumed::Value,
            () if self.has(ERROR | REFUSAL) => Resumed::Error,
            () => return Resumed::NotYet,
        };
        self.update(SUSPENDED | ANSWERS, 0);
        resumed
    }

    /// 6: the yield is dropped while it waits.
    pub(in crate::generator) fn give_up(&self) -> GivenUp {
        if self.has(UNTOLD) {
            // The body is still being closed.
            self.update(UNTOLD | EXITS, EXIT_RAISED);
        }
        self.update(SUSPENDED | NEXT | VALUE | REFUSAL, 0);
        if self.has(ERROR) { GivenUp::Kept } else { GivenUp::Dropped }
    }
}
