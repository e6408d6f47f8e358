//! Generators as each library makes them. One of seedbed is boxed, and its items are results; the
//! others are types of their own, inlined into their consumers, and their items are values.
//!
//! | row | the body, for each item |
//! |---|---|
//! | `plain` | yields it |
//! | `await` | awaits something that is pending once and wakes its task at once, and yields it |
//! | `scope` | enters and leaves a cancel scope of seedbed's, and yields it |
//! | `in_scope` | yields it; the consumer is inside of a cancel scope of seedbed's |

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use seedbed::Result;

use super::{next, sum};
use crate::row::Row;
use crate::subjects::*;

pub fn rows(n: usize) -> Vec<Row> {
    let works = [
        ("generator/plain", Work::Plain),
        ("generator/await", Work::Await),
        ("generator/scope", Work::Scope),
        ("generator/in_scope", Work::InScope),
    ];
    let row = |(name, work)| {
        let row = Row::nanoseconds_per("item", n, name)
            .time(SEEDBED, move || seedbed(work, n))
            .time(HAND_WRITTEN, move || hand_written(work, n));
        #[cfg(feature = "peers")]
        let row = peers::add(row, work, n);
        row
    };
    works.map(row).into()
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Plain,
    Await,
    Scope,
    InScope,
}

/// A future that is pending once.
#[derive(Default)]
struct Once {
    polled: bool,
}

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What a body that uses a scope does for an item.
async fn scope(i: usize) -> Result<usize> {
    Ok(seedbed::cancel_scope(async |_| Ok(i)).await?.expect("it is not cancelled"))
}

/// Times a consumer, inside a scope if that is the row's work.
fn consume(work: Work, n: usize, consumer: impl Future<Output = Result<usize>>) -> Duration {
    super::consume(n, async {
        match work {
            Work::InScope => {
                let sum = seedbed::cancel_scope(async |_| consumer.await).await?;
                Ok(sum.expect("it is not cancelled"))
            }
            _ => consumer.await,
        }
    })
}

fn seedbed(work: Work, n: usize) -> Duration {
    use seedbed::{Yielder, generator};

    match work {
        Work::Plain | Work::InScope => consume(work, n, async {
            let items = generator(async move |y: Yielder<usize>| {
                for i in 0..n {
                    y.yield_(i).await?;
                }
                Ok(())
            });
            sum(items).await
        }),
        Work::Await => consume(work, n, async {
            let items = generator(async move |y: Yielder<usize>| {
                for i in 0..n {
                    Once::default().await;
                    y.yield_(i).await?;
                }
                Ok(())
            });
            sum(items).await
        }),
        Work::Scope => consume(work, n, async {
            let items = generator(async move |y: Yielder<usize>| {
                for i in 0..n {
                    y.yield_(scope(i).await?).await?;
                }
                Ok(())
            });
            sum(items).await
        }),
    }
}

/// The sum of a stream's items.
async fn sum_stream(items: impl Stream<Item = usize>) -> Result<usize> {
    let mut items = pin!(items);
    let mut sum = 0;
    while let Some(i) = next(&mut items).await {
        sum += black_box(i);
    }
    Ok(sum)
}

fn hand_written(work: Work, n: usize) -> Duration {
    /// A stream that does something before each item.
    struct Items<F, M> {
        next: usize,
        n: usize,
        before: Option<F>,
        make: M,
    }

    impl<F: Future, M: Fn(usize) -> F> Stream for Items<F, M> {
        type Item = usize;

        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
            // SAFETY: `before` is pinned with the stream: it is dropped in place, never moved out.
            let this = unsafe { self.get_unchecked_mut() };
            if this.next == this.n {
                return Poll::Ready(None);
            }
            let before = this.before.get_or_insert_with(|| (this.make)(this.next));
            // SAFETY: as above.
            ready!(unsafe { Pin::new_unchecked(before) }.poll(cx));
            this.before = None;
            this.next += 1;
            Poll::Ready(Some(this.next - 1))
        }
    }

    struct Numbers {
        next: usize,
        n: usize,
    }

    impl Stream for Numbers {
        type Item = usize;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
            if self.next == self.n {
                return Poll::Ready(None);
            }
            self.next += 1;
            Poll::Ready(Some(self.next - 1))
        }
    }

    match work {
        Work::Plain | Work::InScope => consume(work, n, sum_stream(Numbers { next: 0, n })),
        Work::Await => {
            let make = |_| Once::default();
            consume(work, n, sum_stream(Items { next: 0, n, before: None, make }))
        }
        Work::Scope => {
            consume(work, n, sum_stream(Items { next: 0, n, before: None, make: scope }))
        }
    }
}

#[cfg(feature = "peers")]
mod peers {
    use ::async_stream::stream;
    use ::genawaiter::GeneratorState;
    use ::genawaiter::rc::Gen;

    use super::*;

    pub fn add(row: Row, work: Work, n: usize) -> Row {
        row.time(ASYNC_STREAM, move || async_stream(work, n))
            .time(GENAWAITER, move || genawaiter(work, n))
    }

    fn async_stream(work: Work, n: usize) -> Duration {
        match work {
            Work::Plain | Work::InScope => {
                let items = stream! {
                    for i in 0..n {
                        yield i;
                    }
                };
                consume(work, n, sum_stream(items))
            }
            Work::Await => {
                let items = stream! {
                    for i in 0..n {
                        Once::default().await;
                        yield i;
                    }
                };
                consume(work, n, sum_stream(items))
            }
            Work::Scope => {
                let items = stream! {
                    for i in 0..n {
                        yield scope(i).await.expect("it does not fail");
                    }
                };
                consume(work, n, sum_stream(items))
            }
        }
    }

    fn genawaiter(work: Work, n: usize) -> Duration {
        async fn sum<F: Future<Output = ()>>(mut items: Gen<usize, (), F>) -> Result<usize> {
            let mut sum = 0;
            while let GeneratorState::Yielded(i) = items.async_resume().await {
                sum += black_box(i);
            }
            Ok(sum)
        }
        match work {
            Work::Plain | Work::InScope => {
                let items = Gen::new(|co| async move {
                    for i in 0..n {
                        co.yield_(i).await;
                    }
                });
                consume(work, n, sum(items))
            }
            Work::Await => {
                let items = Gen::new(|co| async move {
                    for i in 0..n {
                        Once::default().await;
                        co.yield_(i).await;
                    }
                });
                consume(work, n, sum(items))
            }
            Work::Scope => {
                let items = Gen::new(|co| async move {
                    for i in 0..n {
                        co.yield_(scope(i).await.expect("it does not fail")).await;
                    }
                });
                consume(work, n, sum(items))
            }
        }
    }
}
