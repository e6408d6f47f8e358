//! Synchronous generators. They may not yield inside scopes either.

use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::error::panic::{FirstPanic, report};
use crate::error::{Error, GeneratorExit, GeneratorMisused, Impossible, Result};
use crate::generator::link::{Body, DynBody, Link, Resume, Step, Yielder};
use crate::generator::state::{Close, Kind};
use crate::schedule::budget;

/// A generator whose body awaits nothing except its own yields: an iterator.
///
/// It is made by [`sync_generator`]. If the body is suspended when the generator is dropped, it is
/// closed at once: [`GeneratorExit`] is raised at its yield.
pub struct SyncGenerator<'a, T, S = ()> {
    link: Rc<Link<T, S>>,
    /// `None` when the body has ended, other than by a panic.
    body: Option<Body<'a>>,
    place: &'static Location<'static>,
}

/// Makes a synchronous generator out of a body.
///
/// The body is an async closure that awaits only its yields; awaiting anything that has to wait is
/// an error. It may not yield inside a cancel scope, a timeout or a nursery that it opened.
///
/// ```
/// use seedbed::{Yielder, sync_generator};
///
/// let words = ["one", "two", "three"]; // borrowed below
/// let lengths = sync_generator(async |y: Yielder<usize>| {
///     for word in &words {
///         y.yield_(word.len()).await?;
///     }
///     Ok(())
/// });
/// assert_eq!(lengths.collect::<Result<Vec<_>, _>>()?, [3, 3, 5]);
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn sync_generator<'a, T, S, F>(body: F) -> SyncGenerator<'a, T, S>
where
    F: AsyncFnOnce(Yielder<T, S>) -> Result<()> + 'a,
    T: 'a,
    S: 'a,
{
    let link = Link::shared(Kind::Generator);
    let yielder = Yielder::new(Link::memory(&link));
    SyncGenerator { link, body: Some(Box::pin(body(yielder))), place: Location::caller() }
}

impl<'a, T, S> SyncGenerator<'a, T, S> {
    /// Does the same as `next`, and makes the yield that the body is suspended at return
    /// `Some(value)`.
    ///
    /// # Errors
    ///
    /// The body's; [`GeneratorMisused`] before the first `next`.
    pub fn send(&mut self, value: S) -> Result<Option<T>> {
        if !self.link.state.has_begun() {
            return Err(self.misused(Impossible::SendBeforeFirst("next")));
        }
        self.go_on(Resume::Value(value))
    }

    /// Does the same as `next`, and makes the yield that the body is suspended at fail with
    /// `error`.
    ///
    /// # Errors
    ///
    /// `error` itself if the body does not handle it, has not begun (it never will), or has ended.
    pub fn throw(&mut self, error: impl Into<Error>) -> Result<Option<T>> {
        let error = error.into(); // foreign code
        if !self.link.state.has_begun() || self.link.state.has_ended() {
            self.end();
            return Err(error);
        }
        self.go_on(Resume::Raise(error))
    }

    /// Closes the generator: raises [`GeneratorExit`] at the yield that the body is suspended at.
    ///
    /// # Errors
    ///
    /// What the body fails with, other than `GeneratorExit`;
    /// [`IgnoredGeneratorExit`](crate::IgnoredGeneratorExit) if it yields instead of ending. It
    /// stays suspended there, as described at [`Generator::aclose`](crate::Generator::aclose):
    /// `next` and `send` resume it, closing it again does nothing, and `GeneratorExit` is raised
    /// once more when the generator is dropped.
    pub fn close(&mut self) -> Result<()> {
        match self.link.state.close() {
            Close::Unbegun => {
                self.end();
                Ok(())
            }
            Close::Exit => self.exit(),
            Close::Nothing => Ok(()),
        }
    }

    fn exit(&mut self) -> Result<()> {
        self.link.exit();
        match self.drive() {
            Ok(_) => Ok(()),
            Err(error) if error.is::<GeneratorExit>() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn misused(&self, what: Impossible) -> Error {
        GeneratorMisused::new(what, format!("made at {}", self.place)).into()
    }

    fn end(&mut self) {
        let (gone, body) = (self.link.end(), self.body.take());
        drop((gone, body)); // foreign code
    }

    fn go_on(&mut self, with: Resume<S>) -> Result<Option<T>> {
        self.link.resume(with);
        self.drive()
    }

    fn drive(&mut self) -> Result<Option<T>> {
        if self.link.state.has_ended() {
            return Ok(None);
        }
        budget::count();
        self.poll(|link, body, cx| link.poll(body, cx))
    }

    /// Polls the body, unless it has ended. There is nobody that it could let run, so a checkpoint in
    /// it only looks for cancellation.
    #[inline(always)]
    fn poll(
        &mut self,
        poll: impl FnOnce(&Link<T, S>, Pin<&mut DynBody<'a>>, &mut Context<'_>) -> Poll<Step<T>>,
    ) -> Result<Option<T>> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let mut cx = Context::from_waker(Waker::noop());
        let step = budget::uninterrupted(|| poll(&self.link, body.as_mut(), &mut cx));
        match step {
            Poll::Ready(Step::Yielded(value)) => Ok(Some(value)),
            step => self.after(step),
        }
    }

    #[inline(never)]
    fn after(&mut self, step: Poll<Step<T>>) -> Result<Option<T>> {
        match step {
            Poll::Ready(Step::Yielded(value)) => Ok(Some(value)),
            Poll::Ready(Step::Ignored(error)) => Err(error.into()),
            Poll::Ready(Step::Ended(outcome)) => {
                self.end();
                outcome.map(|()| None)
            }
            Poll::Pending => {
                self.end();
                Err(self.misused(Impossible::Waits))
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn next_closely(&mut self) -> Result<Option<T>> {
        if self.link.state.has_begun() {
            self.link.resume(Resume::Next);
        } else {
            self.link.state.begin();
        }
        self.drive()
    }
}

impl<T, S> Iterator for SyncGenerator<'_, T, S> {
    type Item = Result<T>;

    #[inline]
    fn next(&mut self) -> Option<Result<T>> {
        if !self.link.state.rests() {
            if let Some(value) = self.link.next_if_in_batch() {
                budget::count();
                return Some(Ok(value));
            }
            return self.next_closely().transpose();
        }
        budget::count();
        let next = self.poll(|link, mut body, cx| {
            let goes_on = link.state.go_on();
            match link.poll_resumed(goes_on, body.as_mut(), cx) {
                Ok(value) => Poll::Ready(Step::Yielded(value)),
                Err(outcome) => link.settle_resumed(outcome, body, cx),
            }
        });
        next.transpose()
    }
}

impl<T, S> Drop for SyncGenerator<'_, T, S> {
    fn drop(&mut self) {
        // The body is foreign code, and so is its error.
        let mut panic = FirstPanic::new();
        if self.link.state.has_begun() && !self.link.state.has_ended() {
            panic.catch(|| {
                if let Err(error) = self.exit() {
                    report!(error, generator = %self.place, %error, "a generator failed while it was dropped");
                }
            });
        }
        panic.catch(|| self.end());
        panic.resume();
    }
}

impl<T, S> std::fmt::Debug for SyncGenerator<'_, T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncGenerator")
            .field("made_at", &self.place)
            .field("suspended_at", &self.link.suspended_at())
            .field("is_finished", &self.link.state.has_ended())
            .finish()
    }
}
