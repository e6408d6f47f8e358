//! The state of a body that yields, in one word: the bits below the holds in its frame's word.
//!
//! ```text
//!  created
//!     │ 1
//!     ▼       3 ►                    4
//!  in flight ◄────► running ────────────────► running, a yield waits
//!             ◄ 5    ▲   ▲                     │         │   ▲
//!                    │   └──── 6, dropped ─────┘       5 │   │ 3
//!                  6 │                                   ▼   │
//!          running, the yield was resumed ◄─────────── at a yield
//!                                           2 and 3
//!
//!  any of these ──7──► ended
//! ```
//!
//! A generator that is iterated goes round by 2 and 3, 6, 4, 5.
//!
//! | | what happens | functions |
//! |---|---|---|
//! | 1 | the body is iterated for the first time | `begin` |
//! | 2 | the driver sets what the waiting yield returns, for the consumer or (`refuse`) by itself | `resume`, `resume_with_value`, `resume_with_error`, `refuse` |
//! | 3 | the body is polled | `run`, `go_on_waiting`; `go_on` and `go_on_with_value` do 2 and 3 at once |
//! | 4 | a yield gives its value and waits | `suspend`, `suspend_closely` |
//! | 5 | the poll is over | `stop`, `stop_closely` |
//! | 6 | the yield notices that it was resumed, or is dropped | `notice`, `notice_closely`, `give_up` |
//! | 7 | the body has ended, or must not be polled any more | `end` |
//!
//! A body in flight waits for something other than its yield, or its yield was resumed and has not
//! noticed yet: after 2 alone, or when 5 comes before 6. From there 3 leads to *running, the yield
//! was resumed* again. A context manager's body is polled at its yield without being resumed (3) if
//! something that it has open there may have to be polled.
//!
//! Independently of this, a body has another state, which says how far its closing has got:
//!
//! ```text
//!       `exit`, not at a yield            the next yield
//!  open ───────────────────────► exit due ───────────────┐
//!   │                                                    ▼      another yield
//!   └───────────────────────────────────────────► exit raised ───────────────► exit ignored
//!       `exit`, at a yield
//! ```
//!
//! From *exit ignored*, `exit` leads to the same states as from *open*.
//!
//! | file | concept |
//! |---|---|
//! | `driver` | the transitions made by the driver's end: 1, 2, 3, 5 and 7, and `exit` |
//! | `yielder` | the transitions made by the body's end: 4 and 6, and the effect of a yield on closing |
//!
//! A transition that depends on the state returns an enum that describes the result.
//!
//! # The fast path
//!
//! While a generator is iterated, and nothing else happens to it, the whole word, holds included,
//! goes round like this:
//!
//! | step | by | the word becomes | which is |
//! |---|---|---|---|
//! | 2 and 3 | `go_on` | `RUNNING \| SUSPENDED \| NEXT` | running, the yield was resumed |
//! | 6 | `notice` | `RUNNING` | running |
//! | 4 | `suspend` | `RUNNING \| SUSPENDED \| FULL` | running, a yield waits |
//! | 5 | `stop` | `SUSPENDED` | at a yield |
//!
//! If a value is sent in, by `go_on_with_value`, there is `VALUE` in place of `NEXT`. Each step is
//! one comparison and one store. Anything else that has to be dealt with is a further bit, which
//! makes the comparison fail. Then the function called `…_closely` looks at the bits one by one.

mod driver;
mod yielder;

pub(super) use driver::{
    Close, Delivered, Destination, End, Exit, GoOn, GoesOn, InBatch, News, Stop, Yielded,
};
pub(super) use yielder::{GivenUp, Notice, Resumed, Suspension};

use crate::scope::frame::{Frame, HOLD, Held};

/// The body is being polled. Set by `run` and `go_on`, cleared by `stop`. Never with `CREATED`.
const RUNNING: u64 = 1 << 0;

/// A yield waits. Set by `suspend`, cleared when the yield notices that it was resumed, or is
/// dropped. There is one at a time.
const SUSPENDED: u64 = 1 << 1;

/// The waiting yield was resumed by a plain next. Set by `resume` and `go_on`, cleared with
/// `SUSPENDED`. Never without `SUSPENDED`, nor with `VALUE`, `ERROR` or `REFUSAL`.
const NEXT: u64 = 1 << 2;

/// The waiting yield was resumed with a value, which is in the link. Set by `resume_with_value` and
/// `go_on_with_value`, cleared like `NEXT`, and never with another of the four.
const VALUE: u64 = 1 << 3;

/// The consumer has left an error in the link, for the waiting yield or else for the next one. Set
/// by `resume_with_error`, cleared when a yield takes it. Never with `NEXT`, `VALUE` or `REFUSAL`;
/// the only one of the four that may be set without `SUSPENDED`.
const ERROR: u64 = 1 << 4;

/// The waiting yield is not allowed, because something was opened beside it. The error is in the
/// link. Set by `refuse`, cleared with `SUSPENDED`. Never without `SUSPENDED`, nor with `NEXT`,
/// `VALUE` or `ERROR`.
const REFUSAL: u64 = 1 << 5;

/// The body may wait for something other than its yield. Set when it did so at the end of a poll,
/// or when its yield was polled with a waker that is not the body's; cleared when the body is
/// polled again.
const WAITS: u64 = 1 << 6;

/// The body has not been iterated yet. Set when it is made, cleared by `begin`. Only with `MANAGER`
/// and, if it never will be iterated, `ENDED`.
const CREATED: u64 = 1 << 7;

