//! Telling tasks to go on: one, or all that wait.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Exclusive, Result};
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::waiters::Waiters;
use crate::schedule::budget;

/// Tells tasks to go on: one, or all that wait. This is tokio's `Notify`.
///
/// A notification for one task is not lost if no task waits: it is stored, and the next one that
/// waits goes on at once. Several are stored as one. So a task that looks for work whenever it has
/// been notified misses none.
///
/// An [`Event`](crate::Event) is for what happens once and stays so. What has a value is better
/// [watched](mod@crate::sync::watch).
///
/// ```
/// use std::cell::RefCell;
/// use seedbed::{nursery, sync::Notify};
///
/// seedbed::run(async {
///     let (jobs, more) = (RefCell::new(Vec::new()), Notify::new());
///     nursery(async |n| {
///         n.spawn(async {
///             let mut done = 0;
///             while done < 3 {
///                 more.notified().await?;
///                 done += jobs.borrow_mut().drain(..).count();
///             }
///             Ok(())
///         });
///         for job in ["wash", "dry", "put away"] {
///             jobs.borrow_mut().push(job);
///             more.notify_one(); // it may still be busy with the one before
///         }
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Notify {
    /// Whether a notification is stored. If so, nobody waits.
    stored: Cell<Stored>,
    /// How often all were notified.
    rounds: Cell<u64>,
    waiters: Waiters<Option<Notice>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stored {
    Nothing,
    One,
}

/// Whom a notification is meant for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Notice {
    /// One task. If that does not go on, another one has to.
    ToOne,
    /// All that waited.
    ToAll,
}

impl Notify {
    /// Makes a `Notify` that stores no notification.
    #[must_use]
    pub const fn new() -> Self {
        let (stored, rounds) = (Cell::new(Stored::Nothing), Cell::new(0));
        Notify { stored, rounds, waiters: Waiters::new() }
    }

    /// Notifies the task that has waited longest. If none waits, the notification is stored for the
    /// next one.
    pub fn notify_one(&self) {
        budget::count();
        self.tell_one();
    }

    /// Notifies all the tasks that wait now, and stores nothing. A [`notified`](Self::notified)
    /// that was called before and has not been awaited yet counts as waiting.
    pub fn notify_waiters(&self) {
        budget::count();
        self.tell_all();
    }

    /// Waits for a notification. If one is stored, this takes it and goes on.
    ///
    /// It is a checkpoint. If the future is dropped after it was notified by
    /// [`notify_one`](Self::notify_one), the notification goes to the next task, or is stored.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); in that case no notification was taken.
    #[track_caller]
    pub fn notified(&self) -> impl Future<Output = Result<()>> + Unpin {
        Notified(self.wait::<Storing>(Location::caller()))
    }

    /// The operation behind [`notified`](Self::notified).
    pub(super) fn wait<K: Kind>(&self, place: &'static Location<'static>) -> Doing<Waiting<'_, K>> {
        let round = self.rounds.get();
        Doing::new(Waiting { notify: self, place, round, kind: PhantomData })
    }

    fn tell_one(&self) {
        if self.tell_next() == Reached::Nobody {
            self.stored.set(Stored::One);
        }
    }

    /// Notifies the task that has waited longest, and stores nothing. This runs foreign code.
    pub(super) fn tell_next(&self) -> Reached {
        let Some(mut next) = self.waiters.next() else { return Reached::Nobody };
        *next.value() = Some(Notice::ToOne);
        next.serve_alone(Exclusive::Notification).wake(); // foreign code
        Reached::One
    }

    /// Notifies all that wait now. This runs foreign code.
    pub(super) fn tell_all(&self) {
        self.rounds.set(self.rounds.get() + 1);
        self.waiters.serve_present(|notice| *notice = Some(Notice::ToAll));
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reached {
    One,
    Nobody,
}

impl Default for Notify {
    fn default() -> Self {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").field("stored", &self.stored.get()).finish_non_exhaustive()
    }
}

/// On whose behalf somebody waits.
pub(super) trait Kind {
    /// See [`Queued::NAME`].
    const NAME: &'static str;

    /// Called when a task was notified and does not go on.
    fn pass_on(notify: &Notify);
}

/// Waiting for a `Notify`, which stores what nobody waits for.
enum Storing {}

impl Kind for Storing {
    const NAME: &'static str = "Notify::notified";

    fn pass_on(notify: &Notify) {
        notify.tell_one();
    }
}

pub(super) struct Waiting<'a, K> {
    notify: &'a Notify,
    place: &'static Location<'static>,
    /// How often all had been notified when this was called.
    round: u64,
    kind: PhantomData<K>,
}

impl<K: Kind> Queued for Waiting<'_, K> {
    const NAME: &'static str = K::NAME;
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = Some(Exclusive::Notification);

    type Value = Option<Notice>;
    type Got = Notice;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn queue(&self) -> &Waiters<Option<Notice>> {
        &self.notify.waiters
    }

    fn attempt(&mut self, _: When) -> Tried<Notice> {
        if self.round != self.notify.rounds.get() {
            Tried::Done(Notice::ToAll)
        } else if self.notify.stored.replace(Stored::Nothing) == Stored::One {
            Tried::Done(Notice::ToOne)
        } else {
            Tried::Waits
        }
    }

    fn pause(&mut self, notice: &Notice) -> Option<Exclusive> {
        (*notice == Notice::ToOne).then_some(Exclusive::Notification)
    }

    fn receive(&mut self, notice: Option<Notice>) -> Notice {
        notice.expect("it was notified")
    }

    fn pass_on(&mut self, notice: Option<Notice>) {
        if notice == Some(Notice::ToOne) {
            K::pass_on(self.notify);
        }
    }

    fn give_back(&mut self, notice: Notice) {
        self.pass_on(Some(notice));
    }
}

/// The future of [`Notify::notified`].
#[must_use = "futures do nothing unless awaited"]
struct Notified<'a>(Doing<Waiting<'a, Storing>>);

impl Future for Notified<'_> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().0).poll(cx).map_ok(drop)
    }
}
