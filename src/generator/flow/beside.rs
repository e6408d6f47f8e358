//! A stage of a flow that runs beside the consumer, in a task of its own.
//!
//! ```text
//! task:      next item of the source ──► work ──► send ─┐ queue
//! consumer:    ▲                                         ▼
//!              └───────── room comes back ◄───────── poll_next
//! ```
//!
//! A stage with one thing under way at a time [sends](Outlet::send) its items, and waits while the
//! queue is full. One with several takes [room](Outlet::room) before it begins anything, and
//! [gives](Outlet::give) the room away with what it has made: so what is begun and not taken is
//! limited, and not only what waits in the queue.
//!
//! What the task does with its source, its *work*, is inside a cancel scope. The consumer stops the
//! stage by cancelling that; the task then closes the source, outside of the scope, and ends. So a
//! consumer that leaves does not cancel the clean-up of the source, which may await. Only a
//! cancellation from outside reaches it.
//!
//! The task never fails. What it fails with comes to the consumer, after the items. A panic is the
//! exception: it ends the nursery that the task runs in.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use slab::Slab;

use crate::error::panic::{FirstPanic, catch_panic, report};
use crate::error::{Cancelled, Error, Group, Member, Origin, Reason, Result, Spawned};
use crate::generator::aclosing::Caught;
use crate::generator::flow::closing::settle;
use crate::generator::flow::tasks::Tasks;
use crate::generator::flow::{Items, Source};
use crate::operation::sync::channel::{Receiver, Sender, channel};
use crate::operation::sync::limiter::{CapacityLimiter, Permit};
use crate::scope::{self, CancelScope, Uncancellable};

/// Adds a task with this body to a flow, on behalf of the call of an operator at `place`. Returns
/// the source of what the body sends, of which up to `capacity` items are stored.
pub(super) fn beside<'a, T, F>(
    tasks: &mut Tasks<'a>,
    place: &'static Location<'static>,
    capacity: usize,
    body: F,
) -> Beside<T>
where
    F: AsyncFnOnce(&Outlet<T>) -> Result<()> + 'a,
    T: 'a,
{
    let stage = Rc::new(Stage {
        place,
        work: RefCell::default(),
        stops: Cell::new(Stops::No),
        failures: RefCell::default(),
        runs: Cell::new(true),
        closer: Cell::new(None),
    });
    let (sender, receiver) = channel(capacity);
    let outlet = Outlet { stage: stage.clone(), sender: Some(sender) };
    tasks.add(place, async move {
        let outcome = catch_panic(async { body(&outlet).await }).await;
        outlet.end(outcome);
    });
    Beside { stage, receiver, demand: None, waits: None }
}

/// The capacity of a stage that goes on when its item has been taken.
pub(super) const RENDEZVOUS: usize = 0;

/// The capacity of a stage that asks for [room](Outlet::room) first.
pub(super) const LIMITED_BY_ROOM: usize = usize::MAX;

/// What both ends of a stage share.
struct Stage {
    place: &'static Location<'static>,
    /// The scopes of the work that is under way.
    work: RefCell<Slab<CancelScope>>,
    stops: Cell<Stops>,
    /// What the stage has failed with, and the consumer has not been told yet.
    failures: RefCell<Vec<Error>>,
    /// Whether the task has not ended yet.
    runs: Cell<bool>,
    /// The consumer, if it waits for the end of the task.
    closer: Cell<Option<Waker>>,
}

/// Why the work of a stage stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stops {
    No,
    /// A part of it has failed.
    Failed,
    /// The consumer does not want any more.
    Left,
}

impl Stage {
    /// Cancels the work.
    fn stop(&self, why: Stops, reason: &'static str) {
        self.stops.set(why);
        let scopes: Vec<_> = self.work.borrow().iter().map(|(_, scope)| scope.clone()).collect();
        let mut panic = FirstPanic::new();
        panic.catch_each(&mut scopes.into_iter(), |scope| scope.cancel_with(reason)); // foreign wakers
        panic.resume();
    }

    /// The consumer leaves. What it has not been told yet, it does not want to know.
    fn leave(&self) {
        if self.stops.replace(Stops::Left) == Stops::Left {
            return;
        }
        for error in self.failures.take() {
            if !error.is_cancelled() {
                report!(
                    warn,
                    operator = %self.place,
                    %error,
                    "a flow had failed ahead of its consumer, which left before it came to that"
                );
            }
        }
        self.stop(Stops::Left, "the consumer of the flow has left");
    }

