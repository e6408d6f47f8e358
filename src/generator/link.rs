//! What a body that yields shares with whoever drives it: one slot for the value that comes out,
//! one for what goes in, and the frame.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::error::Error;
use crate::frame::Frame;
use crate::generator::errors::{
    GeneratorExit, IgnoredGeneratorExit, Misuse, YieldInCancelScope, YielderMisused,
};
use crate::scope::pool::ScopeRef;
use crate::scope::tree::Scope;
use crate::wake::table::UnitId;
use crate::wake::waker;
use crate::{Result, context};

/// A body that yields, in its box.
pub(crate) type Body<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// What a suspended body goes on with.
pub(crate) enum Resume<S> {
    /// A plain next.
    Next,
    Value(S),
    Raise(Error),
}

/// What the driver has left for the yield.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// A plain next: nearly always this.
    Next,
    /// What is in `Link::sent`.
    Sent,
    /// As well, but it does not come from the driver: the yield is refused after all.
    Refused,
}

pub(crate) struct Link<T, S> {
    pub(crate) frame: Rc<Frame>,
    out: Cell<Option<T>>,
    left: Cell<Left>,
    sent: Cell<Option<Result<S>>>,
    /// The unit that drives the body.
    driver: Cell<UnitId>,
    /// The waker that the suspended yield was polled with, if it is not the driver's.
    foreign: Cell<Option<Waker>>,
    /// Where the body is suspended.
    at: Cell<Option<&'static Location<'static>>>,
    /// The scope in which the body is polled, to be compared only.
    around: Cell<*const Scope>,
    /// The scope around the yield, if the body has opened one and may yield inside of it.
    scope: Cell<Option<ScopeRef>>,
    closing: Cell<Closing>,
    /// Where the body yielded again while it was being closed.
    ignored: Cell<Option<&'static Location<'static>>>,
    ended: Cell<bool>,
    running: Cell<bool>,
    /// When it was driven last it did not get to a yield, or something else may wait beside it.
    waits: Cell<bool>,
    /// In which scope that was.
    waits_in: Cell<Option<ScopeRef>>,
    /// With which waker, if it was not the driver's.
    waits_with: Cell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The next yield raises `GeneratorExit`.
    AtNextYield,
    /// `GeneratorExit` was raised: a further yield ignores it.
    Raised,
}

/// How far a poll brought a body.
pub(crate) enum Step<T> {
    Yielded(T),
    Ended(Result<()>),
}

