//! Deciding, from what the watchdog has seen of a run at different times, whether a task holds its
//! thread for too long.

use std::time::{Duration, Instant};

use crate::schedule::seen::shown::Seen;

/// What the watchdog remembers of a run.
pub(super) struct Sight {
    limit: Duration,
    /// What was seen last: nothing, if the run was asleep.
    step: Option<usize>,
    /// When this was seen for the first time, and for the last time.
    first: Instant,
    last: Instant,
    /// How long the watchdog wanted to wait then.
    asked: Duration,
    /// For how long nothing has changed, not counting the time for which the watchdog itself was
    /// stopped: then the process was, and no task is to blame.
    held: Duration,
    is_told: bool,
}

/// What the watchdog does about a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing, until it is roused.
    Nothing,
    /// It looks again after this time.
    LookIn(Duration),
    /// It tells of what holds the thread, and has since this moment, for as long as is known.
    Tell { step: usize, since: Instant, held: Duration },
}

/// The limit divided by this is how long after it a warning may come, and how often the watchdog
/// looks.
const LOOKS: u32 = 4;

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(1);

impl Sight {
    pub(super) fn new(limit: Duration, now: Instant) -> Sight {
        Sight {
            limit,
            step: None,
            first: now,
            last: now,
            asked: Duration::ZERO,
            held: Duration::ZERO,
            is_told: false,
        }
    }

    /// Takes in what is seen now.
    pub(super) fn look(&mut self, now: Instant, seen: Seen) -> Verdict {
        let Seen::Polls(step) = seen else {
            self.step = None;
            return Verdict::Nothing;
        };
        let passed = now.saturating_duration_since(self.last);
        self.last = now;
        if self.step != Some(step) {
            *self = Sight { step: Some(step), ..Sight::new(self.limit, now) };
        } else {
            self.held += passed.min(self.asked);
        }
        if self.is_told {
            return Verdict::Nothing; // the run says so itself when it goes on
        }
        let left = self.limit.saturating_sub(self.held);
        if left.is_zero() {
            self.is_told = true;
            return Verdict::Tell { step, since: self.first, held: self.held };
        }
        self.asked = left.min(self.period());
        Verdict::LookIn(self.asked)
    }

    /// How often to look.
    pub(super) fn period(&self) -> Duration {
        (self.limit / LOOKS).max(SHORTEST)
    }

    /// Whether a look would find something to do, or to wait for.
    pub(super) fn is_due(&self, seen: Seen) -> bool {
        match seen {
            Seen::Asleep => false,
            Seen::Polls(step) => !self.is_told || self.step != Some(step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    /// What is decided when a run shows each of these at its time, in milliseconds.
    fn decide(seen: &[(u64, Seen)]) -> Vec<Verdict> {
        let began = Instant::now();
        let mut sight = Sight::new(LIMIT, began);
        let at = |milliseconds| began + Duration::from_millis(milliseconds);
        seen.iter().map(|&(time, seen)| sight.look(at(time), seen)).collect()
    }

    fn is_told(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Tell { .. })
    }

    #[test]
    fn what_changes_is_not_told_of() {
        let seen: Vec<_> = (0..100).map(|nth| (nth * 250, Seen::Polls(nth as usize))).collect();
        assert!(decide(&seen).iter().all(|&it| it == Verdict::LookIn(LIMIT / LOOKS)));
    }

    #[test]
    fn what_stays_is_told_of_once_and_then_left_alone() {
        let seen: Vec<_> = (0..8).map(|nth| (nth * 250, Seen::Polls(7))).collect();
        let verdicts = decide(&seen);
        assert!(!verdicts[..4].iter().any(is_told), "{verdicts:?}");
        assert!(matches!(verdicts[4], Verdict::Tell { held, .. } if held == LIMIT), "{verdicts:?}");
        assert_eq!(verdicts[5..], [Verdict::Nothing; 3]);
    }

    #[test]
    fn what_begins_between_two_looks_is_told_of_within_a_quarter_more() {
        let mut seen = vec![(0, Seen::Polls(1))];
        // It begins at 10 ms.
        seen.extend((1..6).map(|nth| (nth * 250, Seen::Polls(2))));
        let verdicts = decide(&seen);
        assert!(!verdicts[..5].iter().any(is_told), "{verdicts:?}");
        assert!(is_told(&verdicts[5]), "{verdicts:?}");
    }

    #[test]
    fn a_sleep_begins_anew() {
        let seen = [
            (0, Seen::Polls(1)),
            (250, Seen::Polls(1)),
            (500, Seen::Asleep),
            (900, Seen::Polls(1)),
            (1150, Seen::Polls(1)),
        ];
        let verdicts = decide(&seen);
        assert_eq!(verdicts[2], Verdict::Nothing);
        assert!(!verdicts.iter().any(is_told), "{verdicts:?}");
    }

    /// With a debugger, or while the machine is suspended.
    #[test]
    fn a_stopped_process_holds_nothing() {
        let seen = [
            (0, Seen::Polls(1)),
            (250, Seen::Polls(1)),
            (3_600_000, Seen::Polls(1)),
            (3_600_250, Seen::Polls(1)),
            (3_600_500, Seen::Polls(1)),
        ];
        let verdicts = decide(&seen);
        assert!(!verdicts[..4].iter().any(is_told), "{verdicts:?}");
        assert!(is_told(&verdicts[4]), "{verdicts:?}");
    }

    #[test]
    fn the_last_look_comes_when_the_limit_is_over() {
        let verdicts = decide(&[(0, Seen::Polls(1)), (100, Seen::Polls(1)), (350, Seen::Polls(1))]);
        assert_eq!(verdicts[2], Verdict::LookIn(LIMIT / LOOKS));
        let verdicts = decide(&[
            (0, Seen::Polls(1)),
            (250, Seen::Polls(1)),
            (500, Seen::Polls(1)),
            (750, Seen::Polls(1)),
            (900, Seen::Polls(1)),
        ]);
        assert_eq!(verdicts[4], Verdict::LookIn(LIMIT / 10));
    }

    #[test]
    fn only_what_may_become_too_old_is_due() {
        let began = Instant::now();
        let mut sight = Sight::new(Duration::ZERO, began);
        assert!(!sight.is_due(Seen::Asleep));
        assert!(sight.is_due(Seen::Polls(1)));
        assert!(is_told(&sight.look(began, Seen::Polls(1))));
        assert!(!sight.is_due(Seen::Polls(1)));
        assert!(sight.is_due(Seen::Polls(2)));
    }
}
