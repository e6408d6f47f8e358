//! The time as calculated from the processor's counter, which takes a third of the time to read
//! that asking the system takes.
//!
//! The counter's speed is measured over a millisecond or more whenever the system's clock is asked,
//! and is trusted when two measurements agree. For a millisecond after the latest reading of both,
//! the time is calculated with the faster of the two measurements and a little more. So whatever is
//! set for a time may come microseconds late, but not early. If the machine was suspended, the
//! thread has moved to another processor, or the counter has started again, the measurements
//! disagree, or the count is far from the latest one.

use std::cell::Cell;

use crate::platform::clock::Nanos;

/// How long after a reading the time may be calculated from it, and the minimum for a measurement.
const MILLISECOND: Nanos = 1_000_000;

/// The minimum for measuring a speed that is already trusted. A thread may be interrupted between
/// reading the counter and the clock, and over this time that does not matter.
const LONG: Nanos = 16 * MILLISECOND;

pub(super) struct Counter {
    /// Whether the system itself uses the counter to tell the time.
    steady: bool,
    /// The counter and the time at the latest reading, in which the counter came first. If the
    /// thread was interrupted in between, it takes the time to be later than it is.
    ticks: Cell<u64>,
    time: Cell<Nanos>,
    /// What later times are calculated with, in 2^-32 nanoseconds for each tick, and for how many
    /// ticks that is good: none, if the counter is not trusted.
    fast: Cell<u64>,
    good_for: Cell<u64>,
    /// What earlier times are calculated with.
    slow: Cell<u64>,
    /// The latest measurement, and where the next one begins.
    speed: Cell<u64>,
    since: Cell<(u64, Nanos)>,
}

impl Counter {
    /// A counter that is at `ticks` at time 0.
    pub(super) fn new(ticks: u64, steady: bool) -> Counter {
        Counter {
            steady,
            ticks: Cell::new(ticks),
            time: Cell::new(0),
            fast: Cell::new(0),
            good_for: Cell::new(0),
            slow: Cell::new(0),
            speed: Cell::new(0),
            since: Cell::new((ticks, 0)),
        }
    }

    /// Both have been read, the counter first.
    pub(super) fn read(&self, ticks: u64, time: Nanos) {
        self.ticks.set(ticks);
        self.time.set(time);
        let (first, began) = self.since.get();
        if time - began >= if self.good_for.get() > 0 { LONG } else { MILLISECOND } {
            self.measured(ticks.wrapping_sub(first), time - began);
            self.since.set((ticks, time));
        }
    }

    #[cold]
    fn measured(&self, ticks: u64, time: Nanos) {
        let speed = (u128::from(time) << 32) / u128::from(ticks.max(1));
        let speed = u64::try_from(speed).unwrap_or(u64::MAX).min(1 << 40);
        let before = self.speed.replace(speed);
        let (slow, fast) = (speed.min(before), speed.max(before));
        let believed = self.steady && fast - slow <= slow >> 10;
        self.slow.set(slow - (slow >> 9));
        self.fast.set(fast + (fast >> 9));
        self.good_for.set(if believed { (MILLISECOND << 32) / self.fast.get().max(1) } else { 0 });
    }

    /// The time at this count, or microseconds later, if it can be told. It is later still if the
    /// thread was interrupted during the latest reading.
    #[inline]
    pub(super) fn time_at(&self, ticks: u64) -> Option<Nanos> {
        let since = ticks.wrapping_sub(self.ticks.get());
        (since < self.good_for.get()).then(|| self.time.get() + ((since * self.fast.get()) >> 32))
    }

    /// How far the counter goes in a millisecond, if it is trusted.
    pub(super) fn ticks_in_a_millisecond(&self) -> Option<u64> {
        Some(self.good_for.get()).filter(|&ticks| ticks > 0)
    }

