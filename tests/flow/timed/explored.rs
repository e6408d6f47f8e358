//! The time operators in every order of the tasks: whatever runs first, they keep their word.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use seedbed::flow::{Boxed, Flow, Source};
use seedbed::testing::explore;
use seedbed::{CapacityLimiter, Result, TooSlow, Yielder, cancel_scope, flow, generator, sleep};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Numbers = Flow<'static, Boxed<'static, usize>>;

/// How many sources are open.
type Open = Rc<Cell<u32>>;

/// One after the other, each after so many milliseconds. It counts whether it is open.
fn after(open: &Open, pauses: &'static [u64]) -> Flow<'static, impl Source<Value = usize> + use<>> {
    let open = open.clone();
    flow(generator(async move |y: Yielder<usize>| {
        open.set(open.get() + 1);
        let outcome = async {
            for (i, pause) in pauses.iter().enumerate() {
                sleep(ms(*pause)).await?;
                y.yield_(i).await?;
            }
            Ok(())
        }
        .await;
        open.set(open.get() - 1);
        outcome
    }))
}

/// The items, if the consumer is busy for so many milliseconds with each.
async fn all<'a, T>(flow: Flow<'a, impl Source<Value = T> + 'a>, busy: u64) -> Result<Vec<T>> {
    let mut all = Vec::new();
    flow.for_each(async |item| {
        all.push(item);
        sleep(ms(busy)).await
    })
    .await?;
    Ok(all)
}

/// Items that arrive when a chunk is due belong to it or to the next one; none is lost, and they
/// stay in order.
#[test]
fn o01_chunks_timeout_in_every_order() {
    for busy in [0, 10] {
        let report = explore(|| async move {
            let open = Open::default();
            let chunks = after(&open, &[0, 10, 10]).chunks_timeout(2, ms(10));
            let chunks = all(chunks, busy).await?;
            assert!(chunks.iter().all(|chunk| (1..=2).contains(&chunk.len())), "{chunks:?}");
            assert_eq!(chunks.concat(), [0, 1, 2]);
            assert_eq!(open.get(), 0);
            Ok(())
        });
        assert!(report.is_complete(), "{report}");
    }
}

/// An item that comes when the one before has just settled does not replace it.
#[test]
fn o01_debounce_in_every_order() {
    for busy in [0, 10] {
        let report = explore(|| async move {
            let open = Open::default();
            let settled = all(after(&open, &[0, 10, 9]).debounce(ms(10)), busy).await?;
            assert!([&[0, 2][..], &[0, 1, 2]].contains(&&settled[..]), "{settled:?}");
            assert_eq!(open.get(), 0);
            Ok(())
        });
        assert!(report.is_complete(), "{report}");
    }
}

/// The last item always comes, and none comes twice.
#[test]
fn o01_sample_in_every_order() {
    for busy in [0, 10] {
        let report = explore(|| async move {
            let open = Open::default();
            let newest = all(after(&open, &[0, 10, 10]).sample(ms(10)), busy).await?;
            assert_eq!(newest.last(), Some(&2));
            assert!(newest.is_sorted_by(|one, next| one < next), "{newest:?}");
            assert_eq!(open.get(), 0);
            Ok(())
        });
        assert!(report.is_complete(), "{report}");
    }
}

#[test]
fn o01_throttle_in_every_order() {
    let report = explore(|| async {
        let open = Open::default();
        let paced = after(&open, &[0, 10, 5]).throttle(ms(10)).buffer(1);
        assert_eq!(all(paced, 10).await?, [0, 1, 2]);
        assert_eq!(open.get(), 0);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// An item that comes when the time is up is in time or too late, but the source is closed.
#[test]
fn o01_timeout_in_every_order() {
    let report = explore(|| async {
        let open = Open::default();
        let mut items = Vec::new();
        let outcome = after(&open, &[0, 10, 20])
            .timeout(ms(10))
            .for_each(async |i| {
                items.push(i);
                Ok(())
            })
            .await;
        assert!(outcome.unwrap_err().is::<TooSlow>());
        assert!([&[0][..], &[0, 1]].contains(&&items[..]), "{items:?}");
        assert_eq!(open.get(), 0);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// The consumer leaves or is cancelled at the very time at which something comes.
#[test]
fn o02_time_operators_are_closed_in_every_order() {
    async fn check<'a, T>(flow: Flow<'a, impl Source<Value = T> + 'a>) -> Result<()> {
        let left = Cell::new(false);
        let outcome = cancel_scope(async |scope| {
            flow.open(async |items| {
                items.next().await?;
                seedbed::nursery(async |n| {
                    drop(n.spawn(async {
                        sleep(ms(10)).await?;
                        scope.cancel();
                        Ok(())
                    }));
                    items.next().await?;
                    left.set(true);
                    n.cancel();
                    Ok(())
                })
                .await
            })
            .await
        })
        .await?;
        assert!(outcome.is_none() || left.get());
        Ok(())
    }
    const PAUSES: &[u64] = &[0, 10, 10];
    async fn closed<S: Source + 'static>(
        operator: impl Fn(Numbers) -> Flow<'static, S>,
    ) -> Result<()> {
        let open = Open::default();
        check(operator(after(&open, PAUSES).boxed())).await?;
        assert_eq!(open.get(), 0);
        Ok(())
    }
    explore(|| closed(|numbers| numbers.chunks_timeout(1, ms(10))));
    explore(|| closed(|numbers| numbers.debounce(ms(5))));
    explore(|| closed(|numbers| numbers.sample(ms(10))));
    explore(|| closed(|numbers| numbers.timeout(ms(15))));
    explore(|| closed(|numbers| numbers.throttle(ms(10))));
}

/// No futurelock, in any order.
#[test]
fn o01_time_operators_and_a_lock_in_every_order() {
    let report = explore(|| async {
        let lock = CapacityLimiter::new(1);
        let same = lock.clone();
        let rows = generator(async move |y: Yielder<u32>| {
            for row in 0..2 {
                y.yield_(row).await?;
                let permit = same.acquire().await?;
                sleep(ms(10)).await?;
                drop(permit);
            }
            Ok(())
        });
        let seen = RefCell::new(Vec::new());
        flow(rows)
            .chunks_timeout(9, ms(5))
            .for_each(async |chunk| {
                let _permit = lock.acquire().await?;
                seen.borrow_mut().extend(chunk);
                Ok(())
            })
            .await?;
        assert_eq!(seen.take(), [0, 1]);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}