/// The body has ended, or must not be polled any more. Set by `end`, never cleared. With `RUNNING`
/// if the body itself has caused this. Of the other flags only `ERROR` still counts.
const ENDED: u64 = 1 << 8;

/// `GeneratorExit` has to be raised at the next yield. Set by `exit`. Never with the two below.
const EXIT_DUE: u64 = 1 << 9;

/// `GeneratorExit` was raised, so a further yield ignores it. Set by `exit`, or, if it was due, by
/// the yield. Never with `EXIT_DUE` or `EXIT_IGNORED`.
const EXIT_RAISED: u64 = 1 << 10;

/// The body has ignored `GeneratorExit`. It may go on, and is not asked to end again until it is
/// given up. Set by a yield, cleared by `exit`. Never with the two above.
const EXIT_IGNORED: u64 = 1 << 11;

/// Whoever closes the body has yet to be told that it has ignored `GeneratorExit`. Set with
/// `EXIT_IGNORED`, cleared by `tell`, or by `give_up` if the yield is dropped before that.
const UNTOLD: u64 = 1 << 12;

/// The finalizer is closing the body, and nothing else may poll it. Set by `begin_finalizing`,
/// cleared by `end_finalizing`.
const FINALIZING: u64 = 1 << 13;

/// The body is a context manager's: it may yield with holds, which then count in the frame that
/// entered it. Set when it is made, never cleared.
const MANAGER: u64 = 1 << 14;

/// The value of the waiting yield is in the link. Set by `suspend`, cleared by whoever takes the
/// value. Never without `SUSPENDED`.
const FULL: u64 = 1 << 15;

/// The link is being dropped, or was, and nothing of it may be used but this word. Set by `go`,
/// never cleared.
const GONE: u64 = 1 << 16;

/// A call that drives the body has let other tasks run, and the next one does not count against the
/// budget. Set by `set_paused`, cleared by `take_paused`.
const PAUSED: u64 = 1 << 17;

/// The values that come after that of the waiting yield are in the link, if there are any left. Set
/// by `keep_batch`, cleared by whoever takes them. Never without `SUSPENDED`, except while the yield
/// notices that it was resumed.
const BATCH: u64 = 1 << 18;

/// The ways in which a waiting yield can have been resumed.
const ANSWERS: u64 = NEXT | VALUE | ERROR | REFUSAL;
const EXITS: u64 = EXIT_DUE | EXIT_RAISED | EXIT_IGNORED;

const _: () = assert!(BATCH < HOLD, "the bits above are the holds");

/// The state of a body, in its frame.
pub(super) struct State {
    frame: Frame,
}

/// What the body belongs to.
pub(super) enum Kind {
    Generator,
    ContextManager,
}

/// The phase that a body is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Created,
    AtYield,
    InFlight,
    Running,
    /// In flight or running, and only its finalizer may poll it.
    Finalizing,
    Ended,
}

impl State {
    pub(super) fn new(kind: Kind) -> State {
        let kind = match kind {
            Kind::Generator => 0,
            Kind::ContextManager => MANAGER,
        };
        State { frame: Frame::new(CREATED | kind) }
    }

    #[inline(always)]
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether any of these is set.
    #[inline]
    fn has(&self, flags: u64) -> bool {
        self.frame.word() & flags != 0
    }

    /// Clears some flags and sets others.
    #[inline]
    fn update(&self, clear: u64, set: u64) {
        self.frame.set_word(self.frame.word() & !clear | set);
    }

    pub(super) fn phase(&self) -> Phase {
        match () {
            () if self.has(ENDED) => Phase::Ended,
            () if self.has(CREATED) => Phase::Created,
            () if self.is_at_yield() && !self.has(RUNNING) => Phase::AtYield,
            () if self.has(FINALIZING) => Phase::Finalizing,
            () if self.has(RUNNING) => Phase::Running,
            () => Phase::InFlight,
        }
    }

    /// Whether the body has been iterated, even if it has ended since.
    pub(super) fn has_begun(&self) -> bool {
        !self.has(CREATED)
    }

    /// Whether the body has ended, or must not be polled any more.
    pub(super) fn has_ended(&self) -> bool {
        self.has(ENDED)
    }

    /// Whether the link is being dropped, or was.
    pub(super) fn is_gone(&self) -> bool {
        self.has(GONE)
    }

    /// Whether the body is running, or has called what is running.
    pub(super) fn is_running(&self) -> bool {
        self.has(RUNNING)
    }

    /// Whether there is a waiting yield that has not been resumed. The body may still be running.
    pub(super) fn is_at_yield(&self) -> bool {
        self.has(SUSPENDED) && !self.has(ANSWERS | ENDED)
    }

    /// Whether the body may wait for something other than its yield.
    #[inline]
    pub(super) fn waits(&self) -> bool {
        self.has(WAITS)
    }

    /// Whether the body has yielded when it was closed.
    pub(super) fn has_ignored_exit(&self) -> bool {
        self.has(EXIT_IGNORED)
    }

    /// Whether the holds around a yield count elsewhere while it waits.
    pub(super) fn is_of_manager(&self) -> bool {
        self.has(MANAGER)
    }

    /// Whether something is open that forbids a yield.
    #[inline]
    fn is_held(&self) -> bool {
        self.frame.has_holds() && !self.has(MANAGER)
    }

    /// The thing that forbids a yield: of everything that is open, the one opened last.
    #[cold]
    pub(super) fn held(&self) -> Held {
        self.frame.last_held().expect("there is a hold")
    }
}
