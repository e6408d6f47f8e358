//! Nurseries: children that end before their parent goes on.
//!
//! | file | concept |
//! |---|---|
//! | `core` | the children of a nursery, and how they are polled |
//! | `child` | a child: a node of the run's table, with its future and later its value |
//! | `task` | the handle that gives a child's value, or cancels the child |
//! | `named` | children with names |
//! | `start` | a child that says when it is ready |
//! | `service` | a child that serves the others, and is cancelled when they have ended |
//! | `handle` | a `'static` handle that spawns from elsewhere |
//! | `race`, `gather` | a nursery for several futures: the first value, all values |
//! | `system` | the nursery in which everything runs |

pub(crate) mod child;
pub(crate) mod core;
mod gather;
mod handle;
mod named;
mod race;
mod service;
mod start;
pub(crate) mod system;
mod task;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;

pub use gather::gather;
pub use handle::NurseryHandle;
pub use named::NamedTask;
pub use race::{Raced, race, race_ok};
pub use service::Service;
pub use start::Started;
pub use task::Task;

use crate::error::{Group, NoValue, Result};
use crate::nursery::core::{Core, Guard, Runs};
use crate::schedule::rounds::{SCHEDULER, Visit};
use crate::scope::CancelScope;

/// A place where children run; [`nursery`] passes one to its body.
///
/// `'scope` is the time for which the nursery is open. `'env` is everything outside it that the
/// children may borrow. [`std::thread::scope`] has the same two lifetimes.
///
/// # What does not compile
///
/// A child that borrows from the body. The body may end before the child, and would leave it with
/// freed memory. A child must borrow from outside the nursery, or own what it uses:
///
/// ```compile_fail,E0597
/// # use seedbed::nursery;
/// # let _ = async {
/// nursery(async |n| {
///     let local = String::from("gone when the body ends");
///     let borrowed = &local;
///     drop(n.spawn(async move { Ok(borrowed.len()) }));
///     Ok(())
/// })
/// # .await };
/// ```
///
/// A nursery that escapes. `n` is a reference to it, which would dangle once the nursery has ended:
///
/// ```compile_fail
/// # use seedbed::nursery;
/// # let _ = async {
/// let mut kept = None;
/// nursery(async |n| {
///     kept = Some(n); // use `n.handle()` for this
///     Ok(())
/// })
/// # .await };
/// ```
///
/// The handle of a child that escapes. The value in it may borrow what is gone by the time it is
/// taken:
///
/// ```compile_fail
/// # use seedbed::nursery;
/// # let _ = async {
/// let task = nursery(async |n| Ok(n.spawn(async { Ok(1) }))).await?; // await it inside
/// # task.await };
/// ```
///
/// A child that borrows, spawned through a handle. The handle may be anywhere, so nothing says that
/// the child ends before what it borrows:
///
/// ```compile_fail,E0597
/// # use seedbed::{NurseryHandle, Task};
/// fn spawn(handle: &NurseryHandle) {
///     let local = 1;
///     let borrowed = &local;
///     let task = handle.spawn(async move { Ok(*borrowed) });
/// }
/// ```
///
/// Use of any of these on another thread. Their counters are not atomic, so both threads could
/// write to them at once:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<seedbed::Nursery<'static, 'static>>();
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<seedbed::NurseryHandle>();
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<seedbed::Task<'static, ()>>();
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<seedbed::Started<()>>();
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>(_: T) {}
/// is_send(seedbed::nursery(async |_| Ok(())));
/// ```
pub struct Nursery<'scope, 'env: 'scope> {
    pub(crate) core: Rc<Core>,
    // Both are invariant, as in the standard library: with a shorter `'scope` children could borrow
    // from the body, with a longer `'env` from something that is gone.
    _scope: PhantomData<Cell<&'scope ()>>,
    _env: PhantomData<Cell<&'env ()>>,
}