impl<T, S> Link<T, S> {
    pub(crate) fn new(hands_over: bool) -> Rc<Self> {
        Rc::new(Link {
            frame: Frame::new(hands_over),
            out: Cell::new(None),
            left: Cell::new(Left::Nothing),
            sent: Cell::new(None),
            driver: Cell::new(UnitId::NONE),
            foreign: Cell::new(None),
            at: Cell::new(None),
            around: Cell::new(ptr::null()),
            scope: Cell::new(None),
            closing: Cell::new(Closing::No),
            ignored: Cell::new(None),
            ended: Cell::new(false),
            running: Cell::new(false),
            waits: Cell::new(false),
            waits_in: Cell::new(None),
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
        let current = context::current_scope();
        self.scope.set(current.filter(|scope| !ptr::eq(scope.as_ptr(), self.around.get())));
    }

    /// The scope around the yield, to run in it what belongs there.
    pub(crate) fn take_scope(&self) -> Option<ScopeRef> {
        self.scope.take()
    }

    /// Says what the suspended yield returns when the body is polled next.
    #[inline]
    pub(crate) fn resume(&self, with: Resume<S>) {
        match with {
            Resume::Next => self.left.set(Left::Next),
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
        self.left.set(Left::Sent);
        self.sent.set(Some(what));
    }

    /// Closes: raises `GeneratorExit` at the yield the body is suspended at, or at the next one.
    pub(crate) fn exit(&self) {
        self.frame.set_closing();
        if self.at.get().is_some() {
            self.closing.set(Closing::Raised);
            self.resume(Resume::Raise(GeneratorExit.into()));
        } else if self.closing.get() == Closing::No {
            self.closing.set(Closing::AtNextYield);
        }
    }

    /// Polls the body, in its frame, until it yields or ends.
    #[inline]
    pub(crate) fn poll(&self, body: &mut Body<'_>, cx: &mut Context<'_>) -> Poll<Step<T>> {
        /// The end of a body that panics.
        struct Panicked<'a, T, S>(&'a Link<T, S>);
        impl<T, S> Drop for Panicked<'_, T, S> {
            fn drop(&mut self) {
                self.0.running.set(false);
                self.0.end();
            }
        }
        self.driver.set(context::current_unit());
        self.around.set(context::with_scope(|scope| scope.map_or(ptr::null(), ptr::from_ref)));
        if self.waits.get() {
            self.goes_on();
        }
        loop {
            self.running.set(true);
            let panicked = Panicked(self);
            let outcome = context::in_frame(Some(&self.frame), || body.as_mut().poll(cx));
            std::mem::forget(panicked);
            self.running.set(false);
            if let Poll::Ready(outcome) = outcome {
                self.end();
                return Poll::Ready(Step::Ended(outcome));
            }
            match self.out.take() {
                Some(value) if self.frame.is_held() => self.refuse(value),
                Some(value) => {
                    if self.waits.get() {
                        self.waits_in.set(context::current_scope());
                    }
                    return Poll::Ready(Step::Yielded(value));
                }
                None => return self.waits(cx),
            }
        }
    }

    /// The body waits for something other than its yield.
    fn waits(&self, cx: &Context<'_>) -> Poll<Step<T>> {
        if let Some(place) = self.ignored.take() {
            self.end();
            return Poll::Ready(Step::Ended(Err(IgnoredGeneratorExit::new(place).into())));
        }
        self.waits.set(true);
        self.waits_in.set(context::current_scope());
        if waker::unit_of(cx.waker()) != Some(self.driver.get()) {
            self.waits_with.set(Some(cx.waker().clone()));
        }
        Poll::Pending
    }

    /// A body that waits may be driven in another scope than before. What waits in it behind a
    /// combinator that polls only what was woken would not notice, and not be reached by that
    /// scope.
    #[cold]
    fn goes_on(&self) {
        self.waits.set(false);
        self.waits_with.take();
        if let Some(before) = self.waits_in.take()
            && !context::is_current_scope(&before)
        {
            before.wake_foreign();
        }
    }

    /// Wakes whoever drives the body, which is in flight.
    #[cold]
    pub(crate) fn wake_driver(&self) {
        match self.waits_with.take() {
            Some(foreign) => foreign.wake(),
            None => waker::wake_unit(self.driver.get()),
        }
    }

    /// As `Frame::suspend`, where more than a look at the counter is needed.
    #[cold]
    fn suspend_manager(&self) -> bool {
        let may = self.frame.suspend_manager();
        if may {
            self.note_scope();
        }
        may
    }

    /// Something that forbids a yield was opened beside one, by a `join` in the body.
    #[cold]
    fn refuse(&self, value: T) {
        let (held, place) = (self.frame.forbids(), self.at.get());
        let (Some(held), Some(place)) = (held, place) else { unreachable!("it is suspended") };
        self.resume(Resume::Raise(YieldInCancelScope::new(held, place).into()));
        self.left.set(Left::Refused);
        drop(value); // foreign code
    }

    /// The error that was to be raised at a yield which was given up before.
    pub(crate) fn take_undelivered(&self) -> Option<Error> {
        match self.left.get() {
            Left::Sent => {
                self.left.set(Left::Nothing);
                self.sent.take().and_then(Result::err)
            }
            Left::Nothing | Left::Next | Left::Refused => None,
        }
    }

    /// Whether the body is what runs, or what has called what runs.
    pub(crate) fn is_running(&self) -> bool {
        self.running.get()
    }

    /// The body has ended, or will not be polled any more.
    pub(crate) fn end(&self) {
        if !self.ended.replace(true) {
            self.at.set(None);
            self.foreign.take();
            self.waits_in.take();
            self.waits_with.take();
            self.frame.end();
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
    /// A body that yields again while it is being closed does not go on: the closer gets
    /// [`IgnoredGeneratorExit`], and the body is dropped as it is.
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
    /// Why the body must not be suspended here. `Pending` if it is not to go on at all.
    #[cold]
    fn refusal(&self) -> Poll<Error> {
        let link = self.link;
        if link.ended.get() {
            return Poll::Ready(YielderMisused::new(Misuse::AfterTheEnd, self.place).into());
        }
        if !context::is_current_frame(&link.frame) {
            return Poll::Ready(YielderMisused::new(Misuse::OtherFrame, self.place).into());
        }
        if link.frame.is_suspended() {
            return Poll::Ready(YielderMisused::new(Misuse::Twice, self.place).into());
        }
        if let Some(held) = link.frame.forbids() {
            return Poll::Ready(YieldInCancelScope::new(held, self.place).into());
        }
        if let Some(error) = link.take_undelivered() {
            if link.closing.get() == Closing::No {
                link.frame.clear_closing();
            }
            return Poll::Ready(error);
        }
        if link.closing.get() == Closing::AtNextYield {
            link.closing.set(Closing::Raised);
            return Poll::Ready(GeneratorExit.into());
        }
        // The error is the closer's, as in Python. The body has had its chance to clean up.
        link.ignored.set(Some(self.place));
        Poll::Pending
    }
}

impl<T, S> Yield<'_, T, S> {
    /// A `select` in the body has given up this yield: the body may go on to another. A value that
    /// was not handed over yet is not; an error that was to be raised here is raised there.
    #[cold]
    fn give_up(&self) {
        let link = self.link;
        link.at.set(None);
        link.foreign.take();
        link.frame.resume();
        if link.left.get() == Left::Sent {
            match link.sent.take() {
                Some(Err(error)) => {
                    link.sent.set(Some(Err(error)));
                    link.frame.set_closing();
                }
                sent => {
                    link.left.set(Left::Nothing);
                    drop(sent); // foreign code
                }
            }
        }
        drop(link.out.take()); // foreign code
    }
}

impl<T, S> Future for Yield<'_, T, S> {
    type Output = Result<Option<S>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let link = this.link;
        if let Some(value) = this.value.take() {
            // The frame's counter stands for all that forbids a yield.
            if !context::is_current_frame(&link.frame)
                || !link.frame.suspend() && !link.suspend_manager()
            {
                return this.refusal().map(Err);
            }
            this.waits = true;
            link.out.set(Some(value));
            link.at.set(Some(this.place));
            link.left.set(Left::Nothing); // whatever it was meant for has been dropped
        } else {
            match link.left.replace(Left::Nothing) {
                Left::Nothing => {}
                Left::Next => {
                    this.waits = false;
                    link.frame.resume();
                    return Poll::Ready(Ok(None));
                }
                Left::Sent | Left::Refused => {
                    this.waits = false;
                    link.frame.resume();
                    let sent = link.sent.take().expect("something was sent");
                    return Poll::Ready(sent.map(Some));
                }
            }
        }
        if waker::unit_of(cx.waker()) != Some(link.driver.get()) {
            link.foreign.set(Some(cx.waker().clone()));
            // Beside the yield something else may wait.
            link.waits.set(true);
        }
        Poll::Pending
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
