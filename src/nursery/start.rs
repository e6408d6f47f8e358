//! A child that says when it is ready: Trio's `nursery.start`.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;

use crate::error::{NotSpawned, NotStarted, NurseryClosed, Reason, Result};
use crate::nursery::child::label::Label;
use crate::nursery::core::{Core, Guard, KeepOpen, Runs};
use crate::nursery::{Nursery, NurseryHandle};
use crate::schedule::foreign::Foreign;
use crate::schedule::rounds::{SCHEDULER, Visit};
use crate::scope::aside::Aside;
use crate::scope::tree::Level;

/// The means by which a child of [`Nursery::start`] says that it is ready.
pub struct Started<V> {
    shared: Rc<Shared<V>>,
}

struct Shared<V> {
    value: Cell<Option<V>>,
    /// The child's own nursery, under the caller, in which it runs until it is ready. `None` once
    /// the caller no longer waits.
    cradle: RefCell<Option<Rc<Core>>>,
    /// Whether the nursery that the child was meant for had been dropped before the child was
    /// ready.
    too_late: Cell<bool>,
    nursery: Rc<Core>,
    /// What the child has to be told before it moves to the nursery, if anything.
    on_move: Option<Rc<dyn OnMove>>,
}

/// What `start` makes of a child.
pub(super) trait Kind {
    /// Spawns the child.
    ///
    /// # Safety
    ///
    /// The same as for `Core::spawn`.
    unsafe fn spawn(
        self,
        cradle: &Rc<Core>,
        child: impl Future<Output = Result<()>>,
        place: &'static Location<'static>,
    );

    /// What the child has to be told before it moves to the nursery, if anything.
    fn on_move(&self) -> Option<Rc<dyn OnMove>>;
}

/// Something that has to know when a child moves from its cradle to the nursery.
pub(super) trait OnMove {
    /// Called before the child moves. The caller has to wake the returned waker afterwards.
    #[must_use]
    fn moves(self: Rc<Self>, cradle: &Core) -> Option<Foreign>;
}

/// A child as `spawn` makes them, with this label.
pub(super) struct Ordinary<L>(pub(super) L);

impl<L: Label> Kind for Ordinary<L> {
    unsafe fn spawn(
        self,
        cradle: &Rc<Core>,
        child: impl Future<Output = Result<()>>,
        place: &'static Location<'static>,
    ) {
        // SAFETY: the caller's promise.
        drop(unsafe { cradle.spawn(child, place, self.0) });
    }

    fn on_move(&self) -> Option<Rc<dyn OnMove>> {
        None
    }
}

impl<V> Started<V> {
    /// Says that the child is ready: [`Nursery::start`] returns `value`, and the child goes on in
    /// the nursery, under the nursery's scope instead of the caller's.
    ///
    /// If the caller has been cancelled in the meantime, the child stays under the caller, which
    /// waits for it to end. If the caller no longer waits, this does nothing. If the nursery has
    /// been dropped in the meantime, the child is cancelled.
    pub fn ready(self, value: V) {
        let Some(cradle) = self.shared.cradle.take() else { return };
        if !self.shared.nursery.is_open() || !cradle.is_in_run_of(&self.shared.nursery) {
            self.shared.too_late.set(true);
            let reason =
                Reason::Requested(Some("the nursery it was started for was dropped".into()));
            cradle.scope().cancel(Level::Full, reason, None);
            return;
        }
        self.shared.value.set(Some(value));
        if !cradle.scope().is_cancelled() {
            let on_move = self.shared.on_move.clone();
            let foreign = on_move.and_then(|on_move| on_move.moves(&cradle));
            cradle.move_only_child(&self.shared.nursery, foreign);
        }
    }
}

impl<V> std::fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

