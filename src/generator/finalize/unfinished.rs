//! The generator that a finalizer is given.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Display;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::error::panic::{in_destructor, quietly};
use crate::error::{GeneratorExit, Result};
use crate::generator::Inner;
use crate::generator::calls::Closing;
use crate::generator::finalize::{Closable, give_up};
use crate::schedule::budget;

/// A generator that was dropped before its body had ended. It is passed to a finalizer.
///
/// If the finalizer drops it, the body is given up: its clean-up is skipped, and this is reported
/// through `tracing`.
pub struct Unfinished<'a> {
    generator: Rc<dyn Closable + 'a>,
    origin: Origin,
    closing: Cell<Closing>,
}

/// How a generator came to its finalizer.
#[derive(Clone, Copy)]
enum Origin {
    Dropped,
    /// It was not dropped, but is left when everything else has ended.
    Left,
}

impl<'a> Unfinished<'a> {
    pub(super) fn new(generator: Rc<dyn Closable + 'a>) -> Self {
        Unfinished { generator, origin: Origin::Dropped, closing: Cell::default() }
    }

    /// A generator that was not dropped, but is left when everything else has ended.
    pub(super) fn left(generator: Rc<dyn Closable + 'a>) -> Self {
        generator.take_over();
        Unfinished { generator, origin: Origin::Left, closing: Cell::default() }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        match (self.closing.get(), self.origin) {
            (Closing::Unbegun, _) => {
                give_up(&*self.generator, "a finalizer has given a generator up");
            }
            // If it ignored its exit, it is not asked a second time: CPython finalizes an object
            // only once.
            (Closing::Begun, Origin::Dropped) => in_destructor(|| self.generator.abandon()),
            (Closing::Begun, Origin::Left) => self.generator.exit_again(),
        }
    }
}

impl Unfinished<'_> {
    /// The generator's qualified name.
    #[must_use]
    pub fn qualname(&self) -> Cow<'static, str> {
        self.generator.qualname()
    }

    /// Where the generator was made.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.generator.place()
    }

    /// The yield that the generator is suspended at.
    #[must_use]
    pub fn suspended_at(&self) -> Option<&'static Location<'static>> {
        self.generator.suspended_at()
    }

    /// Closes the generator, as [`Generator::aclose`](crate::Generator::aclose) does.
    ///
    /// # Errors
    ///
    /// The same as for `aclose`.
    pub async fn aclose(self) -> Result<()> {
        self.close().await
    }

    pub(super) async fn close(&self) -> Result<()> {
        self.closing.set(Closing::Begun);
        self.generator.begin_finalizing();
        Finalizing { generator: &*self.generator, closing: Closing::default() }.await
    }
}

impl std::fmt::Debug for Unfinished<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unfinished")
            .field("name", &self.qualname())
            .field("made_at", &self.place())
            .field("suspended_at", &self.suspended_at())
            .finish()
    }
}

/// Closes a generator that nothing else polls meanwhile.
struct Finalizing<'g, 'a> {
    generator: &'g (dyn Closable + 'a),
    closing: Closing,
}

impl Drop for Finalizing<'_, '_> {
    fn drop(&mut self) {
        self.generator.end_finalizing();
    }
}

impl Future for Finalizing<'_, '_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let generator = self.generator;
        generator.poll_close(&mut self.closing, cx)
    }
}

impl<T, S> Inner<'_, T, S> {
    /// Ends a body that has yielded when it was closed: raises `GeneratorExit` once more and polls
    /// the body once, so that clean-up that does not wait runs. Does nothing to any other body.
    #[cold]
    pub(in crate::generator) fn exit_again(&self) {
        if !self.link.state.has_ignored_exit() || self.link.state.is_running() {
            return;
        }
        self.deregister();
        self.link.exit();
        last_chance(&self.qualname(), self.place, |cx| self.poll_body(cx));
        in_destructor(|| self.finish());
    }
}

/// Polls a body once that has yielded when it was closed, and in which `GeneratorExit` has been
/// raised once more. What it does instead of ending is reported.
pub(in crate::generator) fn last_chance<T>(
    generator: &dyn Display,
    place: &'static Location<'static>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<Result<Option<T>>>,
) {
    // In a destructor a panic cannot be passed on, and an error's text, a payload and a subscriber
    // are foreign code.
    quietly(|| {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            budget::with_whole_budget(|| poll(&mut Context::from_waker(Waker::noop())))
        }));
        let why = match polled {
            Ok(Poll::Ready(Ok(None))) => return,
            Ok(Poll::Ready(Err(error))) if error.is::<GeneratorExit>() => return,
            Ok(Poll::Ready(Err(error))) => error.to_string(),
            // It was not suspended at a yield, and the exit has yet to be raised.
            Ok(Poll::Ready(Ok(Some(_)))) => "it yields".into(),
            Ok(Poll::Pending) => "it waits for something".into(),
            Err(payload) => {
                quietly(|| drop(payload));
                "it panicked".into()
            }
        };
        tracing::error!(
            %generator,
            made_at = %place,
            error = %why,
            "a generator that had ignored `GeneratorExit` did not end when it was given up"
        );
    });
}
