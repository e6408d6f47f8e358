//! G10: synchronous generators.

use std::cell::{OnceCell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use seedbed::{
    Cancelled, Error, GeneratorMisused, Result, SyncGenerator, Yield, YieldInCancelScope, Yielder,
    cancel_scope, checkpoint, generator, prevent_yields, sleep, sync_generator,
};

use super::{exit_text, text};
use crate::support::{Drops, Log, counting, panics, recording, run, secs};

#[test]
fn g10_a_synchronous_generator_is_an_iterator_that_borrows() {
    let words = ["a", "bb", "ccc"].map(str::to_owned);
    let lengths = sync_generator(async |y: Yielder<usize>| {
        for word in &words {
            y.yield_(word.len()).await?;
        }
        Ok(())
    });
    let lengths: Vec<_> = lengths.zip(words.iter()).map(|(length, _)| length.unwrap()).collect();
    assert_eq!(lengths, [1, 2, 3]);
    // No runtime was needed, and after the end comes the end.
    let mut once = sync_generator(async |y: Yielder<u8>| y.yield_(1).await.map(drop));
    assert_eq!(once.next().unwrap().unwrap(), 1);
    assert!(once.next().is_none() && once.next().is_none());
    assert_eq!(once.send(()).unwrap(), None);
}

#[test]
fn g10_send_throw_and_close() {
    fn sums(log: &Log) -> SyncGenerator<'static, i32, i32> {
        let log = log.clone();
        sync_generator(async move |y: Yielder<i32, i32>| {
            let mut sum = 0;
            loop {
                match y.yield_(sum).await {
                    Ok(more) => sum += more.unwrap_or(100),
                    Err(error) if error.is::<std::fmt::Error>() => sum = 0,
                    Err(error) => {
                        log.add(error.to_string());
                        return Err(error);
                    }
                }
            }
        })
    }
    let log = Log::new();
    let mut g = sums(&log);
    assert!(g.send(1).unwrap_err().is::<GeneratorMisused>(), "before the first `next`");
    assert_eq!(g.next().unwrap().unwrap(), 0);
    assert_eq!(g.send(5).unwrap(), Some(5));
    assert_eq!(g.next().unwrap().unwrap(), 105);
    assert_eq!(g.throw(std::fmt::Error).unwrap(), Some(0), "handled");
    assert_eq!(text(g.throw(Error::msg("x"))), "x");
    assert!(g.next().is_none());
    assert_eq!(text(g.throw(Error::msg("late"))), "late");
    assert_eq!(log.take(), ["x"]);
    let mut g = sums(&log);
    g.next();
    g.close().unwrap();
    g.close().unwrap();
    assert_eq!(log.take(), [exit_text()]);
    let mut g = sums(&log);
    g.close().unwrap();
    assert!(g.next().is_none(), "closed before it had begun");
    assert_eq!(text(sums(&log).throw(Error::msg("early"))), "early");
    assert!(log.take().is_empty());
}

/// What owns the yield may be outside the body, and be dropped while the body is suspended.
#[test]
fn g10_an_error_for_a_yield_that_is_gone_is_raised_at_the_next() {
    let yielder = OnceCell::new();
    let waiting: RefCell<Option<Yield<'_, i32, ()>>> = RefCell::default();
    let mut g = sync_generator(async |y: Yielder<i32>| {
        let y = yielder.get_or_init(|| y);
        for i in 0.. {
            waiting.replace(Some(y.yield_(i)));
            let went_on = poll_fn(|cx| match &mut *waiting.borrow_mut() {
                Some(waiting) => Pin::new(waiting).poll(cx).map(Some),
                None => Poll::Ready(None),
            });
            match went_on.await {
                Some(outcome) => _ = outcome?,
                None => _ = y.yield_(-i).await?,
            }
        }
        Ok(())
    });
    assert_eq!(g.next().unwrap().unwrap(), 0);
    assert_eq!(g.next().unwrap().unwrap(), 1);
    waiting.take();
    assert_eq!(g.send(()).unwrap(), Some(-1)); // the value is lost with its yield
    assert_eq!(g.next().unwrap().unwrap(), 2);
    waiting.take();
    assert_eq!(text(g.throw(Error::msg("thrown"))), "thrown");
    assert!(g.next().is_none());
}

