//! What a body that yields shares with whoever drives it: one slot for the value that comes out,
//! one for what goes in, and the frame.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::Result;
use crate::error::Error;
use crate::error::{
    GeneratorExit, IgnoredGeneratorExit, Misuse, YieldInCancelScope, YielderMisused,
};
use crate::schedule::memory::table::UnitId;
use crate::schedule::waker;
use crate::scope::current::{current_scope, in_frame, is_current_frame, with_scope};
use crate::scope::frame::Frame;
use crate::scope::tree::Scope;
use crate::scope::tree::pool::ScopeRef;

/// A body that yields, in its box.
pub(crate) type Body<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// What a suspended body goes on with.
pub(crate) enum Resume<S> {
    /// A plain next.
    Next,
    Value(S),
    Raise(Error),
}

/// What is in `Link::sent`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    /// What the driver has left for the yield that waits, or for the next.
    ByDriver,
    /// It does not come from the driver: the yield is refused after all.
    Refusal,
}

/// What a yield returns. It is as wide as the error that may come instead, so that either comes in
/// registers: a narrow answer in a slot that is read wide is one that the processor waits for.
#[repr(usize)]
enum Answer {
    /// A plain next.
    Next,
    /// It was sent in, and is in `Link::sent`.
    Value,
}

pub(crate) struct Link<T, S> {
    pub(crate) frame: Rc<Frame>,
    out: Cell<Option<T>>,
    sent: Cell<Option<Result<S>>>,
    /// A plain next is in the frame's counter instead.
    left: Cell<Sent>,
    /// The waker that the body is being polled with, to be compared only; null while it is not
    /// polled.
    driver: Cell<*const Waker>,
    /// The waker that the suspended yield was polled with, if it is not the driver's. The frame
    /// says then that the body waits, so that the next resumption is no plain one.
    foreign: Cell<Option<Waker>>,
    /// Where the body is suspended.
    at: Cell<Option<&'static Location<'static>>>,
    /// The scope in which the body was polled last, where that was looked at, to be compared only.
    around: Cell<*const Scope>,
    /// Keeps it, so that nothing else gets to be there.
    kept: Cell<Option<ScopeRef>>,
    /// The scope around the yield, if the body has opened one and may yield inside of it.
    scope: Cell<Option<ScopeRef>>,
    closing: Cell<Closing>,
    /// Where the body has yielded while it was being closed, until the closer is told.
    ignored: Cell<Option<&'static Location<'static>>>,
    ended: Cell<bool>,
    /// The unit that drove a body that waits.
    waits_as: Cell<UnitId>,
    /// With which waker that was, if it was not the unit's.
    waits_with: Cell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The next yield raises `GeneratorExit`.
    AtNextYield,
    /// `GeneratorExit` was raised: a further yield ignores it.
    Raised,
    /// The body has ignored it. It may go on, but is not asked to end again until it is given up.
    Ignored,
}

/// How far a poll brought a body.
pub(crate) enum Step<T> {
    Yielded(T),
    /// It has yielded instead of ending, and is suspended there.
    Ignored(IgnoredGeneratorExit),
    Ended(Result<()>),
}

impl<T, S> Link<T, S> {
    pub(crate) fn new(hands_over: bool) -> Rc<Self> {
        Rc::new(Link {
            frame: Frame::new(hands_over),
            out: Cell::new(None),
            sent: Cell::new(None),
            left: Cell::new(Sent::Nothing),
            driver: Cell::new(ptr::null()),
            foreign: Cell::new(None),
            at: Cell::new(None),
            around: Cell::new(ptr::null()),
            kept: Cell::new(None),
            scope: Cell::new(None),
            closing: Cell::new(Closing::No),
            ignored: Cell::new(None),
            ended: Cell::new(false),
            waits_as: Cell::new(UnitId::NONE),
            waits_with: Cell::new(None),
        })
    }

    /// Where the body is suspended, if it is.
    pub(crate) fn suspended_at(&self) -> Option<&'static Location<'static>> {
        self.at.get()
    }

    /// Notes the scope around the yield, if the body has opened one.
    #[cold]
    fn note_scope(&self) {
        let current = current_scope();
        self.scope.set(current.filter(|scope| !ptr::eq(scope.as_ptr(), self.around.get())));
    }

    /// The scope around the yield, to run in it what belongs there.
    pub(crate) fn take_scope(&self) -> Option<ScopeRef> {
        self.scope.take()
    }

    /// Says what the suspended yield returns when the body is polled next.
    pub(crate) fn resume(&self, with: Resume<S>) {
        match with {
            Resume::Next => self.frame.set_next(),
            Resume::Value(value) => self.send(Ok(value)),
            Resume::Raise(error) => self.send(Err(error)),
        }
        self.at.set(None);
        // A yield in a nursery, or in another library's combinator, is not polled unless its own
        // waker is woken.
        if let Some(foreign) = self.foreign.take() {
            waker::wake_now(&foreign);
        }
    }

