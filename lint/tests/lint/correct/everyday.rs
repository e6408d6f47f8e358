//! Larger programs that look much like the broken ones.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use seedbed::{
    CancelScope, Error, Generator, Nursery, Result, Yielder, aclosing, channel, checkpoint,
    fail_after, generator, iterate, move_on_after, nursery, safe_channel, sleep,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

async fn fetch(page: u32) -> Result<Vec<u32>> {
    sleep(SECOND / 10).await?;
    Ok(if page < 3 { vec![page * 2, page * 2 + 1] } else { Vec::new() })
}

pub async fn pagination() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        for page in 0.. {
            let items = fail_after(SECOND, fetch(page)).await?;
            if items.is_empty() {
                break;
            }
            for item in items {
                y.yield_(item).await?;
            }
        }
        Ok(())
    }))
    .await
}

pub async fn heartbeats() -> Result<()> {
    let (tx, rx) = channel::<u32>(4);
    tx.send(1).await?;
    drop(tx);
    drain(generator(async move |y: Yielder<Option<u32>>| {
        loop {
            match move_on_after(SECOND, rx.recv()).await? {
                Some(None) => break Ok(()),
                Some(item) => y.yield_(item).await?,
                None => y.yield_(None).await?,
            };
        }
    }))
    .await
}

pub async fn prefetching() -> Result<()> {
    let mut sum = 0;
    safe_channel(
        4,
        async |y| {
            nursery(async |n| {
                let mut next = n.spawn(fetch(0));
                for page in 1.. {
                    let items = next.await?;
                    if items.is_empty() {
                        break;
                    }
                    next = n.spawn(fetch(page));
                    for item in items {
                        y.yield_(item).await?;
                    }
                }
                Ok(())
            })
            .await
        },
        async |items| {
            while let Some(item) = items.recv().await? {
                sum += item;
            }
            Ok(())
        },
    )
    .await?;
    assert_eq!(sum, 15);
    Ok(())
}

pub async fn batches() -> Result<()> {
    drain(generator(async |y: Yielder<Vec<u32>>| {
        let mut batch = Vec::new();
        for i in 0..10 {
            fail_after(SECOND, async {
                sleep(SECOND / 2).await?;
                batch.push(i);
                Ok(())
            })
            .await?;
            if batch.len() >= 4 {
                y.yield_(std::mem::take(&mut batch)).await?;
            }
        }
        y.yield_(batch).await.map(drop)
    }))
    .await
}

pub async fn retries() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let mut attempt = 0;
        let value = loop {
            attempt += 1;
            let tried = fail_after(SECOND, async {
                if attempt < 3 {
                    return Err(Error::msg("not yet"));
                }
                Ok(attempt)
            });
            match tried.await {
                Ok(value) => break value,
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => sleep(SECOND).await?,
            }
        };
        y.yield_(value).await.map(drop)
    }))
    .await
}

pub async fn a_generator_for_each_child() -> Result<()> {
    nursery(async |n: &Nursery<'_, '_>| {
        for i in 0..3 {
            n.spawn(fail_after(
                10 * SECOND,
                drain(generator(async move |y: Yielder<u32>| {
                    sleep(i * SECOND).await?;
                    y.yield_(i).await.map(drop)
                })),
            ));
        }
        Ok(())
    })
    .await
}

pub async fn a_generator_inside_of_a_task_of_a_generator() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let sum = nursery(async |n: &Nursery<'_, '_>| {
            let task = n.spawn(async {
                let mut inner = generator(async |y: Yielder<u32>| {
                    y.yield_(1).await?;
                    y.yield_(2).await.map(drop)
                });
                let mut sum = 0;
                while let Some(item) = inner.anext().await? {
                    sum += item;
                }
                Ok(sum)
            });
            task.await
        })
        .await?;
        y.yield_(sum).await.map(drop)
    }))
    .await
}

pub async fn a_pinned_stream() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let numbers = futures::stream::iter([1, 2]).then(async |n| {
            sleep(SECOND).await?;
            Ok::<_, Error>(n)
        });
        pin_mut!(numbers);
        while let Some(number) = fail_after(2 * SECOND, async { numbers.next().await.transpose() }).await?
        {
            y.yield_(number).await?;
        }
        Ok(())
    }))
    .await
}

pub async fn a_step_that_is_begun_outside() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let step = async {
            fail_after(SECOND, checkpoint()).await?;
            y.yield_(1).await.map(drop)
        };
        let mut step = pin!(step);
        fail_after(SECOND, checkpoint()).await?;
        step.as_mut().await
    }))
    .await
}

pub async fn clean_up_under_a_shield() -> Result<()> {
    let mut items = generator(async |y: Yielder<u32>| {
        let outcome = async {
            for i in 0.. {
                y.yield_(i).await?;
            }
            Ok(())
        }
        .await;
        CancelScope::new()
            .with_timeout(SECOND)
            .with_shield()
            .enter(async |_| {
                let _ = sleep(SECOND / 2).await;
                Ok(())
            })
            .await?;
        outcome
    });
    items.anext().await?;
    items.aclose().await
}

pub async fn zipped() -> Result<()> {
    fn numbers() -> Generator<'static, u32> {
        generator(async |y: Yielder<u32>| {
            for i in 0..3 {
                y.yield_(i).await?;
            }
            Ok(())
        })
    }
    drain(generator(async |y: Yielder<(u32, u32)>| {
        aclosing(numbers(), async |left| {
            aclosing(numbers(), async |right| {
                while let (Some(l), Some(r)) =
                    (left.anext().await?, fail_after(SECOND, right.anext()).await?)
                {
                    y.yield_((l, r)).await?;
                }
                Ok(())
            })
            .await
        })
        .await
    }))
    .await
}

pub async fn nested_iterations() -> Result<()> {
    iterate(
        async |outer: Yielder<u32>| {
            iterate(
                async |inner: Yielder<u32>| {
                    inner.yield_(1).await?;
                    inner.yield_(2).await.map(drop)
                },
                async |items| {
                    while let Some(item) = items.anext().await? {
                        outer.yield_(item).await?;
                    }
                    Ok(())
                },
            )
            .await
        },
        async |items| {
            fail_after(SECOND, async {
                while items.anext().await?.is_some() {}
                Ok(())
            })
            .await
        },
    )
    .await
}
