//! Nurseries: children that end before their parent goes on.
//!
//! | file | concept |
//! |---|---|
//! | `core` | the ready queue, the children, and how they are polled |
//! | `child` | one heap node a child |
//! | `task` | the handle that gives a child's value |
//! | `start` | a child that says when it is up |
//! | `handle` | a `'static` handle that spawns from elsewhere |

mod child;
pub(crate) mod core;
mod handle;
mod start;
mod task;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;

pub use handle::NurseryHandle;
pub use start::Started;
pub use task::Task;

use crate::Result;
use crate::error::{Group, NoValue};
use crate::nursery::core::{Core, Guard};
use crate::schedule::current;
use crate::scope::CancelScope;

/// A place where children run: what [`nursery`] gives to its body.
///
/// `'scope` is the time for which the nursery is open, `'env` what lies outside it and may be
/// borrowed by the children, as with [`std::thread::scope`].
///
/// # What does not compile
///
/// A child that borrows from the body, which may end before it. It borrows from outside of the
/// nursery, or owns what it uses:
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
/// A nursery, or the handle of a child, that gets out of it:
///
/// ```compile_fail
/// # use seedbed::nursery;
/// # let _ = async {
/// let mut kept = None;
/// nursery(async |n| {
///     kept = Some(n); // keep `n.handle()` instead
///     Ok(())
/// })
/// # .await };
/// ```
///
/// ```compile_fail
/// # use seedbed::nursery;
/// # let _ = async {
/// let task = nursery(async |n| Ok(n.spawn(async { Ok(1) }))).await?; // await it inside
/// # task.await };
/// ```
///
/// Something borrowed, spawned through a handle, which may be anywhere:
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
/// The use of anything of this from another thread:
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
    // Both invariant, as in the standard library: a shorter `'scope` would let children borrow
    // from the body, a longer `'env` from what has gone.
    _scope: PhantomData<Cell<&'scope ()>>,
    _env: PhantomData<Cell<&'env ()>>,
}

/// Opens a nursery, runs `body` in it, and waits until the body and all the children it spawned
/// have ended, on every way out.
///
/// Children may borrow whatever lives outside the nursery. If the body or a child fails, the
/// nursery's cancel scope is cancelled, the rest are waited for, and all that failed comes out as
/// one [`Group`]. It is Trio's `open_nursery`, with strict exception groups.
///
/// The value is the body's. A body that had finished keeps its value when the nursery is
/// cancelled through its own scope; one that was interrupted has none, which does not matter where
/// the value is `()`, and is the error [`NoValue`] otherwise.
///
/// # A body that is a loop without an end
///
/// It never has a value, and where nothing else says what its type is, the compiler takes it for
/// `!`, of which there is no value to return when the nursery is cancelled through its own scope.
/// That does not compile (`cargo build` says so, `cargo check` does not look); nor does any other
/// type without values, such as `Infallible`. Say that it is `()`:
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
/// ```compile_fail,E0080
/// # use seedbed::{nursery, sleep};
/// # use std::time::Duration;
/// # seedbed::run(async {
/// nursery(async |n| {
///     # n.cancel();
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
/// A [`Group`] of the failures, in the order in which they happened.
/// [`Cancelled`](crate::Cancelled) if it was cancelled from outside.
/// [`NotRunning`](crate::NotRunning) outside of [`run`](crate::run).
///
/// # Panics
///
/// With the panic of the body or a child, when the others have been cancelled and have ended.
///
/// # Checkpoints
///
/// Waiting for the children is not a checkpoint: a cancellation from outside reaches the children
/// and the body, and they end the wait.
///
/// # Dropping
///
/// If the future is dropped before it has ended, its children are dropped with it, which is
/// reported through `tracing`: their clean-up could not wait for anything.
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
            "the body of this nursery is a loop without an end, so it has no value to return when \
             the nursery is cancelled: write `nursery::<_, ()>(…)`, or end the body in a value of `()`"
        );
    }
    open(Location::caller(), body)
}

/// [`nursery`], opened at this place.
pub(crate) async fn open<'env, F, T>(place: &'static Location<'static>, body: F) -> Result<T>
where
    F: for<'scope> AsyncFnOnce(&'scope Nursery<'scope, 'env>) -> Result<T>,
{
    let core = Core::new(place);
    let nursery = Nursery { core: core.clone(), _scope: PhantomData, _env: PhantomData };
    let mut value = None;
    // Dropped before `nursery`, which the children may refer to, and after the body.
    let guard = Guard::new(core, true)?;
    {
        // The call itself is part of the body too, should it panic.
        let mut body = pin!(async { body(&nursery).await });
        let mut first = true;
        poll_fn(|cx| {
            current::with_runtime(|runtime| {
                let Some(runtime) = runtime else {
                    panic!("the nursery opened at {place} was polled outside of `seedbed::run`")
                };
                let first = std::mem::replace(&mut first, false);
                // SAFETY: this is the nursery's own future.
                unsafe {
                    guard.core().drive(guard.entered(), runtime, cx, first, &mut |cx| {
                        body.as_mut().poll(cx).map(|outcome| {
                            value = Some(outcome?);
                            Ok(())
                        })
                    })
                }
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

/// Whether there are values of a type. There are none of `!`, nor of an `enum` without variants.
pub(crate) const fn has_values<T>() -> bool {
    size_of::<Option<T>>() > 0
}

/// The only value of `()`, if that is what `T` is.
pub(crate) fn unit<T>() -> Option<T> {
    // SAFETY: it is the same type, and has neither lifetimes nor bytes.
    (typeid::of::<T>() == typeid::of::<()>()).then(|| unsafe { std::mem::transmute_copy(&()) })
}

impl<'scope, 'env> Nursery<'scope, 'env> {
    /// Spawns a child. It is polled for the first time when the spawner waits for something.
    ///
    /// A failure of the child is reported by the nursery, and cancels it. The handle may be
    /// awaited for the child's value, or dropped, which changes nothing.
    ///
    /// A child that spawns siblings is an `async move` block.
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
        // SAFETY: `'scope` outlasts the nursery's future, which is all that polls children, and
        // which drops them.
        Task::new(unsafe { self.core.spawn(future, Location::caller()) })
    }

    /// A handle that can be kept anywhere and spawns `'static` futures.
    #[must_use]
    pub fn handle(&self) -> NurseryHandle {
        NurseryHandle::new(self.core.clone())
    }

    /// The nursery's own cancel scope: its deadline, its shield, its cancellation.
    #[must_use]
    pub fn scope(&self) -> CancelScope {
        CancelScope::of(self.core.scope().clone())
    }

    /// Cancels the body and all the children. Short for `scope().cancel()`.
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
