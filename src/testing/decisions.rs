//! The decisions of one run: those that it is told to make, and those that it has made.

use std::cell::{Cell, RefCell};
use std::panic::Location;

use super::failure::Livelock;
use super::schedule::{Deviation, Schedule};
use crate::error::Result;
use crate::schedule::current::THREAD;
use crate::schedule::order::{self, Decide, Fired, Others, TimerRound};

/// For how many rounds due timers may be passed over. The limit lets a program succeed that tries
/// again and again until a timer has fired.
const TIMERS_WAIT: u32 = 100;

/// Decides for a run which way to go on, and keeps a record.
///
/// A *decision* is a point where there is more than one way. An ordinary run takes the first way
/// everywhere.
pub(crate) struct Decisions {
    told: Vec<Deviation>,
    /// How many of `told` have been followed.
    followed: Cell<usize>,
    rest: Rest,
    met: RefCell<Vec<Met>>,
    /// Where the run was first told to take a way that did not exist.
    astray: Cell<Option<Astray>>,
    first_round: u32,
    max_rounds: u32,
    /// For how many rounds due timers have been passed over since the last one fired.
    timers_waited: Cell<u32>,
    /// Where the program first left something to another runtime.
    left_to_others: Cell<Option<&'static Location<'static>>>,
}

/// A decision that was made.
#[derive(Clone, Copy)]
pub(super) struct Met {
    /// How many ways there were.
    pub(super) ways: u32,
    pub(super) choice: u32,
}

/// What happens at the decisions for which there is no instruction.
pub(super) enum Rest {
    /// The first way is taken.
    First,
    /// At one in `one_in` decisions a random way is taken, elsewhere the first.
    Drawn { random: Cell<u64>, one_in: usize },
}

/// A place where a run could not do what it was told.
#[derive(Clone, Copy)]
pub(super) struct Astray {
    pub(super) told: Deviation,
    /// How many ways there were; 0 if the run ended before that decision.
    pub(super) ways: u32,
}

impl Decisions {
    pub(super) fn new(schedule: Schedule, rest: Rest, max_rounds: u32) -> Decisions {
        Decisions {
            told: schedule.deviations,
            followed: Cell::new(0),
            rest,
            met: RefCell::new(Vec::new()),
            astray: Cell::new(None),
            first_round: THREAD.with(|thread| thread.rounds.tick.get()),
            max_rounds,
            timers_waited: Cell::new(0),
            left_to_others: Cell::new(None),
        }
    }

    fn choose(&self, ways: u32) -> u32 {
        match self.told.get(self.followed.get()) {
            Some(&told) if told.position as usize > self.met.borrow().len() => 0,
            Some(&told) => {
                self.followed.set(self.followed.get() + 1);
                if told.choice < ways {
                    return told.choice;
                }
                self.go_astray(told, ways);
                0
            }
            None => match &self.rest {
                Rest::Drawn { random, one_in } if order::below(*one_in, random) == 0 => {
                    order::below(ways as usize, random) as u32
                }
                _ => 0,
            },
        }
    }

    fn go_astray(&self, told: Deviation, ways: u32) {
        self.astray.set(self.astray.get().or(Some(Astray { told, ways })));
    }

    /// Where the program first left something to another runtime, if it did.
    pub(super) fn left_to_others(&self) -> Option<&'static Location<'static>> {
        self.left_to_others.get()
    }

    /// Returns the decisions that were made, and where they first differed from what was told.
    pub(super) fn finish(&self) -> (Vec<Met>, Option<Astray>) {
        if let Some(&told) = self.told.get(self.followed.get()) {
            self.go_astray(told, 0);
        }
        (self.met.take(), self.astray.get())
    }
}

impl Decide for Decisions {
    fn decide(&self, ways: usize) -> usize {
        if ways < 2 {
            return 0;
        }
        let ways = u32::try_from(ways).unwrap_or(u32::MAX);
        let choice = self.choose(ways);
        self.met.borrow_mut().push(Met { ways, choice });
        choice as usize
    }

    /// Any of the timers may be next, and any may be passed over. Those passed over may fire in any
    /// later round. When nothing else can run, or they have waited long enough, one has to fire.
    fn next_timer(&self, round: &mut TimerRound, due: usize) -> Option<usize> {
        let left = due.saturating_sub(round.passed_over);
        let waited = &self.timers_waited;
        let must = round.others == Others::Wait || waited.get() >= TIMERS_WAIT;
        let next = if must {
            // Here the last way is that none fires.
            let choice = self.decide(left + usize::from(round.fired == Fired::Some));
            (choice < left).then_some(choice)
        } else {
            // Here it is the first way.
            self.decide(left + 1).checked_sub(1)
        };
        match next {
            Some(passed_over) => {
                round.fired = Fired::Some;
                round.passed_over += passed_over;
                waited.set(0);
                Some(round.passed_over)
            }
            None => {
                waited.set(waited.get() + 1);
                None
            }
        }
    }

    /// # Errors
    ///
    /// [`Livelock`].
    fn check_rounds(&self, tick: u32) -> Result<()> {
        let rounds = tick.wrapping_sub(self.first_round);
        if rounds <= self.max_rounds { Ok(()) } else { Err(Livelock(self.max_rounds).into()) }
    }

    fn leave_to_others(&self, place: &'static Location<'static>) {
        self.left_to_others.set(self.left_to_others.get().or(Some(place)));
    }
}

/// The schedule that makes these decisions.
pub(super) fn schedule_of(met: &[Met]) -> Schedule {
    let deviations = (0..).zip(met).filter(|(_, met)| met.choice > 0);
    Schedule {
        deviations: deviations
            .map(|(position, met)| Deviation { position, choice: met.choice })
            .collect(),
    }
}
