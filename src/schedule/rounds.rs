//! Rounds and looks: when the next round begins, and when somebody looks at the world.
//!
//! The rules are at the head of [`schedule`](crate::schedule).

use std::cell::Cell;
use std::task::Poll;

use crate::error::Result;
use crate::platform::clock::Clock;
use crate::platform::part::part;
use crate::schedule::ahead::{Ahead, Way};
use crate::schedule::current::{self, PolledFor, THREAD};
use crate::schedule::ids::UnitId;
use crate::schedule::order::Order;
use crate::schedule::turn::{TURN, Turn};
use crate::schedule::units::roster::{HostWaker, Roster};

/// How often the world may be looked at from inside of a nursery that is polled round after round
/// before the loop does it itself, which sees to more than such a look.
const LOOKS: u32 = 32;

/// What the scheduler of a run looks at.
pub(crate) trait World {
    /// Looks at the network, other threads, the clock and Ctrl-C, without waiting, and makes ready
    /// what they have for the run. It does not unwind. Nothing is being polled as far as it can
    /// see, though it may be called between two polls, deep in the tree.
    fn look(&self) -> Seen;
}

/// What a look came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// Everything that was there has been dealt with.
    All,
    /// There is something that only the run loop can see to, soon.
    LeftToLoop,
}

/// Where a nursery, or the loop, goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Onward {
    /// With its own units.
    Here,
    /// With what is above it: it returns.
    Up,
}

/// How long a turn may last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Length {
    Whole,
    OneRound,
}

/// Which poll of a nursery it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visit {
    /// Whatever its host polls behind it has not been polled yet.
    First,
    Later,
}

/// One poll of a nursery, as its rounds have to know it.
#[derive(Clone, Copy)]
pub(crate) struct Passage {
    visit: Visit,
    /// How many looks were left when it began.
    looks: u32,
    /// What its hosts are polled for.
    hosts: PolledFor,
}

impl Passage {
    #[inline]
    pub(crate) fn begin(visit: Visit, hosts: PolledFor) -> Passage {
        Passage { visit, looks: THREAD.with(|thread| thread.rounds.looks.get()), hosts }
    }

    /// Whether somebody has looked at the world in a nursery's first poll: what is behind the
    /// nursery waits for one turn at the most.
    #[inline]
    fn is_behind(self, rounds: &Rounds) -> bool {
        self.visit == Visit::First && self.looks != rounds.looks.get()
    }
}

/// How far the scheduler of this thread is.
pub(crate) struct Rounds {
    /// The number of the present round: what becomes ready in it is polled in a later one.
    pub(crate) tick: Cell<u32>,
    /// How many ready queues are not empty.
    pub(crate) ready_queues: Cell<usize>,
    /// When the nursery with the only queue that was not empty went up: its host. None again when
    /// the nursery above has seen it.
    pub(super) went_up: Cell<UnitId>,
    /// How often somebody may still look from inside of a nursery before the loop does.
    looks: Cell<u32>,
    /// Whether what becomes ready now is listed, as it may go [ahead](crate::schedule::ahead).
    pub(super) lists_ready: Cell<bool>,
}

impl Rounds {
    pub(super) const fn new() -> Rounds {
        Rounds {
            tick: Cell::new(0),
            ready_queues: Cell::new(0),
            went_up: Cell::new(UnitId::NONE),
            looks: Cell::new(0),
            lists_ready: Cell::new(false),
        }
    }

    /// A run begins, or has ended.
    pub(super) fn clear(&self) {
        self.ready_queues.set(0);
        self.lists_ready.set(false);
    }

    /// The next round begins.
    #[inline]
    fn next(&self) {
        self.tick.set(self.tick.get().wrapping_add(1));
    }
}

part! {
    /// The scheduler of the present run.
    pub(crate) const SCHEDULER: Scheduler;
}

/// What decides, in one run, what is polled next.
pub(crate) struct Scheduler {
    pub(crate) order: Order,
    pub(crate) ahead: Ahead,
    /// How many operations a unit may finish at once in one poll.
    pub(crate) budget: u32,
    world: &'static dyn World,
    /// Whether there is something that only the loop can see to, so that no round begins before.
    is_loop_wanted: Cell<bool>,
}

impl Scheduler {
    pub(crate) fn new(order: Order, budget: u32, world: &'static dyn World) -> Scheduler {
        let (ahead, is_loop_wanted) = (Ahead::default(), Cell::new(false));
        Scheduler { order, ahead, budget, world, is_loop_wanted }
    }

    // What the loop does.

    pub(crate) fn begin_run(&self, clock: &Clock) {
        THREAD.with(|thread| thread.turn.begin_run(self.budget, &self.order, clock));
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

    /// Lets those go ahead that have waited for too long. Afterwards the round that was cut goes
    /// on. `Ready` if everything has ended.
    #[cold]
    fn let_ahead(&self, root: &Roster, drive: &mut dyn FnMut() -> Poll<()>) -> Poll<()> {
        let began = THREAD.with(|thread| thread.turn.time());
        while self.ahead.next(root) == Way::Found {
            let driven = THREAD.with(|thread| {
                thread.turn.begin(TURN);
                thread.rounds.lists_ready.set(true);
                let driven = drive();
                thread.rounds.lists_ready.set(false);
                driven
            });
            self.ahead.was_cut(); // by one of them: others have their turn anyway
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
            // What comes next belongs to the round that was cut.
            thread.rounds.tick.set(thread.rounds.tick.get().wrapping_sub(1));
        });
        Poll::Pending
    }

    /// # Errors
    ///
    /// If the run has had more rounds than it was given.
    pub(crate) fn check_rounds(&self) -> Result<()> {
        self.order.check_rounds(THREAD.with(|thread| thread.rounds.tick.get()))
    }

    /// Something has come up that only the loop can see to.
    pub(crate) fn want_loop(&self) {
        self.is_loop_wanted.set(true);
    }

    /// The loop sees to it now.
    pub(crate) fn have_loop(&self) {
        self.is_loop_wanted.set(false);
    }

    /// While the answer lives, what becomes ready is listed, as it may go ahead of others.
    pub(crate) fn list_ready(&self) -> impl Drop + use<> {
        struct Listing(bool);
        impl Drop for Listing {
            fn drop(&mut self) {
                THREAD.with(|thread| thread.rounds.lists_ready.set(self.0));
            }
        }
        THREAD.with(|thread| {
            self.ahead.tidy(thread.rounds.tick.get());
            Listing(thread.rounds.lists_ready.replace(thread.turn.is_timed()))
        })
    }

    // What a nursery does.

    /// A nursery has polled everything that was to be polled in this round, and has more. Begins
    /// the next round here, if the loop would come straight back.
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
            // What has gone up to this nursery does not count, unless something behind it waits.
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

    /// The turn is over between two rounds: whether the world has been looked at, so that another
    /// one has begun. If not, the loop has to look.
    #[cold]
    fn has_looked(&self, roster: &Roster, turn: &Turn) -> bool {
        // With any other order that is left to the loop.
        if self.order.is_first_in_first_out() {
            self.look_from_inside(roster);
        }
        !turn.is_done() && !self.is_loop_wanted.get()
    }

    /// The turn may be over between two polls: if it is, looks at the world, whatever is being
    /// polled around that. `Up` if the round is cut, so that everybody has to return to the loop.
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

    /// Looks at the world from inside of a nursery, and begins a turn.
    fn look_from_inside(&self, roster: &Roster) {
        // None of its units is being polled meanwhile. If it has some that are ready it need not be
        // told of others.
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
