//! Asynchronous generators (PEP 525) that cannot be suspended inside a cancel scope (PEP 789).
//!
//! | file | concept |
//! |---|---|
//! | `state` | the state of a body, in one word: a diagram, and each transition |
//! | `link` | what the body and its driver share; the driver's end, and the body's end with the yield |
//! | `cell` | what the state guards, unsafely: the body, the slots, the way from a yielder to its link |
//! | `calls` | `anext`, `asend`, `athrow`, `aclose` |
//! | `finalize` | what becomes of a suspended generator that is dropped or left behind; hooks |
//! | `aclosing` | a generator that is closed on every way out |
//! | `iterate` | generators that are part of the future which iterates them |
//! | `sync_generator` | generators that are iterators |
//! | `context_manager` | bodies that set up, yield once, and clean up |
//! | `entered` | the context managers that were entered, for those who look |
//! | `safe_channel` | a producer that may yield inside scopes |
//! | `flow` | operators, and what closes what they wrap |
//!
//! Open scopes are counted in `scope/frame.rs`; the errors are in `error/generator.rs`.
//!
//! # Foreign code
//!
//! A body, the values that go in and out, hooks, wakers and subscribers are foreign code. While a
//! body is polled its state says that it is running, so it cannot poll, close or drop itself. All
//! other foreign code runs last, when the state already says what is to happen: for example, a
//! generator is taken off all lists before its body is dropped.
//!
//! # Who owns what
//!
//! ```text
//!  Generator ──► Inner: link, body ──► Box: the body's future ──► Yielder
//!                  ▲    ▲                                            │
//!  a finalizer ────┘    └ ─ ─ ─ ─ ─ keeps only the memory ─ ─ ─ ─ ─ ─┘
//! ```
//!
//! So there is no circle of owners, and what a body borrows is dropped with the last that may poll
//! it, whatever becomes of the yielder.

mod aclosing;
mod calls;
mod cell;
mod context_manager;
pub(crate) mod entered;
pub(crate) mod finalize;
pub mod flow;
mod iterate;
mod link;
mod safe_channel;
mod state;
mod sync_generator;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

pub use aclosing::aclosing;
pub use calls::{Aclose, Anext, Asend, Athrow};
pub use context_manager::{ContextManager, context_manager, with};
pub use finalize::{
    AsyncgenHooks, FinalizerHook, FirstIter, Unfinished, get_asyncgen_hooks, set_asyncgen_hooks,
};
pub use flow::flow;
pub use iterate::{Items, iterate};
pub use link::{Yield, YieldAll, Yielder};
pub use safe_channel::{Feed, safe_channel};
pub use sync_generator::{SyncGenerator, sync_generator};

use crate::error::Result;
use crate::error::panic::FirstPanic;
use crate::generator::cell::{BodyCell, Memory};
use crate::generator::finalize::{Closable, Finalizer, Registration};
use crate::generator::link::Link;
use crate::generator::state::{Kind, Phase};

/// The state of a generator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GeneratorState {
    /// The generator has not been iterated yet.
    Created,
    /// The body waits at a yield.
    Suspended,
    /// The body is running, or an `anext` was dropped while the body was running.
    Running,
    /// The body has ended.
    Finished,
}

impl From<Phase> for GeneratorState {
    fn from(phase: Phase) -> GeneratorState {
        match phase {
            Phase::Created => GeneratorState::Created,
            Phase::AtYield => GeneratorState::Suspended,
            Phase::InFlight | Phase::Running | Phase::Finalizing => GeneratorState::Running,
            Phase::Ended => GeneratorState::Finished,
        }
    }
}

/// An asynchronous generator: a body that yields values one at a time, and waits in between.
///
/// It is made by [`generator`], or by [`Nursery::generator`](crate::Nursery::generator) if the body
/// borrows. It yields values of type `T`, and [`asend`](Self::asend) sends in values of type `S`.
/// It is PEP 525's asynchronous generator object, and a [`Stream`](futures_core::Stream).
///
/// Its clean-up is never skipped. A suspended generator that is dropped is closed by its finalizer,
/// which is the run's unless [another](set_asyncgen_hooks) was set. Generators that are left are
/// closed before [`run`](crate::run) returns. To have one closed before the program goes on, use
/// [`aclosing`].
#[must_use = "a generator does nothing until it is iterated"]
pub struct Generator<'a, T, S = ()> {
    inner: Rc<Inner<'a, T, S>>,
}

/// The part of a generator that it shares with its finalizer.
struct Inner<'a, T, S> {
    /// Empty when the body has ended. Dropped before the link, which yields in it may still use.
    body: BodyCell<'a>,
    link: Link<T, S>,
    finalizer: Finalizer<'a>,
    /// Hides the types, for the finalizer. (Only where the generator is made is it known that they
    /// outlast `'a`.)
    as_closable: fn(Rc<Self>) -> Rc<dyn Closable + 'a>,
    /// A call of `aclose` that waits until the finalizer has closed it.
    closer: Cell<Option<Waker>>,
    /// The generator's place in the run's list of generators.
    registered: Cell<Option<Registration>>,
    name: &'static str,
    qualname: RefCell<Cow<'static, str>>,
    place: &'static Location<'static>,
}

