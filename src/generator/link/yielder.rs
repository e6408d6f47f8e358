//! The body's end: the [`Yielder`], and the yield.

use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

use crate::error::{Error, GeneratorExit, Misuse, Result, YieldInCancelScope, YielderMisused};
use crate::generator::cell::{Memory, ToLink};
use crate::generator::link::Link;
use crate::generator::state::{GivenUp, Notice, Resumed, Suspension};
use crate::scope::current::current_scope;
use crate::scope::frame::Held;

/// The means by which a body yields. It belongs to the body that it was given to: it fails if it is
/// used in a child task, in another generator, after the body has ended, or while another yield
/// waits.
pub struct Yielder<T, S = ()> {
    pub(super) link: Memory<T, S>,
}

impl<T, S> Yielder<T, S> {
    pub(crate) fn new(link: Memory<T, S>) -> Self {
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
        Yield { link: self.link.pointer(), stage: Stage::Offers(value), place: Location::caller() }
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
    pub(super) link: ToLink<'a, T, S>,
    pub(super) stage: Stage<T>,
    pub(super) place: &'static Location<'static>,
}

/// How far a yield has got.
pub(super) enum Stage<T> {
    /// It has not been polled, or was refused. It has its value.
    Offers(T),
    Waits,
    Done,
}

// The value is moved, never pinned.
impl<T, S> Unpin for Yield<'_, T, S> {}

impl<T, S> Future for Yield<'_, T, S> {
    type Output = Result<Option<S>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.stage {
            Stage::Offers(_) => {
                let link = this.link;
                let polled_by = link.if_current(|link| this.suspend(link, cx)).flatten();
                match polled_by {
                    Some(PolledBy::Driver) => return Poll::Pending,
                    Some(PolledBy::Another) => {
                        this.wait_beside(cx.waker());
                        return Poll::Pending;
                    }
                    None => {}
                }
            }
            Stage::Waits => match this.link.notice() {
                Notice::Next => {
                    this.stage = Stage::Done;
                    return Poll::Ready(Ok(None));
                }
                Notice::Value => {
                    this.stage = Stage::Done;
                    // SAFETY: the state has said so just now.
                    return Poll::Ready(Ok(Some(unsafe { this.link.take_noticed() })));
                }
                Notice::Closely => {}
            },
            Stage::Done => {}
        }
        this.poll_closely(cx)
    }
}

/// Whether the poll of a yield comes from the driver of the body, with nothing in between that has
/// a waker of its own.
enum PolledBy {
    Driver,
    Another,
}

