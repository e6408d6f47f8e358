//! Flows that are not open in the generator at its yields.

use std::time::Duration;

use seedbed::flow::{Flow, Source};
use seedbed::{Generator, Nursery, Result, Yielder, flow, generator, nursery, sleep};

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

pub async fn items_of_a_nursery() -> Result<()> {
    nursery(async |n: &Nursery<'_, '_>| {
        let mut items = flow(numbers()).buffer(1).produce_in(n);
        let mut doubled = n.generator(async move |y: Yielder<u32>| {
            while let Some(item) = items.next().await? {
                y.yield_(item * 2).await?;
            }
            items.close().await
        });
        while doubled.anext().await?.is_some() {}
        Ok(())
    })
    .await
}

pub async fn a_flow_that_is_returned() -> Result<()> {
    fn doubled<'a>() -> Flow<'a, impl Source<Value = u32>> {
        flow(numbers()).map(|n| n * 2)
    }
    let mut sum = 0;
    doubled()
        .for_each(async |n| {
            sum += n;
            Ok(())
        })
        .await?;
    assert_eq!(sum, 6);
    Ok(())
}

pub async fn a_source_that_yields() -> Result<()> {
    let count = flow(generator(async |y: Yielder<u32>| {
        y.yield_(1).await?;
        y.yield_(2).await.map(drop)
    }))
    .count()
    .await?;
    assert_eq!(count, 2);
    Ok(())
}

pub async fn folded_before() -> Result<()> {
    drain(generator(async |y: Yielder<u32>| {
        let sum = flow(numbers()).fold(0, async |sum, n| Ok(sum + n)).await?;
        y.yield_(sum).await?;
        let first = flow(numbers()).first().await?;
        y.yield_(first.unwrap_or(0)).await.map(drop)
    }))
    .await
}
