//! A number of permits, given out first come, first served: what locks and semaphores are made of.
//!
//! A mutex has one permit. A lock for readers and a writer has as many as there can be readers, and
//! the writer takes them all. So there is one place where something is waited for by the one that
//! came first and not given to anybody else meanwhile, even if others would need less of it.
//!
//! A permit is available, or counted in what somebody [holds](Held), or in what an operation was
//! given and has not fetched.
//!
//! Nearly always nobody waits, and then the queue is not even looked at.

use std::cell::Cell;
use std::panic::Location;

use crate::error::Exclusive;
use crate::error::panic::FirstPanic;
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::waiters::Waiters;

pub(super) struct Permits {
    available: Cell<usize>,
    /// If clear, the permits are open and nobody is in the queue.
    obstacle: Cell<Obstacle>,
    closed: Cell<bool>,
    /// What it is, for those who look for what was given and not fetched.
    what: Exclusive,
    /// Each brings how many it needs. It is given as many, or `None` if the permits were closed.
    waiters: Waiters<Option<usize>>,
}

/// Whether there may be something in the way of taking permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Obstacle {
    None,
    /// Somebody waits or has waited, or the permits are closed.
    MayBe,
}

/// The result of an attempt to take permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Take {
    Taken,
    /// There are not as many now, or somebody has waited for longer.
    NotNow,
    Closed,
}

impl Permits {
    pub(super) const fn new(available: usize, what: Exclusive) -> Self {
        Permits {
            available: Cell::new(available),
            obstacle: Cell::new(Obstacle::None),
            closed: Cell::new(false),
            what,
            waiters: Waiters::new(),
        }
    }

    pub(super) fn available(&self) -> usize {
        self.available.get()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Takes `count` permits, if nobody has to wait for that.
    #[inline(always)]
    pub(super) fn take(&self, count: usize) -> Take {
        match self.available.get().checked_sub(count) {
            Some(left) if self.obstacle.get() == Obstacle::None => {
                self.available.set(left);
                Take::Taken
            }
            _ => self.take_if_allowed(count),
        }
    }

    fn take_if_allowed(&self, count: usize) -> Take {
        if self.closed.get() {
            return Take::Closed;
        }
        match self.available.get().checked_sub(count) {
            Some(left) if !self.waiters.is_anybody() => {
                self.available.set(left);
                Take::Taken
            }
            _ => Take::NotNow,
        }
    }

    /// Takes up to `count` of the available permits out of use. Returns how many these were.
    pub(super) fn forget(&self, count: usize) -> usize {
        let forgotten = count.min(self.available.get());
        self.available.set(self.available.get() - forgotten);
        forgotten
    }

    /// Adds `count` permits. This runs foreign code.
    ///
    /// # Panics
    ///
    /// If there would be more than `usize::MAX`.
    #[track_caller]
    pub(super) fn add(&self, count: usize) {
        assert!(self.available.get().checked_add(count).is_some(), "too many permits");
        self.give(count);
    }

    /// Gives back `count` permits. This runs foreign code.
    #[inline]
    pub(super) fn give(&self, count: usize) {
        // There can be too many only if others were added after these were taken.
        self.available.set(self.available.get().saturating_add(count));
        self.serve();
    }

    /// From now on nobody gets a permit. This runs foreign code.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.obstacle.set(Obstacle::MayBe);
        self.waiters.serve_present(|needs| *needs = None);
    }

    /// Gives the available permits to those that wait, so that nobody waits for what is there. This
    /// runs foreign code.
    #[inline(always)]
    fn serve(&self) {
        if self.obstacle.get() != Obstacle::None {
            self.serve_waiters();
        }
    }

    #[inline(never)]
    fn serve_waiters(&self) {
        let mut panic = FirstPanic::new();
        loop {
            let available = self.available.get();
            let has_enough = |needs: &Option<usize>| needs.is_some_and(|needs| needs <= available);
            let Some(mut next) = self.waiters.next_if(has_enough) else { break };
            self.available.set(available - next.value().unwrap_or(0));
            let waker = next.serve_alone(self.what);
            panic.catch(|| waker.wake()); // foreign code
        }
        if !self.closed.get() && !self.waiters.is_anybody() {
            self.obstacle.set(Obstacle::None);
        }
        panic.resume();
    }
}

/// Permits that are given back when this is dropped.
pub(super) struct Held<'a> {
    permits: &'a Permits,
    count: usize,
}

impl<'a> Held<'a> {
    /// For permits that have been taken.
    pub(super) fn new(permits: &'a Permits, count: usize) -> Self {
        Held { permits, count }
    }

    /// Gives back all except one.
    pub(super) fn keep_one(&mut self) {
        let given = self.count - 1;
        self.count = 1;
        self.permits.give(given); // foreign code
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.permits.give(self.count); // foreign code
    }
}

/// What somebody wants permits for.
pub(super) trait Purpose {
    /// See [`Queued::NAME`].
    const NAME: &'static str;

    /// What comes of it.
    type Got;

    fn permits(&self) -> &Permits;

    /// How many it needs.
    fn count(&self) -> usize;

    /// What comes of it when the permits have been taken.
    fn taken(&self) -> Self::Got;

    /// What comes of it when the permits were closed.
    fn closed(&self) -> Self::Got;

    /// What is kept from others by this, if it is.
    fn keeps(&self, got: &Self::Got) -> Option<Exclusive>;
}

/// The operation that waits for permits.
pub(super) struct Taking<P> {
    purpose: P,
    place: &'static Location<'static>,
}

impl<P: Purpose> Taking<P> {
    #[inline]
    pub(super) fn begin(purpose: P, place: &'static Location<'static>) -> Doing<Self> {
        Doing::new(Taking { purpose, place })
    }
}

impl<P> Taking<P> {
    /// Where the user called it.
    pub(super) fn called(&self) -> &'static Location<'static> {
        self.place
    }
}

impl<P: Purpose> Queued for Taking<P> {
    const NAME: &'static str = P::NAME;
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = Some(Exclusive::Permit);

    type Value = Option<usize>;
    type Got = P::Got;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn queue(&self) -> &Waiters<Option<usize>> {
        &self.purpose.permits().waiters
    }

    #[inline(always)]
    fn attempt(&mut self, _: When) -> Tried<P::Got> {
        match self.purpose.permits().take(self.purpose.count()) {
            Take::Taken => Tried::Done(self.purpose.taken()),
            Take::NotNow => Tried::Waits,
            Take::Closed => Tried::Done(self.purpose.closed()),
        }
    }

    fn pause(&mut self, got: &P::Got) -> Option<Exclusive> {
        self.purpose.keeps(got)
    }

    #[inline(always)]
    fn bring(&self, needs: &mut Option<usize>) {
        *needs = Some(self.purpose.count());
        self.purpose.permits().obstacle.set(Obstacle::MayBe);
    }

    #[inline(always)]
    fn left(&mut self) {
        self.purpose.permits().serve(); // those behind it may need less
    }

    #[inline(always)]
    fn receive(&mut self, given: Option<usize>) -> P::Got {
        match given {
            Some(_) => self.purpose.taken(),
            None => self.purpose.closed(),
        }
    }

    fn pass_on(&mut self, given: Option<usize>) {
        if given.is_some() {
            self.purpose.permits().give(self.purpose.count());
        }
    }
}
