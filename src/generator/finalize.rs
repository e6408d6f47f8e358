//! What becomes of a suspended generator that is dropped, and of those that are left when the main
//! future ends.
//!
//! Its clean-up is asynchronous, so it cannot run in a destructor: the body is handed to the
//! finalizer that was set when it was first iterated. The runtime's own closes it in a system
//! task, inside a cancelled, shielded scope: it may clean up, and cannot wait.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use slab::Slab;

use crate::error::Reason;
use crate::error::panic::{FirstPanic, catch_panic, in_destructor, quietly, report};
use crate::generator::{GeneratorState, Inner};
use crate::nursery::core::LeftBehind;
use crate::nursery::system::{SYSTEM, System};
use crate::platform::part::part;
use crate::platform::thread_static;
use crate::schedule::current;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::{Result, scope, yield_now};

/// A generator whatever its types are.
pub(crate) trait Closable: LeftBehind {
    fn poll_close(&self, begun: &mut bool, cx: &mut Context<'_>) -> Poll<Result<()>>;
    fn qualname(&self) -> Cow<'static, str>;
    fn suspended_at(&self) -> Option<&'static Location<'static>>;
    /// Whether its body runs, or is in flight.
    fn is_running(&self) -> bool;
    /// Says whether it is the finalizer that drives it.
    fn set_finalizing(&self, finalizing: bool);
    /// Says so of one that was not dropped, which something else may be driving: that hears of it.
    fn take_over(&self);
    /// Takes it out of the list of those to be closed at the end. False if it was not there.
    fn deregister(&self) -> bool;
    /// Ends a body that has yielded when it was closed, as well as it can be. Nothing to others.
    fn exit_again(&self);
    /// Drops the body as it is.
    fn abandon(&self);
}

impl<T, S> Closable for Inner<'_, T, S> {
    fn poll_close(&self, begun: &mut bool, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Inner::poll_close(self, begun, cx)
    }

    fn qualname(&self) -> Cow<'static, str> {
        self.qualname.borrow().clone()
    }

    fn suspended_at(&self) -> Option<&'static Location<'static>> {
        self.link.suspended_at()
    }

    fn is_running(&self) -> bool {
        self.state() == GeneratorState::Running
    }

    fn set_finalizing(&self, finalizing: bool) {
        self.finalizing.set(finalizing);
    }

    fn take_over(&self) {
        self.finalizing.set(true);
        if self.is_running() {
            self.link.wake_driver();
        }
    }

    fn deregister(&self) -> bool {
        Inner::deregister(self)
    }

    fn exit_again(&self) {
        Inner::exit_again(self);
    }

    fn abandon(&self) {
        self.finish();
    }
}

/// Who finalizes a generator.
pub(crate) trait Finalize<'a> {
    /// The generator is iterated for the first time.
    fn begin(&self, generator: &Weak<dyn Closable + 'a>) -> Option<Registration>;
    /// It was dropped with its body suspended.
    fn dropped(&self, generator: Rc<dyn Closable + 'a>);
}

/// A generator that was dropped before its body had ended: what a finalizer gets.
///
/// A finalizer that drops it gives the body up: its clean-up is skipped, which is reported through
/// `tracing`.
pub struct Unfinished<'a> {
    generator: Rc<dyn Closable + 'a>,
    closing: Cell<bool>,
    /// Whether it has been dropped, and this is the end of it.
    dropped: bool,
}

impl<'a> Unfinished<'a> {
    pub(super) fn new(generator: Rc<dyn Closable + 'a>) -> Self {
        Unfinished { generator, closing: Cell::new(false), dropped: true }
    }

    /// One that was not dropped, but is left when all else has ended.
    fn left(generator: Rc<dyn Closable + 'a>) -> Self {
        generator.take_over();
        Unfinished { generator, closing: Cell::new(false), dropped: false }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        match (self.closing.get(), self.dropped) {
            (false, _) => give_up(&*self.generator, "a finalizer has given a generator up"),
            // If it ignored its exit it is not asked a second time: CPython finalizes an object
            // once.
            (true, true) => in_destructor(|| self.generator.abandon()),
            (true, false) => self.generator.exit_again(),
        }
    }
}

/// Drops a generator's body as it is, and reports it.
pub(super) fn give_up(generator: &dyn Closable, why: &str) {
    // This is a destructor's doing.
    let mut panic = FirstPanic::new();
    panic.catch(|| {
        tracing::error!(
            generator = %generator.qualname(),
            made_at = %generator.place(),
            suspended_at = generator.suspended_at().map(tracing::field::display),
            "{why}: its body is dropped without cleaning up"
        );
    });
    panic.catch(|| generator.abandon());
    panic.resume();
}

