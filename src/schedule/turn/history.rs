//! When the rounds of a run were, for those who want to know since when a unit has been waiting. A
//! unit records the round in which it became ready, and no time.
//!
//! The loop notes the time whenever a turn is over, at most once in a millisecond. Of what is long
//! ago less is kept, so that a time is always exact to a few hundredths of how long ago it is.
//!
//! The numbers of rounds recur after four billion, which may take no more than an hour. So now and
//! then the units that have been idle for half of that are given the number of a later round. From
//! then on all that is known of such a unit is that it has been idle for at least so long.

use std::cell::{Cell, RefCell};

use crate::platform::clock::{Clock, Nanos};
use crate::platform::part::part;
use crate::schedule::current::THREAD;
use crate::schedule::units::table;

/// How many notes there are before it is looked which of them can go.
const NOTES: usize = 2048;

/// A note goes if the time between its neighbours is not greater than this part of how long ago
/// they were.
const EXACT_TO: u64 = 32;

/// How far apart two notes are.
const APART: Nanos = 1_000_000;

/// How many rounds a unit may have been idle for before its exact number is given up.
const LONG: u32 = 1 << 31;

/// After how many rounds it is looked for such units.
const LOOK_EVERY: u64 = 1 << 30;

part! {
    /// When the rounds of the present run were.
    pub(crate) const HISTORY: History;
}

/// When the rounds of a run were.
pub(crate) struct History {
    closed: RefCell<Vec<Note>>,
    /// The note that goes on: when it was begun, and the unit's number of its latest round so far.
    time: Cell<Nanos>,
    upto: Cell<u32>,
    /// The latest round of the last note that was closed, by both its numbers.
    closed_upto: Cell<u64>,
    closed_tick: Cell<u32>,
    /// What the thread last read when a note was begun.
    read: Cell<u64>,
    /// Up to which round it was looked for units that have been idle for long.
    looked: Cell<u64>,
}

/// The rounds since the note before, up to this one, counted from the first of the run, were at
/// about this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    upto: u64,
    time: Nanos,
}

/// When a unit was last polled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LastPoll {
    At(Nanos),
    /// At this time, or before.
    Before(Nanos),
}

impl History {
    /// That of a run that begins now.
    pub(crate) fn new() -> History {
        let tick = THREAD.with(|thread| thread.rounds.tick.get());
        History {
            // All at once, so that a run takes no more memory only because it goes on.
            closed: RefCell::new(Vec::with_capacity(NOTES)),
            time: Cell::new(0),
            upto: Cell::new(tick),
            closed_upto: Cell::new(0),
            closed_tick: Cell::new(tick),
            read: Cell::new(0),
            looked: Cell::new(0),
        }
    }

    /// To be called when a turn is over.
    #[inline]
    pub(crate) fn note(&self, clock: &Clock) {
        THREAD.with(|thread| {
            let turn = &thread.turn;
            let passed = turn.began().wrapping_sub(self.read.get());
            if turn.is_timed() && passed < turn.millisecond() {
                self.upto.set(thread.rounds.tick.get());
            } else {
                self.read.set(turn.began());
                self.note_at(clock.now_or_later(), thread.rounds.tick.get());
            }
        });
    }

    #[cold]
    fn note_at(&self, now: Nanos, tick: u32) {
        if now < self.time.get().saturating_add(APART) {
            self.upto.set(tick);
            return;
        }
        let upto = self.count(self.upto.get());
        let time = self.time.replace(now);
        self.closed_upto.set(upto);
        self.closed_tick.set(self.upto.replace(tick));
        let mut closed = self.closed.borrow_mut();
        closed.push(Note { upto, time });
        if closed.len() >= NOTES {
            thin(&mut closed, now);
        }
        drop(closed);
        if upto - self.looked.get() >= LOOK_EVERY {
            self.looked.set(upto);
            table::give_up_ticks(tick, LONG);
        }
    }

    /// The number of a round, counted from the first of the run. It is not before the last note
    /// that was closed.
    fn count(&self, tick: u32) -> u64 {
        let since = tick.wrapping_sub(self.closed_tick.get()).cast_signed();
        self.closed_upto.get() + u64::from(since.max(0).unsigned_abs())
    }

    /// When an idle unit was last polled that became ready in the round `tick`.
    pub(crate) fn last_poll(&self, tick: u32, now: Nanos) -> LastPoll {
        let present = THREAD.with(|thread| thread.rounds.tick.get());
        let ago = present.wrapping_sub(tick);
        // It was polled in a later round than that in which it became ready, most often the next.
        let round = (self.count(present) + 1).saturating_sub(u64::from(ago));
        let time = self.time_of(round, now);
        if ago < LONG { LastPoll::At(time) } else { LastPoll::Before(time) }
    }

