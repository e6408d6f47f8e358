//! Intervals that begin later, are reset, or miss ticks.

use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Interval, MissedTicks, Result, interval, interval_at, now, sleep};

use crate::support::secs;

fn run(main: impl Future<Output = Result<()>>) {
    Builder::new().clock(&VirtualClock::new()).detect_deadlock(true).run(main).unwrap();
}

/// When the ticks of an interval of 10 seconds come: one at 0, the next ones asked for from second
/// 35 on.
fn late(policy: MissedTicks) -> Vec<u64> {
    let mut came = Vec::new();
    run(async {
        let start = now();
        let mut ticks = interval(secs(10)).missed_ticks(policy);
        ticks.tick().await?;
        sleep(secs(35)).await?;
        for _ in 0..6 {
            ticks.tick().await?;
            came.push((now() - start).as_secs());
        }
        Ok(())
    });
    came
}

#[test]
fn interval_has_a_policy_for_ticks_that_were_missed() {
    assert_eq!(late(MissedTicks::Skip), [35, 40, 50, 60, 70, 80]);
    assert_eq!(late(MissedTicks::default()), late(MissedTicks::Skip));
    assert_eq!(late(MissedTicks::CatchUp), [35, 35, 35, 40, 50, 60]);
    assert_eq!(late(MissedTicks::Delay), [35, 45, 55, 65, 75, 85]);
}

#[test]
fn interval_returns_when_a_tick_was_due_whatever_the_policy() {
    run(async {
        let start = now();
        let mut ticks = interval(secs(10)).missed_ticks(MissedTicks::CatchUp);
        ticks.tick().await?;
        sleep(secs(25)).await?;
        for due in [10, 20, 30] {
            assert_eq!(ticks.tick().await? - start, secs(due));
        }
        Ok(())
    });
}

#[test]
fn interval_at_begins_when_it_is_told_to() {
    run(async {
        let start = now();
        let mut ticks = interval_at(start + secs(7), secs(10));
        for due in [7, 17, 27] {
            assert_eq!(ticks.tick().await? - start, secs(due));
            assert_eq!(now() - start, secs(due));
        }
        // A start that has passed is a tick that is late.
        let mut ticks = interval_at(start + secs(5), secs(10));
        assert_eq!(ticks.tick().await? - start, secs(5));
        assert_eq!(now() - start, secs(27));
        assert_eq!(ticks.tick().await? - start, secs(35));
        Ok(())
    });
}

#[test]
fn interval_can_be_reset() {
    run(async {
        let start = now();
        let mut ticks: Interval = interval(secs(10));
        assert_eq!(ticks.period(), secs(10));
        ticks.tick().await?;
        sleep(secs(4)).await?;
        ticks.reset();
        assert_eq!(ticks.tick().await? - start, secs(14));
        ticks.reset_at(start + secs(15));
        assert_eq!(ticks.tick().await? - start, secs(15));
        assert_eq!(ticks.tick().await? - start, secs(25));
        Ok(())
    });
}

#[test]
fn interval_without_end_never_ticks_a_second_time() {
    run(async {
        for policy in [MissedTicks::Skip, MissedTicks::CatchUp, MissedTicks::Delay] {
            let mut ticks = interval(Duration::MAX).missed_ticks(policy);
            ticks.tick().await?;
            assert_eq!(seedbed::move_on_after(secs(1_000_000), ticks.tick()).await?, None);
        }
        Ok(())
    });
}
