//! A `next` that is dropped or cancelled loses nothing, whatever the operator.

use std::time::Duration;

use futures::future::{Either, select};
use seedbed::flow::Items;
use seedbed::{Result, Yielder, flow, generator, move_on_after, sleep};

use crate::support::{run, secs};
use crate::table::{Numbers, operators};

/// Five numbers, one every ten seconds. They come from a task, as a generator that the consumer runs
/// itself is cancelled with it.
fn slow() -> Numbers {
    let slow = generator(async |y: Yielder<u32>| {
        for i in 0..5 {
            sleep(secs(10)).await?;
            y.yield_(i).await?;
        }
        Ok(())
    });
    flow(slow).buffer(1).boxed()
}

/// How a consumer gets the next item.
trait Next: AsyncFn(&mut Items<seedbed::flow::Boxed<'static, u32>>) -> Result<Option<u32>> {}
impl<F: AsyncFn(&mut Items<seedbed::flow::Boxed<'static, u32>>) -> Result<Option<u32>>> Next for F {}

/// What comes of the numbers: up to 20 items, as some operators go on without an end.
async fn twenty(numbers: Numbers, next: impl Next) -> Result<Vec<u32>> {
    numbers
        .open(async |items| {
            let mut all = Vec::new();
            while all.len() < 20
                && let Some(item) = next(items).await?
            {
                all.push(item);
            }
            Ok(all)
        })
        .await
}

#[test]
fn o01_a_dropped_or_cancelled_next_loses_nothing() {
    for operator in operators().filter(|operator| !operator.name.contains("merge")) {
        let patient = run(twenty((operator.apply)(slow()), async |items| items.next().await));
        let patient = patient.unwrap();
        assert!(patient.len() >= 4, "{}: {patient:?}", operator.name);

        let dropping = run(twenty((operator.apply)(slow()), async |items| {
            loop {
                let next = Box::pin(items.next());
                match select(next, sleep(Duration::from_millis(3300))).await {
                    Either::Left((item, _)) => return item,
                    Either::Right((slept, _)) => slept?,
                }
            }
        }));
        assert_eq!(dropping.unwrap(), patient, "{}, dropped", operator.name);

        let cancelling = run(twenty((operator.apply)(slow()), async |items| {
            loop {
                if let Some(item) = move_on_after(secs(3), items.next()).await? {
                    return Ok(item);
                }
            }
        }));
        assert_eq!(cancelling.unwrap(), patient, "{}, cancelled", operator.name);
    }
}
