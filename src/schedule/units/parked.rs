//! What a unit waits for, as far as this crate knows: the operation that parked last in its latest
//! poll.
//!
//! An operation that parks [leaves](leave) one word with the thread, and one that is dropped while
//! it is parked [takes it back](take_back). The nursery that polls a unit empties the word before
//! the poll, and puts it into the unit after a poll that has not ended. So an operation that is
//! ready leaves nothing, and a unit that waits for a future of another crate has nothing.
//!
//! The unit keeps the word where a unit that is ready has its link in the ready queue. The time is
//! not recorded: the round is known, and the [history](crate::schedule::turn::history) knows when
//! that was.
//!
//! # Invariants
//!
//! 1. The lower 48 bits of a `Parked` are null, or the address of a `Location<'static>`, with its
//!    provenance. On x86-64 no static is anywhere else; on other machines that is looked at.

use std::panic::Location;
use std::ptr;

use crate::schedule::current::THREAD;

/// The names of everything that a unit may be shown to wait for.
const NAMES: &[&str] = &[
    "Barrier::wait",
    "CapacityLimiter::acquire",
    "Condition::wait",
    "Event::wait",
    "File",
    "Mutex::lock",
    "Notify::notified",
    "OnceCell::get_or_init",
    "Receiver::recv",
    "RwLock::read",
    "RwLock::write",
    "Semaphore::acquire",
    "Sender::reserve",
    "Sender::send",
    "Signals::recv",
    "TLS",
    "Task",
    "ThreadReceiver::recv",
    "ThreadSender::send",
    "accept",
    "broadcast::Receiver::recv",
    "broadcast::Sender::closed",
    "broadcast::Sender::send",
    "cancellable",
    "connect",
    "flow::from_stream",
    "oneshot::Receiver::recv",
    "oneshot::Sender::closed",
    "peek",
    "read",
    "read_with",
    "readable",
    "recv",
    "recv_from",
    "recv_with_descriptors",
    "send",
    "send_to",
    "send_with_descriptors",
    "sleep",
    "the end of a process",
    "the end of a service",
    "the end of its tasks",
    "to_thread",
    "watch::Receiver::changed",
    "watch::Sender::closed",
    "writable",
    "write",
    "write_with",
];

const PLACE_BITS: u32 = 48;

/// The number of a name; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct What(u16);

impl What {
    /// The kind with this name, which has to be listed above.
    pub(crate) const fn of(name: &str) -> What {
        let mut at = 0;
        while at < NAMES.len() {
            if is_same(NAMES[at].as_bytes(), name.as_bytes()) {
                return What(at as u16 + 1);
            }
            at += 1;
        }
        panic!("an operation has a name that is not in the list of `schedule::units::parked`")
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES[usize::from(self.0) - 1]
    }
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// What a unit waits for: a place, and in the upper bits the kind.
#[derive(Clone, Copy)]
pub(crate) struct Parked(*const Location<'static>);

impl Parked {
    pub(crate) const NOTHING: Parked = Parked(ptr::null());

    #[inline(always)]
    pub(crate) fn new(kind: What, place: Option<&'static Location<'static>>) -> Parked {
        let place = place.map_or(ptr::null(), ptr::from_ref);
        let fits = cfg!(target_arch = "x86_64") || place.addr() >> PLACE_BITS == 0;
        let place = if fits { place } else { ptr::null() };
        Parked(place.map_addr(|place| place | (kind.0 as usize) << PLACE_BITS))
    }

    /// # Safety
    ///
    /// The pointer is null, or came from [`as_ptr`](Self::as_ptr).
    pub(super) unsafe fn from_ptr(word: *const ()) -> Parked {
        Parked(word.cast())
    }

    pub(super) fn as_ptr(self) -> *const () {
        self.0.cast()
    }

    /// The kind of operation; `None` if it is none of this crate's.
    pub(crate) fn kind(self) -> Option<What> {
        match self.0.addr() >> PLACE_BITS {
            0 => None,
            kind => Some(What(kind as u16)),
        }
    }

    /// Where the operation was called, if that is known.
    pub(crate) fn place(self) -> Option<&'static Location<'static>> {
        let place = self.0.map_addr(|word| word & ((1 << PLACE_BITS) - 1));
        // SAFETY: invariant 1.
        unsafe { place.as_ref() }
    }
}

/// To be called where an operation parks.
#[inline(always)]
pub(crate) fn leave(kind: What, place: &'static Location<'static>) {
    THREAD.with(|thread| thread.parked.set(Parked::new(kind, Some(place))));
}

/// The same, if nothing inside it has left anything.
#[inline]
pub(crate) fn leave_outside(kind: What, place: &'static Location<'static>) {
    THREAD.with(|thread| {
        if thread.parked.get().kind().is_none() {
            thread.parked.set(Parked::new(kind, Some(place)));
        }
    });
}

/// The same for something whose place nobody knows, because it is polled by another library.
#[inline]
pub(crate) fn leave_without_place(kind: What) {
    THREAD.with(|thread| thread.parked.set(Parked::new(kind, None)));
}

/// To be called where an operation is dropped while it is parked.
#[inline(always)]
pub(crate) fn take_back() {
    THREAD.with(|thread| thread.parked.set(Parked::NOTHING));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_both() {
        let here = Location::caller();
        let kind = What::of("sleep");
        let parked = Parked::new(kind, Some(here));
        assert_eq!((parked.kind(), parked.place()), (Some(kind), Some(here)));
        assert_eq!(kind.name(), "sleep");
        let parked = Parked::new(kind, None);
        assert_eq!((parked.kind(), parked.place()), (Some(kind), None));
        assert_eq!((Parked::NOTHING.kind(), Parked::NOTHING.place()), (None, None));
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(NAMES.is_sorted());
    }
}
