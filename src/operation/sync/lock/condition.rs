//! Waiting for something that others do to a mutex's value.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;

use crate::error::Result;
use crate::error::panic::in_destructor;
use crate::operation::sync::lock::MutexGuard;
use crate::operation::sync::notify::{Kind, Notice, Notify};
use crate::schedule::budget;

/// Waiting for something that others do to the value of a [`Mutex`](super::Mutex). This is Trio's
/// `Condition`, with the methods of the standard library's `Condvar`.
///
/// Where the value is only looked at and changed between two awaits, it needs no mutex, and an
/// [`Event`](crate::Event), [`Notify`](crate::sync::Notify) or [`watch`](mod@crate::sync::watch) is
/// simpler.
///
/// ```
/// use seedbed::{nursery, sync::{Condition, Mutex}};
///
/// seedbed::run(async {
///     let (jobs, more) = (Mutex::new(Vec::new()), Condition::new());
///     nursery(async |n| {
///         let first = n.spawn(async {
///             let jobs = jobs.lock().await?;
///             let mut jobs = more.wait_while(jobs, |jobs| jobs.is_empty()).await?;
///             Ok(jobs.pop())
///         });
///         jobs.lock().await?.push("wash up");
///         more.notify_one();
///         assert_eq!(first.await?, Some("wash up"));
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Condition {
    /// It never stores a notification.
    notify: Notify,
}

impl Condition {
    /// Makes a condition for which nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Condition { notify: Notify::new() }
    }

    /// Unlocks the mutex, waits until this task is notified, and locks the mutex again. The task
    /// that has waited longest is notified first. There are no spurious wake-ups, but by the time
    /// this task has the lock again, others may have had it: most programs want
    /// [`wait_while`](Self::wait_while).
    ///
    /// It is a checkpoint. Nothing can happen between the unlocking and the waiting.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled). The mutex is then unlocked, as the guard is gone (Trio locks
    /// it again first, because a `with` block expects that). If the task had already been notified
    /// and was waiting for the lock, the notification goes to the next task. The same is true if the
    /// future is dropped.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
    ) -> impl Future<Output = Result<MutexGuard<'a, T>>> {
        self.wait_at(Location::caller(), guard)
    }

    async fn wait_at<'a, T: ?Sized>(
        &self,
        place: &'static Location<'static>,
        guard: MutexGuard<'a, T>,
    ) -> Result<MutexGuard<'a, T>> {
        let mutex = MutexGuard::mutex(&guard);
        let mut guard = Some(guard);
        let mut notified = self.notify.wait::<Waiting>(place);
        let notice = poll_fn(|cx| {
            let polled = Pin::new(&mut notified).poll(cx);
            guard = None; // by now it waits, or has failed; foreign code
            polled
        })
        .await?;
        let mut notified = Notified { condition: self, notice };
        let guard = mutex.lock_for(place).await?;
        notified.notice = Notice::ToAll; // nobody else has to go on
        Ok(guard)
    }

    /// [Waits](Self::wait) for as long as `is_so` says that this is so of the value. If it is not so
    /// to begin with, this does not wait, and is not a checkpoint.
    ///
    /// # Errors
    ///
    /// The same as those of [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        mut is_so: impl FnMut(&mut T) -> bool,
    ) -> impl Future<Output = Result<MutexGuard<'a, T>>> {
        let place = Location::caller();
        async move {
            let mut guard = guard;
            while is_so(&mut guard) {
                guard = self.wait_at(place, guard).await?;
            }
            Ok(guard)
        }
    }

    /// Notifies the task that has waited longest. If none waits, this has no effect.
    pub fn notify_one(&self) {
        budget::count();
        self.pass();
    }

    /// Notifies all the tasks that wait now. They get the lock in the order in which they go on.
    pub fn notify_all(&self) {
        budget::count();
        self.notify.tell_all(); // foreign code
    }

    fn pass(&self) {
        self.notify.tell_next(); // foreign code
    }
}

impl Default for Condition {
    fn default() -> Self {
        Condition::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").finish_non_exhaustive()
    }
}

/// A task that was notified, and has yet to lock the mutex.
struct Notified<'a> {
    condition: &'a Condition,
    notice: Notice,
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if self.notice == Notice::ToOne {
            in_destructor(|| self.condition.pass());
        }
    }
}

/// Waiting for a condition, which stores nothing.
enum Waiting {}

impl Kind for Waiting {
    const NAME: &'static str = "Condition::wait";

    fn pass_on(notify: &Notify) {
        notify.tell_next();
    }
}