impl Unfinished<'_> {
    /// The generator's qualified name.
    #[must_use]
    pub fn qualname(&self) -> Cow<'static, str> {
        self.generator.qualname()
    }

    /// Where it was made.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.generator.place()
    }

    /// The yield it is suspended at.
    #[must_use]
    pub fn suspended_at(&self) -> Option<&'static Location<'static>> {
        self.generator.suspended_at()
    }

    /// Closes it, as [`Generator::aclose`](crate::Generator::aclose).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn aclose(self) -> Result<()> {
        self.close().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.set(true);
        self.generator.set_finalizing(true);
        Closing { generator: &*self.generator, begun: false }.await
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

struct Closing<'g, 'a> {
    generator: &'g (dyn Closable + 'a),
    begun: bool,
}

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        self.generator.set_finalizing(false);
    }
}

impl Future for Closing<'_, '_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let generator = self.generator;
        generator.poll_close(&mut self.begun, cx)
    }
}

/// Why the clean-up of a dropped generator cannot wait.
pub(super) const DROPPED: Reason =
    Reason::Requested(Some(Cow::Borrowed("its generator was dropped")));

/// Closes a generator that its nursery has outlived.
pub(super) async fn close_left(generator: Rc<dyn Closable + '_>) -> Result<()> {
    report!(
        warn,
        generator = %generator.qualname(),
        made_at = %generator.place(),
        suspended_at = generator.suspended_at().map(tracing::field::display),
        "a generator was left suspended at the end of its nursery, which closes it"
    );
    close_quietly(Unfinished::left(generator), DROPPED).await
}

/// Closes a generator inside a cancelled, shielded scope. Its errors are reported.
pub(super) async fn close_quietly(generator: Unfinished<'_>, why: Reason) -> Result<()> {
    let (name, place) = (generator.qualname(), generator.place());
    let around = ScopeRef::new(place);
    around.set_shield(true);
    around.cancel(Level::Full, why, None);
    let outcome = scope::enter(around, "a finalizer", generator.close()).await;
    if let Err(error) = outcome {
        report!(error, generator = %name, made_at = %place, %error, "a generator failed while it was finalized");
    }
    Ok(())
}

/// A hook for generators that are iterated for the first time: it gets the qualified name, and
/// where the generator was made.
pub type FirstIter = Rc<dyn Fn(&str, &'static Location<'static>)>;

/// A hook for generators that are dropped while suspended.
pub type FinalizerHook = Rc<dyn Fn(Unfinished<'static>)>;

/// What is called for the generators of this thread: PEP 525's `sys.set_asyncgen_hooks`.
#[derive(Clone, Default)]
pub struct AsyncgenHooks {
    /// Called with its qualified name and place when a generator is iterated for the first time.
    pub first_iter: Option<FirstIter>,
    /// Called with a generator that is dropped while suspended; `None` is the runtime's own, which
    /// closes it.
    pub finalizer: Option<FinalizerHook>,
}

impl std::fmt::Debug for AsyncgenHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsyncgenHooks")
            .field("first_iter", &self.first_iter.is_some())
            .field("finalizer", &self.finalizer.is_some())
            .finish()
    }
}

thread_static! {
    static HOOKS: RefCell<AsyncgenHooks> =
        RefCell::new(AsyncgenHooks { first_iter: None, finalizer: None });
}

/// Sets the hooks of this thread, and returns those that were set before, to be restored.
///
/// A generator keeps the finalizer that was set when it was first iterated.
///
/// ```
/// use seedbed::{AsyncgenHooks, Yielder, generator, set_asyncgen_hooks};
/// use std::{cell::RefCell, rc::Rc};
///
/// seedbed::run(async {
///     let seen = Rc::new(RefCell::new(Vec::new()));
///     let log = seen.clone();
///     let before = set_asyncgen_hooks(AsyncgenHooks {
///         first_iter: Some(Rc::new(move |name, _place| log.borrow_mut().push(name.to_owned()))),
///         ..AsyncgenHooks::default()
///     });
///     let mut numbers = generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
///     numbers.set_qualname("numbers");
///     numbers.anext().await?;
///     set_asyncgen_hooks(before);
///     assert_eq!(*seen.borrow(), ["numbers"]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn set_asyncgen_hooks(hooks: AsyncgenHooks) -> AsyncgenHooks {
    // None are kept while the thread ends, and its variables are destroyed.
    HOOKS.try_with(|current| current.replace(hooks)).unwrap_or_default()
}

/// The hooks of this thread. See [`set_asyncgen_hooks`].
#[must_use]
pub fn get_asyncgen_hooks() -> AsyncgenHooks {
    HOOKS.try_with(|current| current.borrow().clone()).unwrap_or_default()
}

