//! Yields inside open flows.

use std::time::Duration;

use seedbed::flow::{Flow, Source, from_iter};
use seedbed::{Generator, Result, Yielder, flow, generator, iterate, sleep};

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

pub async fn for_each() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        flow(numbers())
            .map(|n| n * 2)
            .for_each(async |n| {
                y.yield_(n).await?; //~ yield-in-scope
                Ok(())
            })
            .await
    }))
    .await
}

pub async fn open() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        seedbed::flow::from_iter(0..9)
            .buffer(2)
            .open(async |items| {
                while let Some(item) = items.next().await? {
                    y.yield_(item).await?; //~ yield-in-scope
                }
                Ok(())
            })
            .await
    }))
    .await
}

pub async fn a_fold() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let all = from_iter([1, 2]).fold(0, async |sum, n| {
            y.yield_(sum).await?; //~ yield-in-scope
            Ok(sum + n)
        });
        let total = all.await?;
        y.yield_(total).await.map(drop)
    }))
    .await
}

pub async fn a_flow_with_a_name() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let doubled = flow(numbers()).map(|n| n * 2).boxed();
        doubled.for_each(async |n| y.yield_(n).await.map(drop)).await //~ yield-in-scope
    }))
    .await
}

pub async fn a_flow_of_a_function() -> Result<()> {
    fn squares<'a>() -> Flow<'a, impl Source<Value = u32>> {
        flow(numbers()).map(|n| n * n)
    }
    async fn forward<'a>(
        from: Flow<'a, impl Source<Value = u32>>,
        to: &Yielder<u32>,
    ) -> Result<()> {
        from.for_each(async |n| to.yield_(n).await.map(drop)).await //~ yield-in-scope
    }
    let outcome = drain(generator(async |y: Yielder<u32>| forward(squares(), &y).await)).await;
    assert!(outcome.is_err());
    drain(generator(async |y: Yielder<u32>| {
        squares().for_each(async |n| y.yield_(n).await.map(drop)).await //~ yield-in-scope
    }))
    .await
}

pub async fn merged() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let both = flow::merge([flow(numbers()), flow(numbers())]);
        let emit = async |n: u32| y.yield_(n).await.map(drop);
        both.for_each(emit).await //~ yield-in-scope
    }))
    .await
}

pub async fn an_iteration_in_a_flow() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        flow(numbers())
            .open(async |items| {
                iterate(
                    async |inner: Yielder<u32>| {
                        while let Some(item) = items.next().await? {
                            inner.yield_(item).await?; // this one is right
                        }
                        Ok(())
                    },
                    async |items| {
                        while let Some(item) = items.anext().await? {
                            y.yield_(item).await?; //~ yield-in-scope
                        }
                        Ok(())
                    },
                )
                .await
            })
            .await
    }))
    .await
}
