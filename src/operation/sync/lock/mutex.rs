//! A value that one task has at a time.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use crate::error::{Exclusive, Result};
use crate::operation::skeleton::Doing;
use crate::operation::sync::permits::{Held, Permits, Purpose, Take, Taking};
use crate::schedule::budget;

/// A value that one task has at a time, even across an `await`.
///
/// Tasks of a run are on one thread, so a [`Cell`](std::cell::Cell) or a
/// [`RefCell`](std::cell::RefCell) is enough for what is done between two awaits. A mutex is for
/// what must not be interrupted by others *at* an await: a request and its answer on a shared
/// connection, for instance.
///
/// The lock goes to the task that has waited longest, as soon as the guard is dropped: a task that
/// comes later cannot get ahead of it. A guard that is dropped by a panic unlocks as well; the
/// mutex is not poisoned, because the panic goes on to the nursery and cancels what else is in it.
/// Whatever must not be seen half done is mended where the value is changed.
///
/// A task that locks a mutex which it has locked already waits for itself forever. A guard is held
/// across a generator's yield if the body says so: unlike a scope, that is not forbidden
/// ([PEP 789](https://peps.python.org/pep-0789/) is about scopes only), but the consumer decides
/// how long the lock is kept.
///
/// ```
/// use seedbed::{nursery, sync::Mutex, yield_now};
///
/// seedbed::run(async {
///     let log = Mutex::new(Vec::new());
///     nursery(async |n| {
///         for task in 0..3 {
///             let log = &log;
///             n.spawn(async move {
///                 let mut log = log.lock().await?;
///                 log.push((task, "begins"));
///                 yield_now().await?; // the others wait meanwhile
///                 log.push((task, "ends"));
///                 Ok(())
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     let log = log.into_inner();
///     assert!(log.chunks(2).all(|two| two[0].0 == two[1].0));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Mutex<T: ?Sized> {
    permits: Permits,
    /// Borrowed by the guard.
    value: RefCell<T>,
}

impl<T> Mutex<T> {
    /// Makes a mutex that is not locked.
    pub const fn new(value: T) -> Self {
        Mutex { permits: Permits::new(1, Exclusive::Lock), value: RefCell::new(value) }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until no other task has the value, and locks it. The task that has waited longest is
    /// next.
    ///
    /// It is a checkpoint. If the future is dropped after it was given the lock, the lock goes to
    /// the next task.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); in that case the mutex was not locked.
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = Result<MutexGuard<'_, T>>> + Unpin {
        self.lock_for(Location::caller())
    }

    /// Does the same as [`lock`](Self::lock), on behalf of the caller at `place`.
    #[inline]
    pub(super) fn lock_for(&self, place: &'static Location<'static>) -> Doing<Taking<Lock<'_, T>>> {
        Taking::begin(Lock(self), place)
    }

    /// Locks the value, if that is possible without waiting: no task has it, and none waits for it.
    /// This is not a checkpoint.
    #[must_use = "the mutex is unlocked when the guard is dropped"]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        budget::count();
        (self.permits.take(1) == Take::Taken).then(|| self.guard())
    }

    /// The value, which nobody can have locked while there is a `&mut` to the mutex.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// For a mutex that has just been locked.
    #[inline]
    fn guard(&self) -> MutexGuard<'_, T> {
        let locked = Locked(self);
        MutexGuard { value: self.value.borrow_mut(), locked }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Mutex");
        match self.value.try_borrow() {
            Ok(value) => shown.field("value", &&*value).finish(),
            Err(_) => shown.field("value", &format_args!("<locked>")).finish(),
        }
    }
}

pub(super) struct Lock<'a, T: ?Sized>(&'a Mutex<T>);

impl<'a, T: ?Sized> Purpose for Lock<'a, T> {
    const NAME: &'static str = "Mutex::lock";

    type Got = MutexGuard<'a, T>;

    #[inline(always)]
    fn permits(&self) -> &Permits {
        &self.0.permits
    }

    #[inline(always)]
    fn count(&self) -> usize {
        1
    }

    #[inline(always)]
    fn taken(&self) -> MutexGuard<'a, T> {
        self.0.guard()
    }

    fn closed(&self) -> MutexGuard<'a, T> {
        unreachable!("nobody closes it")
    }

    fn keeps(&self, _: &MutexGuard<'a, T>) -> Option<Exclusive> {
        Some(Exclusive::Lock)
    }
}

/// The value of a [`Mutex`], unlocked when this is dropped.
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    /// Dropped before the lock is given to another.
    value: RefMut<'a, T>,
    locked: Locked<'a, T>,
}

/// Unlocks the mutex when this is dropped.
struct Locked<'a, T: ?Sized>(&'a Mutex<T>);

impl<'a, T: ?Sized> Locked<'a, T> {
    /// The same, for a guard that does not know the type of the mutex.
    fn held(self) -> Held<'a> {
        let held = Held::new(&self.0.permits, 1);
        mem::forget(self);
        held
    }
}

impl<T: ?Sized> Drop for Locked<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.permits.give(1); // foreign code
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The mutex that is locked.
    #[must_use]
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.locked.0
    }

    /// Keeps the mutex locked for a part of its value.
    ///
    /// ```
    /// use seedbed::sync::{Mutex, MutexGuard};
    ///
    /// let pair = Mutex::new((1, "one"));
    /// let guard = pair.try_lock().unwrap();
    /// let mut number = MutexGuard::map(guard, |pair| &mut pair.0);
    /// *number = 2;
    /// drop(number);
    /// assert_eq!(pair.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        this: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        // Both are dropped in this order if `part` panics.
        let held = this.locked.held();
        let value = RefMut::map(this.value, part);
        MappedMutexGuard { value, _held: held }
    }
}

/// A part of the value of a [`Mutex`], which is unlocked when this is dropped. Made by
/// [`MutexGuard::map`].
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    /// Dropped before the lock is given to another.
    value: RefMut<'a, T>,
    _held: Held<'a>,
}

macro_rules! derefs_mut {
    ($($guard:ident),*) => { $(
        impl<T: ?Sized> Deref for $guard<'_, T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.value
            }
        }

        impl<T: ?Sized> DerefMut for $guard<'_, T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.value
            }
        }

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )* };
}
derefs_mut!(MutexGuard, MappedMutexGuard);
