//! Permits for several things at once.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::{Error, Exclusive, Result};
use crate::operation::skeleton::Doing;
use crate::operation::sync::permits::{Permits, Purpose, Take, Taking};
use crate::schedule::budget;

/// A number of permits, of which a task can take several at once, given out first come, first
/// served.
///
/// A task that waits for many permits is served before those behind it that need fewer, so it is
/// not starved; while it waits, the available permits are kept for it. If it gives up, those behind
/// it are served at once.
///
/// To limit how much happens at once, [`CapacityLimiter`](crate::CapacityLimiter) is usually the
/// better choice: it knows how many permits there are in total, and that number can be set, by
/// whoever finds it too large or too small. A semaphore only knows how many are available. It is
/// for taking *several at once* (permits that stand for bytes of memory), for permits that are
/// [added](Self::add_permits) by one task and [used up](SemaphorePermit::forget) by another, and
/// for being [closed](Self::close).
///
/// ```
/// use seedbed::{nursery, sync::Semaphore, yield_now};
///
/// seedbed::run(async {
///     let memory = Semaphore::new(1000);
///     nursery(async |n| {
///         for size in [700, 200, 500] {
///             let memory = &memory;
///             n.spawn(async move {
///                 let _permits = memory.acquire_many(size).await?;
///                 let _buffer = vec![0; size];
///                 yield_now().await
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     assert_eq!(memory.available_permits(), 1000);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Semaphore {
    permits: Permits,
}

impl Semaphore {
    /// Makes a semaphore with this many permits.
    #[must_use]
    pub const fn new(permits: usize) -> Self {
        Semaphore { permits: Permits::new(permits, Exclusive::Permit) }
    }

    /// How many permits are available now.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.permits.available()
    }

    /// Adds permits. The tasks that have waited longest get them.
    ///
    /// # Panics
    ///
    /// If more than `usize::MAX` permits would be available.
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        budget::count();
        self.permits.add(count);
    }

    /// Takes up to `count` of the available permits out of use for good. Returns how many these
    /// were.
    pub fn forget_permits(&self, count: usize) -> usize {
        self.permits.forget(count)
    }

    /// Waits for a permit. The same as [`acquire_many`](Self::acquire_many)`(1)`.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many`](Self::acquire_many).
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<SemaphorePermit<'_>>> + Unpin {
        self.acquire_many(1)
    }

    /// Waits until there are `count` permits and nobody has waited for longer, and takes them.
    ///
    /// It is a checkpoint. If the future is dropped after it was given the permits, they go to the
    /// next tasks.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), or [`SemaphoreClosed`]; in either case no permit was taken.
    #[track_caller]
    pub fn acquire_many(
        &self,
        count: usize,
    ) -> impl Future<Output = Result<SemaphorePermit<'_>>> + Unpin {
        Acquiring(Taking::begin(Acquire(self, count), Location::caller()))
    }

    /// Like [`acquire`](Self::acquire), for permits that do not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many`](Self::acquire_many).
    #[track_caller]
    pub fn acquire_owned(
        self: Rc<Self>,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit>> + Unpin {
        self.acquire_many_owned(1)
    }

    /// Like [`acquire_many`](Self::acquire_many), for permits that do not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many`](Self::acquire_many).
    #[track_caller]
    pub fn acquire_many_owned(
        self: Rc<Self>,
        count: usize,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit>> + Unpin {
        Acquiring(Taking::begin(Acquire(self, count), Location::caller()))
    }

    /// Takes a permit, if one is available and nobody waits. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`].
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits, if as many are available and nobody waits. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`].
    pub fn try_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        take(self, count)
    }

    /// Like [`try_acquire_many`](Self::try_acquire_many), for permits that do not borrow the
    /// semaphore.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`].
    pub fn try_acquire_many_owned(
        self: Rc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        take(self, count)
    }

    /// Closes the semaphore: from now on nobody gets a permit, and the tasks that wait for one get
    /// [`SemaphoreClosed`]. Permits that tasks have stay valid.
    pub fn close(&self) {
        self.permits.close();
    }

    /// Whether the semaphore was [closed](Self::close).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }
}

