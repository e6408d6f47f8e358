//! The transitions made by the body's end, that is, by a yield. The numbers are those of the
//! diagram in `state`.

use super::{
    ANSWERS, BATCH, ENDED, ERROR, EXIT_DUE, EXIT_IGNORED, EXIT_RAISED, EXITS, FULL, NEXT, REFUSAL,
    RUNNING, SUSPENDED, State, UNTOLD, VALUE,
};

/// The result of a yield.
pub(crate) enum Suspension {
    /// The yield waits, and its value has to be put into the link.
    Suspended,
    /// It is suspended, but ignores `GeneratorExit`: nobody gets its value.
    IgnoringExit,
    /// The body has ended.
    TooLate,
    /// Another yield is waiting.
    Twice,
    /// [Something](State::held) is open.
    Held,
    /// An error was left for the yield, and is in the link.
    Error,
    /// `GeneratorExit` was due, and has to be raised.
    Exit,
}

/// Whether a waiting yield was resumed, at first sight.
pub(crate) enum Notice {
    Next,
    /// The value is in the link, and the caller's to take.
    Value,
    /// Nothing was done: it has to be looked at [closely](State::notice_closely).
    Closely,
}

/// What a waiting yield has been resumed with.
pub(crate) enum Resumed {
    Next,
    /// The value is in the link, and the caller's to take.
    Value,
    /// The error is in the link.
    Error,
    NotYet,
}

/// The fate of the link's contents when a waiting yield was dropped.
pub(crate) enum GivenUp {
    /// It was an error from the consumer, and is kept for the next yield.
    Kept,
    /// Nobody must get them, if there are any.
    Dropped,
}

impl State {
    /// Whether a yield in the body's own frame may wait, and there is nothing else to deal with.
    /// The whole check of PEP 789 is this one comparison.
    #[inline(always)]
    pub(crate) fn only_runs_with_no_holds(&self) -> bool {
        self.frame.word() == RUNNING
    }

    /// 4: the yield begins to wait, and its value is in the link.
    #[inline(always)]
    pub(crate) fn suspend(&self) {
        debug_assert!(self.only_runs_with_no_holds());
        self.frame.set_word(RUNNING | SUSPENDED | FULL);
    }

    /// 4: a yield in the body's own frame begins to wait, or is told why it must not.
    #[inline]
    pub(crate) fn suspend_closely(&self) -> Suspension {
        if self.has(ENDED) {
            return Suspension::TooLate;
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
        self.update(0, SUSPENDED | FULL);
        Suspension::Suspended
    }

    /// Further values of the waiting yield are in the link.
    pub(crate) fn keep_batch(&self) {
        debug_assert!(self.has(SUSPENDED) && !self.has(BATCH));
        self.update(0, BATCH);
    }

    /// Whether further values of the waiting yield were left in the link. They are the caller's to
    /// take.
    #[inline]
    pub(crate) fn take_batch(&self) -> bool {
        let kept = self.has(BATCH);
        self.update(BATCH, 0);
        kept
    }

    /// 6: the yield notices that it was resumed, if there is nothing else to deal with.
    #[inline(always)]
    pub(crate) fn notice(&self) -> Notice {
        const NEXT_ONLY: u64 = RUNNING | SUSPENDED | NEXT;
        const VALUE_ONLY: u64 = RUNNING | SUSPENDED | VALUE;
        let notice = match self.frame.word() {
            NEXT_ONLY => Notice::Next,
            VALUE_ONLY => Notice::Value,
            _ => return Notice::Closely,
        };
        self.frame.set_word(RUNNING);
        notice
    }

    /// 6: the yield notices that it was resumed, if it was.
    #[inline]
    pub(crate) fn notice_closely(&self) -> Resumed {
        let resumed = match () {
            () if self.has(NEXT) => Resumed::Next,
            () if self.has(VALUE) => Resumed::Value,
            () if self.has(ERROR | REFUSAL) => Resumed::Error,
            () => return Resumed::NotYet,
        };
        self.update(SUSPENDED | ANSWERS, 0);
        resumed
    }

    /// 6: the yield is dropped while it waits. Its value, and what was sent in, were taken.
    pub(crate) fn give_up(&self) -> GivenUp {
        if self.has(UNTOLD) {
            // The body is still being closed.
            self.update(UNTOLD | EXITS, EXIT_RAISED);
        }
        self.update(SUSPENDED | NEXT | REFUSAL, 0);
        if self.has(ERROR) { GivenUp::Kept } else { GivenUp::Dropped }
    }
}
