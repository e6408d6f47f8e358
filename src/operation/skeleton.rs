//! Everything that operations have in common: all but the work itself.
//!
//! ```text
//!                      cancelled                        done, and the budget is spent
//!  Begin ── first look ────────► Checkpoint ──┐   try ───────────────► Paused ──┐
//!    ▲         │ nothing to do ──────▲        │    ▲ │ done                     │ others have run
//!    │         └─────────────────► try ◄──────┘    │ └─────────────► ready ◄────┘
//!    │ passed over                  │ has to wait  │ try again        ▲
//!    └─────────────────────────── Wait ────────────┴──────────────────┘ handed, or cancelled
//! ```
//!
//! 1. The **first look** is for cancellation: an operation that is cancelled before it has begun is
//!    charged to the budget, lets others run, and fails.
//! 2. The operation **tries** ([`Operation::attempt`]): it is done at once, has to wait, or turns
//!    out to be just a checkpoint.
//! 3. An operation that is done at once is charged to the budget, and **lets others run** if that
//!    is now spent. By then it has happened: no cancellation can undo it.
//! 4. An operation that has to wait **registers** ([`Operation::register`]) and [waits].
//! 5. When it is polled again, it **looks** ([`Operation::look`]): it has been given what it waited
//!    for, has been cancelled, or keeps waiting. Whichever came first decides.
//! 6. If it is **dropped** while it waits, it [leaves](Operation::leave). Anything that it was
//!    given but has not returned is [given back](Operation::give_back).
//!
//! The future of an operation is a [`Doing`]: the operation's own state and its [`Steps`]. An
//! operation that is ready, or that is given what it waits for, does not pay for the rare steps.
//! Their state is on the heap, so that it does not take up space in every future.

use std::future::Future;
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{Error, Exclusive, Result};
use crate::operation::checkpoint::{Checkpoint, checkpoint};
use crate::operation::handed::Delivery;
use crate::operation::waiters::{Kept, Leftover};
use crate::schedule::budget::{self, Share};
use crate::schedule::current::THREAD;
use crate::schedule::units::parked::{self, Parked, What};
use crate::scope::{self, frame};

/// The work of an operation.
pub(crate) trait Operation {
    /// The name of the function that the user called, for errors and for showing what a task waits
    /// for. It is listed in `schedule::units::parked`.
    const NAME: &'static str;
    /// What is shown when somebody asks what a generator is awaiting.
    const IS_SHOWN: Shown = Shown::Itself;
    /// How many operations it is charged as if it was cancelled before it began. As in Trio, some
    /// operations let others run twice before they fail.
    const COUNTS_WHEN_CANCELLED: u8;

    /// The result of the operation.
    type Got;
    /// The operation's state while it waits.
    type Wait;

    /// Where the user called it.
    fn place(&self) -> &'static Location<'static>;

    /// Whether there is nothing to do or to wait for, which makes the operation a mere checkpoint.
    #[inline(always)]
    fn is_checkpoint(&self) -> bool {
        false
    }

    /// Called when the operation was cancelled before it began, and is about to fail.
    #[inline(always)]
    fn cancelled_at_once(&mut self) {}

