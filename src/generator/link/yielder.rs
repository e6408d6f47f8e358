//! The body's end: the [`Yielder`], and the yield.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::error::{Error, GeneratorExit, Misuse, Result, YieldInCancelScope, YielderMisused};
use crate::generator::link::Link;
use crate::generator::state::{GivenUp, Notice, Resumed, Suspend, Suspension};
use crate::scope::current::current_scope;
use crate::scope::frame::Held;

/// The means by which a body yields. It belongs to the body that it was given to: it fails if it is
/// used in a child task, in another generator, after the body has ended, or while another yield
/// waits.
pub struct Yielder<T, S = ()> {
    link: Rc<Link<T, S>>,
}

impl<T, S> Yielder<T, S> {
    pub(in crate::generator) fn new(link: Rc<Link<T, S>>) -> Self {
        Yielder { link }
    }

    /// Gives a value to the consumer, and waits until the consumer asks for the next. Returns what
    /// the consumer sent in, `None` for a plain next.
    ///
    /// This is not a checkpoint: the body is suspended for as long as the consumer likes, and no
    /// cancellation is raised here.
    ///
    /// # Errors
    ///
    /// [`YieldInCancelScope`] inside a cancel scope, a timeout or a nursery that was opened in this
    /// body; [`GeneratorExit`] when the generator is closed, which the body passes on with `?`
    /// after its clean-up; the error that the consumer throws in; [`YielderMisused`] as described
    /// at [`Yielder`].
    ///
    /// A body that yields while it is being closed is suspended here, but its value is dropped: the
    /// closer gets [`IgnoredGeneratorExit`](crate::IgnoredGeneratorExit) instead. See
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

/// The result of a yield. It is as wide as the error that may come instead, so that either is
/// returned in registers: a narrow value in a slot that is read wide would defeat store forwarding.
#[repr(usize)]
enum Answer {
    /// A plain next.
    Next,
    /// A value was sent in, and is in `Link::sent`.
    Value,
}

/// The future of [`Yielder::yield_`].
#[must_use = "futures do nothing unless awaited"]
pub struct Yield<'a, T, S> {
    link: &'a Link<T, S>,
    /// The value, until it is given out.
    value: Option<T>,
    /// True from then on, until the yield is resumed.
    waits: bool,
    place: &'static Location<'static>,
}

// The value is moved, never pinned.
impl<T, S> Unpin for Yield<'_, T, S> {}

impl<T, S> Future for Yield<'_, T, S> {
    type Output = Result<Option<S>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let answer = match this.value.take() {
            Some(value) => match this.link.state.suspend() {
                Suspend::Suspended => {
                    this.hand_out(value);
                    this.keep_waker(cx);
                    return Poll::Pending;
                }
                Suspend::Closely => this.poll_closely(Some(value), cx),
            },
            None => match this.link.state.notice() {
                Notice::Next => {
                    this.waits = false;
                    return Poll::Ready(Ok(None));
                }
                Notice::Closely => this.poll_closely(None, cx),
            },
        };
        answer.map_ok(|answer| match answer {
            Answer::Next => None,
            Answer::Value => Some(this.link.take_value()),
        })
    }
}

impl<T, S> Yield<'_, T, S> {
    #[inline(always)]
    fn hand_out(&mut self, value: T) {
        self.waits = true;
        self.link.out.set(Some(value));
        self.link.at.set(Some(self.place));
    }

    #[inline(always)]
    fn keep_waker(&self, cx: &mut Context<'_>) {
        if !ptr::eq(cx.waker(), self.link.driver.get()) {
            self.wait_beside(cx.waker());
        }
    }

    /// To be called when the yield is polled with a different waker than the body. That waker has
    /// to be woken when the yield is resumed. Something else may be waiting beside the yield.
    #[cold]
    fn wait_beside(&self, waker: &Waker) {
        self.link.foreign.set(Some(waker.clone()));
        self.link.state.set_waits();
    }

    /// Deals with a poll that neither gives the value out nor returns at once.
    #[inline(never)]
    fn poll_closely(&mut self, value: Option<T>, cx: &mut Context<'_>) -> Poll<Result<Answer>> {
        match value {
            Some(value) => self.suspend_closely(value, cx).map(Err),
            None => self.notice_closely(cx),
        }
    }

    /// Suspends the body, or says why it must not be suspended here.
    fn suspend_closely(&mut self, value: T, cx: &mut Context<'_>) -> Poll<Error> {
        let link = self.link;
        let refusal = match link.state.suspend_closely() {
            Suspension::Suspended => {
                link.keep_inner_scope();
                self.hand_out(value);
                self.keep_waker(cx);
                return Poll::Pending;
            }
            Suspension::IgnoringExit => {
                self.waits = true;
                link.at.set(Some(self.place));
                self.keep_waker(cx);
                drop(value); // foreign code
                return Poll::Pending;
            }
            Suspension::TooLate => self.misused(Misuse::AfterTheEnd),
            Suspension::OtherFrame => self.misused(Misuse::OtherFrame),
            Suspension::Twice => self.misused(Misuse::Twice),
            Suspension::Held => self.forbidden(),
            Suspension::Error => link.take_error(),
            Suspension::Exit => GeneratorExit.into(),
        };
        drop(value); // foreign code
        Poll::Ready(refusal)
    }

    #[cold]
    fn misused(&self, how: Misuse) -> Error {
        YielderMisused::new(how, self.place).into()
    }

    #[cold]
    fn forbidden(&self) -> Error {
        let Held { what, place: opened } = self.link.state.held();
        YieldInCancelScope::new(what, opened, self.place).into()
    }

    /// Finds out whether the yield was resumed.
    fn notice_closely(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer>> {
        let answer = match self.link.state.notice_closely() {
            Resumed::Next => Ok(Answer::Next),
            Resumed::Value => Ok(Answer::Value),
            Resumed::Error => Err(self.link.take_error()),
            Resumed::NotYet => {
                self.keep_waker(cx);
                return Poll::Pending;
            }
        };
        self.waits = false;
        Poll::Ready(answer)
    }

    /// To be called when a `select` in the body has given up this yield. The body may go on to
    /// another one. A value that has not come out yet never does; an error that was to be raised
    /// here is raised at the next yield.
    #[cold]
    fn give_up(&self) {
        let link = self.link;
        let foreign = link.foreign.take();
        let out = link.out.take();
        let sent = match link.state.give_up() {
            GivenUp::Kept => None,
            GivenUp::Dropped => link.sent.take(),
        };
        drop((sent, out, foreign)); // foreign code
    }
}

impl<T, S> Link<T, S> {
    /// The value of an [`Answer::Value`].
    #[inline(always)]
    fn take_value(&self) -> S {
        match self.sent.take() {
            Some(Ok(value)) => value,
            _ => unreachable!("a value was sent"),
        }
    }

    fn take_error(&self) -> Error {
        match self.sent.take() {
            Some(Err(error)) => error,
            _ => unreachable!("an error was left"),
        }
    }

    /// Called when a context manager yields. Keeps the scope around the yield, if the manager has
    /// opened one.
    fn keep_inner_scope(&self) {
        if self.state.is_of_manager() {
            let current = current_scope();
            self.inner.set(current.filter(|scope| !ptr::eq(scope.as_ptr(), self.around.get())));
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