    /// What the stage has failed with: one error as it is, several as a group.
    fn take_failure(&self) -> Option<Error> {
        let mut failures = self.failures.take();
        match failures.len() {
            0 | 1 => failures.pop(),
            _ => {
                let member =
                    |error| Member { error, origin: Origin::Task(Spawned::At(self.place)) };
                let members = failures.into_iter().map(member);
                Some(Group::from_failures(self.place, members.collect()))
            }
        }
    }
}

/// The task's end of a stage.
pub(super) struct Outlet<T> {
    stage: Rc<Stage>,
    /// `None` when the task has ended.
    sender: Option<Sender<Given<T>>>,
}

/// An item on its way, and the room that it takes up until the consumer has it.
type Given<T> = (T, Option<Permit>);

impl<T> Outlet<T> {
    /// Sends an item to the consumer, once the queue has space for it. To be called in the stage's
    /// work.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], also if the consumer has left.
    pub(super) async fn send(&self, item: T) -> Result<()> {
        let place = self.stage.place;
        match self.sender().send_for((item, None), place).await {
            Ok(()) => Ok(()),
            Err(unsent) if unsent.error().is_cancelled() => Err(unsent.into()),
            Err(_) => Err(gone(place, "its consumer has left")),
        }
    }

    /// Gives an item to the consumer if it waits for one, even if the scope that this is called in
    /// is cancelled. Otherwise it does the same as [`send`](Self::send).
    pub(super) async fn offer(&self, item: T) -> Result<()> {
        match self.sender().try_send((item, None)) {
            Ok(()) => Ok(()),
            Err(unsent) => self.send(unsent.into_inner().0).await,
        }
    }

    /// Waits for room for one more item. To be called in the stage's work.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], also if the consumer has left since there was room: its leaving may be what
    /// made the room.
    pub(super) async fn room(&self, limit: &CapacityLimiter) -> Result<Permit> {
        let room = limit.acquire_for(self.stage.place).await?;
        scope::check()?;
        Ok(room)
    }

    /// Gives an item to the consumer, with the room that it takes up until it is taken.
    pub(super) fn give(&self, room: Permit, item: T) {
        // If the consumer has left, nobody wants it.
        drop(self.sender().try_send((item, Some(room)))); // foreign code
    }

    fn sender(&self) -> &Sender<Given<T>> {
        self.sender.as_ref().expect("the task runs")
    }

    /// Sends all items of a source.
    pub(super) async fn pass_on<S: Source<Value = T>>(&self, items: &mut Items<S>) -> Result<()> {
        while let Some(item) = items.pull().await? {
            self.send(item).await?;
        }
        Ok(())
    }

    /// Does some of the stage's work, in a scope that is cancelled when the consumer leaves.
    ///
    /// # Errors
    ///
    /// The work's, unless that is nothing but the consequence of the stage's being stopped.
    pub(super) async fn work(&self, work: impl Future<Output = Result<()>>) -> Result<()> {
        struct Leaving<'a>(&'a Stage, usize);
        impl Drop for Leaving<'_> {
            fn drop(&mut self) {
                self.0.work.borrow_mut().remove(self.1);
            }
        }
        if self.stage.stops.get() != Stops::No {
            return Ok(());
        }
        let scope = CancelScope::new();
        let leaving = Leaving(&self.stage, self.stage.work.borrow_mut().insert(scope.clone()));
        let outcome = scope.enter(async move |_| work.await).await;
        drop(leaving);
        match outcome {
            // A cancellation from outside as well: whoever it is meant for learns of it elsewhere.
            Err(error) if error.is_cancelled() && self.stage.stops.get() != Stops::No => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Does some of the stage's work with a source, and closes the source afterwards, whatever the
    /// outcome.
    pub(super) async fn drive<S, F>(&self, source: S, work: F) -> Result<()>
    where
        S: Source,
        F: AsyncFnOnce(&mut Items<S>) -> Result<()>,
    {
        let mut items = Items::new(source);
        let outcome = catch_panic(self.work(async { work(&mut items).await })).await;
        let closed = catch_panic(items.close()).await;
        settle(outcome, closed)
    }

    /// Says that a part of the stage has failed. The rest of the work is stopped.
    pub(super) fn fail(&self, error: Error) {
        self.stage.failures.borrow_mut().push(error);
        if self.stage.stops.get() == Stops::No {
            self.stage.stop(Stops::Failed, "another part of the flow has failed");
        }
    }

    /// Does the same as [`fail`](Self::fail) if this is an error.
    pub(super) fn fail_if(&self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.fail(error);
        }
    }

    /// The task has ended.
    fn end(self, outcome: Caught<Result<()>>) {
        let payload = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                self.stage.failures.borrow_mut().push(error);
                None
            }
            Err(payload) => {
                self.stage.failures.borrow_mut().push(gone(self.stage.place, "it panicked"));
                Some(payload)
            }
        };
        self.stage.runs.set(false);
        let mut panic = FirstPanic::new();
        if let Some(payload) = payload {
            panic.add(payload);
        }
        panic.catch(|| drop(self));
        if let Some(payload) = panic.take() {
            resume_unwind(payload); // in the nursery that the task runs in
        }
    }
}

