//! Generators that are part of their consumer's future: nothing is boxed, the compiler sees both,
//! and each can fail: items are results with the error type of seedbed.
//!
//! | row | the body, for each item |
//! |---|---|
//! | `in_place` | yields it |
//!
//! The one of seedbed, made by `iterate`, also counts each item against the task's budget, checks
//! each yield, can be sent to and thrown into, and is closed on every way out.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use seedbed::{Result, Yielder, iterate};

use super::{consume, next, number};
use crate::row::Row;
use crate::subjects::*;

pub fn rows(n: usize) -> Vec<Row> {
    let row = Row::nanoseconds_per("item", n, "generator/in_place")
        .time(SEEDBED, move || seedbed(n))
        .time(HAND_WRITTEN, move || hand_written(n));
    #[cfg(feature = "peers")]
    let row = row.time(ASYNC_STREAM, move || peers::async_stream(n));
    vec![row]
}

/// The sum of a stream's items.
async fn sum_stream(items: impl Stream<Item = Result<usize>>) -> Result<usize> {
    let mut items = pin!(items);
    let mut sum = 0;
    while let Some(i) = next(&mut items).await {
        sum += std::hint::black_box(i?);
    }
    Ok(sum)
}

fn seedbed(n: usize) -> Duration {
    let items = iterate(
        async move |y: Yielder<usize>| {
            for i in 0..n {
                y.yield_(number(i)?).await?;
            }
            Ok(())
        },
        async |items| {
            let mut sum = 0;
            while let Some(i) = items.anext().await? {
                sum += std::hint::black_box(i);
            }
            Ok(sum)
        },
    );
    consume(n, items)
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

    consume(n, sum_stream(Numbers { next: 0, n }))
}

#[cfg(feature = "peers")]
mod peers {
    use ::async_stream::try_stream;

    use super::*;

    pub fn async_stream(n: usize) -> Duration {
        let items = try_stream! {
            for i in 0..n {
                yield number(i)?;
            }
        };
        consume(n, sum_stream(items))
    }
}
