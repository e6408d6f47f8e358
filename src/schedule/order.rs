//! Who goes first: the order of the tasks that are ready, and what else a scheduler may choose.
//!
//! | order | who uses it |
//! |---|---|
//! | first in, first out | every ordinary run |
//! | drawn with a seed | [`Builder::seed`](crate::Builder::seed) |
//! | decided | [`testing::explore`](crate::testing::explore) |

use std::cell::Cell;
use std::rc::Rc;

use crate::Result;
use crate::schedule::current::CONTEXT;
use crate::testing::decisions::Decisions;

/// How a run chooses.
pub(crate) enum Order {
    FirstInFirstOut,
    /// The state of the random numbers.
    Drawn(Cell<u64>),
    Decided(Rc<Decisions>),
}

impl Order {
    #[inline]
    pub(crate) fn is_first_in_first_out(&self) -> bool {
        matches!(self, Order::FirstInFirstOut)
    }

    /// How many of the units that are ready come into question. Drawing one is O(1).
    pub(crate) fn reach(&self) -> usize {
        match self {
            Order::FirstInFirstOut => 1,
            Order::Drawn(_) => 64,
            Order::Decided(_) => usize::MAX,
        }
    }

    /// Which of the `n` units that are ready is polled next.
    pub(crate) fn choose(&self, n: usize) -> usize {
        match self {
            Order::FirstInFirstOut => 0,
            Order::Drawn(state) => below(n, state),
            Order::Decided(decisions) => decisions.decide(n),
        }
    }

    /// Whether a task that could go on is to let others run first. Where no other is ready it
    /// makes no difference, and nothing is decided.
    pub(crate) fn interrupts(&self) -> bool {
        match self {
            Order::Decided(decisions) => {
                CONTEXT.with(|context| context.ready_queues.get()) > 0 && decisions.decide(2) == 1
            }
            _ => false,
        }
    }

    /// The decisions to ask, where there are any.
    pub(crate) fn decided(&self) -> Option<&Decisions> {
        match self {
            Order::Decided(decisions) => Some(decisions),
            _ => None,
        }
    }

    /// # Errors
    ///
    /// If the run has had as many rounds as it was given.
    pub(crate) fn check_rounds(&self) -> Result<()> {
        self.decided().map_or(Ok(()), Decisions::check_rounds)
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

/// Which of the timers that are due fire now, and in which order. Each may go next, and those
/// that it passes over may have to wait: in each of the rounds to come they may fire, and when
/// nothing else can run they have to.
pub(crate) struct DueTimers<'a> {
    decisions: &'a Decisions,
    /// Whether one has to fire, or there would be nothing to wait for.
    must: bool,
    passed_over: usize,
    fired: bool,
}

/// For how many rounds timers may wait. Who tries again and again until one has fired is to
/// succeed.
const PATIENCE: u32 = 100;

impl<'a> DueTimers<'a> {
    /// `idle` says whether nothing else can run.
    pub(crate) fn new(decisions: &'a Decisions, idle: bool) -> Self {
        let must = idle || decisions.timers_waited.get() >= PATIENCE;
        DueTimers { decisions, must, passed_over: 0, fired: false }
    }

    /// Which of the `due` timers fires next; `None` if no further one fires now.
    pub(crate) fn next(&mut self, due: usize) -> Option<usize> {
        let left = due.saturating_sub(self.passed_over);
        let next = if self.must {
            // The last of the ways is that none does.
            let choice = self.decisions.decide(left + usize::from(self.fired));
            (choice < left).then_some(choice)
        } else {
            // Here that is the first of them.
            self.decisions.decide(left + 1).checked_sub(1)
        };
        let waited = &self.decisions.timers_waited;
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
