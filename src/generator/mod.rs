//! Asynchronous generators (PEP 525) that cannot be suspended inside a cancel scope (PEP 789).
//!
//! | file | concept |
//! |---|---|
//! | `link` | what the body and its driver share; the yield |
//! | `drive` | `anext`, `asend`, `athrow`, `aclose` |
//! | `finalize` | what becomes of a suspended generator that is dropped |
//! | `of_nursery` | generators that borrow, and belong to a nursery |
//! | `aclosing` | a generator that is closed on every way out |
//! | `sync` | synchronous generators |
//!
//! The errors are in [`error::generator`](crate::error).
//!
//! # Foreign code
//!
//! A body, the values that go in and out, hooks, wakers and subscribers are foreign code. While a
//! body is polled it is borrowed, so that it cannot drive, close or drop itself; whatever else it
//! does finds a generator that runs. Otherwise foreign code runs last, when what is to happen has
//! been noted: a generator is taken off all lists before its body is dropped.

mod aclosing;
mod context_manager;
mod drive;
pub(crate) mod finalize;
pub(crate) mod link;
mod of_nursery;
mod safe_channel;
mod sync;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

pub use aclosing::aclosing;
pub use context_manager::{ContextManager, context_manager, with};
pub use drive::{Aclose, Anext, Asend, Athrow};
pub use finalize::{
    AsyncgenHooks, FinalizerHook, FirstIter, Unfinished, get_asyncgen_hooks, set_asyncgen_hooks,
};
pub use link::{Yield, Yielder};
pub use safe_channel::{Feed, safe_channel};
pub use sync::{SyncGenerator, sync_generator};

use crate::Result;
use crate::error::panic::FirstPanic;
use crate::generator::finalize::{Closable, Finalize};
use crate::generator::link::{Body, Link};
use crate::scope::aside::Aside;

/// How far a generator is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GeneratorState {
    /// It was not iterated yet.
    Created,
    /// It waits at a yield.
    Suspended,
    /// Its body runs, or an `anext` was dropped while it did.
    Running,
    /// Its body has ended.
    Finished,
}

/// What a [`GeneratorState`] is made of, besides the link.
#[derive(Clone, Copy)]
enum Progress {
    Created,
    Begun,
    Finished,
}

/// An asynchronous generator: a body that hands out values one at a time, and waits in between.
///
/// Made by [`generator`], or by [`Nursery::generator`](crate::Nursery::generator) where the body
/// borrows. `T` is what comes out, `S` what [`asend`](Self::asend) sends in. It is PEP 525's
/// asynchronous generator object, and a [`Stream`](futures_core::Stream).
///
/// Its clean-up is never skipped: a suspended one that is dropped is closed by its finalizer, the
/// runtime's unless [another](set_asyncgen_hooks) was set, and all that are left are closed before
/// [`run`](crate::run) returns. To have it closed before the program goes on, use [`aclosing`].
#[must_use = "a generator does nothing until it is iterated"]
pub struct Generator<'a, T, S = ()> {
    inner: Rc<Inner<'a, T, S>>,
}

pub(crate) struct Inner<'a, T, S> {
    link: Rc<Link<T, S>>,
    /// Gone when the body has ended, and borrowed while it runs.
    body: RefCell<Option<Body<'a>>>,
    progress: Cell<Progress>,
    finalizer: Box<dyn Finalize<'a> + 'a>,
    /// Itself, for the finalizer.
    this: Weak<dyn Closable + 'a>,
    /// Of the call that drives it.
    aside: Aside,
    /// Its finalizer is closing it, and nobody else may drive it.
    finalizing: Cell<bool>,
    /// Whoever waits for that.
    finished: Cell<Option<Waker>>,
    /// Its place among the runtime's living generators.
    registered: Cell<Option<finalize::Registration>>,
    name: &'static str,
    qualname: RefCell<Cow<'static, str>>,
    place: &'static Location<'static>,
}

/// Makes an asynchronous generator out of a body.
///
/// The body gets a [`Yielder`], and ends by returning. Nothing of it runs before the first
/// [`anext`](Generator::anext). It may not yield inside a cancel scope, a timeout or a nursery
/// that it opened: see [`YieldInCancelScope`].
///
/// ```
/// use seedbed::{Yielder, generator, sleep};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let mut ticker = generator(async |y: Yielder<u32>| {
///         for i in 0..3 {
///             y.yield_(i).await?;
///             sleep(Duration::from_millis(1)).await?;
///         }
///         Ok(())
///     });
///     let mut got = Vec::new();
///     while let Some(i) = ticker.anext().await? {
///         got.push(i);
///     }
///     assert_eq!(got, [0, 1, 2]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn generator<T, S, F>(body: F) -> Generator<'static, T, S>
where
    F: AsyncFnOnce(Yielder<T, S>) -> Result<()> + 'static,
    T: 'static,
    S: 'static,
{
    Generator::new(body, Box::new(finalize::OfThread::default()), Location::caller())
}