/// Opens a nursery, runs `body` in it, and waits until the body and all the children it spawned
/// have ended, whatever the outcome.
///
/// Children may borrow anything that lives outside the nursery. If the body or a child fails, the
/// nursery's cancel scope is cancelled, the rest are waited for, and all the failures come out
/// together as one [`Group`]. This is Trio's `open_nursery`, with strict exception groups.
///
/// The nursery returns the body's value. If the nursery is cancelled through its own scope, a body
/// that had finished keeps its value. A body that was interrupted has none: if `T` is `()`, that
/// makes no difference; otherwise the nursery fails with [`NoValue`].
///
/// # A body that loops forever
///
/// Such a body never has a value. Unless something else gives it a type, the compiler infers `!`,
/// and then there is no value to return when the nursery is cancelled through its own scope. That
/// does not compile (`cargo build` reports it, `cargo check` does not), and neither does any other
/// type without values, such as `Infallible`. Say that the type is `()`:
///
/// ```
/// use seedbed::{nursery, sleep};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// nursery::<_, ()>(async |n| {
///     n.spawn(async move {
///         sleep(Duration::from_secs(3)).await?;
///         n.cancel();
///         Ok(())
///     });
///     loop {
///         sleep(Duration::from_secs(1)).await?;
///     }
/// })
/// .await?; // `Ok(())` after three seconds
/// # assert_eq!(clock.elapsed(), Duration::from_secs(3));
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// Without that, a nursery has nothing to return after `n.cancel()`, and does not compile:
///
/// ```compile_fail,E0080
/// # use seedbed::{nursery, sleep};
/// # use std::time::Duration;
/// # seedbed::run(async {
/// nursery(async |n| {
///     n.cancel();
///     loop {
///         sleep(Duration::from_secs(1)).await?;
///     }
/// })
/// .await?;
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Errors
///
/// * A [`Group`] of the failures, in the order in which they happened.
/// * [`Cancelled`](crate::Cancelled) if the nursery was cancelled from outside.
/// * [`NoValue`] if it was cancelled through its own scope before the body had its value.
/// * [`NotRunning`](crate::NotRunning) outside [`run`](crate::run).
///
/// # Panics
///
/// If the body or a child panics, this panics with the same payload once the others have been
/// cancelled and have ended.
///
/// # Checkpoints
///
/// Waiting for the children is not a checkpoint. A cancellation from outside reaches the children
/// and the body, and their end is what ends the wait.
///
/// # Dropping
///
/// If the future is dropped before it completes, its children are dropped with it. This is reported
/// through `tracing`, because their clean-up had no chance to wait for anything.
///
/// ```
/// use seedbed::{nursery, sleep};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let words = vec!["one", "two", "three"]; // borrowed below: no Arc, no 'static
///     let lengths = nursery(async |n| {
///         let tasks: Vec<_> = words.iter().map(|word| n.spawn(async { Ok(word.len()) })).collect();
///         let mut lengths = Vec::new();
///         for task in tasks {
///             lengths.push(task.await?);
///         }
///         Ok(lengths)
///     })
///     .await?;
///     assert_eq!(lengths, [3, 3, 5]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn nursery<'env, F, T>(body: F) -> impl Future<Output = Result<T>>
where
    F: for<'scope> AsyncFnOnce(&'scope Nursery<'scope, 'env>) -> Result<T>,
{
    const {
        assert!(
            has_values::<T>(),
            "the body of this nursery is an endless loop, so it has no value to return when the \
             nursery is cancelled: write `nursery::<_, ()>(…)`, or make the body end with `()`"
        );
    }
    open(Location::caller(), body)
}

