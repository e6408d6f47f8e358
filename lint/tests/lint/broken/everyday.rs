//! Larger programs, as somebody would write them who does not know the rule.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use anyhow_like::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, pin_mut};
use seedbed::{
    CancelScope, Error, Event, Generator, Nursery, Receiver, Result, Sender, Yielder, aclosing,
    channel, checkpoint, fail_after, generator, interval, move_on_after, nursery, sleep,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

mod anyhow_like {
    pub trait Context {
        fn context(self, text: &str) -> Self;
    }
    impl<T> Context for seedbed::Result<T> {
        fn context(self, _: &str) -> Self {
            self
        }
    }
}

async fn fetch(page: u32) -> Result<Vec<u32>> {
    sleep(SECOND / 10).await?;
    Ok(if page < 3 { vec![page * 2, page * 2 + 1] } else { Vec::new() })
}

pub async fn pagination() -> Result<()> {
    fn pages() -> Generator<'static, u32> {
        generator(async |y: Yielder<u32>| {
            let mut page = 0;
            loop {
                let more = fail_after(SECOND, async {
                    let items = fetch(page).await.context("while fetching")?;
                    if items.is_empty() {
                        return Ok(false);
                    }
                    for item in items {
                        y.yield_(item).await?; //~ yield-in-scope
                    }
                    Ok(true)
                })
                .await?;
                if !more {
                    break;
                }
                page += 1;
            }
            Ok(())
        })
    }
    drain(pages()).await
}

pub async fn prefetching() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        nursery(async |n| {
            let mut next = n.spawn(fetch(0));
            for page in 1.. {
                let items = next.await?;
                if items.is_empty() {
                    break;
                }
                next = n.spawn(fetch(page));
                for item in items {
                    y.yield_(item).await?; //~ yield-in-scope
                }
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn heartbeats() -> Result<()> {
    let (tx, rx) = channel::<u32>(4);
    tx.send(1).await?;
    drop(tx);
    drain(generator(async move |y: Yielder<Option<u32>>| {
        let mut ended = false;
        while !ended {
            let heard = move_on_after(SECOND, async {
                match rx.recv().await? {
                    some @ Some(_) => y.yield_(some).await?, //~ yield-in-scope
                    None => {
                        ended = true;
                        None
                    }
                };
                Ok(())
            })
            .await?;
            if heard.is_none() {
                y.yield_(None).await?;
            }
        }
        Ok(())
    }))
    .await
}

pub async fn batches() -> Result<()> {
    async fn flush(batch: &mut Vec<u32>, y: &Yielder<Vec<u32>>) -> Result<()> {
        if !batch.is_empty() {
            y.yield_(std::mem::take(batch)).await?;
        }
        Ok(())
    }
    drain(generator(async |y: Yielder<Vec<u32>>| {
        let mut batch = Vec::new();
        let mut ticks = interval(SECOND);
        for i in 0..10 {
            batch.push(i);
            let full = batch.len() >= 4;
            fail_after(10 * SECOND, async {
                ticks.tick().await?;
                if full {
                    flush(&mut batch, &y).await?; //~ yield-in-scope
                }
                Ok(())
            })
            .await?;
        }
        flush(&mut batch, &y).await
    }))
    .await
}

pub async fn retries() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let mut attempt = 0;
        let outcome: Result<()> = 'retry: loop {
            attempt += 1;
            match fail_after(SECOND, async { y.yield_(attempt).await }).await { //~ yield-in-scope
                Ok(_) => break Ok(()),
                Err(error) if error.is_cancelled() || attempt > 2 => break 'retry Err(error),
                Err(_) => continue,
            }
        };
        outcome
    }))
    .await
}

pub async fn a_stream_of_futures() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let scope = CancelScope::new();
        scope
            .enter(async |_| {
                futures::stream::iter(0..3)
                    .map(Ok)
                    .try_for_each(|n| {
                        let y = &y;
                        async move { y.yield_(n).await.map(drop) } //~ yield-in-scope
                    })
                    .await
            })
            .await
            .map(drop)
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
        nursery(async |_| {
            while let Some(number) = numbers.next().await.transpose()? {
                y.yield_(number).await?; //~ yield-in-scope
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn a_future_pinned_by_a_macro() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let step = async { y.yield_(1).await.map(drop) };
        pin_mut!(step);
        checkpoint().await?;
        fail_after(SECOND, step).await //~ yield-in-scope
    }))
    .await
}

pub async fn shutting_down() -> Result<()> {
    let stop = Event::new();
    drain(generator(async move |y: Yielder<u32>| {
        nursery(async |n| {
            n.spawn(async {
                sleep(5 * SECOND).await?;
                stop.set();
                Ok(())
            });
            let mut i = 0;
            while !stop.is_set() {
                i += 1;
                let answer = y.yield_(i).await; //~ yield-in-scope
                if let Err(error) = answer {
                    n.cancel();
                    return Err(error);
                }
            }
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn a_tee() -> Result<()> {
    async fn tee(
        from: Generator<'static, u32>,
        copies: Sender<u32>,
        y: &Yielder<u32>,
    ) -> Result<()> {
        aclosing(from, async move |from| {
            while let Some(item) = from.anext().await? {
                copies.send(item).await?;
                y.yield_(item).await?;
            }
            Ok(())
        })
        .await
    }
    drain(generator(async |y: Yielder<u32>| {
        let source = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
        nursery(async |n: &Nursery<'_, '_>| {
            let (tx, rx): (Sender<u32>, Receiver<u32>) = channel(1);
            n.spawn(async move {
                while rx.recv().await?.is_some() {}
                Ok(())
            });
            let mut copying = pin!(tee(source, tx, &y)); //~ yield-in-scope
            copying.as_mut().await
        })
        .await
    }))
    .await
}

pub async fn a_queue_in_a_block() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let mut queue: VecDeque<u32> = (0..3).collect();
        let total = {
            let limit = SECOND;
            let sum = fail_after(limit, async {
                let mut sum = 0;
                while let Some(item) = queue.pop_front() {
                    sum += item;
                    let _ = y.yield_(sum).await?; //~ yield-in-scope
                }
                Ok(sum)
            });
            sum.await?
        };
        y.yield_(total).await.map(drop)
    }))
    .await
}
