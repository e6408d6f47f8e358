//! Which of the units that are ready goes first, and what else a scheduler may choose.
//!
//! | order | used by |
//! |---|---|
//! | first in, first out | every ordinary run |
//! | drawn, with a seed | [`Builder::seed`](crate::Builder::seed) |
//! | decided | [`testing::explore`](crate::testing::explore), through [`Decide`] |

use std::cell::Cell;
use std::rc::Rc;

use crate::error::Result;

/// How many of the units that are ready an order that is drawn chooses from: few, so that drawing
/// one takes constant time.
const DRAWN_FROM: usize = 64;

/// For how many rounds timers that are due may be passed over where that is decided: a program that
/// tries again and again until one has fired is to succeed.
const TIMERS_WAIT: u32 = 100;

/// What makes a run's decisions.
pub(crate) trait Decide {
    /// Which of `ways` is taken. The first is what an ordinary run does.
    fn decide(&self, ways: usize) -> usize;

    /// # Errors
    ///
    /// If the run has had more rounds than it was given by now, in the round `tick`.
    fn check_rounds(&self, tick: u32) -> Result<()>;
}

/// How a run chooses.
pub(crate) enum Order {
    FirstInFirstOut,
    /// The state of the random numbers.
    Drawn(Cell<u64>),
    Decided(Decided),
}

/// An order that is decided from outside.
pub(crate) struct Decided {
    by: Rc<dyn Decide>,
    /// For how many rounds timers that were due have been passed over since one fired.
    timers_waited: Cell<u32>,
}

impl Order {
    pub(crate) fn decided(by: Rc<dyn Decide>) -> Order {
        Order::Decided(Decided { by, timers_waited: Cell::new(0) })
    }

    #[inline]
    pub(crate) fn is_first_in_first_out(&self) -> bool {
        matches!(self, Order::FirstInFirstOut)
    }

    pub(crate) fn is_decided(&self) -> bool {
        matches!(self, Order::Decided(_))
    }

    /// How many of the units that are ready it chooses from.
    pub(super) fn reach(&self) -> usize {
        match self {
            Order::FirstInFirstOut => 1,
            Order::Drawn(_) => DRAWN_FROM,
            Order::Decided(_) => usize::MAX,
        }
    }

    /// Which of the `n` units that are ready is polled next.
    pub(super) fn choose(&self, n: usize) -> usize {
        match self {
            Order::FirstInFirstOut => 0,
            Order::Drawn(state) => below(n, state),
            Order::Decided(decided) => decided.by.decide(n),
        }
    }

    /// Whether a task that could go on is to let others run first, of which some are ready.
    pub(super) fn interrupts(&self) -> bool {
        match self {
            Order::Decided(decided) => decided.by.decide(2) == 1,
            _ => false,
        }
    }

    /// What decides which of the timers that are due fire, if it is not simply all of them.
    pub(crate) fn due_timers(&self, others: Others) -> Option<DueTimers<'_>> {
        match self {
            Order::Decided(decided) => Some(DueTimers::new(decided, others)),
            _ => None,
        }
    }

    /// # Errors
    ///
    /// If the run has had more rounds than it was given by now, in the round `tick`.
    pub(super) fn check_rounds(&self, tick: u32) -> Result<()> {
        match self {
            Order::Decided(decided) => decided.by.check_rounds(tick),
            _ => Ok(()),
        }
    }
}

/// The next random number below `n`.
pub(crate) fn below(n: usize, state: &Cell<u64>) -> usize {
    // SplitMix64 (Steele, Lea and Flood, 2014): small, and good for any seed.
    state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
    let mut bits = state.get();
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    ((u128::from(bits) * n as u128) >> 64) as usize
}

/// Whether anything but a timer can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Others {
    AreReady,
    /// Unless a timer fires there would be nothing to do.
    Wait,
}

/// Decides which of the timers that are due fire now, and in which order. Any of them may be next,
/// and those that it passes over may have to wait: they may fire in each of the rounds to come, and
/// have to when nothing else can run.
pub(crate) struct DueTimers<'a> {
    decided: &'a Decided,
    /// Whether one has to fire.
    must: bool,
    passed_over: usize,
    fired: bool,
}

impl<'a> DueTimers<'a> {
    fn new(decided: &'a Decided, others: Others) -> Self {
        let must = others == Others::Wait || decided.timers_waited.get() >= TIMERS_WAIT;
        DueTimers { decided, must, passed_over: 0, fired: false }
    }

    /// Which of the `due` timers fires next; `None` if no further one fires now.
    pub(crate) fn next(&mut self, due: usize) -> Option<usize> {
        let left = due.saturating_sub(self.passed_over);
        let next = if self.must {
            // That none fires is the last of the ways.
            let choice = self.decided.by.decide(left + usize::from(self.fired));
            (choice < left).then_some(choice)
        } else {
            // Here it is the first of them.
            self.decided.by.decide(left + 1).checked_sub(1)
        };
        let waited = &self.decided.timers_waited;
        match next {
            Some(passed_over) => {
                self.fired = true;
                self.passed_over += passed_over;
                waited.set(0);
                Some(self.passed_over)
            }
            None => {
                waited.set(waited.get() + 1);
                None
            }
        }
    }
}
