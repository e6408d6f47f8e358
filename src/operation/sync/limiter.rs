//! A limit on how much happens at once.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::panic::FirstPanic;
use crate::error::{Exclusive, Result};
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::waiters::Waiters;
use crate::schedule::budget;

/// A limit on how much happens at once: a number of permits, given out first come, first served.
/// This is Trio's `CapacityLimiter`.
///
/// It limits the threads of [`to_thread`](crate::to_thread()), and can limit anything else, as a
/// semaphore does. Unlike a semaphore, it knows how many permits there are in total, and that
/// number [can be changed](Self::set_total).
///
/// Clones are handles to the same limiter. A limiter and its permits stay on their thread. A task
/// may have several permits, while in Trio's limiter each task can have only one.
///
/// ```
/// use seedbed::{CapacityLimiter, nursery, yield_now};
///
/// seedbed::run(async {
///     let queries = CapacityLimiter::new(2);
///     nursery(async |n| {
///         for _ in 0..10 {
///             n.spawn(async {
///                 let _permit = queries.acquire().await?;
///                 assert!(queries.borrowed() <= 2);
///                 yield_now().await // a query
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     assert_eq!(queries.available(), 2);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone)]
pub struct CapacityLimiter {
    inner: Rc<Inner>,
}

struct Inner {
    total: Cell<usize>,
    borrowed: Cell<usize>,
    waiters: Waiters<()>,
}

impl CapacityLimiter {
    /// Makes a limiter with this many permits. If there are none, everybody waits until
    /// [`set_total`](Self::set_total) is called.
    #[must_use]
    pub fn new(total: usize) -> Self {
        let (total, borrowed) = (Cell::new(total), Cell::new(0));
        CapacityLimiter { inner: Rc::new(Inner { total, borrowed, waiters: Waiters::new() }) }
    }

    /// How many permits there are in total.
    #[must_use]
    pub fn total(&self) -> usize {
        self.inner.total.get()
    }

    /// Changes the number of permits. If there are now more, the tasks that have waited longest get
    /// them. If there are fewer than are in use, nobody loses a permit, but nobody gets one until
    /// enough have been given back.
    pub fn set_total(&self, total: usize) {
        self.inner.total.set(total);
        self.inner.serve();
    }

    /// How many permits are in use.
    #[must_use]
    pub fn borrowed(&self) -> usize {
        self.inner.borrowed.get()
    }

    /// How many permits are available now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.inner.available()
    }

    /// Takes a permit, and waits for one if none is available. The task that has waited longest is
    /// next. If the future is dropped after it was given a permit, the permit goes to the next
    /// task.
    ///
    /// It is a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); in that case no permit was taken.
    #[track_caller]
    pub fn acquire(&self) -> Acquire {
        self.acquire_for(Location::caller())
    }

    /// Does the same as [`acquire`](Self::acquire), on behalf of the caller at `place`.
    pub(crate) fn acquire_for(&self, place: &'static Location<'static>) -> Acquire {
        Acquire(Doing::new(Taking { limiter: self.clone(), place }))
    }

    /// Takes a permit if one is available now. This is not a checkpoint.
    #[must_use = "a permit is given back when it is dropped"]
    pub fn try_acquire(&self) -> Option<Permit> {
        budget::count();
        self.take()
    }

    fn take(&self) -> Option<Permit> {
        if self.available() == 0 {
            return None;
        }
        self.inner.borrow_one();
        Some(self.permit())
    }

    /// Makes a permit that has already been counted.
    fn permit(&self) -> Permit {
        Permit { limiter: self.clone() }
    }
}

impl Inner {
    fn available(&self) -> usize {
        self.total.get().saturating_sub(self.borrowed.get())
    }

    fn borrow_one(&self) {
        self.borrowed.set(self.borrowed.get() + 1);
    }

    fn give_back(&self) {
        self.borrowed.set(self.borrowed.get() - 1);
        self.serve();
    }

    /// Gives the available permits to waiting tasks, so that no task waits while one is available.
    fn serve(&self) {
        let mut panic = FirstPanic::new();
        while self.available() > 0 {
            let Some(waiter) = self.waiters.next() else { break };
            self.borrow_one();
            let waker = waiter.serve_alone(Exclusive::Permit);
            panic.catch(|| waker.wake()); // foreign code
        }
        panic.resume();
    }
}

impl std::fmt::Debug for CapacityLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CapacityLimiter")
            .field("total", &self.total())
            .field("borrowed", &self.borrowed())
            .finish_non_exhaustive()
    }
}

/// A permit of a [`CapacityLimiter`], given back when it is dropped.
#[must_use = "it is given back when it is dropped"]
pub struct Permit {
    limiter: CapacityLimiter,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.inner.give_back();
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("limiter", &self.limiter).finish()
    }
}

/// The future of [`CapacityLimiter::acquire`].
#[must_use = "futures do nothing unless awaited"]
pub struct Acquire(Doing<Taking>);

struct Taking {
    limiter: CapacityLimiter,
    place: &'static Location<'static>,
}

impl Queued for Taking {
    const NAME: &'static str = "CapacityLimiter::acquire";
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = Some(Exclusive::Permit);

    /// Nothing is passed: the permit is counted when it is given.
    type Value = ();
    type Got = Permit;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn queue(&self) -> &Waiters<()> {
        &self.limiter.inner.waiters
    }

    fn attempt(&mut self, _: When) -> Tried<Permit> {
        self.limiter.take().map_or(Tried::Waits, Tried::Done)
    }

    fn receive(&mut self, (): ()) -> Permit {
        self.limiter.permit()
    }

    fn pass_on(&mut self, (): ()) {
        self.limiter.inner.give_back();
    }
}

impl Future for Acquire {
    type Output = Result<Permit>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().0).poll(cx)
    }
}

impl std::fmt::Debug for Acquire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acquire").field("limiter", &self.0.work.limiter).finish_non_exhaustive()
    }
}
