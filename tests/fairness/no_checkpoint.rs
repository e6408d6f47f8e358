//! R7: what is not a checkpoint does not look for a cancellation. But a loop that consists of
//! nothing else learns of its cancellation in the end; otherwise a time limit, a shutdown or Ctrl-C
//! would wait for it for ever.

use std::cell::Cell;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Cancelled, Result, Yielder, aclosing, cancel_scope, checkpoint,
    context_manager, generator, iterate, move_on_after, nursery, with, yield_now,
};

/// How many steps a loop may take before it has to have an end.
const ENOUGH: u64 = 10_000_000;

async fn count(y: Yielder<u64, u64>) -> Result<()> {
    for i in 0.. {
        y.yield_(i).await?;
    }
    Ok(())
}

type Loop<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

type MakeLoop = fn(&dyn Fn()) -> Loop<'_>;

/// Loops of what is no checkpoint, by name. Each calls its argument at each step.
const LOOPS: [(&str, MakeLoop); 15] = [
    ("anext", |step| {
        Box::pin(async move {
            let mut values = generator(count);
            while values.anext().await?.is_some() {
                step();
            }
            Ok(())
        })
    }),
    ("a stream", |step| {
        Box::pin(async move {
            let mut values = Box::pin(generator(count));
            while let Some(value) = values.next().await {
                value?;
                step();
            }
            Ok(())
        })
    }),
    ("asend", |step| {
        Box::pin(async move {
            let mut values = generator(count);
            values.anext().await?;
            while values.asend(1).await?.is_some() {
                step();
            }
            Ok(())
        })
    }),
    ("athrow", |step| {
        Box::pin(async move {
            let mut values = generator(async |y: Yielder<u64>| {
                loop {
                    let _handled = y.yield_(1).await;
                }
            });
            values.anext().await?;
            while values.athrow(std::fmt::Error).await?.is_some() {
                step();
            }
            Ok(())
        })
    }),
    ("aclose", |step| {
        Box::pin(async move {
            loop {
                generator(count).aclose().await?;
                step();
            }
        })
    }),
    ("aclosing", |step| {
        Box::pin(async move {
            loop {
                aclosing(generator(count), async |_| Ok(())).await?;
                step();
            }
        })
    }),
    // The budget is always spent at the same place, the closing.
    ("aclosing around one item", |step| {
        Box::pin(async move {
            loop {
                aclosing(generator(count), async |values| values.anext().await).await?;
                step();
            }
        })
    }),
    ("items of batches", |step| {
        Box::pin(async move {
            let mut values = generator(async |y: Yielder<u64>| {
                loop {
                    y.yield_all(Vec::from_iter(0..1000)).await?;
                }
            });
            while values.anext().await?.is_some() {
                step();
            }
            Ok(())
        })
    }),
    ("items of an iteration", |step| {
        Box::pin(iterate(count, async move |items| {
            while items.anext().await?.is_some() {
                step();
            }
            Ok(())
        }))
    }),
    ("values sent into an iteration", |step| {
        Box::pin(iterate(count, async move |items| {
            items.anext().await?;
            while items.asend(1).await?.is_some() {
                step();
            }
            Ok(())
        }))
    }),
    ("iterations", |step| {
        Box::pin(async move {
            loop {
                iterate(count, async |items| items.anext().await).await?;
                step();
            }
        })
    }),
    ("a scope", |step| {
        Box::pin(async move {
            loop {
                cancel_scope(async |_| Ok(())).await?;
                step();
            }
        })
    }),
    ("a time limit", |step| {
        Box::pin(async move {
            loop {
                move_on_after(Duration::from_secs(1), async { Ok(()) }).await?;
                step();
            }
        })
    }),
    ("a nursery", |step| {
        Box::pin(async move {
            loop {
                nursery(async |_| Ok(())).await?;
                step();
            }
        })
    }),
    ("a context manager", |step| {
        Box::pin(async move {
            loop {
                let manager = context_manager(async |y: Yielder<()>| y.yield_(()).await.map(drop));
                with(manager, async |()| Ok(())).await?;
                step();
            }
        })
    }),
];