impl<'scope> Nursery<'scope, '_> {
    /// Runs a child until it says that it is ready, and leaves it running in the nursery.
    ///
    /// The child gets a [`Started`], and `start` returns the value that the child passes to
    /// [`ready`](Started::ready). Until then the child runs under the caller's scopes: cancelling
    /// the caller cancels it, and its failure comes out here, not in the nursery. This is Trio's
    /// `nursery.start`.
    ///
    /// The return of `start` is not a checkpoint.
    ///
    /// # Errors
    ///
    /// * The child's own, if it fails before it is ready.
    /// * [`NotStarted`], if it ends without saying that it is ready.
    /// * [`Cancelled`](crate::Cancelled), if the caller was cancelled and the child with it.
    /// * [`NurseryClosed`], if the nursery was dropped in the meantime.
    ///
    /// ```
    /// use seedbed::{Event, nursery};
    ///
    /// seedbed::run(async {
    ///     let stop = Event::new();
    ///     nursery(async |n| {
    ///         let port = n
    ///             .start(async |started| {
    ///                 started.ready(7000); // it is listening
    ///                 stop.wait().await
    ///             })
    ///             .await?;
    ///         assert_eq!(port, 7000);
    ///         stop.set();
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn start<F, V>(&'scope self, child: F) -> impl Future<Output = Result<V>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<()> + 'scope,
        V: 'scope,
    {
        // SAFETY: `'scope` outlasts this nursery and the future made here.
        unsafe { start(self.core.clone(), child, Location::caller(), Ordinary(())) }
    }
}

impl NurseryHandle {
    /// Runs a child until it says that it is ready, as [`Nursery::start`] does.
    ///
    /// The nursery stays open for as long as the returned future exists.
    ///
    /// # Errors
    ///
    /// [`NotSpawned`], with the closure, if the nursery has closed. The future's errors are those
    /// of [`Nursery::start`].
    #[track_caller]
    pub fn start<F, V>(
        &self,
        child: F,
    ) -> Result<impl Future<Output = Result<V>> + use<F, V>, NotSpawned<F>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<()> + 'static,
        V: 'static,
    {
        let place = Location::caller();
        if !self.is_open() {
            return Err(NotSpawned::new(child, self.core.place(), place));
        }
        // SAFETY: the child borrows nothing.
        Ok(unsafe { start(self.core.clone(), child, place, Ordinary(())) })
    }
}

/// Runs `child` in a nursery of its own until it is ready, and then moves it to `nursery`.
///
/// # Safety
///
/// Whatever the child borrows stays alive until the returned future and the future of `nursery`
/// have been polled and dropped for the last time.
pub(super) unsafe fn start<F, V, K>(
    nursery: Rc<Core>,
    child: F,
    place: &'static Location<'static>,
    kind: K,
) -> impl Future<Output = Result<V>> + use<F, V, K>
where
    F: AsyncFnOnce(Started<V>) -> Result<()>,
    K: Kind,
{
    let kept_open = KeepOpen::new(nursery.clone());
    async move {
        Aside::new().await?;
        if !nursery.is_open() {
            return Err(NurseryClosed::new(nursery.place(), place).into());
        }
        let cradle = Core::new(place);
        let shared = Rc::new(Shared {
            value: Cell::new(None),
            cradle: RefCell::new(Some(cradle.clone())),
            too_late: Cell::new(false),
            nursery,
            on_move: kind.on_move(),
        });
        let guard = Guard::new(cradle, Runs::OnlyChildren)?;
        if !guard.core().is_in_run_of(&shared.nursery) {
            // The future has been moved out of its run, so nothing in it can make progress.
            return Err(NurseryClosed::new(shared.nursery.place(), place).into());
        }
        let future = child(Started { shared: shared.clone() });
        // SAFETY: the caller's promise. The guard drops the child unless it has been moved.
        unsafe { kind.spawn(guard.core(), future, place) };
        poll_fn(|cx| {
            SCHEDULER.with(|scheduler| {
                let Some(scheduler) = scheduler else {
                    panic!("the `start` at {place} was polled outside `seedbed::run`")
                };
                guard.drive(scheduler, cx, Visit::Later, &mut |_| Poll::Pending)
            })
        })
        .await;
        shared.cradle.take();
        guard.core().resume_panic();
        let failure = guard.core().take_failures().pop().map(|member| member.error);
        guard.leave(failure.map_or(Ok(()), Err))?;
        if shared.too_late.get() {
            return Err(NurseryClosed::new(shared.nursery.place(), place).into());
        }
        let value = shared.value.take();
        // Foreign code, which has to run before the value is returned: a panic on the way out would
        // lose the value.
        drop((shared, kept_open));
        value.ok_or_else(|| NotStarted::new(place).into())
    }
}
