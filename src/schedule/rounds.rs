//! Rounds and looks: when the next round begins, and when the world is looked at.
//!
//! The rules are at the head of [`schedule`](crate::schedule).

use std::cell::Cell;
use std::task::Poll;

use crate::error::Result;
use crate::platform::clock::Clock;
use crate::platform::part::part;
use crate::platform::swap_cells::swap_cells;
use crate::schedule::ahead::{Ahead, Way};
use crate::schedule::current::{self, PolledFor, THREAD};
use crate::schedule::ids::UnitId;
use crate::schedule::order::Order;
use crate::schedule::seen::attention::Attention;
use crate::schedule::turn::{TURN, TURN_TIME, TURN_TIME_OF_GUEST, Turn};
use crate::schedule::units::roster::{HostWaker, Roster};

/// How often the world may be looked at from inside a nursery that is polled round after round.
/// After that the loop has to look, because it attends to more than such a look does.
const LOOKS: u32 = 32;

/// The world that a run's scheduler looks at.
pub(crate) trait World {
    /// Looks at the network, other threads, the clock and Ctrl-C, without waiting, and makes the
    /// units ready that these have something for. It does not unwind. It may be called between two
    /// polls, deep in the tree, but as far as it can see, nothing is being polled.
    fn look(&self) -> Seen;
}

/// The result of a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// Everything has been dealt with.
    All,
    /// There is something that the run loop has to attend to soon.
    LeftToLoop,
}

/// Where a nursery or the loop continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Onward {
    /// With its own units.
    Here,
    /// With whatever polls it: it returns.
    Up,
}

/// Where the world is looked at when a turn is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LooksFrom {
    /// Right there, wherever that is.
    Anywhere,
    /// The run loop, to which everything returns, because it has to return further: to the host of
    /// the run.
    TheLoop,
}

/// How long a turn may last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Length {
    Whole,
    OneRound,
}

/// Whether a nursery is polled for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visit {
    /// Whatever its host polls after it has not been polled yet.
    First,
    Later,
}

/// The facts about a nursery's present poll that its rounds depend on.
#[derive(Clone, Copy)]
pub(crate) struct Passage {
    visit: Visit,
    /// How many looks were left when the poll began.
    looks: u32,
    /// Why the nursery's hosts are polled.
    hosts: PolledFor,
}

impl Passage {
    #[inline]
    pub(crate) fn begin(visit: Visit, hosts: PolledFor) -> Passage {
        Passage { visit, looks: THREAD.with(|thread| thread.rounds.looks.get()), hosts }
    }

    /// Whether this is a nursery's first poll and the world has been looked at in it: whatever
    /// comes after the nursery waits for one turn at most.
    #[inline]
    fn is_behind(self, rounds: &Rounds) -> bool {
        self.visit == Visit::First && self.looks != rounds.looks.get()
    }
}

/// Whether units that become ready are listed, because they may go
/// [ahead](crate::schedule::ahead).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lists {
    Ready,
    Nothing,
}

/// How far the scheduler of this thread has got.
pub(crate) struct Rounds {
    /// The number of the present round. Units that become ready in it are polled in a later one.
    pub(crate) tick: Cell<u32>,
    /// How many ready queues are not empty.
    pub(crate) ready_queues: Cell<usize>,
    /// When the nursery with the only queue that is not empty has gone up, its host. Reset when the
    /// nursery above has seen it.
    pub(super) went_up: Cell<UnitId>,
    /// How many more looks there may be from inside a nursery before the loop has to look.
    looks: Cell<u32>,
    /// What there is to do beyond the usual with units that become ready now.
    pub(super) attention: Cell<Attention>,
}

impl Rounds {
    pub(super) const fn new() -> Rounds {
        Rounds {
            tick: Cell::new(0),
            ready_queues: Cell::new(0),
            went_up: Cell::new(UnitId::NONE),
            looks: Cell::new(0),
            attention: Cell::new(Attention::NOTHING),
        }
    }

    /// Exchanges them for those of another run.
    pub(super) fn swap(&self, other: &Rounds) {
        swap_cells!(self, other: tick, ready_queues, went_up, looks, attention);
    }

    /// Says whether units that become ready from now on are listed. Returns what was said before.
    fn list_ready(&self, lists: Lists) -> Lists {
        let before = self.attention.get();
        self.attention.set(match lists {
            Lists::Ready => before.with(Attention::LIST),
            Lists::Nothing => before.without(Attention::LIST),
        });
        if before.has(Attention::LIST) { Lists::Ready } else { Lists::Nothing }
    }

