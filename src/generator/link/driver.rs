//! The driver's end: from here a generator, or whatever enters a context manager, polls, resumes
//! and closes the body.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

use crate::error::panic::in_destructor;
use crate::error::{Error, GeneratorExit, IgnoredGeneratorExit, Result, YieldInCancelScope};
use crate::generator::link::Link;
use crate::generator::state::{
    Delivered, Destination, End, Exit, GoesOn, InBatch, News, Stop, Yielded,
};
use crate::schedule::ids::UnitId;
use crate::schedule::{wake, waker};
use crate::scope::aside::Aside;
use crate::scope::current::{current_scope, in_frame, with_scope};
use crate::scope::frame::Held;
use crate::scope::tree::pool::ScopeRef;

/// What a waiting yield is resumed with.
pub(crate) enum Resume<S> {
    /// A plain next.
    Next,
    Value(S),
    Raise(Error),
}

/// How far a poll has taken a body.
pub(crate) enum Step<T> {
    Yielded(T),
    /// It has yielded instead of ending, and is suspended there.
    Ignored(IgnoredGeneratorExit),
    Ended(Result<()>),
}

/// The things that the link of a body that has ended still kept. Dropping this runs foreign code.
pub(crate) struct Gone {
    _wakers: [Option<Waker>; 2],
    _scope: Option<ScopeRef>,
}

impl<T, S> Link<T, S> {
    /// Counts a call that drives the body. See [`Aside::pay`].
    pub(crate) fn pay(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.pay_by(|aside| aside.pay(cx))
    }

    /// Lets others run before a call goes on that [was not counted](Aside::passes).
    pub(crate) fn let_others_run(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.pay_by(|aside| aside.let_others_run(cx))
    }

    fn pay_by(&self, pay: impl FnOnce(&Aside) -> Poll<Result<()>>) -> Poll<Result<()>> {
        let aside = Aside::resume(self.state.take_paused());
        let paid = pay(&aside); // foreign code
        if aside.is_paused() {
            self.state.set_paused();
        }
        paid
    }