/// Runs a loop in a scope that is cancelled already. Returns how many steps it took, and whether it
/// was told.
fn in_a_cancelled_scope(
    budget: u32,
    body: impl AsyncFnOnce(&dyn Fn()) -> Result<()>,
) -> (u64, bool) {
    let steps = Cell::new(0);
    let step = || {
        steps.set(steps.get() + 1);
        assert!(steps.get() < ENOUGH, "it does not learn that it was cancelled");
    };
    let mut told = false;
    let main = cancel_scope(async |scope| {
        scope.cancel();
        let outcome = body(&step).await;
        told = matches!(&outcome, Err(error) if error.is::<Cancelled>());
        outcome
    });
    let builder = Builder::new().clock(&VirtualClock::new()).budget(budget);
    builder.run(main).expect("the scope absorbs it");
    (steps.get(), told)
}

#[test]
fn r07_a_loop_that_comes_to_no_checkpoint_learns_that_it_was_cancelled() {
    for (name, body) in LOOPS {
        for budget in [1, 2, 128] {
            let (_, told) = in_a_cancelled_scope(budget, async |step| body(step).await);
            assert!(told, "{name}, budget {budget}");
        }
    }
}

#[test]
fn r07_a_loop_that_ends_is_not_interrupted_in_a_cancelled_scope() {
    const ITEMS: u64 = 20_000;
    let (steps, told) = in_a_cancelled_scope(128, async |step| {
        let mut values = generator(async |y: Yielder<u64>| {
            for i in 0..ITEMS {
                y.yield_(i).await?;
            }
            Ok(())
        });
        while values.anext().await?.is_some() {
            step();
        }
        Ok(())
    });
    assert_eq!((steps, told), (ITEMS, false));
}

#[test]
fn r07_what_is_closed_when_it_learns_of_the_cancellation_has_been_closed() {
    let (opened, closed) = (Cell::new(0_u64), Cell::new(0_u64));
    let (_, told) = in_a_cancelled_scope(128, async |step| {
        nursery(async |n| {
            loop {
                let values = n.generator(async |y: Yielder<u64>| {
                    opened.set(opened.get() + 1);
                    let outcome = y.yield_(1).await;
                    closed.set(closed.get() + 1);
                    outcome.map(drop)
                });
                let outcome = aclosing(values, async |values| values.anext().await).await;
                assert_eq!(opened.get(), closed.get());
                outcome?;
                step();
            }
        })
        .await
    });
    assert!(told);
}

#[test]
fn r07_what_was_not_heeded_is_counted_for_each_task() {
    // Each of a thousand tasks does a little in a cancelled scope, all together a lot.
    let done = Cell::new(0);
    let outcome = Builder::new().clock(&VirtualClock::new()).run(cancel_scope(async |scope| {
        nursery(async |n| {
            for _ in 0..1_000 {
                n.spawn(async {
                    let mut values = generator(count);
                    for _ in 0..1_000 {
                        values.anext().await?;
                    }
                    done.set(done.get() + 1);
                    Ok(())
                });
            }
            scope.cancel();
            checkpoint().await
        })
        .await
    }));
    assert!(outcome.unwrap().is_none());
    assert_eq!(done.get(), 1_000);
}

#[test]
fn r07_clean_up_in_several_stretches_is_not_interrupted() {
    const STRETCH: u64 = 60_000;
    let (steps, told) = in_a_cancelled_scope(128, async |step| {
        for _ in 0..5 {
            let mut values = generator(count);
            for _ in 0..STRETCH {
                values.anext().await?;
                step();
            }
            // What it does in between is no part of a loop without checkpoints.
            let between = CancelScope::new().with_shield();
            let pause = async |_: &CancelScope| {
                for _ in 0..200 {
                    yield_now().await?;
                }
                Ok(())
            };
            between.enter(pause).await?;
        }
        Ok(())
    });
    assert_eq!((steps, told), (5 * STRETCH, false));
}