/// Opens a nursery as [`nursery`] does, at this place.
pub(crate) async fn open<'env, F, T>(place: &'static Location<'static>, body: F) -> Result<T>
where
    F: for<'scope> AsyncFnOnce(&'scope Nursery<'scope, 'env>) -> Result<T>,
{
    let core = Core::new(place);
    let nursery = Nursery { core: core.clone(), _scope: PhantomData, _env: PhantomData };
    let mut value = None;
    // This is dropped after the body, and before `nursery`, which the children may refer to.
    let guard = Guard::new(core, Runs::Body)?;
    {
        // The call is inside the future, so that a panic in it is a panic of the body.
        let mut body = pin!(async { body(&nursery).await });
        let mut visit = Visit::First;
        poll_fn(|cx| {
            SCHEDULER.with(|scheduler| {
                let Some(scheduler) = scheduler else {
                    panic!("the nursery opened at {place} was polled outside `seedbed::run`")
                };
                let visit = std::mem::replace(&mut visit, Visit::Later);
                guard.drive(scheduler, cx, visit, &mut |cx| {
                    body.as_mut().poll(cx).map(|outcome| {
                        value = Some(outcome?);
                        Ok(())
                    })
                })
            })
        })
        .await;
    }
    let core = guard.core().clone();
    core.resume_panic();
    let failures = core.take_failures();
    let outcome = match failures.is_empty() {
        true => Ok(()),
        false => Err(Group::from_failures(place, failures)),
    };
    guard.leave(outcome)?;
    match (value.or_else(unit), core.scope().why()) {
        (Some(value), _) => Ok(value),
        (None, Some(why)) => Err(NoValue::new(place, why).into()),
        (None, None) => unreachable!("the body failed, and nothing absorbed that"),
    }
}

/// Whether the type has values. `!` has none, nor does an `enum` without variants.
pub(crate) const fn has_values<T>() -> bool {
    size_of::<Option<T>>() > 0
}

/// The value `()`, if `T` is its type.
pub(crate) fn unit<T>() -> Option<T> {
    // SAFETY: both are the same type, which has neither lifetimes nor bytes.
    (typeid::of::<T>() == typeid::of::<()>()).then(|| unsafe { std::mem::transmute_copy(&()) })
}

impl<'scope, 'env> Nursery<'scope, 'env> {
    /// Spawns a child. The child is polled for the first time when its spawner waits for something.
    ///
    /// If the child fails, the nursery reports the failure and is cancelled. The handle may be
    /// awaited for the child's value; dropping it changes nothing.
    ///
    /// Write a child that spawns siblings as an `async move` block.
    ///
    /// ```
    /// # use seedbed::nursery;
    /// seedbed::run(async {
    ///     let sum = nursery(async |n| {
    ///         let one = n.spawn(async { Ok(1) });
    ///         let two = n.spawn(async move { Ok(n.spawn(async { Ok(2) }).await?) });
    ///         Ok(one.await? + two.await?)
    ///     })
    ///     .await?;
    ///     assert_eq!(sum, 3);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, future: F) -> Task<'scope, T>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
    {
        self.spawn_at(Location::caller(), future)
    }

    /// Spawns a child as [`spawn`](Self::spawn) does, at this place.
    #[inline]
    pub(crate) fn spawn_at<F, T>(
        &'scope self,
        place: &'static Location<'static>,
        future: F,
    ) -> Task<'scope, T>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
    {
        // SAFETY: `'scope` outlasts the nursery's future, and nothing else polls or drops the
        // children.
        Task::new(unsafe { self.core.spawn(future, place, ()) })
    }

    /// Returns a handle that can be kept anywhere on the thread and spawns `'static` futures.
    #[must_use]
    pub fn handle(&self) -> NurseryHandle {
        NurseryHandle::new(self.core.clone())
    }

    /// Returns the nursery's own cancel scope, with its deadline, its shield and its cancellation.
    #[must_use]
    pub fn scope(&self) -> CancelScope {
        CancelScope::of(self.core.scope().clone())
    }

    /// Cancels the body and all the children. This is short for `scope().cancel()`.
    #[track_caller]
    pub fn cancel(&self) {
        self.scope().cancel();
    }
}

impl std::fmt::Debug for Nursery<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nursery").field("place", &self.core.place()).finish_non_exhaustive()
    }
}
