//! Yields in the ways that a program can take: loops, branches, `?`, closures, blocks.

use std::pin::pin;
use std::time::Duration;

use futures::future::FutureExt as _;
use seedbed::{
    Error, Generator, Nursery, Result, Yielder, cancel_scope, channel, fail_after, generator, move_on_after,
    nursery, sleep,
};

use crate::programs::drain;

const SECOND: Duration = Duration::from_secs(1);

pub async fn loops() -> Result<()> {
    drain(generator(async |y: Yielder<usize>| {
        let mut words = ["a", "b"].into_iter();
        'outer: loop {
            while let Some(word) = words.next() {
                for _ in 0..1 {
                    move_on_after(SECOND, async {
                        y.yield_(word.len()).await //~ yield-in-scope
                    })
                    .await?;
                }
                continue 'outer;
            }
            break Ok(());
        }
    }))
    .await
}

pub async fn an_arm() -> Result<()> {
    enum Kind {
        Small(u32),
        Large { size: u32 },
        Nothing,
    }
    drain(generator(async |y: Yielder<u32>| {
        for kind in [Kind::Nothing, Kind::Small(1), Kind::Large { size: 2 }] {
            fail_after(SECOND, async {
                match kind {
                    Kind::Small(n) if n > 5 => drop(y.yield_(n).await?), //~ yield-in-scope
                    Kind::Small(n) => {
                        let _ = n;
                    }
                    Kind::Large { size: y_ } => drop(y.yield_(y_).await?), //~ yield-in-scope
                    Kind::Nothing => {}
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }))
    .await
}

pub async fn let_else() -> Result<()> {
    let (tx, rx) = channel::<u32>(4);
    tx.send(1).await?;
    drain(generator(async move |y: Yielder<u32>| {
        nursery(async |_| {
            let Some(item) = rx.recv().await? else {
                return Err(Error::msg("nothing"));
            };
            let Ok(Some(())) = y.yield_(item).await else { //~ yield-in-scope
                return Err(Error::msg("refused"));
            };
            Ok(())
        })
        .await
    }))
    .await
    .or_else(|_| refused_so_far())
}

/// The refusal was handled by the program above, so here is another one.
fn refused_so_far() -> Result<()> {
    let mut last = seedbed::sync_generator(async |y: Yielder<()>| {
        cancel_scope(async |_| y.yield_(()).await).await.map(drop) //~ yield-in-scope
    });
    last.next().unwrap()
}

pub async fn a_closure_that_is_named_first() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let work = async |_: &seedbed::CancelScope| {
            sleep(SECOND).await?;
            y.yield_(1).await
        };
        cancel_scope(work).await.map(drop) //~ yield-in-scope
    }))
    .await
}

pub async fn a_future_that_is_pinned_first() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let mut step = pin!(async {
            y.yield_(1).await?;
            Ok(())
        });
        fail_after(SECOND, step.as_mut()).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_boxed_future() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let body = async { y.yield_(1).await.map(drop) };
        let step = Box::pin(body);
        fail_after(SECOND, step).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_block_in_a_block() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let y = &y;
        let outcome: Result<Option<()>> = {
            let limit = SECOND;
            move_on_after(limit, async move {
                let inner = async move {
                    let deepest = async move { y.yield_(1).await.map(drop) }; //~ yield-in-scope
                    deepest.await
                };
                inner.await
            })
            .await
        };
        outcome.map(drop)
    }))
    .await
}

pub async fn a_chain_of_adapters() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        fail_after(SECOND, y.yield_(1).map(|answer| answer.map(|_| ()))).await //~ yield-in-scope
    }))
    .await
}

pub async fn conditions() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        cancel_scope(async |_| {
            let answer = if true { y.yield_(1).await } else { Ok(None) }?; //~ yield-in-scope
            Ok(answer.unwrap_or(()))
        })
        .await?;
        Ok(())
    }))
    .await
}

pub async fn joined() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        nursery(async |_| {
            let (a, b) = futures::join!(sleep(SECOND), y.yield_(1)); //~ yield-in-scope
            a?;
            b.map(drop)
        })
        .await
    }))
    .await
}

pub async fn tried_together() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        fail_after(SECOND, async {
            futures::try_join!(
                sleep(SECOND / 2),
                async { y.yield_(1).await.map(drop) }, //~ yield-in-scope
            )?;
            Ok(())
        })
        .await
    }))
    .await
}

pub async fn by_a_function_of_futures() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        cancel_scope(async |_| {
            let both = futures::future::join(sleep(SECOND), y.yield_(1)); //~ yield-in-scope
            both.await.1
        })
        .await?;
        Ok(())
    }))
    .await
}

pub async fn in_an_assertion() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        nursery(async |_| {
            let answer = y.yield_(1).await; //~ yield-in-scope
            assert!(matches!(answer, Ok(None)) || answer.is_err());
            answer.map(drop)
        })
        .await
    }))
    .await
}

struct Source {
    limit: Duration,
}

impl Source {
    fn items<'s>(&'s self, n: &'s Nursery<'s, '_>) -> Generator<'s, Duration> {
        n.generator(async |y: Yielder<Duration>| {
            fail_after(self.limit, async {
                y.yield_(self.limit).await?; //~ yield-in-scope
                Ok(())
            })
            .await
        })
    }
}

pub async fn a_method() -> Result<()> {
    let source = Source { limit: SECOND };
    nursery(async |n: &Nursery<'_, '_>| drain(source.items(n)).await).await
}

pub async fn a_body_that_is_a_block() -> Result<()> {
    drain(generator(|y: Yielder<u32>| async move {
        fail_after(SECOND, async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_yielder_of_no_written_type() -> Result<()> {
    let items: Generator<'_, u32> = generator(async |y| {
        fail_after(SECOND, async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
    });
    drain(items).await
}

pub async fn a_body_that_is_named_first() -> Result<()> {
    let body = async |y: Yielder<u32>| {
        fail_after(SECOND, async { y.yield_(1).await.map(drop) }).await //~ yield-in-scope
    };
    drain(generator(body)).await
}

pub async fn after_another_one_that_is_right() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        fail_after(SECOND, sleep(SECOND / 2)).await?;
        y.yield_(1).await?;
        let next = fail_after(SECOND, async { Ok(2) }).await?;
        y.yield_(next).await?;
        fail_after(SECOND, async { y.yield_(3).await.map(drop) }).await //~ yield-in-scope
    }))
    .await
}
