//! A wake from another thread: the number of the unit goes into the queue of the runtime it
//! belongs to, and the reactor is woken if it sleeps.
//!
//! Runtimes are found by their slot in a registry of the process. A wake that comes when its
//! runtime has gone finds an empty slot, or a later runtime, for which it is a spurious wake.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::SegQueue;
use parking_lot::RwLock;

use crate::wake::table::{MAX_RUNTIMES, UnitId};

/// What other threads know of a runtime.
pub(crate) struct Remote {
    woken: SegQueue<UnitId>,
    /// True from before the reactor looks at `woken` for the last time until it has woken up:
    /// whoever turns it off wakes the reactor, so that a sleep costs one system call at most.
    asleep: AtomicBool,
    reactor: mio::Waker,
}

static REGISTRY: RwLock<Vec<Option<Arc<Remote>>>> = RwLock::new(Vec::new());

impl Remote {
    pub(crate) fn new(reactor: mio::Waker) -> Self {
        Remote { woken: SegQueue::new(), asleep: AtomicBool::new(false), reactor }
    }

    fn wake(&self, id: UnitId) {
        self.woken.push(id);
        self.interrupt();
    }

    /// Wakes the reactor if it sleeps, or is about to.
    fn interrupt(&self) {
        // The load spares the common case, a reactor that is awake, a write to a shared line.
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // There is no one to tell if this fails, and it cannot while the descriptor is open.
            let _ = self.reactor.wake();
        }
    }

    /// Says that the reactor is about to sleep. False if there is something to do first.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        if self.woken.is_empty() {
            return true;
        }
        self.asleep.store(false, Ordering::SeqCst);
        false
    }

    pub(crate) fn woke_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// The next unit that another thread has woken.
    pub(crate) fn next(&self) -> Option<UnitId> {
        self.woken.pop()
    }
}

/// Enters a runtime into the registry and gives it its slot.
pub(crate) fn register(remote: Arc<Remote>) -> io::Result<u16> {
    let mut registry = REGISTRY.write();
    let slot = match registry.iter().position(Option::is_none) {
        Some(slot) => slot,
        None if registry.len() < MAX_RUNTIMES => {
            registry.push(None);
            registry.len() - 1
        }
        None => return Err(io::Error::other("too many runtimes in one process")),
    };
    registry[slot] = Some(remote);
    Ok(slot as u16)
}

pub(crate) fn unregister(slot: u16) {
    let gone = REGISTRY.write()[slot as usize].take();
    drop(gone); // closes descriptors, outside the lock
}

/// Wakes a unit of another thread's runtime. Does nothing if the runtime has gone.
pub(crate) fn wake(id: UnitId) {
    let remote = REGISTRY.read().get(id.slot() as usize).cloned().flatten();
    if let Some(remote) = remote {
        remote.wake(id);
    }
}
