//! The tasks that wait for a stream to take ciphertext.
//!
//! Two tasks may: the one that writes, and the one that reads, because it sends what is left if the
//! other has gone to do something else. Many streams keep only the waker that they were polled with
//! last, and that may belong to a task that is cancelled. So where there are two, the stream gets a
//! waker that wakes both.

use std::cell::OnceCell;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// One of the two tasks that use a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Half {
    Reader,
    Writer,
}

impl Half {
    fn other(self) -> Half {
        match self {
            Half::Reader => Half::Writer,
            Half::Writer => Half::Reader,
        }
    }
}

/// The wakers of both, once one of them has had to wait.
#[derive(Default)]
pub(super) struct Waiting(OnceCell<Arc<Both>>);

#[derive(Default)]
struct Both(Mutex<[Option<Waker>; 2]>);

impl Both {
    fn lock(&self) -> MutexGuard<'_, [Option<Waker>; 2]> {
        // Nothing foreign runs while it is locked, so there is nothing half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Keeps the waker of one of them. Returns the waker to poll the stream with, if its own is not
    /// enough.
    pub(super) fn keep(&self, half: Half, waker: &Waker) -> Option<Waker> {
        let both = self.0.get_or_init(Arc::default);
        let is_kept = both.lock()[half as usize].as_ref().is_some_and(|kept| kept.will_wake(waker));
        if !is_kept {
            let waker = waker.clone(); // foreign code
            let former = both.lock()[half as usize].replace(waker);
            drop(former); // foreign code
        }
        let is_alone = both.lock()[half.other() as usize].is_none();
        (half == Half::Reader || !is_alone).then(|| both.clone().into())
    }

    /// To be called when one of them has got something done that the other may wait for.
    pub(super) fn wake_other(&self, half: Half) {
        if let Some(waker) = self.take(half.other()) {
            waker.wake(); // foreign code
        }
    }

    /// To be called when one of them no longer waits.
    pub(super) fn forget(&self, half: Half) {
        drop(self.take(half)); // foreign code
    }

    fn take(&self, half: Half) -> Option<Waker> {
        self.0.get()?.lock()[half as usize].take()
    }
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = mem::take(&mut *self.lock());
        wakers.into_iter().flatten().for_each(Waker::wake); // foreign code
    }
}