impl<'a, T, S> Generator<'a, T, S> {
    pub(crate) fn new<F>(
        body: F,
        finalizer: Box<dyn Finalize<'a> + 'a>,
        place: &'static Location<'static>,
    ) -> Self
    where
        F: AsyncFnOnce(Yielder<T, S>) -> Result<()> + 'a,
        T: 'a,
        S: 'a,
    {
        let name = name_of::<F>();
        let link = Link::new(false);
        let yielder = Yielder::new(link.clone());
        Generator {
            inner: Rc::new_cyclic(|this: &Weak<Inner<'a, T, S>>| Inner {
                body: RefCell::new(Some(Box::pin(body(yielder)))),
                link,
                progress: Cell::new(Progress::Created),
                finalizer,
                this: this.clone(),
                aside: Aside::new(),
                finalizing: Cell::new(false),
                finished: Cell::new(None),
                registered: Cell::new(None),
                name,
                qualname: RefCell::new(Cow::Borrowed(name)),
                place,
            }),
        }
    }

    /// Its name: that of the function it was made in.
    #[must_use]
    pub fn name(&self) -> &'static str {
        last_segment(self.inner.name)
    }

    /// Its name with its path, or the one that was set.
    #[must_use]
    pub fn qualname(&self) -> Cow<'static, str> {
        self.inner.qualname.borrow().clone()
    }

    /// Gives it another qualified name, for errors and warnings.
    pub fn set_qualname(&self, name: impl Into<Cow<'static, str>>) {
        *self.inner.qualname.borrow_mut() = name.into();
    }

    /// Where it was made.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.inner.place
    }

    /// How far it is. PEP 525's `ag_running` is `Running`.
    #[must_use]
    pub fn state(&self) -> GeneratorState {
        self.inner.state()
    }

    /// The yield it is suspended at. PEP 525's `ag_frame` gives the line.
    #[must_use]
    pub fn suspended_at(&self) -> Option<&'static Location<'static>> {
        self.inner.link.suspended_at()
    }

    /// What its body waits for inside, when it runs: the operation of this crate that was reached
    /// last. PEP 525's `ag_await`.
    #[must_use]
    pub fn awaiting(&self) -> Option<&'static str> {
        match self.state() {
            GeneratorState::Running => self.inner.link.frame.awaiting(),
            _ => None,
        }
    }
}

/// The function around a closure, by the closure's type.
fn name_of<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    name.trim_end_matches("::{{closure}}")
}

/// The last segment of a path, without the types it was called with.
fn last_segment(path: &str) -> &str {
    let (mut start, mut depth, mut before) = (0, 0_usize, ' ');
    for (at, c) in path.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            ':' if before == ':' && depth == 0 => start = at + 1,
            _ => {}
        }
        before = c;
    }
    let segment = &path[start..];
    segment.split('<').next().unwrap_or(segment)
}

impl<'a, T, S> Inner<'a, T, S> {
    /// The body has ended, or is not to run any more.
    fn finish(&self) {
        self.progress.set(Progress::Finished);
        self.deregister();
        let waiting = self.finished.take();
        let body = self.body.try_borrow_mut().ok().and_then(|mut body| body.take());
        // From here on foreign code runs.
        let mut panic = FirstPanic::new();
        panic.catch(|| self.link.end());
        if let Some(waiting) = waiting {
            panic.catch(|| waiting.wake());
        }
        panic.catch(|| drop(body));
        panic.resume();
    }

    fn state(&self) -> GeneratorState {
        match self.progress.get() {
            Progress::Created => GeneratorState::Created,
            Progress::Begun if self.link.is_running() => GeneratorState::Running,
            Progress::Begun => match self.link.suspended_at() {
                Some(_) => GeneratorState::Suspended,
                None => GeneratorState::Running,
            },
            Progress::Finished => GeneratorState::Finished,
        }
    }

    /// Takes it out of the runtime's list of those to be closed at the end. False if it was not
    /// there.
    fn deregister(&self) -> bool {
        self.registered.take().inspect(|registration| registration.remove()).is_some()
    }
}

impl<T, S> Drop for Generator<'_, T, S> {
    fn drop(&mut self) {
        match self.inner.state() {
            GeneratorState::Created => self.inner.finish(),
            // Its finalizer has it already. (Its own body may be what drops it.)
            GeneratorState::Running if self.inner.finalizing.get() => {}
            GeneratorState::Suspended | GeneratorState::Running
                if self.inner.link.has_ignored_exit() =>
            {
                self.inner.exit_again();
            }
            GeneratorState::Suspended | GeneratorState::Running => {
                if let Some(generator) = self.inner.this.upgrade() {
                    self.inner.finalizer.dropped(generator);
                }
            }
            GeneratorState::Finished => {}
        }
    }
}

impl<T, S> futures_core::Stream for Generator<'_, T, S> {
    type Item = Result<T>;

    /// As [`anext`](Generator::anext).
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.inner.poll_next(cx).map(Result::transpose)
    }
}

impl<T, S> std::fmt::Debug for Generator<'_, T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator")
            .field("name", &self.qualname())
            .field("state", &self.state())
            .field("made_at", &self.place())
            .field("suspended_at", &self.suspended_at())
            .field("awaiting", &self.awaiting())
            .finish()
    }
}
