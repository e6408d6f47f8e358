//! Generators that can fail and can be stored: each is boxed, and its type says nothing of its
//! body; its items are results with the error type of seedbed; and its body does something for each
//! item that may fail.
//!
//! | row | the body, for each item |
//! |---|---|
//! | `boxed` | yields it |
//! | `batch` | puts it into a vector, and yields that whenever there are 100 in it |
//!
//! A generator of seedbed is always of this kind. It also counts each item against the task's
//! budget, checks each yield, and can be sent to, thrown into and closed.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use seedbed::{Result, Yielder, generator};

use super::{consume, next, number, sum};
use crate::row::Row;
use crate::subjects::*;

pub fn rows(n: usize) -> Vec<Row> {
    let row = Row::nanoseconds_per("item", n, "generator/boxed")
        .time(SEEDBED, move || seedbed(n))
        .time(HAND_WRITTEN, move || hand_written(n));
    #[cfg(feature = "peers")]
    let row = row
        .time(ASYNC_STREAM, move || peers::async_stream(n))
        .time(ASYNK_STRIM, move || peers::asynk_strim(n))
        .time(GENAWAITER, move || peers::genawaiter(n))
        .time(UNFOLD, move || peers::unfold(n));
    let batch = Row::nanoseconds_per("item", n, "generator/batch")
        .time(SEEDBED, move || batches(n))
        .time(HAND_WRITTEN, move || hand_written_batches(n));
    #[cfg(feature = "peers")]
    let batch = batch.time(ASYNC_STREAM, move || peers::batches(n));
    vec![row, batch]
}

/// The numbers of a batch, the first of which is given.
fn batch(first: usize) -> Result<Vec<usize>> {
    (first..first + 100).map(number).collect()
}

type Boxed = Pin<Box<dyn Stream<Item = Result<usize>>>>;

/// The sum of a stream's items.
async fn sum_stream(items: Boxed) -> Result<usize> {
    let mut items = black_box(items);
    let mut sum = 0;
    while let Some(i) = next(&mut items).await {
        sum += black_box(i?);
    }
    Ok(sum)
}

fn seedbed(n: usize) -> Duration {
    consume(n, async {
        let items = generator(async move |y: Yielder<usize>| {
            for i in 0..n {
                y.yield_(number(i)?).await?;
            }
            Ok(())
        });
        sum(items).await
    })
}

fn hand_written(n: usize) -> Duration {
    struct Numbers {
        next: usize,
        n: usize,
    }

    impl Stream for Numbers {
        type Item = Result<usize>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<usize>>> {
            if self.next == self.n {
                return Poll::Ready(None);
            }
            self.next += 1;
            Poll::Ready(Some(number(self.next - 1)))
        }
    }

    consume(n, sum_stream(Box::pin(Numbers { next: 0, n })))
}

fn batches(n: usize) -> Duration {
    consume(n, async {
        let items = generator(async move |y: Yielder<usize>| {
            for first in (0..n).step_by(100) {
                y.yield_all(batch(first)?).await?;
            }
            Ok(())
        });
        sum(items).await
    })
}

fn hand_written_batches(n: usize) -> Duration {
    struct Batches {
        next: usize,
        n: usize,
        batch: std::vec::IntoIter<usize>,
    }

    impl Stream for Batches {
        type Item = Result<usize>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<usize>>> {
            if let Some(i) = self.batch.next() {
                return Poll::Ready(Some(Ok(i)));
            }
            if self.next == self.n {
                return Poll::Ready(None);
            }
            self.batch = batch(self.next)?.into_iter();
            self.next += 100;
            Poll::Ready(self.batch.next().map(Ok))
        }
    }

    consume(n, sum_stream(Box::pin(Batches { next: 0, n, batch: Vec::new().into_iter() })))
}

#[cfg(feature = "peers")]
mod peers {
    use ::async_stream::try_stream;
    use ::asynk_strim::{TryYielder, try_stream_fn};
    use ::futures::stream::try_unfold;
    use ::genawaiter::GeneratorState;
    use ::genawaiter::rc::Gen;
    use seedbed::Error;

    use super::*;

    pub fn async_stream(n: usize) -> Duration {
        let items = try_stream! {
            for i in 0..n {
                yield number(i)?;
            }
        };
        consume(n, sum_stream(Box::pin(items)))
    }

    pub fn batches(n: usize) -> Duration {
        let items = try_stream! {
            for first in (0..n).step_by(100) {
                for i in batch(first)? {
                    yield i;
                }
            }
        };
        consume(n, sum_stream(Box::pin(items)))
    }

    pub fn asynk_strim(n: usize) -> Duration {
        let items = try_stream_fn(move |mut y: TryYielder<usize, Error>| async move {
            for i in 0..n {
                y.yield_ok(number(i)?).await;
            }
            Ok(())
        });
        consume(n, sum_stream(Box::pin(items)))
    }

    pub fn genawaiter(n: usize) -> Duration {
        type Body = Pin<Box<dyn Future<Output = ()>>>;
        let items = Gen::new(|co| -> Body {
            Box::pin(async move {
                for i in 0..n {
                    let item = number(i);
                    let failed = item.is_err();
                    co.yield_(item).await;
                    if failed {
                        return;
                    }
                }
            })
        });
        consume(n, async {
            let mut items = black_box(items);
            let mut sum = 0;
            while let GeneratorState::Yielded(i) = items.async_resume().await {
                sum += black_box(i?);
            }
            Ok(sum)
        })
    }

    pub fn unfold(n: usize) -> Duration {
        let items = try_unfold(0, move |i| async move {
            if i == n { Ok(None) } else { Ok(Some((number(i)?, i + 1))) }
        });
        consume(n, sum_stream(Box::pin(items)))
    }
}
