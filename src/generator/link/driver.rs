//! The driver's end: from here a generator, or whatever enters a context manager, polls, resumes
//! and closes the body.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

use crate::error::{Error, GeneratorExit, IgnoredGeneratorExit, Result, YieldInCancelScope};
use crate::generator::link::Link;
use crate::generator::state::{
    Delivered, Destination, End, Exit, GoOn, News, Stop, Stopped, Yielded,
};
use crate::schedule::{wake, waker};
use crate::scope::current::{current_scope, in_frame, with_scope};
use crate::scope::frame::Held;
use crate::scope::tree::pool::ScopeRef;

/// What a waiting yield is resumed with.
pub(in crate::generator) enum Resume<S> {
    /// A plain next.
    Next,
    Value(S),
    Raise(Error),
}

/// How far a poll has taken a body.
pub(in crate::generator) enum Step<T> {
    Yielded(T),
    /// It has yielded instead of ending, and is suspended there.
    Ignored(IgnoredGeneratorExit),
    Ended(Result<()>),
}

/// The things that the link of a body that has ended still kept. Dropping this runs foreign code.
pub(in crate::generator) struct Gone {
    _wakers: [Option<Waker>; 2],
    _scope: Option<ScopeRef>,
}

impl<T, S> Link<T, S> {
    /// Sets what the waiting yield returns when the body is polled next.
    pub(in crate::generator) fn resume(&self, with: Resume<S>) {
        match with {
            Resume::Next => self.state.resume(),
            Resume::Value(value) => match self.state.resume_with_value() {
                Destination::ToYield => self.sent.set(Some(Ok(value))),
                Destination::ToNobody => drop(value), // foreign code
            },
            Resume::Raise(error) => {
                self.state.resume_with_error();
                self.sent.set(Some(Err(error)));
            }
        }
        self.wake_yield();
    }

    /// A yield in a nursery, or in another library's combinator, is not polled unless its own waker
    /// is woken.
    fn wake_yield(&self) {
        if let Some(foreign) = self.foreign.take() {
            wake::wake_now(&foreign);
        }
    }

    /// Closes the body: raises `GeneratorExit` at the waiting yield, or at the next one.
    pub(in crate::generator) fn exit(&self) {
        match self.state.exit() {
            Exit::AtYield => self.resume(Resume::Raise(GeneratorExit.into())),
            Exit::AtNextYield => {}
        }
    }

    /// Polls the body, if it waits at its yield, which is resumed with a plain next, or for
    /// something else in the present scope. Does nothing and returns `None` if there is more to
    /// deal with.
    #[inline(always)]
    pub(in crate::generator) fn go_on(
        &self,
        mut body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Option<Poll<Step<T>>> {
        match self.state.go_on(|| self.is_around()) {
            GoOn::Running => {}
            GoOn::Closely => return None,
        }
        let outcome = self.poll_once(body.as_mut(), cx);
        if outcome.is_pending() {
            match self.state.stop() {
                Stop::AtYield => {
                    if let Some(value) = self.out.take() {
                        return Some(Poll::Ready(Step::Yielded(value)));
                    }
                }
                Stop::Closely => match self.state.stop_closely() {
                    Stopped::NotAtYield if self.is_around() => return Some(self.wait(cx)),
                    Stopped::NotAtYield | Stopped::Closely => {}
                },
            }
        }
        Some(self.settle(outcome, body, cx))
    }

    /// Polls the body, in its frame, until it yields, waits for something else, or ends.
    pub(in crate::generator) fn poll(
        &self,
        mut body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<T>> {
        self.look_around();
        drop(self.waits_with.take()); // foreign code
        self.state.run();
        let outcome = self.poll_once(body.as_mut(), cx);
        self.settle(outcome, body, cx)
    }

    /// Polls a body that is running.
    #[inline(always)]
    fn poll_once(
        &self,
        body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        /// Ends a body that panics.
        struct Panicked<'a, T, S>(&'a Link<T, S>);
        impl<T, S> Drop for Panicked<'_, T, S> {
            fn drop(&mut self) {
                self.0.driver.set(ptr::null());
                self.0.state.stop_closely();
                drop(self.0.end()); // foreign code
            }
        }
        self.driver.set(cx.waker());
        let panicked = Panicked(self);
        let outcome = in_frame(Some(self.state.frame()), || body.poll(cx));
        std::mem::forget(panicked);
        self.driver.set(ptr::null());
        outcome
    }

    /// Deals with the result of a poll of the body.
    #[inline(never)]
    fn settle(
        &self,
        mut outcome: Poll<Result<()>>,
        mut body: Pin<&mut (impl Future<Output = Result<()>> + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<T>> {
        loop {
            self.state.stop_closely();
            if let Poll::Ready(outcome) = outcome {
                drop(self.end()); // foreign code
                return Poll::Ready(Step::Ended(outcome));
            }
            let Some(value) = self.out.take() else { return self.stopped_elsewhere(cx) };
            match self.state.yielded() {
                Yielded::Held => self.refuse(value),
                Yielded::Beside => {
                    self.look_around();
                    return Poll::Ready(Step::Yielded(value));
                }
                Yielded::Alone => return Poll::Ready(Step::Yielded(value)),
            }
            self.state.run_again();
            outcome = self.poll_once(body.as_mut(), cx);
        }
    }

    /// Called when something that forbids a yield was opened beside one, by a `join` in the body.
    #[cold]
    fn refuse(&self, value: T) {
        let Some(place) = self.at.get() else { unreachable!("it has yielded") };
        self.state.refuse();
        let Held { what, place: opened } = self.state.held();
        self.sent.set(Some(Err(YieldInCancelScope::new(what, opened, place).into())));
        self.wake_yield();
        drop(value); // foreign code
    }

    /// Called when the body has stopped without a value.
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

    /// Wakes whoever drives the body, which is in flight.
    #[cold]
    pub(in crate::generator) fn wake_driver(&self) {
        wake::wake(self.waits_as.get());
        if let Some(foreign) = self.waits_with.take() {
            foreign.wake();
        }
    }

    /// Whether the body was last polled in the present scope.
    #[inline(always)]
    fn is_around(&self) -> bool {
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
    pub(in crate::generator) fn take_inner_scope(&self) -> Option<ScopeRef> {
        self.inner.take()
    }

    /// Takes the error that was to be raised at a yield, if no yield has taken it.
    pub(in crate::generator) fn take_undelivered(&self) -> Option<Error> {
        match self.state.take_undelivered() {
            Delivered::Yes => None,
            Delivered::No => self.sent.take().and_then(Result::err),
        }
    }

    /// To be called when the body has ended, or must not be polled any more. Returns what the link
    /// has kept, the first time.
    #[must_use]
    pub(in crate::generator) fn end(&self) -> Option<Gone> {
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
