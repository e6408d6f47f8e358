//! Yields inside scopes, written in different ways.

use std::time::{Duration, Instant};

use seedbed::{
    CancelScope, Generator, Nursery, Receiver, Result, Yielder, aclosing, cancel_scope, channel,
    checkpoint, fail_after, fail_at, finishing, generator, idle, move_on_after, move_on_at,
    nursery, safe_channel, sleep, sync_generator, until_stopped,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

pub async fn a_timeout_around_all_of_it() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        fail_after(SECOND, async {
            for i in 0..3 {
                y.yield_(i).await?; //~ yield-in-scope
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn a_timeout_in_one_line() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        move_on_after(SECOND, async { y.yield_(1).await }).await.map(drop) //~ yield-in-scope
    }))
    .await
}

pub async fn a_timeout_around_the_future_of_a_yield() -> Result<()> {
    drain(generator(async |y: Yielder<&str>| {
        fail_after(SECOND, y.yield_("no block at all")).await?; //~ yield-in-scope
        Ok(())
    }))
    .await
}

pub async fn a_deadline() -> Result<()> {
    let deadline = seedbed::now() + SECOND;
    drain(generator(async move |y: Yielder<Instant>| {
        let outcome = fail_at(deadline, async {
            checkpoint().await?;
            y.yield_(deadline).await //~ yield-in-scope
        });
        outcome.await.map(drop)
    }))
    .await
}

pub async fn a_deadline_that_is_no_failure() -> Result<()> {
    drain(generator(async |y: Yielder<()>| {
        let in_time = move_on_at(seedbed::now() + SECOND, async {
            y.yield_(()).await?; //~ yield-in-scope
            Ok(())
        })
        .await?;
        assert!(in_time.is_some());
        Ok(())
    }))
    .await
}

pub async fn a_scope() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        cancel_scope(async |scope| {
            if y.yield_(1).await?.is_none() { //~ yield-in-scope
                scope.cancel();
            }
            Ok(())
        })
        .await
        .map(|_| ())
    }))
    .await
}

pub async fn a_scope_that_was_made_before() -> Result<()> {
    let scope = CancelScope::new().with_timeout(SECOND).with_shield();
    let mut numbers = generator(async move |y: Yielder<u32>| {
        scope.enter(async |_| y.yield_(1).await).await?; //~ yield-in-scope
        Ok(())
    });
    let outcome = numbers.anext().await;
    numbers.aclose().await?;
    outcome.map(drop)
}

pub async fn a_scope_in_a_chain() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        CancelScope::new()
            .with_timeout(SECOND)
            .enter(async |_| {
                sleep(SECOND / 2).await?;
                y.yield_(1).await?; //~ yield-in-scope
                y.yield_(2).await //~ yield-in-scope
            })
            .await?;
        Ok(())
    }))
    .await
}

pub async fn a_nursery_whose_children_feed_it() -> Result<()> {
    fn merged(all: Vec<Generator<'static, u32>>) -> Generator<'static, u32> {
        generator(async move |y: Yielder<u32>| {
            nursery(async |n: &Nursery<'_, '_>| {
                let (tx, rx) = channel(1);
                for one in all {
                    let tx = tx.clone();
                    n.spawn(aclosing(one, async move |one| {
                        while let Some(item) = one.anext().await? {
                            tx.send(item).await?;
                        }
                        Ok(())
                    }));
                }
                drop(tx);
                forward(&rx, &y).await //~ yield-in-scope
            })
            .await
        })
    }
    async fn forward(from: &Receiver<u32>, to: &Yielder<u32>) -> Result<()> {
        while let Some(item) = from.recv().await? {
            to.yield_(item).await?;
        }
        Ok(())
    }
    let one = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
    drain(merged(vec![one])).await
}

pub async fn sections() -> Result<()> {
    let outcome = drain(generator(async |y: Yielder<u8>| {
        finishing(async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
    }))
    .await;
    assert!(outcome.is_err());
    let outcome = drain(generator(async |y: Yielder<u8>| {
        idle(async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
    }))
    .await;
    assert!(outcome.is_err());
    drain(generator(async |y: Yielder<u8>| {
        until_stopped(y.yield_(1)).await.map(drop) //~ yield-in-scope
    }))
    .await
}

pub async fn in_the_consumer_of_a_channel() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        safe_channel(1, async |out| out.yield_(1).await, async |items| {
            while let Some(item) = items.recv().await? {
                y.yield_(item).await?; //~ yield-in-scope
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn the_innermost_is_named() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        nursery(async |_| {
            cancel_scope(async |_| {
                let limited = async {
                    let answer = y.yield_(7).await?; //~ yield-in-scope
                    Ok(answer)
                };
                limited.await
            })
            .await
            .map(drop)
        })
        .await
    }))
    .await
}

pub async fn a_synchronous_one() -> Result<()> {
    let mut ticks = sync_generator(async |y: Yielder<u32>| {
        for n in 0.. {
            move_on_after(SECOND, async { y.yield_(n).await }).await?; //~ yield-in-scope
        }
        Ok(())
    });
    ticks.next().unwrap().map(drop)
}

pub async fn in_the_generator_of_a_nursery() -> Result<()> {
    let limit = SECOND;
    nursery(async |n| {
        let mut inner = n.generator(async |y: Yielder<u32>| {
            fail_after(limit, async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
        });
        inner.anext().await.map(drop)
    })
    .await
}