/// Makes an asynchronous generator out of a body.
///
/// The body gets a [`Yielder`], and ends by returning. No part of it runs before the first
/// [`anext`](Generator::anext). It may not yield inside a cancel scope, a timeout or a nursery that
/// it opened: see [`YieldInCancelScope`](crate::YieldInCancelScope).
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
    Generator::new(body, Finalizer::of_thread(), Location::caller())
}

impl<'a, T, S> Generator<'a, T, S> {
    fn new<F>(body: F, finalizer: Finalizer<'a>, place: &'static Location<'static>) -> Self
    where
        F: AsyncFnOnce(Yielder<T, S>) -> Result<()> + 'a,
        T: 'a,
        S: 'a,
    {
        let name = name_of::<F>();
        let inner = Rc::new(Inner {
            body: BodyCell::empty(),
            link: Link::new(Kind::Generator),
            finalizer,
            as_closable: |this| this,
            closer: Cell::new(None),
            registered: Cell::new(None),
            name,
            qualname: RefCell::new(Cow::Borrowed(name)),
            place,
        });
        let body = Box::pin(body(Yielder::new(Inner::memory(&inner)))); // foreign code
        // SAFETY: nobody else has the generator.
        unsafe { inner.body.put(body) };
        Generator { inner }
    }

    /// The generator's name: that of the function in which it was made.
    #[must_use]
    pub fn name(&self) -> &'static str {
        last_segment(self.inner.name)
    }

    /// The generator's name with its path, or the one that was set.
    #[must_use]
    pub fn qualname(&self) -> Cow<'static, str> {
        self.inner.qualname()
    }

    /// Gives the generator another qualified name, for errors and warnings.
    pub fn set_qualname(&self, name: impl Into<Cow<'static, str>>) {
        *self.inner.qualname.borrow_mut() = name.into();
    }

    /// Where the generator was made.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.inner.place
    }

    /// The generator's state. PEP 525's `ag_running` is `Running`.
    #[must_use]
    pub fn state(&self) -> GeneratorState {
        self.inner.link.state.phase().into()
    }

    /// The yield that the body is suspended at. PEP 525's `ag_frame` gives the line.
    #[must_use]
    pub fn suspended_at(&self) -> Option<&'static Location<'static>> {
        self.inner.link.suspended_at()
    }

    /// What a running body waits for: the operation of this crate that it reached last. This is PEP
    /// 525's `ag_await`.
    #[must_use]
    pub fn awaiting(&self) -> Option<&'static str> {
        match self.state() {
            GeneratorState::Running => self.inner.link.state.frame().awaiting(),
            _ => None,
        }
    }
}

/// The name of the function around a closure, from the closure's type.
fn name_of<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    name.trim_end_matches("::{{closure}}")
}

/// The last segment of a path, without its type arguments.
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
    fn closable(self: &Rc<Self>) -> Rc<dyn Closable + 'a> {
        (self.as_closable)(self.clone())
    }

    fn memory(this: &Rc<Self>) -> Memory<T, S> {
        // SAFETY: it exists.
        let link = unsafe { &raw const (*Rc::as_ptr(this)).link };
        // SAFETY: it is in what is owned.
        unsafe { Memory::new(this, link) }
    }

    fn qualname(&self) -> Cow<'static, str> {
        self.qualname.borrow().clone()
    }

    /// To be called when the body has ended, or must not run any more.
    fn finish(&self) {
        let gone = self.link.end();
        self.deregister();
        let closer = self.closer.take();
        // SAFETY: it has ended.
        let body = unsafe { self.body.take(&self.link.state) };
        // From here on, foreign code runs.
        let mut panic = FirstPanic::new();
        panic.catch(|| drop(gone));
        if let Some(closer) = closer {
            panic.catch(|| closer.wake());
        }
        panic.catch(|| drop(body));
        panic.resume();
    }

    /// Takes it off the run's list of generators to be closed at the end.
    fn deregister(&self) -> Deregistered {
        match self.registered.take() {
            Some(registration) => {
                registration.remove();
                Deregistered::Now
            }
            None => Deregistered::Before,
        }
    }
}

/// Whether a generator was still on the run's list.
#[derive(PartialEq, Eq)]
enum Deregistered {
    Now,
    /// It had been taken off before, or was never on it.
    Before,
}

impl<T, S> Drop for Generator<'_, T, S> {
    fn drop(&mut self) {
        let state = &self.inner.link.state;
        match state.phase() {
            Phase::Created => self.inner.finish(),
            // Its finalizer already has it. (It may be its own body that drops it.)
            Phase::Finalizing | Phase::Ended => {}
            Phase::AtYield | Phase::InFlight | Phase::Running if state.has_ignored_exit() => {
                self.inner.exit_again();
            }
            Phase::AtYield | Phase::InFlight | Phase::Running => {
                self.inner.finalizer.dropped(self.inner.closable());
            }
        }
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