    /// Performs the operation, if that is possible without waiting.
    fn attempt(&mut self, when: When, cx: &mut Context<'_>) -> Tried<Self::Got>;

    /// Called when the operation has happened, but others run before the task learns of it. Returns
    /// what the operation keeps from others until then, if that is something that only one can
    /// have.
    #[inline(always)]
    fn pause(&mut self, _got: &Self::Got) -> Option<Exclusive> {
        None
    }

    /// Called after others have run.
    #[inline(always)]
    fn resume(&mut self, got: Self::Got) -> Result<Self::Got> {
        Ok(got)
    }

    /// Starts waiting.
    fn register(&mut self, cx: &Context<'_>, kept: &mut Kept) -> Registered<Self::Wait>;

    /// Returns what the operation was given, if there is nothing else to check.
    #[inline(always)]
    fn fetch(&mut self, _wait: &Self::Wait) -> Option<Self::Got> {
        None
    }

    /// Finds out what has become of the wait, and makes sure that this waker is the one to be
    /// woken.
    fn look(&mut self, wait: &mut Self::Wait, cx: &mut Context<'_>) -> Look<Self::Got>;

    /// Called when the operation is dropped while it waits. The state of the wait is dropped
    /// afterwards.
    fn leave(&mut self, wait: &mut Self::Wait);

    /// Called when the operation has happened, but is dropped while others run.
    #[inline(always)]
    fn give_back(&mut self, got: Self::Got) {
        drop(got);
    }
}

/// What is shown of a waiting operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    Itself,
    /// The operation inside it.
    Inside,
}

/// At which point an operation tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// It has just begun.
    First,
    /// It has passed a checkpoint.
    Passed,
    /// It has waited.
    Again,
}

/// The result of an attempt.
pub(crate) enum Tried<G> {
    /// It has happened.
    Done(G),
    /// It has happened, and was charged to the budget before.
    Counted(G),
    /// It tries after passing a checkpoint.
    AfterCheckpoint,
    /// It has to wait.
    Waits,
    #[cfg_attr(loom, expect(dead_code, reason = "for sockets"))]
    Failed(Error),
}

/// The result of registering.
pub(crate) enum Registered<W> {
    Waits(W),
    /// A foreign waker was cloned. That may have changed anything, so the operation has to check
    /// again whether it still needs to wait.
    LooksAgain,
    Failed(Error),
}

/// What has become of a waiting operation.
pub(crate) enum Look<G> {
    Waits,
    /// It has happened.
    Got(G),
    /// What it waits for may be available.
    Tries,
    /// It was passed over because it was cancelled, but was then moved out of the cancelled scope.
    /// It begins again.
    PassedOver(Leftover),
    Cancelled(Error, Option<Leftover>),
}

/// How far an operation has come. `W` is its state while it waits, `G` its result.
pub(crate) struct Steps<W, G>(Step<W, G>);

enum Step<W, G> {
    Begin,
    Wait(W),
    /// Dropped by hand, because there is nearly always nothing to drop. With the wrapper, the
    /// discriminant is kept apart from the contents: it is a number that one instruction can check.
    Rare(ManuallyDrop<Box<Rare<G>>>),
    End,
}

enum Rare<G> {
    /// The operation was cancelled before it began, is just a checkpoint, or has to pass one.
    Checkpoint(Checkpoint),
    /// The operation has happened; others run before the task learns of it.
    Paused(G, Delivery),
}

impl<W, G> Step<W, G> {
    fn rare(rare: Rare<G>) -> Self {
        Step::Rare(ManuallyDrop::new(Box::new(rare)))
    }
}

impl<W, G> Steps<W, G> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Steps(Step::Begin)
    }

    #[inline]
    pub(crate) fn have_ended(&self) -> bool {
        matches!(self.0, Step::End)
    }

    /// The operation's state, if it waits.
    #[inline]
    pub(crate) fn waits(&self) -> Option<&W> {
        if let Step::Wait(wait) = &self.0 { Some(wait) } else { None }
    }

    /// Continues the operation.
    #[inline(always)]
    pub(crate) fn poll<O>(&mut self, work: &mut O, cx: &mut Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        match &mut self.0 {
            Step::Begin => self.begin(work, cx),
            Step::Wait(wait) => match work.fetch(wait) {
                Some(got) => self.end(Ok(got)),
                None => self.look(work, cx),
            },
            _ => self.go_on(work, cx),
        }
    }

    /// To be called when the future is dropped.
    #[inline(always)]
    pub(crate) fn drop<O: Operation<Wait = W, Got = G>>(&mut self, work: &mut O) {
        if let Step::Wait(wait) = &mut self.0 {
            parked::take_back();
            work.leave(wait);
        } else if let Step::Rare(_) = self.0 {
            self.give_back(work);
        }
    }

    #[cold]
    fn give_back<O: Operation<Wait = W, Got = G>>(&mut self, work: &mut O) {
        if let Some(Rare::Paused(got, delivery)) = self.take_rare() {
            drop(delivery);
            work.give_back(got);
        }
    }

    #[inline(always)]
    fn begin<O>(&mut self, work: &mut O, cx: &mut Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        if work.is_checkpoint() {
            return self.pass(work, checkpoint(), cx);
        }
        if let Err(error) = scope::check() {
            return self.begin_failing(work, error, cx);
        }
        let tried = work.attempt(When::First, cx);
        self.tried(work, tried, cx)
    }

    #[inline(always)]
    fn tried<O>(&mut self, work: &mut O, tried: Tried<G>, cx: &mut Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        match tried {
            Tried::Done(got) if budget::spend() == Share::UsedUp => self.pause(work, got, cx),
            Tried::Done(got) | Tried::Counted(got) => self.end(Ok(got)),
            Tried::AfterCheckpoint => self.pass(work, checkpoint(), cx),
            Tried::Failed(error) => self.end(Err(error)),
            Tried::Waits => self.register(work, cx, Kept::default()),
        }
    }

    #[inline(always)]
    fn register<O>(&mut self, work: &mut O, cx: &mut Context<'_>, mut kept: Kept) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        match work.register(cx, &mut kept) {
            Registered::Waits(wait) => {
                self.0 = Step::Wait(wait);
                waits(work)
            }
            Registered::LooksAgain => self.begin_again(work, cx, kept),
            Registered::Failed(error) => self.end(Err(error)),
        }
    }

    #[inline(always)]
    fn end(&mut self, outcome: Result<G>) -> Poll<Result<G>> {
        self.0 = Step::End;
        Poll::Ready(outcome)
    }

    /// Begins again with a clone of a foreign waker: anything may have happened while it was made.
    #[cold]
    fn begin_again<O>(&mut self, work: &mut O, cx: &mut Context<'_>, kept: Kept) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        if let Err(error) = scope::check() {
            return self.begin_failing(work, error, cx);
        }
        match work.attempt(When::First, cx) {
            Tried::Waits => self.register(work, cx, kept),
            tried => self.tried(work, tried, cx),
        }
    }

    #[cold]
    fn begin_failing<O>(
        &mut self,
        work: &mut O,
        error: Error,
        cx: &mut Context<'_>,
    ) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        work.cancelled_at_once();
        self.pass(work, Checkpoint::failing(error, O::COUNTS_WHEN_CANCELLED), cx)
    }

    #[cold]
    fn pass<O>(
        &mut self,
        work: &mut O,
        checkpoint: Checkpoint,
        cx: &mut Context<'_>,
    ) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        self.0 = Step::rare(Rare::Checkpoint(checkpoint));
        self.go_on(work, cx)
    }

    /// Lets others run before the task learns that the operation has happened.
    #[cold]
    fn pause<O>(&mut self, work: &mut O, got: G, cx: &Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        let delivery = match work.pause(&got) {
            Some(what) => Delivery::now(work.place(), what),
            None => Delivery::NONE,
        };
        self.0 = Step::rare(Rare::Paused(got, delivery));
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes on when others have run.
    #[cold]
    fn go_on<O>(&mut self, work: &mut O, cx: &mut Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        let Step::Rare(rare) = &mut self.0 else { polled_after_it_was_ready(work) };
        let passed = match &mut ***rare {
            Rare::Checkpoint(checkpoint) => Some(ready!(Pin::new(checkpoint).poll(cx))),
            Rare::Paused(..) => None,
        };
        match (passed, self.take_rare()) {
            (Some(Ok(())), _) => self.try_again(work, When::Passed, cx),
            (Some(Err(error)), _) => Poll::Ready(Err(error)),
            (None, Some(Rare::Paused(got, delivery))) => {
                drop(delivery);
                Poll::Ready(work.resume(got))
            }
            (None, _) => unreachable!("it was just looked at"),
        }
    }

    #[cold]
    fn try_again<O>(&mut self, work: &mut O, when: When, cx: &mut Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        let tried = work.attempt(when, cx);
        self.tried(work, tried, cx)
    }

    #[cold]
    fn look<O>(&mut self, work: &mut O, cx: &mut Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        let Step::Wait(wait) = &mut self.0 else { unreachable!("it waits") };
        match work.look(wait, cx) {
            Look::Waits => waits(work),
            Look::Got(got) => self.end(Ok(got)),
            Look::Tries => {
                self.0 = Step::Begin;
                self.try_again(work, When::Again, cx)
            }
            Look::PassedOver(left) => {
                self.0 = Step::Begin;
                drop(left); // foreign code
                self.begin(work, cx)
            }
            Look::Cancelled(error, left) => {
                self.0 = Step::End;
                drop(left); // foreign code
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<W, G> Steps<W, G> {
    /// Ends a rare step and returns its state.
    #[cold]
    fn take_rare(&mut self) -> Option<Rare<G>> {
        match mem::replace(&mut self.0, Step::End) {
            Step::Rare(rare) => Some(*ManuallyDrop::into_inner(rare)),
            _ => None,
        }
    }
}

impl<W, G> Drop for Steps<W, G> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Step::Rare(_) = self.0 {
            drop(self.take_rare());
        }
    }
}

/// The future of an operation: its work and its steps.
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Doing<O: Operation> {
    pub(crate) work: O,
    steps: Steps<O::Wait, O::Got>,
}

impl<O: Operation> Doing<O> {
    #[inline(always)]
    pub(crate) const fn new(work: O) -> Self {
        Doing { work, steps: Steps::new() }
    }
}

// Nothing in it is pinned.
impl<O: Operation> Unpin for Doing<O> {}

impl<O: Operation> Future for Doing<O> {
    type Output = Result<O::Got>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Doing { work, steps } = self.get_mut();
        steps.poll(work, cx)
    }
}

impl<O: Operation> Drop for Doing<O> {
    #[inline(always)]
    fn drop(&mut self) {
        self.steps.drop(&mut self.work);
    }
}

#[cold]
pub(crate) fn polled_after_it_was_ready<O: Operation>(work: &O) -> ! {
    panic!("`{}` at {} was polled after it was ready", O::NAME, work.place())
}

/// Every operation that has to wait returns from here. Leaves what the operation is with the unit,
/// and its name with the current frame, if there is one.
#[inline(always)]
fn waits<O: Operation, T>(work: &O) -> Poll<T> {
    match O::IS_SHOWN {
        Shown::Itself => THREAD.with(|thread| {
            thread.leave_parked(Parked::new(const { What::of(O::NAME) }, Some(work.place())));
            if thread.is_in_frame() {
                frame::awaits(O::NAME);
            }
        }),
        Shown::Inside => parked::leave_outside(const { What::of(O::NAME) }, work.place()),
    }
    Poll::Pending
}