    fn send(&self, what: Result<S>) {
        if self.frame.is_suspended() {
            self.left.set(Sent::ByDriver);
            self.sent.set(Some(what));
        } else {
            self.keep_error(what);
        }
    }

    /// The yield that something was sent to is not there any more: an error is raised at the next
    /// one, a value is not sent.
    fn keep_error(&self, what: Result<S>) {
        match what {
            Err(error) => {
                self.left.set(Sent::ByDriver);
                self.sent.set(Some(Err(error)));
                self.frame.set_closing();
            }
            Ok(value) => drop(value), // foreign code
        }
    }

    /// The value of an [`Answer::Value`].
    #[inline(always)]
    fn take_value(&self) -> S {
        match self.sent.take() {
            Some(Ok(value)) => value,
            _ => unreachable!("a value was sent"),
        }
    }

    /// Closes: raises `GeneratorExit` at the yield the body is suspended at, or at the next one.
    pub(crate) fn exit(&self) {
        self.frame.set_closing();
        if self.at.get().is_some() {
            self.closing.set(Closing::Raised);
            self.resume(Resume::Raise(GeneratorExit.into()));
        } else if self.closing.get() != Closing::Raised {
            self.closing.set(Closing::AtNextYield);
        }
    }

    /// Suspends the body at a yield that ignores `GeneratorExit`. What was yielded is nobody's.
    #[cold]
    fn ignore_exit(&self, place: &'static Location<'static>) {
        self.closing.set(Closing::Ignored);
        self.ignored.set(Some(place));
        self.frame.clear_closing();
        let suspended = self.frame.suspend_closely();
        debug_assert!(suspended, "nothing else forbids this yield");
        self.at.set(Some(place));
    }

    /// Whether the body has yielded when it was closed.
    pub(crate) fn has_ignored_exit(&self) -> bool {
        self.closing.get() == Closing::Ignored
    }

    /// A plain next, where the body waits at its yield, or for something else in the present scope,
    /// and there is nothing else to heed. Otherwise `None`, and nothing is done.
    #[inline(always)]
    pub(crate) fn go_on(&self, body: &mut Body<'_>, cx: &mut Context<'_>) -> Option<Poll<Step<T>>> {
        let frame = &*self.frame;
        if !frame.go_on(|| self.is_around()) {
            return None;
        }
        self.at.set(None);
        let outcome = self.poll_once(body, cx);
        if outcome.is_pending() {
            if frame.is_only_suspended() {
                if let Some(value) = self.out.take() {
                    return Some(Poll::Ready(Step::Yielded(value)));
                }
            } else if frame.is_only_held() && self.is_around() {
                frame.set_waits(true);
                self.note_driver(cx);
                return Some(Poll::Pending);
            }
        }
        Some(self.poll_on(outcome, body, cx))
    }

    /// Polls the body, in its frame, until it yields or ends.
    pub(crate) fn poll(&self, body: &mut Body<'_>, cx: &mut Context<'_>) -> Poll<Step<T>> {
        self.look_around();
        self.frame.set_waits(false);
        drop(self.waits_with.take()); // foreign code
        let outcome = self.poll_once(body, cx);
        self.poll_on(outcome, body, cx)
    }

    /// Whether it was in the present scope that the body was polled last.
    #[inline(always)]
    fn is_around(&self) -> bool {
        with_scope(|scope| ptr::eq(self.around.get(), scope.map_or(ptr::null(), ptr::from_ref)))
    }

    /// Notes the present scope. A body that waits may be driven in another one than before. What
    /// waits in it behind a combinator that polls only what was woken would not notice, and not be
    /// reached by that scope.
    fn look_around(&self) {
        if self.is_around() {
            return;
        }
        let scope = current_scope();
        self.around.set(scope.as_ref().map_or(ptr::null(), ScopeRef::as_ptr));
        let before = self.kept.replace(scope);
        if self.frame.waits()
            && let Some(before) = before
        {
            before.wake_foreign();
        }
    }

