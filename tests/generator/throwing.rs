//! G5: errors thrown in.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;

use futures::future::select;
use seedbed::testing::VirtualClock;
use seedbed::{Error, GeneratorExit, Yielder, generator, sleep};

use crate::support::{count, run, run_on, secs};

#[test]
fn g05_an_error_that_is_handled_makes_athrow_give_the_next_value() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<String>| {
            let mut next = "start".to_owned();
            loop {
                match y.yield_(next).await {
                    Ok(_) => next = "resumed".to_owned(),
                    Err(error) if error.is::<GeneratorExit>() => return Err(error),
                    Err(error) => {
                        sleep(secs(1)).await?;
                        next = format!("handled {error}");
                    }
                }
            }
        });
        assert_eq!(g.anext().await?.unwrap(), "start");
        assert_eq!(g.athrow(Error::msg("one")).await?.unwrap(), "handled one");
        assert_eq!(g.athrow(Error::msg("two")).await?.unwrap(), "handled two");
        assert_eq!(g.anext().await?.unwrap(), "resumed");
        assert_eq!(clock.elapsed(), secs(2));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g05_an_error_handled_by_returning_is_the_end() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            drop(y.yield_(1).await);
            Ok(())
        });
        g.anext().await?;
        assert_eq!(g.athrow(Error::msg("x")).await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g05_generator_exit_may_be_thrown_in_by_hand() {
    // Python: `athrow(GeneratorExit)` is `aclose` without the checks.
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let error = y.yield_(1).await.unwrap_err();
            assert!(error.is::<GeneratorExit>());
            y.yield_(2).await?;
            Err(error)
        });
        let mut donor = generator(async |y: Yielder<u32>| count(&y).await);
        donor.anext().await?;
        donor.aclose().await?;
        g.anext().await?;
        // There is no public way to make one, but the one that a body got can be passed on.
        let stolen = Rc::new(RefCell::new(None));
        let keep = stolen.clone();
        let mut thief = generator(async move |y: Yielder<u32>| {
            keep.replace(y.yield_(1).await.err());
            Ok(())
        });
        thief.anext().await?;
        thief.aclose().await?;
        let exit = stolen.take().unwrap();
        assert_eq!(g.athrow(exit).await?, Some(2));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g05_an_error_thrown_in_reaches_a_body_whose_yield_lost_a_race() {
    run(async {
        let mut g = generator(async |y: Yielder<String>| {
            let timer = pin!(sleep(secs(1)));
            drop(select(timer, pin!(y.yield_("first".into()))).await);
            let error = y.yield_("never".into()).await.unwrap_err();
            y.yield_(format!("handled {error}")).await?;
            Ok(())
        });
        assert_eq!(g.anext().await?.unwrap(), "first");
        sleep(secs(5)).await?;
        assert_eq!(g.athrow(Error::msg("x")).await?.unwrap(), "handled x");
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}
