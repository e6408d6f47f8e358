//! A value that several tasks read at a time, or one writes.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use crate::error::{Exclusive, Result};
use crate::operation::sync::permits::{Held, Permits, Purpose, Take, Taking};
use crate::schedule::budget;

/// A writer takes all the permits, a reader one.
const ALL: usize = isize::MAX as usize;

/// A value that several tasks read at a time, or one writes, even across an `await`.
///
/// First come, first served: a reader that comes after a writer waits for it even while others
/// still read, so a writer is never starved, and a writer does not get ahead of readers that came
/// before it. When the readers in front of it have ended, the writer has the lock; after it, all
/// readers up to the next writer have it together.
///
/// So a task that reads already and reads once more can wait forever, if a writer came in between.
/// As with a [`Mutex`](super::Mutex), the lock is given to the next task as soon as it is free, and
/// a panic does not poison it.
///
/// ```
/// use seedbed::{nursery, sync::RwLock};
///
/// seedbed::run(async {
///     let settings = RwLock::new(String::from("old"));
///     nursery(async |n| {
///         for _ in 0..3 {
///             n.spawn(async {
///                 let settings = settings.read().await?;
///                 assert_eq!(*settings, "old"); // they came before the writer
///                 Ok(())
///             });
///         }
///         n.spawn(async {
///             *settings.write().await? = "new".into();
///             Ok(())
///         });
///         Ok(())
///     })
///     .await?;
///     assert_eq!(settings.into_inner(), "new");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct RwLock<T: ?Sized> {
    permits: Permits,
    /// Borrowed by the guards.
    value: RefCell<T>,
}

impl<T> RwLock<T> {
    /// Makes a lock that nobody has.
    pub const fn new(value: T) -> Self {
        RwLock { permits: Permits::new(ALL, Exclusive::Lock), value: RefCell::new(value) }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until the value can be read: no task writes, and none that came earlier waits to.
    ///
    /// It is a checkpoint. If the future is dropped after it was given the lock, the lock goes to
    /// the next task.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); in that case nothing was locked.
    #[track_caller]
    pub fn read(&self) -> impl Future<Output = Result<RwLockReadGuard<'_, T>>> + Unpin {
        Taking::begin(Read(self), Location::caller())
    }

    /// Waits until nobody else reads or writes, and those that came earlier have done so.
    ///
    /// It is a checkpoint. If the future is dropped after it was given the lock, the lock goes to
    /// the next task.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); in that case nothing was locked.
    #[track_caller]
    pub fn write(&self) -> impl Future<Output = Result<RwLockWriteGuard<'_, T>>> + Unpin {
        Taking::begin(Write(self), Location::caller())
    }

    /// Locks the value for reading, if that is possible without waiting. This is not a checkpoint.
    #[must_use = "the lock is given up when the guard is dropped"]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        budget::count();
        (self.permits.take(1) == Take::Taken).then(|| Read(self).taken())
    }

    /// Locks the value for writing, if that is possible without waiting. This is not a checkpoint.
    #[must_use = "the lock is given up when the guard is dropped"]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        budget::count();
        (self.permits.take(ALL) == Take::Taken).then(|| Write(self).taken())
    }

    /// The value, which nobody can have locked while there is a `&mut` to the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RwLock");
        match self.value.try_borrow() {
            Ok(value) => shown.field("value", &&*value).finish(),
            Err(_) => shown.field("value", &format_args!("<locked>")).finish(),
        }
    }
}

struct Read<'a, T: ?Sized>(&'a RwLock<T>);

impl<'a, T: ?Sized> Purpose for Read<'a, T> {
    const NAME: &'static str = "RwLock::read";

    type Got = RwLockReadGuard<'a, T>;

    #[inline(always)]
    fn permits(&self) -> &Permits {
        &self.0.permits
    }

    #[inline(always)]
    fn count(&self) -> usize {
        1
    }

    #[inline(always)]
    fn taken(&self) -> RwLockReadGuard<'a, T> {
        let held = Held::new(&self.0.permits, 1);
        RwLockReadGuard { value: self.0.value.borrow(), _held: held }
    }

    fn closed(&self) -> RwLockReadGuard<'a, T> {
        unreachable!("nobody closes it")
    }

    fn keeps(&self, _: &RwLockReadGuard<'a, T>) -> Option<Exclusive> {
        Some(Exclusive::Lock)
    }
}

struct Write<'a, T: ?Sized>(&'a RwLock<T>);

impl<'a, T: ?Sized> Purpose for Write<'a, T> {
    const NAME: &'static str = "RwLock::write";

    type Got = RwLockWriteGuard<'a, T>;

    #[inline(always)]
    fn permits(&self) -> &Permits {
        &self.0.permits
    }

    #[inline(always)]
    fn count(&self) -> usize {
        ALL
    }

    #[inline(always)]
    fn taken(&self) -> RwLockWriteGuard<'a, T> {
        let held = Held::new(&self.0.permits, ALL);
        RwLockWriteGuard { value: self.0.value.borrow_mut(), held, lock: self.0 }
    }

    fn closed(&self) -> RwLockWriteGuard<'a, T> {
        unreachable!("nobody closes it")
    }

    fn keeps(&self, _: &RwLockWriteGuard<'a, T>) -> Option<Exclusive> {
        Some(Exclusive::Lock)
    }
}

/// The value of a [`RwLock`], to be read. The lock is given up when this is dropped.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    /// Dropped before the lock is given to another.
    value: Ref<'a, T>,
    _held: Held<'a>,
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Keeps the lock for a part of the value.
    pub fn map<U: ?Sized>(this: Self, part: impl FnOnce(&T) -> &U) -> RwLockReadGuard<'a, U> {
        RwLockReadGuard { value: Ref::map(this.value, part), _held: this._held }
    }
}

/// The value of a [`RwLock`], to be written. The lock is given up when this is dropped.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    /// Dropped before the lock is given to another.
    value: RefMut<'a, T>,
    held: Held<'a>,
    lock: &'a RwLock<T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Goes on reading, without letting another task write in between. Readers that wait, up to the
    /// next writer, get the lock as well.
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let RwLockWriteGuard { value, mut held, lock } = this;
        drop(value);
        let value = lock.value.borrow();
        held.keep_one(); // foreign code
        RwLockReadGuard { value, _held: held }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

macro_rules! derefs {
    ($($guard:ident),*) => { $(
        impl<T: ?Sized> Deref for $guard<'_, T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.value
            }
        }

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )* };
}
derefs!(RwLockReadGuard, RwLockWriteGuard);
