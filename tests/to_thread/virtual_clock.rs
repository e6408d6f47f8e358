//! Threads and the virtual clock.

use seedbed::testing::VirtualClock;
use seedbed::{Token, move_on_after, now, nursery, sleep, to_thread};

use super::{gate, run_on};
use crate::support::secs;

#[test]
fn r03_the_virtual_clock_waits_for_a_thread() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        nursery(async |n| {
            n.spawn(sleep(secs(3600)));
            let begun = now();
            let last = to_thread(move || {
                let token = Token::current().unwrap();
                // Each makes the run look at its clock when nothing can run.
                (0..100).fold(begun, |_, _| token.run_sync(now).unwrap())
            });
            assert_eq!(last.await?, begun);
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(3600));
}

#[test]
fn r03_the_virtual_clock_does_not_wait_for_abandoned_work() {
    let (mut gate, stand) = gate();
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let work = to_thread(stand).abandon_on_cancel(true);
        nursery(async |n| {
            let timed = n.spawn(move_on_after(secs(5), work));
            gate.begun().await?;
            clock.advance(secs(5)); // as it does not move by itself
            assert_eq!(timed.await?, None);
            Ok(())
        })
        .await?;
        sleep(secs(10)).await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(15));
    gate.open();
}