/// The finalizer of a generator that borrows nothing: the thread's hook, or else the runtime.
#[derive(Default)]
pub(crate) struct OfThread {
    hook: RefCell<Option<FinalizerHook>>,
}

impl Finalize<'static> for OfThread {
    fn begin(&self, generator: &Weak<dyn Closable>) -> Option<Registration> {
        let hooks = get_asyncgen_hooks();
        *self.hook.borrow_mut() = hooks.finalizer;
        if let (Some(first_iter), Some(generator)) = (hooks.first_iter, generator.upgrade()) {
            first_iter(&generator.qualname(), generator.place());
        }
        GENERATORS.with(|generators| {
            let key = generators?.borrow_mut().insert(generator.clone());
            Some(Registration { run: current::current_run(), key })
        })
    }

    fn dropped(&self, generator: Rc<dyn Closable>) {
        let hook = self.hook.borrow().clone();
        if let Some(hook) = hook {
            let (name, place) = (generator.qualname(), generator.place());
            let called = catch_unwind(AssertUnwindSafe(|| hook(Unfinished::new(generator))));
            // This is a destructor: there is nobody to pass the panic on to.
            if let Err(payload) = called {
                report!(error, generator = %name, made_at = %place, "a finalizer hook has panicked");
                quietly(|| drop(payload));
            }
            return;
        }
        let mut panic = FirstPanic::new();
        panic.catch(|| {
            tracing::warn!(
                generator = %generator.qualname(),
                made_at = %generator.place(),
                suspended_at = generator.suspended_at().map(tracing::field::display),
                "a suspended generator was dropped: it is closed in the background; close it with \
                 `aclosing`"
            );
        });
        // Its task belongs to the runtime, which waits for it.
        generator.deregister();
        panic.catch(|| {
            SYSTEM.with(|system| match system {
                // One that goes does not take any more: it would be kept by nobody.
                Some(system) if system.takes_tasks() => {
                    system.spawn(async move {
                        // One round later than a child would be, as in Trio, whose finalizer comes
                        // by way of the entry queue.
                        // (It may be cancelled, when another finalizer has panicked.)
                        drop(yield_now().await);
                        close_quietly(Unfinished::new(generator), DROPPED).await
                    });
                }
                Some(_) => give_up(&*generator, "a generator was dropped when its run had ended"),
                None => give_up(&*generator, "a generator was dropped outside of `seedbed::run`"),
            });
        });
        panic.resume();
    }
}

/// The generators of a run that were iterated and have not ended.
pub(crate) type Generators = RefCell<Slab<Weak<dyn Closable>>>;

part! {
    /// Those of the present run.
    pub(crate) const GENERATORS: Generators;
}

/// A generator's place among the living ones of its run.
#[derive(Clone, Copy)]
pub(crate) struct Registration {
    run: u32,
    key: usize,
}

impl Registration {
    pub(crate) fn remove(&self) {
        if self.run == current::current_run() {
            let gone = GENERATORS.with(|all| all?.borrow_mut().try_remove(self.key));
            drop(gone);
        }
    }
}

/// Closes the generators that are still alive, one at a time, again until none is left, and waits
/// for those that are being closed already. If one panics, which is left to the caller, the others
/// are closed all the same.
pub(crate) async fn finalize_all(system: &System, generators: &Generators, panic: &mut FirstPanic) {
    loop {
        let alive: Vec<_> = generators.borrow().iter().map(|(_, weak)| weak.clone()).collect();
        let mut found = false;
        for generator in alive.iter().filter_map(Weak::upgrade) {
            // One that runs may be driven by the clean-up of another, in a task of the runtime's:
            // its turn comes when there is none any more.
            if generator.is_running() && !system.is_empty() || !generator.deregister() {
                continue;
            }
            found = true;
            let closed =
                catch_panic(close_quietly(Unfinished::left(generator), Reason::Shutdown)).await;
            if let Err(payload) = closed {
                panic.add(payload);
            }
        }
        match () {
            () if found => {}
            () if !system.is_empty() => system.empty().await,
            () => break,
        }
    }
}

/// When a run fails as a whole: drops the bodies of the generators that are still alive.
pub(crate) fn abandon_all(generators: &Generators) {
    let mut panic = FirstPanic::new();
    loop {
        let next = generators.borrow().iter().find_map(|(_, weak)| weak.upgrade());
        let Some(generator) = next else { break };
        panic.catch(|| give_up(&*generator, "the run has failed with a generator left"));
        panic.catch(|| drop(generator));
    }
    panic.resume();
}
