//! `yield_all` is the same as a loop of yields, to the consumer and to the body.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use futures::StreamExt;
use futures::future::join;
use futures::stream::FuturesUnordered;
use seedbed::testing::VirtualClock;
use seedbed::{
    ContextManagerMisused, Error, Generator, GeneratorExit, Result, YieldInCancelScope, Yielder,
    YielderMisused, aclosing, context_manager, fail_after, generator, iterate, prevent_yields,
    sleep, sync_generator, with, yield_now,
};

use super::exit_text;
use crate::support::{Drops, Log, catching, poll_once, run, run_on, secs};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// How a body yields several values.
#[derive(Clone, Copy)]
enum How {
    All,
    Each,
}

impl How {
    async fn yields<T>(self, y: &Yielder<T>, values: Vec<T>) -> Result<()> {
        match self {
            How::All => y.yield_all(values).await,
            How::Each => {
                for value in values {
                    y.yield_(value).await?;
                }
                Ok(())
            }
        }
    }
}

/// What the consumer does next.
#[derive(Clone, Copy, Debug)]
enum Call {
    Anext,
    Asend,
    Athrow,
    /// An `anext` that is dropped after one poll.
    Dropped,
    Aclose,
}

/// What a generator does on these calls, in words.
async fn trace(how: How, calls: &[Call]) -> Vec<String> {
    let log = Log::new();
    let drops = Drops::default();
    let (in_body, guards) = (log.clone(), drops.clone());
    let mut g: Generator<_> = generator(async move |y| {
        let values = |range: std::ops::Range<u32>| range.map(|i| (i, guards.guard())).collect();
        for round in 0.. {
            let outcome = how.yields(&y, values(10 * round..10 * round + 3)).await;
            in_body.add(format!("{round}: {outcome:?}"));
            match outcome {
                Err(error) if error.is::<GeneratorExit>() => {
                    // It ignores that, once.
                    how.yields(&y, values(100..102)).await?;
                }
                _ => yield_now().await?,
            }
            how.yields(&y, Vec::new()).await?;
        }
        Ok(())
    });
    for call in calls {
        let outcome = match call {
            Call::Anext => g.anext().await,
            Call::Asend => g.asend(()).await.map_err(Into::into),
            Call::Athrow => g.athrow(Error::msg("thrown")).await,
            Call::Dropped => poll_once(g.anext()).await.unwrap_or(Ok(None)),
            Call::Aclose => g.aclose().await.map(|()| None),
        };
        let outcome = match outcome {
            Ok(value) => format!("{:?}", value.map(|(i, _guard)| i)),
            Err(error) => error.to_string().split(':').next().unwrap_or_default().to_owned(),
        };
        log.add(format!("{call:?}: {outcome}, {:?}, {} dropped", g.state(), drops.count()));
    }
    drop(g);
    let mut trace = log.take();
    trace.push(format!("{} dropped", drops.count()));
    trace
}

