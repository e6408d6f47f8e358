//! Items from a generator: numbers, added up by the consumer.
//!
//! | file | rows |
//! |---|---|
//! | `values` | generators as each library makes them, with values for items, or results if it must |
//! | `boxed` | generators that can fail and can be stored: boxed, with results for items |
//! | `in_place` | generators that can fail and are part of their consumers |
//!
//! All are driven by the same runtime, seedbed's, and by the same task, so the difference is that
//! of the generators. The hand-written `Stream` is what the others make comfortable.

mod boxed;
mod in_place;
mod values;

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use seedbed::{Error, Generator, Result};

use super::Size;
use crate::clock;
use crate::row::Row;
use crate::runtimes;

pub fn rows(size: Size) -> Vec<Row> {
    let n = size.of(1_000_000, 100_000);
    let mut rows = values::rows(n);
    rows.extend(boxed::rows(n));
    rows.extend(in_place::rows(n));
    rows
}

/// Times a consumer, and checks what it got.
fn consume(n: usize, consumer: impl Future<Output = Result<usize>>) -> Duration {
    runtimes::seedbed::run(async {
        let timed = clock::timed(async {
            assert_eq!(consumer.await.expect("it does not fail"), n * (n - 1) / 2);
        });
        Ok(timed.await)
    })
}

/// The sum of a generator's items.
async fn sum(items: Generator<'_, usize>) -> Result<usize> {
    let mut items = black_box(items);
    let mut sum = 0;
    while let Some(i) = items.anext().await? {
        sum += black_box(i);
    }
    Ok(sum)
}

/// What may fail.
fn number(i: usize) -> Result<usize> {
    if black_box(i) == usize::MAX { Err(Error::msg("it is too big")) } else { Ok(i) }
}

/// The next item of a stream.
async fn next<I>(items: &mut Pin<impl std::ops::DerefMut<Target: Stream<Item = I>>>) -> Option<I> {
    poll_fn(|cx| items.as_mut().poll_next(cx)).await
}