impl<T, S> Yield<'_, T, S> {
    /// Suspends the body, if there is nothing else to deal with.
    #[inline(always)]
    fn suspend(&mut self, link: &Link<T, S>, cx: &Context<'_>) -> Option<PolledBy> {
        if !link.state.only_runs_with_no_holds() {
            return None;
        }
        self.hand_out(link);
        link.state.suspend();
        Some(if ptr::addr_eq(cx, link.driver.get()) { PolledBy::Driver } else { PolledBy::Another })
    }

    /// Puts the value into the link. The yield waits from now on.
    #[inline(always)]
    fn hand_out(&mut self, link: &Link<T, S>) {
        let place = self.place;
        if let Stage::Offers(value) = mem::replace(&mut self.stage, Stage::Waits) {
            link.out.put(value);
        }
        link.at.set(Some(place));
    }

    /// To be called when the yield is polled with a different context than the body. Its waker has
    /// to be woken when the yield is resumed. Something else may be waiting beside the yield.
    #[cold]
    #[inline(never)]
    fn wait_beside(&self, waker: &Waker) {
        let waker = waker.clone(); // foreign code
        // SAFETY: only what was there before is dropped, last.
        let before = unsafe { self.link.get() }.and_then(|link| {
            link.state.set_waits();
            link.foreign.replace(Some(waker))
        });
        drop(before); // foreign code
    }

    /// Deals with a poll that neither gives the value out nor returns at once.
    #[cold]
    #[inline(never)]
    fn poll_closely(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<S>>> {
        match self.stage {
            Stage::Offers(_) => self.suspend_closely(cx).map(Err),
            Stage::Waits => self.notice_closely(cx),
            Stage::Done => panic!("a yield was polled after it was ready"),
        }
    }

    /// Suspends the body, or says why it must not be suspended here.
    fn suspend_closely(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let link = self.link;
        let refusal = link.if_current(|link| match link.state.suspend_closely() {
            Suspension::Suspended => {
                self.hand_out(link);
                link.keep_inner_scope();
                None
            }
            Suspension::IgnoringExit => {
                let ignored = mem::replace(&mut self.stage, Stage::Waits);
                link.at.set(Some(self.place));
                drop(ignored); // foreign code
                None
            }
            Suspension::TooLate => Some(self.misused(Misuse::AfterTheEnd)),
            Suspension::Twice => Some(self.misused(Misuse::Twice)),
            Suspension::Held => Some(self.forbidden(link)),
            Suspension::Error => Some(link.take_error()),
            Suspension::Exit => Some(GeneratorExit.into()),
        });
        match refusal.unwrap_or_else(|| Some(self.misplaced())) {
            Some(refusal) => {
                self.stage = Stage::Done; // foreign code drops the value
                Poll::Ready(refusal)
            }
            None => {
                self.keep_waker(cx);
                Poll::Pending
            }
        }
    }

    /// Says why the yield, which is polled in another frame than its own, is refused.
    #[cold]
    fn misplaced(&self) -> Error {
        // SAFETY: no foreign code runs.
        match unsafe { self.link.get() } {
            Some(link) if !link.state.has_ended() => self.misused(Misuse::OtherFrame),
            _ => self.misused(Misuse::AfterTheEnd),
        }
    }

    #[cold]
    fn misused(&self, how: Misuse) -> Error {
        YielderMisused::new(how, self.place).into()
    }

    #[cold]
    fn forbidden(&self, link: &Link<T, S>) -> Error {
        let Held { what, place: opened } = link.state.held();
        YieldInCancelScope::new(what, opened, self.place).into()
    }

    /// Finds out whether the yield was resumed.
    fn notice_closely(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<S>>> {
        // SAFETY: no foreign code runs.
        let Some(link) = (unsafe { self.link.get() }) else { return Poll::Pending };
        let answer = match link.state.notice_closely() {
            Resumed::Next => Ok(None),
            // SAFETY: the state has said so just now.
            Resumed::Value => Ok(Some(unsafe { self.link.take_noticed() })),
            Resumed::Error => Err(link.take_error()),
            Resumed::NotYet => {
                self.keep_waker(cx);
                return Poll::Pending;
            }
        };
        self.stage = Stage::Done;
        Poll::Ready(answer)
    }

    /// To be called when the yield waits.
    fn keep_waker(&self, cx: &mut Context<'_>) {
        // SAFETY: no foreign code runs.
        let link = unsafe { self.link.get() };
        // While the body is not running, `driver` may be anything.
        if !link.is_some_and(|link| link.state.is_running() && ptr::addr_eq(cx, link.driver.get()))
        {
            self.wait_beside(cx.waker());
        }
    }

    /// To be called when a `select` in the body has given up this yield. The body may go on to
    /// another one. A value that has not come out yet never does; an error that was to be raised
    /// here is raised at the next yield.
    #[cold]
    #[inline(never)]
    fn give_up(&self) {
        // SAFETY: what is foreign is dropped last.
        let Some(link) = (unsafe { self.link.get() }) else { return };
        let foreign = link.foreign.take();
        let values = (link.take_out(), link.take_batch(), link.take_sent());
        let error = match link.state.give_up() {
            GivenUp::Kept => None,
            GivenUp::Dropped => link.error.take(),
        };
        drop((error, values, foreign)); // foreign code
    }
}

impl<T, S> Link<T, S> {
    fn take_error(&self) -> Error {
        let Some(error) = self.error.take() else { unreachable!("an error was left") };
        error
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
    #[inline(always)]
    fn drop(&mut self) {
        if let Stage::Waits = self.stage {
            self.give_up();
        }
    }
}

impl<T, S> std::fmt::Debug for Yield<'_, T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Yield").field("place", &self.place).finish_non_exhaustive()
    }
}