fn take<S: Deref<Target = Semaphore>>(
    semaphore: S,
    count: usize,
) -> Result<PermitOf<S>, TryAcquireError> {
    budget::count();
    match semaphore.permits.take(count) {
        Take::Taken => Ok(PermitOf { semaphore, count }),
        Take::NotNow => Err(TryAcquireError::NoPermits),
        Take::Closed => Err(TryAcquireError::Closed),
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// One or several permits of a [`Semaphore`], given back when this is dropped.
pub type SemaphorePermit<'a> = PermitOf<&'a Semaphore>;

/// One or several permits of a [`Semaphore`] that keep it alive, given back when this is dropped.
pub type OwnedSemaphorePermit = PermitOf<Rc<Semaphore>>;

/// One or several permits of a [`Semaphore`], given back when this is dropped. `S` is a
/// [reference](SemaphorePermit) or an [`Rc`](OwnedSemaphorePermit).
#[must_use = "it is given back when it is dropped"]
pub struct PermitOf<S: Deref<Target = Semaphore>> {
    semaphore: S,
    count: usize,
}

impl<S: Deref<Target = Semaphore>> PermitOf<S> {
    /// How many permits these are.
    #[must_use]
    pub fn num_permits(&self) -> usize {
        self.count
    }

    /// Uses the permits up: they are not given back.
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// Adds the other's permits to these.
    ///
    /// # Panics
    ///
    /// If they are of different semaphores.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        let is_same = std::ptr::eq(&*self.semaphore, &*other.semaphore);
        assert!(is_same, "only permits of the same semaphore can be merged");
        self.count += std::mem::take(&mut other.count);
    }

    /// Takes some of these permits, if there are as many.
    pub fn split(&mut self, count: usize) -> Option<Self>
    where
        S: Clone,
    {
        self.count = self.count.checked_sub(count)?;
        Some(PermitOf { semaphore: self.semaphore.clone(), count })
    }
}

impl<S: Deref<Target = Semaphore>> Drop for PermitOf<S> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.semaphore.permits.give(self.count); // foreign code
        }
    }
}

impl<S: Deref<Target = Semaphore>> fmt::Debug for PermitOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit").field("num_permits", &self.count).finish_non_exhaustive()
    }
}

struct Acquire<S>(S, usize);

impl<S: Deref<Target = Semaphore> + Clone> Purpose for Acquire<S> {
    const NAME: &'static str = "Semaphore::acquire";

    type Got = Result<PermitOf<S>, SemaphoreClosed>;

    #[inline(always)]
    fn permits(&self) -> &Permits {
        &self.0.permits
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.1
    }

    #[inline(always)]
    fn taken(&self) -> Self::Got {
        Ok(PermitOf { semaphore: self.0.clone(), count: self.1 })
    }

    fn closed(&self) -> Self::Got {
        Err(SemaphoreClosed)
    }

    fn keeps(&self, got: &Self::Got) -> Option<Exclusive> {
        got.is_ok().then_some(Exclusive::Permit)
    }
}

/// The future of [`Semaphore::acquire`] and its like.
#[must_use = "futures do nothing unless awaited"]
struct Acquiring<S: Deref<Target = Semaphore> + Clone>(Doing<Taking<Acquire<S>>>);

impl<S: Deref<Target = Semaphore> + Clone> Future for Acquiring<S> {
    type Output = Result<PermitOf<S>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let doing = &mut self.get_mut().0;
        let polled = Pin::new(&mut *doing).poll(cx);
        polled.map(|outcome| match outcome {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(closed)) => Err(Error::from(closed).at(doing.work.called())),
            Err(error) => Err(error),
        })
    }
}

/// The semaphore was [closed](Semaphore::close).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SemaphoreClosed;

impl fmt::Display for SemaphoreClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no permit can be acquired: the semaphore was closed")
    }
}

impl StdError for SemaphoreClosed {}

/// Why no permit could be taken at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryAcquireError {
    /// There are not as many permits now, or other tasks have waited for longer.
    NoPermits,
    /// The semaphore was [closed](Semaphore::close).
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryAcquireError::NoPermits => f.write_str("there are not as many permits now"),
            TryAcquireError::Closed => SemaphoreClosed.fmt(f),
        }
    }
}

impl StdError for TryAcquireError {}
