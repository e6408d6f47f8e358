//! The transitions that the body's end makes: a yield.

use super::{
    ANSWERS, ENDED, ERROR, EXIT_DUE, EXIT_IGNORED, EXIT_RAISED, EXITS, NEXT, REFUSAL, RUNNING,
    SUSPENDED, State, UNTOLD, VALUE,
};
use crate::scope::current::is_current_frame;

/// What comes of a yield, at first sight.
pub(in crate::generator) enum Suspend {
    Suspended,
    /// Nothing is done: it has to be looked at [closely](State::suspend_closely).
    Closely,
}

/// What comes of a yield.
pub(in crate::generator) enum Suspension {
    Suspended,
    /// It is suspended, but ignores `GeneratorExit`: its value is nobody's.
    IgnoringExit,
    /// The body has ended.
    TooLate,
    /// It is polled in another frame.
    OtherFrame,
    /// Another yield waits.
    Twice,
    /// [Something](State::held) is open.
    Held,
    /// An error was left for it, and is in the link.
    Error,
    /// `GeneratorExit` was due, and is to be raised.
    Exit,
}

/// Whether a yield that waits was resumed by a plain next, at first sight.
pub(in crate::generator) enum Notice {
    Next,
    /// Nothing is done: it has to be looked at [closely](State::notice_closely).
    Closely,
}

/// What a yield that waited has been resumed with.
pub(in crate::generator) enum Resumed {
    Next,
    /// It is in the link.
    Value,
    /// It is in the link.
    Error,
    NotYet,
}

/// What has come of what was in the link when a yield was dropped that waited.
pub(in crate::generator) enum GivenUp {
    /// It is an error of the consumer's, and kept for the next yield.
    Kept,
    /// Nobody is to get it, if there is anything.
    Dropped,
}

impl State {
    /// 4, where nothing but that is to be noticed: the whole check is one comparison.
    #[inline(always)]
    pub(in crate::generator) fn suspend(&self) -> Suspend {
        if is_current_frame(&self.frame) && self.frame.word() == RUNNING {
            self.frame.set_word(RUNNING | SUSPENDED);
            return Suspend::Suspended;
        }
        Suspend::Closely
    }

    /// 4, or why not.
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
            // The error is the closer's, as in Python.
            self.update(EXITS, EXIT_IGNORED | UNTOLD | SUSPENDED);
            return Suspension::IgnoringExit;
        }
        self.update(0, SUSPENDED);
        Suspension::Suspended
    }

    /// 6, where a plain next is all that is to be noticed.
    #[inline(always)]
    pub(in crate::generator) fn notice(&self) -> Notice {
        if self.frame.word() == RUNNING | SUSPENDED | NEXT {
            self.frame.set_word(RUNNING);
            return Notice::Next;
        }
        Notice::Closely
    }

    /// 6, if the yield was resumed.
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