#[test]
fn g10_dropped_half_way_it_cleans_up_there_and_then() {
    let log = Log::new();
    let mut g = sync_generator(counting(&log));
    g.next();
    g.next();
    drop(g);
    assert_eq!(log.take(), [format!("left at 1: {}", exit_text())]);
    drop(sync_generator(counting(&log)));
    assert!(log.take().is_empty(), "not begun");
    // What goes wrong then is reported.
    let ((), records) = recording(|| {
        let mut g = sync_generator(async |y: Yielder<u32>| {
            drop(y.yield_(1).await);
            Err(Error::msg("out of paper"))
        });
        g.next();
    });
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].field("error"), "out of paper");
    assert!(records[0].field("generator").contains(file!()));
}

#[test]
fn g10_the_same_yield_rule() {
    let mut g = sync_generator(async |y: Yielder<u32>| {
        y.yield_(1).await?;
        let guard = prevent_yields("a lock");
        let error = y.yield_(2).await.unwrap_err(); // seedbed-lint: allow(yield-in-scope)
        assert!(error.is::<YieldInCancelScope>() && error.to_string().contains("a lock"));
        drop(guard);
        y.yield_(3).await?;
        Ok(())
    });
    assert_eq!(g.by_ref().collect::<Result<Vec<_>>>().unwrap(), [1, 3]);
    run(async {
        let mut g = sync_generator(async |y: Yielder<u32>| {
            // seedbed-lint: allow(yield-in-scope)
            cancel_scope(async |_| y.yield_(1).await).await.map(drop)
        });
        assert!(g.next().unwrap().unwrap_err().is::<YieldInCancelScope>());
        // Inside its consumer's scope it may.
        cancel_scope(async |_| {
            let mut g = sync_generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
            assert_eq!(g.next().unwrap()?, 1);
            Ok(())
        })
        .await?;
        // And inside another generator, where its yields are its own.
        let mut outer = generator(async |y: Yielder<u32>| {
            for i in sync_generator(async |y: Yielder<u32>| {
                y.yield_(1).await?;
                y.yield_(2).await.map(drop)
            }) {
                y.yield_(10 * i?).await?;
            }
            Ok(())
        });
        assert_eq!((outer.anext().await?, outer.anext().await?), (Some(10), Some(20)));
        assert_eq!(outer.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g10_waiting_for_anything_else_is_an_error() {
    run(async {
        let drops = Drops::default();
        let mut g = sync_generator(async |y: Yielder<u32>| {
            let _guard = drops.guard();
            y.yield_(1).await?;
            sleep(secs(1)).await
        });
        assert_eq!(g.next().unwrap()?, 1);
        let error = g.next().unwrap().unwrap_err();
        assert!(error.is::<GeneratorMisused>() && error.to_string().contains("`generator`"));
        assert_eq!(drops.count(), 1);
        assert!(g.next().is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn g10_a_panic_finishes_it() {
    let mut g = sync_generator(async |y: Yielder<u32>| {
        y.yield_(1).await?;
        panic!("x");
    });
    assert_eq!(g.next().unwrap().unwrap(), 1);
    assert_eq!(panics(|| g.next().map(|_| ())), "x");
    assert!(g.next().is_none());
    g.close().unwrap();
    drop(g);
    // Dropped while its own panic unwinds: a second panic there would abort.
    let text = panics(|| {
        let mut g = sync_generator(async |_: Yielder<u32>| panic!("unwinds"));
        g.next().map(|_| ())
    });
    assert_eq!(text, "unwinds");
}

/// A checkpoint in a synchronous generator looks for cancellation, and waits for nobody, however
/// often.
#[test]
fn g10_checkpoints_in_a_synchronous_generator() {
    run(async {
        let numbers = sync_generator(async |y: Yielder<u32>| {
            for i in 0..1000 {
                checkpoint().await?;
                y.yield_(i).await?;
            }
            Ok(())
        });
        assert_eq!(numbers.collect::<Result<Vec<_>>>()?.len(), 1000);
        cancel_scope(async |scope| {
            let mut one = sync_generator(async |y: Yielder<u32>| {
                checkpoint().await?;
                y.yield_(1).await.map(drop)
            });
            scope.cancel();
            assert!(one.next().unwrap().unwrap_err().is::<Cancelled>());
            Ok(())
        })
        .await
        .map(drop)
    })
    .unwrap();
}
