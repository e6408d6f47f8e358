//! What a nursery closes before it ends: generators that were left behind in it, and services.
//!
//! # Invariants
//!
//! 1. What an entry of the list borrows stays alive for as long as the nursery's own future is
//!    polled or dropped: whoever calls `remember` promises that. The entry is used only by
//!    `close_left_behind`, which that future calls, and in the child that this spawns.
//! 2. `see_generators` reads of an entry only what the entry owns, whoever calls it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};

use crate::error::Result;
use crate::nursery::core::Core;
use crate::scope::frame::Seen;

/// Something that may be left behind in a nursery, which then closes it: a generator that borrows,
/// or a service.
pub(crate) trait LeftBehind {
    /// Where it was made.
    fn place(&self) -> &'static Location<'static>;
    /// Whether it has already ended.
    fn is_finished(&self) -> bool;
    /// What there is to see of it, if it is a generator. This runs no foreign code, and uses nothing
    /// that is borrowed.
    fn seen(&self) -> Option<Seen> {
        None
    }
    /// When it is closed.
    fn turn(&self) -> Turn {
        Turn::First
    }
    /// Closes it. The nursery runs this in a child.
    fn close<'a>(self: Rc<Self>) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>
    where
        Self: 'a;
}

/// When something that was left behind is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// When the body and the children have ended.
    First,
    /// When those whose turn is first have ended, too: they may need it.
    Last,
}

/// The work left to a nursery when its body and its children have ended.
#[derive(PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// It has new children, which close what was left behind.
    Closing,
}

impl Core {
    /// Remembers something, so that it is closed before the nursery ends.
    ///
    /// # Safety
    ///
    /// The same as for `spawn`, with regard to what it borrows.
    pub(crate) unsafe fn remember<'a>(&self, left_behind: Weak<dyn LeftBehind + 'a>) {
        // SAFETY: only the lifetime changes, and invariant 1 replaces it.
        let left_behind: Weak<dyn LeftBehind> = unsafe { std::mem::transmute(left_behind) };
        let mut list = self.left_behind.borrow_mut();
        if list.len() == list.capacity() {
            list.retain(|entry| entry.strong_count() > 0);
        }
        list.push(left_behind);
    }

    /// Adds what there is to see of the generators that were made here and have not ended. `None`
    /// if they cannot be looked at.
    pub(crate) fn see_generators(&self, seen: &mut Vec<Seen>) -> Option<()> {
        let list = self.left_behind.try_borrow().ok()?;
        // None of them is dropped here, as all have another owner.
        let alive = list.iter().filter_map(Weak::upgrade);
        seen.extend(alive.filter(|entry| !entry.is_finished()).filter_map(|entry| entry.seen()));
        Some(())
    }

    /// Spawns a child for each entry that is left when everything else has ended: a generator that
    /// was forgotten, or that owns itself; a service, when there are no others.
    pub(super) fn close_left_behind(self: &Rc<Self>) -> Rest {
        if self.left_behind.borrow().is_empty() {
            return Rest::Nothing;
        }
        self.close_some()
    }

    #[cold]
    fn close_some(self: &Rc<Self>) -> Rest {
        for turn in [Turn::First, Turn::Last] {
            for entry in self.left_behind.take() {
                let Some(left_behind) = entry.upgrade().filter(|left| !left.is_finished()) else {
                    continue;
                };
                if left_behind.turn() != turn {
                    self.left_behind.borrow_mut().push(entry);
                    continue;
                }
                let place = left_behind.place();
                // SAFETY: invariant 1.
                drop(unsafe { self.spawn(left_behind.close(), place, ()) });
            }
            if !self.is_empty() {
                return Rest::Closing;
            }
        }
        Rest::Nothing
    }
}