    #[inline(always)]
    fn poll_once(&self, body: &mut Body<'_>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        /// The end of a body that panics.
        struct Panicked<'a, T, S>(&'a Link<T, S>);
        impl<T, S> Drop for Panicked<'_, T, S> {
            fn drop(&mut self) {
                self.0.driver.set(ptr::null());
                self.0.end();
            }
        }
        self.driver.set(cx.waker());
        let panicked = Panicked(self);
        let outcome = in_frame(Some(&self.frame), || body.as_mut().poll(cx));
        std::mem::forget(panicked);
        self.driver.set(ptr::null());
        outcome
    }

    /// What follows a poll of the body.
    #[inline(never)]
    fn poll_on(
        &self,
        mut outcome: Poll<Result<()>>,
        body: &mut Body<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<T>> {
        loop {
            if let Poll::Ready(outcome) = outcome {
                self.end();
                return Poll::Ready(Step::Ended(outcome));
            }
            match self.out.take() {
                Some(value) if self.frame.is_held() => self.refuse(value),
                Some(value) => {
                    if self.frame.waits() {
                        self.look_around();
                    }
                    return Poll::Ready(Step::Yielded(value));
                }
                None => return self.waits(cx),
            }
            outcome = self.poll_once(body, cx);
        }
    }

    /// The body waits for something other than its yield.
    fn waits(&self, cx: &Context<'_>) -> Poll<Step<T>> {
        if let Some(place) = self.ignored.take() {
            return Poll::Ready(Step::Ignored(IgnoredGeneratorExit::new(place)));
        }
        self.look_around();
        self.frame.set_waits(true);
        self.note_driver(cx);
        Poll::Pending
    }

    /// Notes who has polled a body that waits.
    #[inline]
    fn note_driver(&self, cx: &Context<'_>) {
        match waker::current_unit(cx.waker()) {
            Some(unit) => self.waits_as.set(unit),
            None => self.waits_with.set(Some(cx.waker().clone())),
        }
    }

    /// Wakes whoever drives the body, which is in flight.
    #[cold]
    pub(crate) fn wake_driver(&self) {
        waker::wake_unit(self.waits_as.get());
        if let Some(foreign) = self.waits_with.take() {
            foreign.wake();
        }
    }

    /// Something that forbids a yield was opened beside one, by a `join` in the body.
    #[cold]
    fn refuse(&self, value: T) {
        let (held, place) = (self.frame.forbids(), self.at.get());
        let (Some(held), Some(place)) = (held, place) else { unreachable!("it is suspended") };
        self.resume(Resume::Raise(YieldInCancelScope::new(held.what, held.place, place).into()));
        self.left.set(Sent::Refusal);
        drop(value); // foreign code
    }

    /// The error that was to be raised at a yield which was given up before.
    pub(crate) fn take_undelivered(&self) -> Option<Error> {
        match self.left.get() {
            Sent::ByDriver => {
                self.left.set(Sent::Nothing);
                self.sent.take().and_then(Result::err)
            }
            Sent::Nothing | Sent::Refusal => None,
        }
    }

    /// Whether the body is what runs, or what has called what runs.
    pub(crate) fn is_running(&self) -> bool {
        !self.driver.get().is_null()
    }

    /// The body has ended, or will not be polled any more.
    pub(crate) fn end(&self) {
        if !self.ended.replace(true) {
            self.at.set(None);
            self.around.set(ptr::null());
            let gone = (self.foreign.take(), self.kept.take(), self.waits_with.take());
            self.frame.end();
            drop(gone); // foreign code
        }
    }
}

/// By this a body yields. It belongs to the frame it was given to: used from a child task, from
/// another generator, after the body has ended, or while another yield waits, it fails.
pub struct Yielder<T, S = ()> {
    link: Rc<Link<T, S>>,
}

impl<T, S> Yielder<T, S> {
    pub(crate) fn new(link: Rc<Link<T, S>>) -> Self {
        Yielder { link }
    }

    /// Hands a value to the consumer, and waits until that asks for the next. The answer is what
    /// it sent in, `None` for a plain next.
    ///
    /// Not a checkpoint: the body is suspended for as long as the consumer likes, and no
    /// cancellation is raised here.
    ///
    /// # Errors
    ///
    /// [`YieldInCancelScope`] inside a cancel scope, a timeout or a nursery that was opened in
    /// this body; [`GeneratorExit`] when the generator is closed, which the body passes on with `?`
    /// after its clean-up; what the consumer throws in; [`YielderMisused`] as said at [`Yielder`].
    ///
    /// A body that yields while it is being closed is suspended here, but its value is dropped: the
    /// closer gets [`IgnoredGeneratorExit`] instead. See
    /// [`Generator::aclose`](crate::Generator::aclose) for what becomes of it.
    #[track_caller]
    pub fn yield_(&self, value: T) -> Yield<'_, T, S> {
        Yield { link: &self.link, value: Some(value), waits: false, place: Location::caller() }
    }
}

impl<T, S> std::fmt::Debug for Yielder<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}

/// The future of [`Yielder::yield_`].
#[must_use = "futures do nothing unless awaited"]
pub struct Yield<'a, T, S> {
    link: &'a Link<T, S>,
    /// Until it is handed over.
    value: Option<T>,
    /// From then on, until it is resumed.
    waits: bool,
    place: &'static Location<'static>,
}

// The value is moved, never pinned.
impl<T, S> Unpin for Yield<'_, T, S> {}

