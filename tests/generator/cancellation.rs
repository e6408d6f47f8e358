//! G6: a cancellation while a generator runs.

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use seedbed::testing::VirtualClock;
use seedbed::{Cancelled, GeneratorState, Yielder, generator, move_on_after, sleep, sleep_forever};

use crate::support::{Log, cancelled, counting, run, run_on, secs};

#[test]
fn g06_a_cancellation_is_raised_at_the_inner_await_and_may_be_handled() {
    // python-dev's question on PEP 525: cancelling `asend` cancels what the body awaits, and the
    // generator is not broken by it.
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<String, u32>| {
            y.yield_("ready".into()).await?;
            let error = sleep(secs(100)).await.unwrap_err();
            assert!(error.is::<Cancelled>());
            let sent = y.yield_("handled".into()).await?;
            y.yield_(format!("{sent:?}")).await?;
            Ok(())
        });
        g.anext().await?;
        let got = move_on_after(secs(2), async { Ok(g.asend(1).await?) }).await?;
        assert_eq!(got.flatten().as_deref(), Some("handled"), "though its time was up");
        assert_eq!(clock.elapsed(), secs(2));
        assert_eq!(g.asend(8).await?.as_deref(), Some("Some(8)"));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g06_a_cancellation_that_is_not_handled_finishes_the_generator() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            y.yield_(1).await?;
            let outcome = sleep_forever().await;
            inside.add(format!("{}", outcome.as_ref().unwrap_err().is_cancelled()));
            outcome
        });
        g.anext().await?;
        assert_eq!(move_on_after(secs(1), g.anext()).await?, None);
        assert_eq!(log.take(), ["true"]);
        assert_eq!(g.state(), GeneratorState::Finished);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g06_a_yield_itself_is_not_cancelled() {
    // Nothing is awaited at a yield: a consumer's cancelled scope is the consumer's business.
    run(async {
        let log = Log::new();
        let mut g = generator(counting(&log));
        let got = cancelled(async { Ok([g.anext().await?, g.anext().await?]) }).await?;
        assert_eq!(got, Some([Some(0), Some(1)]));
        assert_eq!(g.anext().await?, Some(2));
        assert!(log.take().is_empty());
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g06_reaches_inner_generators_and_foreign_combinators() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let mut inner = generator(async |_: Yielder<u32>| {
                let all: FuturesUnordered<_> = (1..50).map(|i| sleep(secs(100 * i))).collect();
                all.try_collect::<Vec<_>>().await.map(drop)
            });
            let error = inner.anext().await.unwrap_err();
            inside.add(format!("{}", error.is_cancelled()));
            y.yield_(7).await?;
            Ok(())
        });
        assert_eq!(move_on_after(secs(1), g.anext()).await?, Some(Some(7)));
        assert_eq!((clock.elapsed(), log.take()), (secs(1), vec!["true".to_owned()]));
        g.aclose().await
    })
    .unwrap();
}
