//! G4: closing. What becomes of a body that yields while it is closed is in `ignored_exit`.

use std::pin::pin;

use futures::future::{Either, select};
use seedbed::testing::VirtualClock;
use seedbed::{GeneratorExit, GeneratorState, Yielder, generator, sleep};

use super::exit_text;
use crate::support::{self, Log, cancelled, poll_once, run, run_on, secs, shielded};

#[test]
fn g04_aclose_raises_generator_exit_at_the_yield_and_clean_up_may_await() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let error = y.yield_(1).await.unwrap_err();
            inside.add(format!("{}", error.is::<GeneratorExit>()));
            sleep(secs(3)).await?;
            inside.add("cleaned");
            Err(error)
        });
        g.anext().await?;
        g.aclose().await?;
        assert_eq!(log.take(), ["true", "cleaned"]);
        assert_eq!(clock.elapsed(), secs(3));
        assert_eq!(g.state(), GeneratorState::Finished);
        g.aclose().await?; // twice is fine
        g.aclose().await?;
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_a_body_that_returns_when_it_is_closed_is_as_good() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            while y.yield_(1).await.is_ok() {}
            Ok(())
        });
        g.anext().await?;
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g04_the_clean_up_of_a_cancelled_closer_is_cancelled_and_can_be_shielded() {
    // As in Trio, closing alone is not a shield.
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let outcome = y.yield_(1).await;
            inside.add(format!("{}", sleep(secs(5)).await.unwrap_err().is_cancelled()));
            shielded(sleep(secs(2))).await?;
            inside.add("done");
            outcome.map(drop)
        });
        g.anext().await?;
        assert!(cancelled(g.aclose()).await?.is_some(), "the body passed `GeneratorExit` on");
        assert_eq!(log.take(), ["true", "done"]);
        assert_eq!(clock.elapsed(), secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_an_aclose_dropped_in_flight_can_be_called_again() {
    run(async {
        let log = Log::new();
        let mut g = generator(support::slow_to_close(&log));
        g.anext().await?;
        assert!(poll_once(g.aclose()).await.is_none());
        assert_eq!(g.state(), GeneratorState::Running);
        g.aclose().await?;
        assert_eq!(log.take(), ["cleaning", "cleaned"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_aclose_of_one_whose_anext_was_dropped_in_flight_exits_at_the_next_yield() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            sleep(secs(1)).await?;
            inside.add("slept");
            let error = y.yield_(1).await.unwrap_err();
            inside.add(error.to_string());
            Err(error)
        });
        assert!(poll_once(g.anext()).await.is_none());
        g.aclose().await?;
        assert_eq!(log.take(), ["slept".to_owned(), exit_text()]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_generator_exit_reaches_a_body_whose_yield_lost_a_race() {
    // The body gives a yield up with a `select`. What was to be raised there is raised at the
    // next one, so that a body that does everything right is not said to have ignored it.
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            for i in 0.. {
                let timer = pin!(sleep(secs(1)));
                let outcome = match select(timer, pin!(y.yield_(i))).await {
                    Either::Left((slept, _)) => slept,
                    Either::Right((resumed, _)) => resumed.map(drop),
                };
                if let Err(error) = outcome {
                    inside.add(format!("{i}: {error}"));
                    return Err(error);
                }
            }
            Ok(())
        });
        assert_eq!(g.anext().await?, Some(0));
        sleep(secs(5)).await?; // the timer wins
        g.aclose().await?;
        assert_eq!(log.take(), [format!("1: {}", exit_text())]);
        Ok(())
    })
    .unwrap();
}