    /// Resumes the yield of a body that rests with a value. The body is running from now on.
    #[inline(always)]
    pub(crate) fn go_on_with_value(&self, value: S) -> GoesOn<'_> {
        self.sent.put(value);
        self.state.go_on_with_value()
    }

    /// Sets what the waiting yield returns when the body is polled next.
    pub(crate) fn resume(&self, with: Resume<S>) {
        match with {
            Resume::Next => self.state.resume(),
            Resume::Value(value) => {
                let before = (self.take_sent(), self.error.take());
                match self.state.resume_with_value() {
                    Destination::ToYield => self.sent.put(value),
                    Destination::ToNobody => drop(value), // foreign code
                }
                drop(before); // foreign code
            }
            Resume::Raise(error) => self.raise(error),
        }
        self.wake_yield();
    }

    fn raise(&self, error: Error) {
        let value = self.take_sent();
        self.state.resume_with_error();
        let before = self.error.replace(Some(error));
        drop((value, before)); // foreign code
    }

    /// A yield in a nursery, or in another library's combinator, is not polled unless its own waker
    /// is woken.
    fn wake_yield(&self) {
        if let Some(foreign) = self.foreign.take() {
            wake::wake_now(&foreign);
        }
    }

    /// Closes the body: raises `GeneratorExit` at the waiting yield, or at the next one.
    pub(crate) fn exit(&self) {
        match self.state.exit() {
            Exit::AtYield => self.resume(Resume::Raise(GeneratorExit.into())),
            Exit::AtNextYield => {}
        }
    }

    /// Polls the body, in its frame, until it yields, waits for something else, or ends.
    pub(crate) fn poll(
        &self,
        body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<T>> {
        let _running = self.state.run();
        self.poll_running(body, cx)
    }

    /// Polls a body whose state says that it is running, until it yields, waits for something else,
    /// or ends.
    pub(crate) fn poll_running(
        &self,
        mut body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<T>> {
        self.look_around();
        self.state.clear_waits();
        drop(self.waits_with.take()); // foreign code
        let outcome = self.poll_guarded(body.as_mut(), cx);
        self.settle(outcome, body, cx)
    }

    /// Polls a body that is running. If it panics, it has to be ended.
    #[inline(always)]
    pub(crate) fn poll_once(
        &self,
        body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        self.driver.set(ptr::from_ref(cx).cast());
        in_frame(self.state.frame(), || body.poll(cx))
    }

    /// Polls a body that was resumed and is said to be running, once. Returns the value that it
    /// yields, if there is nothing else to deal with. Otherwise the outcome has to be
    /// [settled](Self::settle_resumed).
    #[inline(always)]
    pub(crate) fn poll_resumed(
        &self,
        _: GoesOn<'_>,
        body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Result<T, Poll<Result<()>>> {
        let outcome = self.poll_guarded(body, cx);
        self.take_yielded(&outcome).ok_or(outcome)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn settle_resumed(
        &self,
        outcome: Poll<Result<()>>,
        body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<T>> {
        let _running = self.state.still_running();
        self.settle(outcome, body, cx)
    }

    /// The next value of a body that rests in a batch, which goes on waiting. `None` if the last one
    /// has been taken. Then the batch is over: the body just waits at its yield.
    #[inline(always)]
    pub(crate) fn next_of_batch(&self, _: InBatch<'_>) -> Option<T> {
        // SAFETY: the state has said that the slot is full. No foreign code runs here.
        let next = unsafe { self.batch.get() }.next();
        if next.is_none() {
            self.end_batch();
        }
        next
    }

    /// The next value of a body, if it rests in a batch and there is one.
    #[inline(always)]
    pub(crate) fn next_if_in_batch(&self) -> Option<T> {
        self.next_of_batch(self.state.in_batch()?)
    }

    #[cold]
    #[inline(never)]
    fn end_batch(&self) {
        drop(self.take_batch()); // it is empty
    }

    /// Polls a body that is running. It ends if it panics.
    #[inline(always)]
    fn poll_guarded(
        &self,
        body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        struct Panicked<'a, T, S>(&'a Link<T, S>);
        impl<T, S> Drop for Panicked<'_, T, S> {
            fn drop(&mut self) {
                self.0.state.stop_closely();
                in_destructor(|| drop(self.0.end())); // foreign code
            }
        }
        let panicked = Panicked(self);
        let outcome = self.poll_once(body, cx);
        std::mem::forget(panicked);
        outcome
    }

    /// Once a poll of the body is over: takes the value that it has yielded, if there is nothing
    /// else to deal with. The body does not run any more then.
    #[inline(always)]
    pub(crate) fn take_yielded(&self, outcome: &Poll<Result<()>>) -> Option<T> {
        if outcome.is_pending()
            && let Stop::AtYield = self.state.stop()
        {
            // SAFETY: the state said that the slot is full, and does not any more.
            return Some(unsafe { self.out.take() });
        }
        None
    }

    /// Deals with the result of a poll of the body, which is still said to be running.
    #[inline(never)]
    pub(crate) fn settle(
        &self,
        mut outcome: Poll<Result<()>>,
        mut body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<T>> {
        loop {
            if let Poll::Ready(outcome) = outcome {
                drop(self.end()); // foreign code
                return Poll::Ready(Step::Ended(outcome));
            }
            if self.state.only_runs() && self.is_around() {
                return self.wait(cx);
            }
            let Some(value) = self.take_out() else { return self.stopped_elsewhere(cx) };
            match self.state.yielded() {
                Yielded::Held => self.refuse(value),
                Yielded::Beside => {
                    self.look_around();
                    return Poll::Ready(Step::Yielded(value));
                }
                Yielded::Alone => return Poll::Ready(Step::Yielded(value)),
            }
            outcome = self.poll_guarded(body.as_mut(), cx);
        }
    }

    /// Called when something that forbids a yield was opened beside one, by a `join` in the body.
    #[cold]
    fn refuse(&self, value: T) {
        let Some(place) = self.at.get() else { unreachable!("it has yielded") };
        self.state.refuse();
        let Held { what, place: opened } = self.state.held();
        let before = self.error.replace(Some(YieldInCancelScope::new(what, opened, place).into()));
        self.wake_yield();
        drop((value, before)); // foreign code
    }

    /// Called when the body has stopped without a value.
    #[inline]
    fn stopped_elsewhere(&self, cx: &Context<'_>) -> Poll<Step<T>> {
        match (self.state.tell(), self.at.get()) {
            (News::IgnoredExit, Some(place)) => {
                Poll::Ready(Step::Ignored(IgnoredGeneratorExit::new(place)))
            }
            _ => {
                self.look_around();
                self.wait(cx)
            }
        }
    }

    /// Called when the body waits for something other than its yield. The same driver has to poll
    /// it again.
    #[inline]
    fn wait(&self, cx: &Context<'_>) -> Poll<Step<T>> {
        self.state.set_waits();
        match waker::current_unit(cx.waker()) {
            Some(unit) => self.waits_as.set(unit),
            None => self.waits_with.set(Some(cx.waker().clone())),
        }
        Poll::Pending
    }

    /// The unit that drives the body, if the body waits and the unit has polled it with its own
    /// waker.
    pub(crate) fn driver(&self) -> Option<UnitId> {
        let with = self.waits_with.take();
        let is_own = with.is_none();
        self.waits_with.set(with);
        (is_own && self.state.waits()).then(|| self.waits_as.get())
    }

    /// Wakes whoever drives the body, which is in flight.
    #[cold]
    pub(crate) fn wake_driver(&self) {
        wake::wake(self.waits_as.get());
        if let Some(foreign) = self.waits_with.take() {
            foreign.wake();
        }
    }

    /// Whether the body was last polled in the present scope.
    #[inline(always)]
    pub(crate) fn is_around(&self) -> bool {
        with_scope(|scope| ptr::eq(self.around.get(), scope.map_or(ptr::null(), ptr::from_ref)))
    }

    /// Keeps the present scope. A waiting body may be polled in a different scope than before. An
    /// operation in it that is behind a combinator which polls only what was woken would not learn
    /// of this, and the new scope would not reach it.
    fn look_around(&self) {
        if self.is_around() {
            return;
        }
        let scope = current_scope();
        self.around.set(scope.as_ref().map_or(ptr::null(), ScopeRef::as_ptr));
        let before = self.kept.replace(scope);
        if self.state.waits()
            && let Some(before) = before
        {
            before.wake_foreign();
        }
    }

    /// Takes the scope around the yield, so that what belongs in it can be run there.
    pub(crate) fn take_inner_scope(&self) -> Option<ScopeRef> {
        self.inner.take()
    }

    /// Takes the error that was to be raised at a yield, if no yield has taken it.
    pub(crate) fn take_undelivered(&self) -> Option<Error> {
        match self.state.take_undelivered() {
            Delivered::Yes => None,
            Delivered::No => self.error.take(),
        }
    }

    /// To be called when the body has ended, or must not be polled any more. Returns what the link
    /// has kept, the first time.
    #[must_use]
    pub(crate) fn end(&self) -> Option<Gone> {
        match self.state.end() {
            End::Before => None,
            End::Now => {
                self.around.set(ptr::null());
                Some(Gone {
                    _wakers: [&self.foreign, &self.waits_with].map(Cell::take),
                    _scope: self.kept.take(),
                })
            }
        }
    }
}