    /// When a unit became ready that has been so since the round `tick`.
    pub(crate) fn became_ready(&self, tick: u32, now: Nanos) -> Nanos {
        let ago = THREAD.with(|thread| thread.rounds.tick.get()).wrapping_sub(tick);
        let present = self.count(tick.wrapping_add(ago));
        self.time_of(present.saturating_sub(u64::from(ago)), now)
    }

    /// When this round was.
    fn time_of(&self, round: u64, now: Nanos) -> Nanos {
        // It is borrowed only while it is changed.
        let Ok(closed) = self.closed.try_borrow() else { return now };
        match closed.get(closed.partition_point(|note| note.upto < round)) {
            Some(note) => note.time,
            None if round <= self.count(self.upto.get()) => self.time.get(),
            None => now,
        }
    }
}

/// Removes notes that are long past and close to others.
fn thin(notes: &mut Vec<Note>, now: Nanos) {
    let mut kept = 1;
    for at in 1..notes.len() {
        let is_needed = notes.get(at + 1).is_none_or(|next| {
            (next.time - notes[kept - 1].time).saturating_mul(EXACT_TO) > now - next.time
        });
        if is_needed {
            notes[kept] = notes[at];
            kept += 1;
        }
    }
    notes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::units::unit::Unit;

    const MILLISECOND: Nanos = 1_000_000;

    /// Rounds before, while and after the loop slept.
    #[test]
    fn a_round_is_found_on_the_right_side_of_a_sleep() {
        let history = History::new();
        let first = history.upto.get();
        history.note_at(5 * MILLISECOND, first + 3);
        history.note_at(5 * MILLISECOND + 10, first + 7);
        history.note_at(900 * MILLISECOND, first + 8);
        let times: Vec<_> = [1, 3, 4, 7, 8, 9]
            .map(|round| history.time_of(round, 2000 * MILLISECOND) / MILLISECOND)
            .to_vec();
        assert_eq!(times, [5, 5, 5, 5, 900, 2000]);
    }

    /// Rounds go by as in hours, until their numbers have recurred three times.
    #[test]
    fn a_unit_that_is_idle_for_longer_than_numbers_last() {
        const STEP: u32 = 1 << 29;
        const HOUR: Nanos = 3_600_000 * MILLISECOND;
        let idle = |unit: &Unit| unit.parked().kind().is_some();
        let waits = crate::nursery(async |n| {
            n.spawn(crate::sleep_forever());
            crate::yield_now().await?;
            let unit = table::find(idle)[0];
            let mut seen = Vec::new();
            for hour in 1..=24 {
                let now = hour * HOUR;
                let last = HISTORY.with(|history| {
                    let history = history.expect("a run");
                    let tick = THREAD.with(|thread| {
                        let tick = thread.rounds.tick.get().wrapping_add(STEP);
                        thread.rounds.tick.set(tick);
                        tick
                    });
                    history.note_at(now, tick);
                    // SAFETY: the nursery has it.
                    history.last_poll(unsafe { &*unit }.tick(), now)
                });
                seen.push(last);
            }
            n.scope().cancel();
            Ok(seen)
        });
        let seen = crate::run(waits).unwrap();
        // Whether its round was noted before the first of these is up to the loop.
        let is_exact = |last: &LastPoll| matches!(last, LastPoll::At(time) if *time <= HOUR);
        let exact = seen.iter().take_while(|last| is_exact(last)).count();
        assert!(exact >= 3, "{seen:?}");
        for last in &seen[exact..] {
            assert!(matches!(last, LastPoll::Before(_)), "{seen:?}");
        }
    }

    #[test]
    fn what_is_long_past_is_less_exact() {
        let history = History::new();
        let first = history.upto.get();
        let mut now = 0;
        for round in 1..200_000 {
            now += 2 * MILLISECOND;
            history.note_at(now, first.wrapping_add(round));
        }
        assert!(history.closed.borrow().len() < NOTES);
        for round in [1, 10, 1000, 100_000, 190_000, 199_990_u64] {
            let (found, was) = (history.time_of(round, now), round * 2 * MILLISECOND);
            assert!(found >= was, "{round}");
            assert!((found - was) * (EXACT_TO - 2) <= now - was, "{round}: {found} for {was}");
        }
    }
}