    /// Begins the next round.
    #[inline]
    fn next(&self) {
        self.tick.set(self.tick.get().wrapping_add(1));
    }
}

part! {
    /// The scheduler of the present run.
    pub(crate) const SCHEDULER: Scheduler;
}

/// Decides, in one run, what is polled next.
pub(crate) struct Scheduler {
    pub(crate) order: Order,
    pub(crate) ahead: Ahead,
    /// How many operations a unit may finish at once in one poll.
    pub(crate) budget: u32,
    world: &'static dyn World,
    looks_from: LooksFrom,
    /// Whether there is something that only the loop can attend to. If so, no round begins before
    /// it has.
    is_loop_wanted: Cell<bool>,
}

impl Scheduler {
    pub(crate) fn new(
        order: Order,
        budget: u32,
        world: &'static dyn World,
        looks_from: LooksFrom,
    ) -> Scheduler {
        let (ahead, is_loop_wanted) = (Ahead::default(), Cell::new(false));
        Scheduler { order, ahead, budget, world, looks_from, is_loop_wanted }
    }

    // Called by the loop.

    pub(crate) fn begin_run(&self, clock: &Clock) {
        let longest = match self.looks_from {
            LooksFrom::Anywhere => TURN_TIME,
            LooksFrom::TheLoop => TURN_TIME_OF_GUEST,
        };
        THREAD.with(|thread| thread.turn.begin_run(self.budget, longest, &self.order, clock));
    }

    /// Polls the root nursery, round after round, until the loop has to look at the world. `Ready`
    /// if everything has ended.
    pub(crate) fn run_turn(
        &self,
        length: Length,
        root: &Roster,
        mut drive: impl FnMut() -> Poll<()>,
    ) -> Poll<()> {
        THREAD.with(|thread| {
            thread.turn.begin(match length {
                Length::Whole => TURN,
                Length::OneRound => 0,
            });
            thread.rounds.looks.set(LOOKS);
        });
        loop {
            THREAD.with(|thread| {
                thread.rounds.next();
                thread.rounds.went_up.set(UnitId::NONE);
            });
            if drive().is_ready()
                || self.ahead.was_cut() && self.let_ahead(root, &mut drive).is_ready()
            {
                return Poll::Ready(());
            }
            let is_over =
                THREAD.with(|thread| thread.turn.is_done() || thread.rounds.looks.get() == 0);
            if is_over || self.is_loop_wanted.get() || root.queue.is_idle() {
                return Poll::Pending;
            }
        }
    }

    /// Polls the units that go ahead because they have waited for too long. Afterwards the round
    /// that was cut continues. `Ready` if everything has ended.
    #[cold]
    fn let_ahead(&self, root: &Roster, drive: &mut dyn FnMut() -> Poll<()>) -> Poll<()> {
        let began = THREAD.with(|thread| thread.turn.time());
        while self.ahead.next(root) == Way::Found {
            let driven = THREAD.with(|thread| {
                thread.turn.begin(TURN);
                thread.rounds.list_ready(Lists::Ready);
                let driven = drive();
                thread.rounds.list_ready(Lists::Nothing);
                driven
            });
            self.ahead.was_cut(); // by one of these units; the others get their turn anyway
            if driven.is_ready() {
                return Poll::Ready(());
            }
            if THREAD.with(|thread| thread.turn.has_lasted(began)) {
                break;
            }
        }
        self.ahead.end(began);
        THREAD.with(|thread| {
            thread.turn.begin(TURN);
            // The polls that follow belong to the round that was cut.
            thread.rounds.tick.set(thread.rounds.tick.get().wrapping_sub(1));
        });
        Poll::Pending
    }

    /// # Errors
    ///
    /// If the run has used more rounds than it was given.
    pub(crate) fn check_rounds(&self) -> Result<()> {
        self.order.check_rounds(THREAD.with(|thread| thread.rounds.tick.get()))
    }

    /// To be called when something has come up that only the loop can attend to.
    pub(crate) fn want_loop(&self) {
        self.is_loop_wanted.set(true);
    }

    /// To be called when the loop attends to it.
    pub(crate) fn have_loop(&self) {
        self.is_loop_wanted.set(false);
    }

