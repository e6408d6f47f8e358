//! A yield of several values, which come out one after the other while the body waits.
//!
//! The first one is yielded like any other, and the rest is left in the link. As long as there is
//! nothing else to deal with, the driver takes the next one from there and does not poll the body.
//! Otherwise the body is resumed, takes the rest back, and yields the next value like the first.

use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use crate::error::Result;
use crate::generator::link::yielder::Stage;
use crate::generator::link::{Yield, Yielder};

impl<T> Yielder<T> {
    /// Gives these values to the consumer, one each time it asks, and waits until it asks for one
    /// more.
    ///
    /// To the consumer this is the same as
    ///
    /// ```ignore
    /// for value in values {
    ///     y.yield_(value).await?;
    /// }
    /// ```
    ///
    /// but the body is not polled in between, so an item costs a fraction of that. It is for values
    /// that are there already, such as a page or a buffer; those of an iterator have to be
    /// collected first. (If they are computed when they are asked for, or never end, yield each.)
    /// What the body runs beside this, in a `join` say, may have to wait until the last value has
    /// come out.
    ///
    /// Nothing happens before this is awaited, and nothing at all if there are no values.
    ///
    /// Like [`yield_`](Self::yield_), this is not a checkpoint. Each value counts against the
    /// consumer's [budget](crate::guide::scheduling#the-budget) when it is asked for. A consumer
    /// that sends values in would answer each of these, and one call cannot return all the answers.
    /// So this is only for generators that are sent nothing, whose `S` is `()`; for them an
    /// [`asend`](crate::Generator::asend) is the same as an [`anext`](crate::Generator::anext).
    ///
    /// # Errors
    ///
    /// The same as for [`yield_`](Self::yield_). An error that is thrown in, or
    /// [`GeneratorExit`](crate::GeneratorExit), comes out of this call, whichever value was given
    /// last, and the values that are left are dropped.
    ///
    /// ```
    /// use seedbed::{Result, Yielder, generator};
    ///
    /// async fn page(number: u32) -> Result<Vec<u32>> {
    ///     seedbed::checkpoint().await?; // a request
    ///     Ok((10 * number..10 * number + 3).collect())
    /// }
    ///
    /// # seedbed::run(async {
    /// let mut items = generator(async |y: Yielder<u32>| {
    ///     for number in 1.. {
    ///         y.yield_all(page(number).await?).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let mut got = Vec::new();
    /// while got.len() < 5 {
    ///     got.extend(items.anext().await?);
    /// }
    /// assert_eq!(got, [10, 11, 12, 20, 21]);
    /// items.aclose().await // 22 is dropped
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn yield_all(&self, values: impl Into<Vec<T>>) -> YieldAll<'_, T> {
        let link = self.link.pointer();
        let one = Yield { link, stage: Stage::Done, place: Location::caller() };
        YieldAll { one, rest: values.into().into_iter() }
    }
}

/// The future of [`Yielder::yield_all`].
#[must_use = "futures do nothing unless awaited"]
pub struct YieldAll<'a, T> {
    /// The yield of one of the values. It is done before the first and after the last one.
    one: Yield<'a, T, ()>,
    /// The values that come after it. While it waits, they are in the link.
    rest: vec::IntoIter<T>,
}

// The values are moved, never pinned.
impl<T> Unpin for YieldAll<'_, T> {}

impl<T> Future for YieldAll<'_, T> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            let waited = match this.one.stage {
                Stage::Waits => true,
                Stage::Offers(_) => false,
                Stage::Done => {
                    let Some(value) = this.rest.next() else { return Poll::Ready(Ok(())) };
                    this.one.stage = Stage::Offers(value);
                    false
                }
            };
            let outcome = Pin::new(&mut this.one).poll(cx);
            match (waited, &outcome) {
                (false, Poll::Pending) => this.leave_rest(),
                (true, Poll::Ready(_)) => this.take_rest(),
                (false, Poll::Ready(_)) | (true, Poll::Pending) => {}
            }
            if let Err(error) = ready!(outcome) {
                drop(mem::take(&mut this.rest)); // foreign code
                return Poll::Ready(Err(error));
            }
        }
    }
}

impl<T> YieldAll<'_, T> {
    /// Leaves the other values in the link, from when `one` begins to wait until it is resumed or
    /// given up.
    fn leave_rest(&mut self) {
        if self.rest.len() == 0 {
            return;
        }
        // SAFETY: no foreign code runs.
        if let Some(link) = unsafe { self.one.link.get() } {
            link.batch.put(mem::take(&mut self.rest));
            link.state.keep_batch();
        }
    }

    /// To be called when `one` has waited and was resumed.
    fn take_rest(&mut self) {
        // SAFETY: no foreign code runs: what is replaced is empty.
        let left = unsafe { self.one.link.get() }.and_then(|link| link.take_batch());
        if let Some(left) = left {
            self.rest = left;
        }
    }
}

impl<T> std::fmt::Debug for YieldAll<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("YieldAll").field("place", &self.one.place).finish_non_exhaustive()
    }
}