#[test]
fn g01_a_batch_is_the_same_as_a_loop_of_yields() {
    use Call::{Aclose, Anext, Asend, Athrow, Dropped};
    const CALLS: [Call; 5] = [Anext, Asend, Athrow, Dropped, Aclose];
    run(async {
        for mut number in 0..5_usize.pow(5) {
            let mut calls = vec![Anext];
            for _ in 0..5 {
                calls.push(CALLS[number % 5]);
                number /= 5;
            }
            calls.push(Anext);
            let (all, each) = (trace(How::All, &calls).await, trace(How::Each, &calls).await);
            assert_eq!(all, each, "{calls:?}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_batches_of_every_kind_of_generator() {
    async fn body(y: Yielder<String>) -> Result<()> {
        y.yield_all([]).await?;
        y.yield_all(["a", "b"].map(String::from)).await?;
        y.yield_(String::from("c")).await?;
        y.yield_all(vec![String::from("d")]).await?;
        y.yield_all(Vec::from_iter(('e'..='h').map(String::from))).await
    }
    run(async {
        let mut got = String::new();
        let mut g = generator(body);
        while let Some(s) = g.anext().await? {
            got += &s;
        }
        let mut g = generator(body);
        while let Some(s) = g.next().await {
            got += &s?;
        }
        let consumed = iterate(body, async |items| {
            while let Some(s) = items.anext().await? {
                got += &s;
                if s == "f" {
                    break;
                }
            }
            Ok(())
        });
        consumed.await?;
        for s in sync_generator(body) {
            got += &s?;
        }
        assert_eq!(got, "abcdefghabcdefghabcdefabcdefgh");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_nothing_happens_before_a_batch_is_awaited() {
    run(async {
        let drops = Drops::default();
        let mut g = generator({
            let drops = drops.clone();
            async move |y: Yielder<_>| {
                let batch = y.yield_all([drops.guard(), drops.guard()]);
                yield_now().await?; // No value has come out.
                drop(batch);
                assert_eq!(drops.count(), 2);
                y.yield_all(vec![drops.guard()]).await
            }
        });
        assert!(poll_once(g.anext()).await.is_none());
        assert!(g.anext().await?.is_some());
        assert_eq!(drops.count(), 3);
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
}

/// The body goes on only when the consumer asks for one more than there are.
#[test]
fn g01_the_body_waits_until_a_batch_is_used_up() {
    run(async {
        let log = Log::new();
        let in_body = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            for round in 0..2 {
                y.yield_all([1, 2, 3]).await?;
                in_body.add(round.to_string());
            }
            Ok(())
        });
        for i in 0..6 {
            assert_eq!(g.anext().await?, Some(i % 3 + 1));
            assert_eq!(log.take(), if i == 3 { vec!["0"] } else { vec![] });
            assert_eq!(g.suspended_at().map(|at| at.file()), Some(file!()));
        }
        assert_eq!(g.anext().await?, None);
        assert_eq!(log.take(), ["1"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_a_batch_that_is_closed_drops_what_is_left() {
    run(async {
        let (log, drops) = (Log::new(), Drops::default());
        let body = async |y: Yielder<_>| {
            let outcome = y.yield_all(Vec::from_iter((0..9).map(|_| drops.guard()))).await;
            log.add(format!("{} dropped, {}", drops.count(), outcome.as_ref().unwrap_err()));
            outcome
        };
        iterate(body, async |items| {
            let _first = items.anext().await?;
            let second = items.anext().await?;
            drop(second);
            assert_eq!(drops.count(), 1);
            Ok(())
        })
        .await?;
        assert_eq!(log.take(), [format!("9 dropped, {}", exit_text())]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_a_batch_that_ignores_its_exit_comes_out_when_it_is_resumed() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            drop(y.yield_all([1, 2, 3]).await);
            y.yield_all([4, 5, 6]).await
        });
        assert_eq!(g.anext().await?, Some(1));
        assert!(g.aclose().await.is_err());
        // As always, the value that nobody was there for is lost.
        assert_eq!(g.anext().await?, Some(5));
        assert_eq!(g.anext().await?, Some(6));
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

/// A combinator with wakers of its own polls what it has between two values. (While a `join` waits
/// for a batch, nothing in it is polled.)
#[test]
fn g06_what_is_beside_a_batch_may_go_on_between_its_values() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let in_body = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let beside = async {
                for i in 0..3 {
                    sleep(secs(1)).await?;
                    in_body.add(i.to_string());
                }
                Ok(())
            };
            let mut both = FuturesUnordered::<Boxed<'_>>::new();
            both.push(Box::pin(y.yield_all([1, 2, 3, 4])));
            both.push(Box::pin(beside));
            while let Some(outcome) = both.next().await {
                outcome?;
            }
            Ok(())
        });
        for i in 1..=4 {
            assert_eq!(g.anext().await?, Some(i));
            let gone_on = if i == 1 { vec![] } else { vec![(i - 2).to_string()] };
            assert_eq!(log.take(), gone_on);
            sleep(secs(2)).await?;
        }
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g07_a_batch_that_is_given_up_gives_no_more() {
    run_on(&VirtualClock::new(), async {
        let drops = Drops::default();
        let guards = drops.clone();
        let mut g = generator(async move |y: Yielder<Option<_>>| {
            let values = Vec::from_iter((0..5).map(|_| Some(guards.guard())));
            let mut both = FuturesUnordered::<Boxed<'_>>::new();
            both.push(Box::pin(y.yield_all(values)));
            both.push(Box::pin(sleep(secs(2))));
            both.next().await.transpose()?;
            assert!((2..4).contains(&guards.count()), "{} came out", guards.count());
            drop(both);
            assert_eq!(guards.count(), 5);
            y.yield_(None).await?;
            y.yield_all([None, None]).await
        });
        let mut nothing = 0;
        while let Some(value) = g.anext().await? {
            nothing += u32::from(value.is_none());
            drop(value);
            sleep(secs(1)).await?;
            assert!(nothing == 0 || drops.count() == 5);
        }
        assert_eq!(nothing, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g09_a_batch_as_a_stream() {
    run(async {
        let g = generator(async |y: Yielder<u32>| {
            for i in 0.. {
                y.yield_all([i; 4]).await?;
            }
            Ok(())
        });
        aclosing(g, async |g| {
            let some: Vec<_> = g.by_ref().map(Result::unwrap).skip(2).take(5).collect().await;
            assert_eq!(some, [0, 0, 1, 1, 1]);
            assert_eq!(g.next().await.transpose()?, Some(1));
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn y02_a_batch_inside_a_scope_is_refused() {
    run(async {
        let drops = Drops::default();
        let guards = drops.clone();
        let mut g = generator(async move |y: Yielder<Option<_>>| {
            let batch = || [Some(guards.guard()), Some(guards.guard())];
            // seedbed-lint: allow(yield-in-scope)
            let error = fail_after(secs(1), y.yield_all(batch())).await.unwrap_err();
            assert!(error.is::<YieldInCancelScope>());
            assert_eq!(guards.count(), 2);
            // Nothing is refused where nothing is yielded.
            fail_after(secs(1), y.yield_all([])).await?;
            // A scope is opened beside it, after a value of it.
            let opened = Rc::new(Cell::new(false));
            let beside = async {
                yield_now().await?;
                let _guard = prevent_yields("a lock");
                opened.set(true);
                sleep(secs(1)).await
            };
            let many = Vec::from_iter((0..5).map(|_| Some(guards.guard())));
            let mut both = FuturesUnordered::<Boxed<'_>>::new();
            both.push(Box::pin(y.yield_all(many)));
            both.push(Box::pin(beside));
            let first = both.next().await.expect("one of two").unwrap_err();
            assert!(first.is::<YieldInCancelScope>() && opened.get());
            both.next().await.expect("the other one")?;
            drop(both);
            y.yield_all([None]).await
        });
        while let Some(Some(_guard)) = g.anext().await? {
            yield_now().await?;
        }
        assert_eq!(drops.count(), 7);
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn y04_a_batch_of_a_yielder_elsewhere_is_refused() {
    run(async {
        let escaped = Rc::new(RefCell::new(None));
        let slot = escaped.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            {
                // One at a time.
                let (one, other) = (y.yield_all([1, 2]), y.yield_all([3, 4]));
                let (one, other) = join(one, other).await;
                one?;
                assert!(other.unwrap_err().is::<YielderMisused>());
            }
            slot.replace(Some(y));
            Ok(())
        });
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.anext().await?, Some(2));
        assert_eq!(g.anext().await?, None);
        let y = escaped.take().unwrap();
        assert!(y.yield_all([5, 6]).await.unwrap_err().is::<YielderMisused>());
        drop(g);
        assert!(y.yield_all([5, 6]).await.unwrap_err().is::<YielderMisused>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_a_context_manager_yields_one_value() {
    run(async {
        let manager = context_manager(async |y: Yielder<u32>| y.yield_all([7]).await);
        assert_eq!(with(manager, async |i| Ok(i)).await?, 7);
        let manager = context_manager(async |y: Yielder<u32>| y.yield_all([7, 8]).await);
        let error = with(manager, async |_| Ok(())).await.unwrap_err();
        assert!(error.is::<ContextManagerMisused>(), "{error}");
        Ok(())
    })
    .unwrap();
}

/// A batch that is forgotten, or goes on elsewhere, or whose values do what they like when they are
/// dropped: none of this is more than that.
#[test]
fn r10_batches_that_are_treated_badly() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("a bad value");
            }
        }
    }
    run(async {
        let drops = Drops::default();
        let guards = drops.clone();
        let mut g = generator(async move |y: Yielder<_>| {
            let mut batch = y.yield_all([guards.guard(), guards.guard(), guards.guard()]);
            assert!(poll_once(&mut batch).await.is_none());
            std::mem::forget(batch);
            let error = y.yield_all([guards.guard(), guards.guard()]).await.unwrap_err();
            assert!(error.is::<YielderMisused>());
            Ok(())
        });
        while let Some(guard) = g.anext().await? {
            drop(guard);
        }
        drop(g);
        assert_eq!(drops.count(), 5);
        // Two of three are left when it is closed.
        let mut g = generator(async |y: Yielder<Bad>| y.yield_all([Bad, Bad, Bad]).await);
        std::mem::forget(g.anext().await?);
        assert_eq!(catching(g.aclose()).await.unwrap_err(), "a bad value");
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
}
