//! Which of the ready units goes first, and what else a scheduler may choose.
//!
//! | order | used by |
//! |---|---|
//! | first in, first out | every ordinary run |
//! | drawn, with a seed | [`Builder::seed`](crate::Builder::seed) |
//! | decided | [`testing::explore`](crate::testing::explore), through [`Decide`] |

use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;

use crate::error::{Result, not_to_be_explored};

/// How many ready units a drawn order chooses from: few, so that drawing one takes constant time.
const DRAWN_FROM: usize = 64;

/// Something that makes a run's decisions.
pub(crate) trait Decide {
    /// Chooses one of so many ways, counted from 0. The first is what an ordinary run does.
    fn decide(&self, ways: usize) -> usize;

    /// Which of the `due` timers fires next, or `None` if no further one fires in this round.
    fn next_timer(&self, round: &mut TimerRound, due: usize) -> Option<usize>;

    /// # Errors
    ///
    /// If, in the round `tick`, the run has used more rounds than it was given.
    fn check_rounds(&self, tick: u32) -> Result<()>;

    /// Called when the program at `place` is about to do something whose outcome is not decided
    /// here.
    fn leave_to_others(&self, place: &'static Location<'static>);
}

/// How a run chooses.
pub(crate) enum Order {
    FirstInFirstOut,
    /// The state of the random number generator.
    Drawn(Cell<u64>),
    /// From outside.
    Decided(Rc<dyn Decide>),
}

impl Order {
    pub(crate) fn decided(by: Rc<dyn Decide>) -> Order {
        Order::Decided(by)
    }

    #[inline]
    pub(crate) fn is_first_in_first_out(&self) -> bool {
        matches!(self, Order::FirstInFirstOut)
    }

    pub(crate) fn is_decided(&self) -> bool {
        matches!(self, Order::Decided(_))
    }

    /// How many of the ready units it chooses from.
    pub(super) fn reach(&self) -> usize {
        match self {
            Order::FirstInFirstOut => 1,
            Order::Drawn(_) => DRAWN_FROM,
            Order::Decided(_) => usize::MAX,
        }
    }

    /// Chooses which of the `n` ready units is polled next.
    pub(super) fn choose(&self, n: usize) -> usize {
        match self {
            Order::FirstInFirstOut => 0,
            Order::Drawn(state) => below(n, state),
            Order::Decided(decided) => decided.decide(n),
        }
    }

    /// Whether a task that could go on has to let others run first, given that some are ready.
    pub(super) fn interrupts(&self) -> bool {
        match self {
            Order::Decided(decided) => decided.decide(2) == 1,
            _ => false,
        }
    }

    /// To be called when the program at `place` is about to leave something to another runtime.
    ///
    /// # Errors
    ///
    /// If its outcome would have to be decided, which it cannot be.
    pub(crate) fn leave_to_others(&self, place: &'static Location<'static>) -> Result<()> {
        match self {
            Order::Decided(by) => {
                by.leave_to_others(place);
                Err(not_to_be_explored(place))
            }
            _ => Ok(()),
        }
    }

    /// Returns what decides which of the due timers fire, unless all of them simply do.
    pub(crate) fn due_timers(&self, others: Others) -> Option<DueTimers<'_>> {
        match self {
            Order::Decided(by) => Some(DueTimers { by: &**by, round: TimerRound::new(others) }),
            _ => None,
        }
    }

    /// # Errors
    ///
    /// If, in the round `tick`, the run has used more rounds than it was given.
    pub(super) fn check_rounds(&self, tick: u32) -> Result<()> {
        match self {
            Order::Decided(decided) => decided.check_rounds(tick),
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
    /// Nothing can: unless a timer fires, there is nothing to do.
    Wait,
}

/// The timers that are due in one round, and which of them has been decided about.
pub(crate) struct TimerRound {
    pub(crate) others: Others,
    /// How many of those that are still due will not fire in this round.
    pub(crate) passed_over: usize,
    pub(crate) fired: Fired,
}

/// Whether a timer has fired in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fired {
    None,
    Some,
}

impl TimerRound {
    fn new(others: Others) -> Self {
        TimerRound { others, passed_over: 0, fired: Fired::None }
    }
}

/// Decides which of the timers that are due fire now, and in which order.
pub(crate) struct DueTimers<'a> {
    by: &'a dyn Decide,
    round: TimerRound,
}

impl DueTimers<'_> {
    /// Which of the `due` timers fires next; `None` if no further one fires now.
    pub(crate) fn next(&mut self, due: usize) -> Option<usize> {
        self.by.next_timer(&mut self.round, due)
    }
}
