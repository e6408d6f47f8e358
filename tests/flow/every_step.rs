//! One lock for source, workers and consumer, and pipelines that are left, cancelled and dropped at
//! every step: none locks up, and nothing stays open.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use seedbed::sync::Mutex;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Result, Yielder, cancel_scope, flow, generator, nursery, sleep, yield_now,
};

use crate::support::shielded;
use crate::table::Numbers;

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Default)]
struct World {
    lock: Rc<Mutex<()>>,
    /// How many sources and workers have begun, and not cleaned up or been dropped.
    open: Rc<Cell<usize>>,
}

struct Open(World);

impl World {
    fn open(&self) -> Open {
        self.open.set(self.open.get() + 1);
        Open(self.clone())
    }

    /// Items from a source that locks, waits, and has a clean-up that does so, too.
    fn numbers(&self, n: u32) -> Numbers {
        let world = self.clone();
        flow(generator(async move |y: Yielder<u32>| {
            let _open = world.open();
            let outcome = async {
                for i in 0..n {
                    let guard = world.lock.lock().await?;
                    yield_now().await?;
                    drop(guard);
                    y.yield_(i).await?;
                    sleep(MS * (i % 2)).await?;
                }
                Ok(())
            }
            .await;
            shielded(async {
                let _guard = world.lock.lock().await?;
                sleep(MS).await
            })
            .await?;
            outcome
        }))
        .boxed()
    }

    /// A function that does the same.
    fn work(&self) -> impl AsyncFn(u32) -> Result<u32> + use<> {
        let world = self.clone();
        async move |i| {
            let _open = world.open();
            let outcome = async {
                let _guard = world.lock.lock().await?;
                yield_now().await?;
                sleep(MS * (i % 4)).await
            }
            .await;
            shielded(async {
                let _guard = world.lock.lock().await?;
                yield_now().await
            })
            .await?;
            outcome.map(|()| i)
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

type Pipeline = (&'static str, fn(&World) -> Numbers);

const PIPELINES: &[Pipeline] = &[
    ("buffer", |world| world.numbers(4).buffer(2).boxed()),
    ("then", |world| world.numbers(4).then(world.work()).boxed()),
    ("buffered", |world| world.numbers(4).buffered(3, world.work()).boxed()),
    ("buffer_unordered", |world| world.numbers(4).buffer_unordered(3, world.work()).boxed()),
    ("merge", |world| world.numbers(3).merge(world.numbers(3)).boxed()),
    ("flat_map_merge", |world| {
        let inner = world.clone();
        world.numbers(3).flat_map_merge(2, move |_| inner.numbers(2)).boxed()
    }),
    ("map_latest", |world| world.numbers(4).map_latest(world.work()).boxed()),
    ("flat_map_latest", |world| {
        let inner = world.clone();
        world.numbers(3).flat_map_latest(move |_| inner.numbers(2)).boxed()
    }),
    ("several", |world| {
        let other = world.numbers(2).then(world.work());
        let made = world.numbers(3).buffer(2).buffered(2, world.work());
        made.merge(other).map_latest(world.work()).buffer(1).boxed()
    }),
    ("time", |world| {
        let settled = world.numbers(4).timeout(MS * 20).debounce(MS);
        settled.chunks_timeout(2, MS * 2).map(|chunk| chunk[0]).boxed()
    }),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The pipeline came to its end first.
    First,
    Stopped,
}

/// Runs each pipeline under some schedules. `stop` is to stop it at a step; then at the next one,
/// until it comes to its end first.
fn at_every_step(stop: impl AsyncFn(Numbers, &World, usize) -> Result<Ended>) {
    for (name, pipeline) in PIPELINES {
        for seed in [None, Some(1)] {
            for step in 0.. {
                assert!(step < 1000, "{name} does not come to its end");
                let clock = VirtualClock::new();
                let builder = Builder::new().clock(&clock).detect_deadlock(true);
                let mut builder = builder.fail_when_stuck(true);
                if let Some(seed) = seed {
                    builder = builder.seed(seed);
                }
                let world = World::default();
                let ended = builder.run(stop(pipeline(&world), &world, step));
                let ended = ended.unwrap_or_else(|error| panic!("{name}, {step}: {error:?}"));
                assert_eq!(world.open.get(), 0, "{name}, {step}: open when the run has ended");
                if ended == Ended::First {
                    break;
                }
            }
        }
    }
}

/// Takes all items, and uses the lock in between.
async fn consume(numbers: Numbers, world: &World, most: usize) -> Result<Ended> {
    let mut left = most;
    let consumed = numbers.open(async |items| {
        while left > 0 {
            if items.next().await?.is_none() {
                return Ok(Ended::First);
            }
            left -= 1;
            let _guard = world.lock.lock().await?;
            yield_now().await?;
        }
        Ok(Ended::Stopped)
    });
    let ended = consumed.await?;
    assert_eq!(world.open.get(), 0, "open when the flow has returned");
    Ok(ended)
}

/// Lets others run, and the clock, this many times.
async fn pass(steps: usize) -> Result<()> {
    for step in 0..steps {
        if step % 4 == 0 {
            sleep(MS / 2).await?;
        } else {
            yield_now().await?;
        }
    }
    Ok(())
}

#[test]
fn o02_left_at_every_item() {
    at_every_step(consume);
}

#[test]
fn o02_cancelled_at_every_step() {
    at_every_step(async |numbers, world, steps| {
        let ended = cancel_scope(async |scope: &CancelScope| {
            nursery(async |n| {
                let consumer = n.spawn(consume(numbers, world, usize::MAX));
                n.spawn(async {
                    pass(steps).await?;
                    scope.cancel();
                    Ok(())
                });
                let ended = consumer.await?;
                n.cancel();
                Ok(ended)
            })
            .await
        });
        let ended = ended.await?;
        assert_eq!(world.open.get(), 0, "open when the scope was left");
        Ok(ended.unwrap_or(Ended::Stopped))
    });
}

/// By foreign code. Generators go to their finalizers, so they are closed when the run ends.
#[test]
fn o02_dropped_at_every_step() {
    at_every_step(async |numbers, world, steps| {
        let mut passing = pin!(pass(steps));
        let mut consumer = pin!(consume(numbers, world, usize::MAX));
        poll_fn(|cx| match passing.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(Ok(Ended::Stopped)),
            Poll::Pending => consumer.as_mut().poll(cx),
        })
        .await
    });
}
