//! Scopes that have been left at the yield, or belong to another frame.

use std::time::Duration;

use seedbed::{
    CancelScope, Generator, Nursery, Receiver, Result, Yielder, aclosing, cancel_scope, channel,
    fail_after, generator, iterate, move_on_after, nursery, safe_channel, sleep, sync_generator,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

fn numbers() -> Generator<'static, u32> {
    generator(async |y: Yielder<u32>| {
        for i in 0..3 {
            sleep(SECOND).await?;
            y.yield_(i).await?;
        }
        Ok(())
    })
}

pub async fn the_value_is_taken_out() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        aclosing(numbers(), async |items| {
            while let Some(item) = fail_after(2 * SECOND, items.anext()).await? {
                y.yield_(item).await?;
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn the_scope_is_the_consumers() -> Result<()> {
    fail_after(10 * SECOND, drain(numbers())).await
}

pub async fn a_generator_made_in_a_scope() -> Result<()> {
    cancel_scope(async |_| {
        let mut items = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
        items.anext().await?;
        items.aclose().await
    })
    .await
    .map(drop)
}

pub async fn a_generator_of_a_nursery() -> Result<()> {
    nursery(async |n: &Nursery<'_, '_>| {
        let mut items = n.generator(async |y: Yielder<u32>| {
            for i in 0..2 {
                y.yield_(i).await?;
            }
            Ok(())
        });
        while let Some(item) = items.anext().await? {
            n.spawn(sleep(item * SECOND));
        }
        Ok(())
    })
    .await
}

pub async fn in_the_consumer_of_an_inner_one() -> Result<()> {
    drain(generator(async |outer: Yielder<u32>| {
        let inner = generator(async |inner: Yielder<u32>| inner.yield_(1).await.map(drop));
        aclosing(inner, async |inner| {
            while let Some(item) = inner.anext().await? {
                outer.yield_(item).await?;
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn an_inner_one_inside_a_scope_of_the_outer() -> Result<()> {
    drain(generator(async |outer: Yielder<u32>| {
        let sum = fail_after(10 * SECOND, async {
            let mut inner = generator(async |y: Yielder<u32>| {
                y.yield_(1).await?;
                y.yield_(2).await?;
                Ok(())
            });
            let mut sum = 0;
            while let Some(item) = inner.anext().await? {
                sum += item;
            }
            Ok(sum)
        })
        .await?;
        outer.yield_(sum).await.map(drop)
    }))
    .await
}

pub async fn a_producer() -> Result<()> {
    safe_channel(
        1,
        async |y| {
            nursery(async |n| {
                n.spawn(sleep(SECOND));
                fail_after(SECOND, y.yield_(1)).await
            })
            .await
        },
        async |items: &Receiver<u32>| {
            while items.recv().await?.is_some() {}
            Ok(())
        },
    )
    .await
}

pub async fn a_channel_from_a_child() -> Result<()> {
    nursery(async |n: &Nursery<'_, '_>| {
        let (tx, rx) = channel(1);
        n.spawn(async move {
            for i in 0..3 {
                fail_after(SECOND, async { Ok(tx.send(i).await?) }).await?;
            }
            Ok(())
        });
        drain(generator(async move |y: Yielder<u32>| {
            while let Some(item) = rx.recv().await? {
                y.yield_(item).await?;
            }
            Ok(())
        }))
        .await
    })
    .await
}

pub async fn one_after_the_other() -> Result<()> {
    drain(generator(async |y: Yielder<Option<u32>>| {
        let scope = CancelScope::new().with_timeout(SECOND);
        let first = scope.enter(async |_| Ok(1)).await?;
        y.yield_(first).await?;
        let second = move_on_after(SECOND, async {
            sleep(2 * SECOND).await?;
            Ok(2)
        })
        .await?;
        if let None = y.yield_(second).await? {
            y.yield_(None).await?;
        }
        Ok(())
    }))
    .await
}

pub async fn a_future_that_is_used_elsewhere() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let last = async { y.yield_(3).await };
        fail_after(SECOND, async { sleep(SECOND / 2).await }).await?;
        last.await.map(drop)
    }))
    .await
}

pub async fn a_closure_that_is_called_outside() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let emit = async |value: u32| y.yield_(value).await.map(drop);
        let value = cancel_scope(async |_| Ok(1)).await?.unwrap_or(0);
        emit(value).await?;
        emit(value + 1).await
    }))
    .await
}

pub async fn what_only_looks_like_a_yield() -> Result<()> {
    struct Writer(u32);
    impl Writer {
        async fn yield_(&mut self, value: u32) -> Result<()> {
            self.0 += value;
            Ok(())
        }
    }
    drain(generator(async |y: Yielder<u32>| {
        let mut writer = Writer(0);
        fail_after(SECOND, async {
            writer.yield_(1).await?;
            let y = &mut writer;
            y.yield_(2).await
        })
        .await?;
        y.yield_(writer.0).await.map(drop)
    }))
    .await
}

pub async fn what_only_looks_like_a_scope() -> Result<()> {
    async fn fail_after<T>(_: Duration, future: impl Future<Output = Result<T>>) -> Result<T> {
        future.await
    }
    drain(generator(async |y: Yielder<u32>| {
        fail_after(SECOND, async { y.yield_(1).await.map(drop) }).await
    }))
    .await
}

pub async fn a_synchronous_one() -> Result<()> {
    let squares = sync_generator(async |y: Yielder<u32>| {
        for i in 0..3 {
            y.yield_(i * i).await?;
        }
        Ok(())
    });
    let all: Vec<u32> = squares.collect::<Result<_>>()?;
    assert_eq!(all, [0, 1, 4]);
    Ok(())
}

pub async fn in_the_consumer_of_an_iterate() -> Result<()> {
    drain(generator(async |outer: Yielder<u32>| {
        iterate(
            async |inner: Yielder<u32>| {
                fail_after(SECOND, sleep(SECOND / 2)).await?;
                inner.yield_(1).await.map(drop)
            },
            async |items| {
                while let Some(item) = fail_after(SECOND, items.anext()).await? {
                    outer.yield_(item).await?;
                }
                Ok(())
            },
        )
        .await
    }))
    .await
}

pub async fn a_future_that_is_made_inside_and_run_outside() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let step = cancel_scope(async |_| {
            sleep(SECOND).await?;
            Ok(async { y.yield_(1).await })
        })
        .await?;
        match step {
            Some(step) => step.await.map(drop),
            None => Ok(()),
        }
    }))
    .await
}