/// What is told to a consumer of a stage whose task did not come to its end.
fn gone(place: &'static Location<'static>, how: &str) -> Error {
    Cancelled::new(place, Some(place), Reason::ChildFailed(how.into())).into()
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        if self.stage.runs.replace(false) {
            self.stage.failures.borrow_mut().push(gone(self.stage.place, "it was dropped"));
        }
        let closer = self.stage.closer.take();
        let sender = self.sender.take();
        // From here on, foreign code runs.
        let mut panic = FirstPanic::new();
        panic.catch(|| drop(sender));
        panic.catch(|| closer.into_iter().for_each(Waker::wake));
        panic.resume();
    }
}

/// The source of what a task beside the consumer gives.
///
/// Dropping it stops the task, which closes what it runs and ends; closing it waits for that too.
#[must_use = "streams do nothing unless polled"]
pub struct Beside<T> {
    stage: Rc<Stage>,
    receiver: Receiver<Given<T>>,
    /// Present if the task works only when it is asked to.
    demand: Option<Demand>,
    /// Present while the consumer waits for the end of the task.
    waits: Option<Uncancellable>,
}

impl<T> Stream for Beside<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        if let Some(demand) = &mut this.demand {
            demand.ask();
        }
        let next = ready!(this.receiver.poll_recv(this.stage.place, cx));
        Poll::Ready(match next {
            Ok(Some((item, _room))) => {
                if let Some(demand) = &mut this.demand {
                    demand.step = Demanded::Nothing;
                }
                Some(Ok(item))
            }
            Ok(None) => this.stage.take_failure().map(Err),
            Err(cancelled) => Some(Err(cancelled)),
        })
    }
}

impl<T> Source for Beside<T> {
    type Value = T;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let mut panic = FirstPanic::new();
        panic.catch(|| this.stage.leave());
        panic.catch(|| drop(mem::replace(&mut this.receiver, channel(0).1)));
        panic.resume();
        if this.stage.runs.get() {
            let waker = cx.waker().clone(); // foreign code
            let stale = this.stage.closer.replace(Some(waker));
            if this.waits.is_none() {
                this.waits = Uncancellable::new();
            }
            drop(stale); // foreign code
            if this.stage.runs.get() {
                return Poll::Pending;
            }
        }
        this.waits = None;
        Poll::Ready(this.stage.take_failure().map_or(Ok(()), Err))
    }
}

impl<T> Beside<T> {
    /// Makes the task work only when it is asked to: it gets a message for each item.
    pub(super) fn on_demand(mut self, asks: Sender<()>) -> Self {
        self.demand = Some(Demand { asks, step: Demanded::Nothing });
        self
    }
}

/// What asks a task for items one by one.
struct Demand {
    asks: Sender<()>,
    step: Demanded,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Demanded {
    Nothing,
    /// An item that has not been taken yet.
    Item,
}

impl Demand {
    fn ask(&mut self) {
        if self.step == Demanded::Nothing {
            self.step = Demanded::Item;
            // If the task has ended, there is nothing to ask for.
            let _ = self.asks.try_send(());
        }
    }
}

impl<T> Unpin for Beside<T> {}

impl<T> Drop for Beside<T> {
    fn drop(&mut self) {
        self.stage.leave();
    }
}

impl<T> std::fmt::Debug for Beside<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beside").field("operator", &self.stage.place).finish_non_exhaustive()
    }
}

/// Room for this many items that were begun and not taken.
pub(super) fn room_for(n: usize, place: &'static Location<'static>) -> CapacityLimiter {
    refuse_zero(n, place);
    CapacityLimiter::new(n)
}

/// Panics if this limit is 0.
pub(super) fn refuse_zero(n: usize, place: &'static Location<'static>) {
    assert!(n > 0, "the operator at {place} was given a limit of 0, so it could never begin");
}