impl<T, S> Yield<'_, T, S> {
    /// Why the body must not be suspended here. `Pending` if it is all the same, though without
    /// handing anything over.
    #[cold]
    fn refusal(&self) -> Poll<Error> {
        let link = self.link;
        if link.ended.get() {
            return Poll::Ready(YielderMisused::new(Misuse::AfterTheEnd, self.place).into());
        }
        if !is_current_frame(&link.frame) {
            return Poll::Ready(YielderMisused::new(Misuse::OtherFrame, self.place).into());
        }
        if link.frame.is_suspended() {
            return Poll::Ready(YielderMisused::new(Misuse::Twice, self.place).into());
        }
        if let Some(held) = link.frame.forbids() {
            return Poll::Ready(YieldInCancelScope::new(held.what, held.place, self.place).into());
        }
        if let Some(error) = link.take_undelivered() {
            if matches!(link.closing.get(), Closing::No | Closing::Ignored) {
                link.frame.clear_closing();
            }
            return Poll::Ready(error);
        }
        if link.closing.get() == Closing::AtNextYield {
            link.closing.set(Closing::Raised);
            return Poll::Ready(GeneratorExit.into());
        }
        // The error is the closer's, as in Python.
        link.ignore_exit(self.place);
        Poll::Pending
    }
}

impl<T, S> Yield<'_, T, S> {
    /// A poll that neither hands the value over nor returns at once.
    #[inline(never)]
    fn poll_closely(&mut self, value: Option<T>, cx: &mut Context<'_>) -> Poll<Result<Answer>> {
        let link = self.link;
        if let Some(value) = value {
            if !is_current_frame(&link.frame) || !link.frame.suspend_closely() {
                let refusal = self.refusal();
                if refusal.is_pending() {
                    self.waits = true;
                    self.wait(cx);
                }
                drop(value); // foreign code
                return refusal.map(Err);
            }
            if link.frame.hands_over() {
                link.note_scope();
            }
            self.hand_over(value);
        } else if link.frame.is_next() {
            self.waits = false;
            link.frame.resume();
            return Poll::Ready(Ok(Answer::Next));
        } else if link.left.get() != Sent::Nothing {
            link.left.set(Sent::Nothing);
            self.waits = false;
            link.frame.resume();
            return Poll::Ready(match link.sent.take() {
                Some(Err(error)) => Err(error),
                value => {
                    link.sent.set(value);
                    Ok(Answer::Value)
                }
            });
        }
        self.wait(cx);
        Poll::Pending
    }

    #[inline(always)]
    fn hand_over(&mut self, value: T) {
        self.waits = true;
        self.link.out.set(Some(value));
        self.link.at.set(Some(self.place));
    }

    #[inline(always)]
    fn wait(&self, cx: &mut Context<'_>) {
        if !ptr::eq(cx.waker(), self.link.driver.get()) {
            self.wait_beside(cx.waker());
        }
    }

    /// It is polled with another waker than the body is, and that has to be woken when it is
    /// resumed. Beside the yield something else may wait.
    #[cold]
    fn wait_beside(&self, waker: &Waker) {
        self.link.foreign.set(Some(waker.clone()));
        self.link.frame.set_waits(true);
    }

    /// A `select` in the body has given up this yield: the body may go on to another. A value that
    /// was not handed over yet is not; an error that was to be raised here is raised there.
    #[cold]
    fn give_up(&self) {
        let link = self.link;
        link.at.set(None);
        let foreign = link.foreign.take();
        link.frame.resume();
        if link.ignored.take().is_some() {
            // It is still being closed.
            link.closing.set(Closing::Raised);
            link.frame.set_closing();
        }
        let out = link.out.take();
        match (link.left.replace(Sent::Nothing), link.sent.take()) {
            (Sent::ByDriver, Some(sent)) => link.keep_error(sent),
            (_, refusal) => drop(refusal),
        }
        drop((out, foreign)); // foreign code
    }
}

impl<T, S> Future for Yield<'_, T, S> {
    type Output = Result<Option<S>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let frame = &this.link.frame;
        match this.value.take() {
            // The frame's counter stands for all that forbids a yield.
            Some(value) if is_current_frame(frame) && frame.suspend() => {
                this.hand_over(value);
                this.wait(cx);
                Poll::Pending
            }
            None if frame.take_only_next() => {
                this.waits = false;
                Poll::Ready(Ok(None))
            }
            value => this.poll_closely(value, cx).map_ok(|answer| match answer {
                Answer::Next => None,
                Answer::Value => Some(this.link.take_value()),
            }),
        }
    }
}

impl<T, S> Drop for Yield<'_, T, S> {
    fn drop(&mut self) {
        if self.waits {
            self.give_up();
        }
    }
}

impl<T, S> std::fmt::Debug for Yield<'_, T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Yield").field("place", &self.place).finish_non_exhaustive()
    }
}
