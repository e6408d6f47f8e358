//! The time as reckoned from the processor's counter, which is read in a third of the time that
//! asking the system takes.
//!
//! The counter's speed is measured over a millisecond or more, whenever the system's clock is
//! asked, and believed when two measurements agree. From the latest reading of both, the time is
//! reckoned on with the faster of the two and a little more, for a millisecond: what is set for then
//! may come late by microseconds, and not early. A suspended machine, another processor or a
//! counter that begins anew give measurements that disagree, or a count far from the latest.

use std::cell::Cell;

use crate::platform::clock::Nanos;

/// For how long the time may be reckoned on from a reading, and the least for a measurement.
const MILLISECOND: Nanos = 1_000_000;

/// The least for a measurement of a speed that is believed. A thread may be interrupted between
/// reading one and the other, which is not to matter then.
const LONG: Nanos = 16 * MILLISECOND;

pub(super) struct Counter {
    /// Whether the system itself reckons with it.
    steady: bool,
    /// The counter and the time, as they were read last; the counter first. Who is interrupted in
    /// between takes it for later than it is.
    ticks: Cell<u64>,
    time: Cell<Nanos>,
    /// What the time is reckoned on with, in 2^-32 nanoseconds for each tick, and for how many of
    /// them: 0, where it is not believed.
    fast: Cell<u64>,
    good_for: Cell<u64>,
    /// What an earlier time is reckoned back with.
    slow: Cell<u64>,
    /// The latest measurement, and what the next one begins with.
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

    /// The time at this count, or microseconds later, if it can be told. Later still, if the thread
    /// was interrupted in the latest reading.
    #[inline]
    pub(super) fn time_at(&self, ticks: u64) -> Option<Nanos> {
        let since = ticks.wrapping_sub(self.ticks.get());
        (since < self.good_for.get()).then(|| self.time.get() + ((since * self.fast.get()) >> 32))
    }

    /// How far it goes in a millisecond, if it is believed.
    pub(super) fn ticks_in_a_millisecond(&self) -> Option<u64> {
        Some(self.good_for.get()).filter(|&ticks| ticks > 0)
    }

    /// The time at an earlier count, or a later one up to `now`, when it has come to `ticks`.
    pub(super) fn time_before(&self, stamp: u64, ticks: u64, now: Nanos) -> Nanos {
        // One that has gone backwards counts as no time at all.
        let since = u128::from(ticks.saturating_sub(stamp));
        let since = (since * u128::from(self.slow.get())) >> 32;
        now - u64::try_from(since).map_or(0, |since| since.min(now))
    }
}

/// The processor's counter of time, of unknown speed.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every processor of this kind has it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Where there is none that is known to be good, nanoseconds.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ticks() -> u64 {
    static BASE: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    crate::platform::clock::nanos(BASE.get_or_init(std::time::Instant::now).elapsed())
}

/// Whether the system itself tells the time by the counter, on this machine.
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

    /// One of three ticks a nanosecond that was read at each step, up to this one.
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

    /// It runs on while the system's clock stands still, or begins anew.
    #[test]
    fn a_machine_that_was_suspended_makes_it_disagree() {
        for jumped in [7 + 3 * MINUTE, 11] {
            let counter = running(5, true);
            assert_eq!(counter.time_at(jumped), None);
            for n in 1..=4 {
                let (ticks, time) = (jumped + 3 * n * STEP, (5 + n) * STEP);
                counter.read(ticks, time);
                assert_eq!(counter.time_at(ticks), (n > 2).then_some(time));
                // It may seem later than it was, and not earlier.
                let before = counter.time_before(ticks - 1_500_000, ticks, time);
                assert!((time - 500_000..=time).contains(&before), "{before}");
            }
        }
    }

    /// A thread that is interrupted between reading one and the other makes what follows late, not
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