    /// The time at an earlier count, or a later one up to `now`, given that the counter has reached
    /// `ticks`.
    pub(super) fn time_before(&self, stamp: u64, ticks: u64, now: Nanos) -> Nanos {
        // If the counter has gone backwards, no time has passed.
        let since = u128::from(ticks.saturating_sub(stamp));
        let since = (since * u128::from(self.slow.get())) >> 32;
        now - u64::try_from(since).map_or(0, |since| since.min(now))
    }
}

/// The processor's counter of time, of unknown speed.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every processor of this kind has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Nanoseconds, if no counter is known to be good.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ticks() -> u64 {
    static BASE: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    crate::platform::clock::nanos(BASE.get_or_init(std::time::Instant::now).elapsed())
}

/// Whether the system itself tells the time by the counter on this machine.
pub(crate) fn is_steady() -> bool {
    static STEADY: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
        && *crate::platform::get_or_set(&STEADY, || {
            let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
            std::fs::read(path).is_ok_and(|source| source.trim_ascii() == b"tsc")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Nanos = 60_000_000_000;
    const STEP: Nanos = 20_000_000;

    /// A counter of three ticks a nanosecond, read at each step up to this one.
    fn running(steps: u64, steady: bool) -> Counter {
        let counter = Counter::new(7, steady);
        for time in (0..=steps).map(|step| step * STEP) {
            counter.read(7 + 3 * time, time);
        }
        counter
    }

    #[test]
    fn it_is_believed_when_two_measurements_agree() {
        let counter = Counter::new(7, true);
        assert_eq!(counter.time_at(8), None);
        counter.read(7 + 6_000_000, 2_000_000);
        assert_eq!(counter.time_at(6_000_008), None);
        counter.read(7 + 12_000_000, 4_000_000);
        for after in [0, 1, 1000, 900_000] {
            let time = counter.time_at(7 + 12_000_000 + 3 * after).expect("it is known");
            assert!((4_000_000 + after..4_002_000 + after).contains(&time), "{time}");
        }
        assert_eq!(counter.time_at(7 + 3 * 5_000_000), None, "a millisecond is over");
        assert_eq!(counter.time_at(7), None, "it was read since");
    }

    #[test]
    fn one_that_the_system_does_not_use_is_not_believed() {
        let counter = running(5, false);
        let (ticks, time) = (7 + 3 * 5 * STEP, 5 * STEP);
        assert_eq!(counter.time_at(ticks), None);
        assert_eq!(running(5, true).time_at(ticks), Some(time));
        let before = counter.time_before(ticks - 3_000_000, ticks, time);
        assert!((time - 1_000_000..time - 990_000).contains(&before), "{before}");
    }

    /// The counter runs on while the system's clock stands still, or starts again.
    #[test]
    fn a_machine_that_was_suspended_makes_it_disagree() {
        for jumped in [7 + 3 * MINUTE, 11] {
            let counter = running(5, true);
            assert_eq!(counter.time_at(jumped), None);
            for n in 1..=4 {
                let (ticks, time) = (jumped + 3 * n * STEP, (5 + n) * STEP);
                counter.read(ticks, time);
                assert_eq!(counter.time_at(ticks), (n > 2).then_some(time));
                // It may seem later than it was, but not earlier.
                let before = counter.time_before(ticks - 1_500_000, ticks, time);
                assert!((time - 500_000..=time).contains(&before), "{before}");
            }
        }
    }

    /// If a thread is interrupted between reading one and the other, what follows is late, not
    /// early, and the speed is known again after two measurements.
    #[test]
    fn a_reading_that_was_interrupted() {
        let counter = running(5, true);
        let late = 5_000_000;
        counter.read(7 + 3 * (6 * STEP - late), 6 * STEP);
        assert_eq!(counter.time_at(7 + 3 * 6 * STEP), None);
        for n in 7..=9 {
            counter.read(7 + 3 * n * STEP, n * STEP);
            assert_eq!(counter.time_at(7 + 3 * n * STEP).is_some(), n > 8);
        }
    }

    #[test]
    fn a_stamp_of_before_the_counter_began_anew_is_one_of_now() {
        assert_eq!(running(5, true).time_before(7 + 3 * STEP, 11, MINUTE), MINUTE);
    }
}