    /// As long as the returned value lives, units that become ready are listed, because they may go
    /// ahead of others.
    pub(crate) fn list_ready(&self) -> impl Drop + use<> {
        struct Listing(Lists);
        impl Drop for Listing {
            fn drop(&mut self) {
                THREAD.with(|thread| thread.rounds.list_ready(self.0));
            }
        }
        THREAD.with(|thread| {
            self.ahead.tidy(thread.rounds.tick.get());
            let lists = if thread.turn.is_timed() { Lists::Ready } else { Lists::Nothing };
            Listing(thread.rounds.list_ready(lists))
        })
    }

    // Called by nurseries.

    /// To be called when a nursery has polled everything that was due in this round, and has more
    /// for the next. Begins that round right here if the loop would come straight back.
    #[inline]
    pub(crate) fn next_round(&self, roster: &Roster, passage: Passage) -> Onward {
        THREAD.with(|thread| {
            let rounds = &thread.rounds;
            let is_simple = rounds.ready_queues.get() == 1
                && passage.hosts == PolledFor::Nurseries
                && !passage.is_behind(rounds)
                && rounds.looks.get() > 0;
            if is_simple && !self.is_loop_wanted.get() && !thread.turn.is_done() {
                rounds.went_up.set(UnitId::NONE);
                rounds.next();
                return Onward::Here;
            }
            self.next_round_closely(roster, passage)
        })
    }

    #[cold]
    #[inline(never)]
    fn next_round_closely(&self, roster: &Roster, passage: Passage) -> Onward {
        THREAD.with(|thread| {
            let rounds = &thread.rounds;
            let went_up = rounds.went_up.replace(UnitId::NONE);
            if passage.hosts == PolledFor::Anything {
                if let (1, HostWaker::Unit(host)) = (rounds.ready_queues.get(), roster.host()) {
                    rounds.went_up.set(host);
                }
                return Onward::Up;
            }
            // A nursery that has gone up to this one does not count, unless something after it
            // waits.
            let is_alone = || match rounds.ready_queues.get() {
                1 => true,
                2 => passage.visit == Visit::Later && roster.has_ready(went_up),
                _ => false,
            };
            if passage.is_behind(rounds)
                || !is_alone()
                || rounds.looks.get() == 0
                || self.is_loop_wanted.get()
                || thread.turn.is_done() && !(self.has_looked(roster, &thread.turn) && is_alone())
            {
                return Onward::Up;
            }
            rounds.next();
            Onward::Here
        })
    }

    /// To be called when the turn is over between two rounds. If possible, looks at the world,
    /// begins another turn and returns true. If this returns false, the loop has to look.
    #[cold]
    fn has_looked(&self, roster: &Roster, turn: &Turn) -> bool {
        // With any other order, this is left to the loop.
        if self.order.is_first_in_first_out() && self.looks_from == LooksFrom::Anywhere {
            self.look_from_inside(roster);
        }
        !turn.is_done() && !self.is_loop_wanted.get()
    }

    /// To be called between two polls when the turn may be over. If it is, looks at the world,
    /// whatever is being polled further up the stack. `Up` if the round is cut, so that everything
    /// has to return to the loop.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_turn(&self, roster: &Roster) -> Onward {
        if self.ahead.is_cutting() {
            return Onward::Up;
        }
        THREAD.with(|thread| {
            if !thread.turn.is_over() {
                return Onward::Here;
            }
            if self.looks_from == LooksFrom::TheLoop {
                self.want_loop();
                self.ahead.cut();
                thread.turn.end_now();
                return Onward::Up;
            }
            self.look_from_inside(roster);
            if thread.turn.is_timed() {
                self.ahead.cut_if_due();
            }
            if !self.ahead.is_cutting() {
                return Onward::Here;
            }
            thread.turn.end_now();
            Onward::Up
        })
    }

    /// Looks at the world from inside a nursery, and begins a turn.
    fn look_from_inside(&self, roster: &Roster) {
        // None of its units is being polled meanwhile. If some are ready, it need not be told of
        // others.
        roster.stop_draining();
        let seen = current::outside(|| self.world.look());
        roster.start_draining();
        if seen == Seen::LeftToLoop {
            self.want_loop();
        }
        THREAD.with(|thread| {
            thread.rounds.looks.set(thread.rounds.looks.get().saturating_sub(1));
            thread.turn.begin(TURN);
        });
    }
}
