//! Generators that were left behind in a nursery, which closes them before it ends.
//!
//! # Invariants
//!
//! 1. What a generator on the list borrows stays alive for as long as the nursery's own future is
//!    polled or dropped: whoever calls `remember` promises that. The generator is used only by
//!    `close_left_behind`, which that future calls, and in the child that this spawns.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};

use crate::error::Result;
use crate::nursery::core::Core;

/// Something that may be left behind in a nursery, which then closes it: a generator that borrows.
pub(crate) trait LeftBehind {
    /// Where the generator was made.
    fn place(&self) -> &'static Location<'static>;
    /// Whether the generator has already ended.
    fn is_finished(&self) -> bool;
    /// Closes the generator. The nursery runs this in a child.
    fn close<'a>(self: Rc<Self>) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>
    where
        Self: 'a;
}

/// The work left to a nursery when its body and its children have ended.
#[derive(PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// It has new children, which close what was left behind.
    Closing,
}

impl Core {
    /// Remembers a generator, so that it is closed before the nursery ends.
    ///
    /// # Safety
    ///
    /// The same as for `spawn`, with regard to what the generator borrows.
    pub(crate) unsafe fn remember<'a>(&self, generator: Weak<dyn LeftBehind + 'a>) {
        // SAFETY: only the lifetime changes, and invariant 1 replaces it.
        let generator: Weak<dyn LeftBehind> = unsafe { std::mem::transmute(generator) };
        let mut generators = self.generators.borrow_mut();
        if generators.len() == generators.capacity() {
            generators.retain(|generator| generator.strong_count() > 0);
        }
        generators.push(generator);
    }

    /// Spawns a child for each generator that is left when everything else has ended: one that was
    /// forgotten, or that owns itself.
    pub(super) fn close_left_behind(self: &Rc<Self>) -> Rest {
        if self.generators.borrow().is_empty() {
            return Rest::Nothing;
        }
        for generator in self.generators.take() {
            if let Some(generator) = generator.upgrade()
                && !generator.is_finished()
            {
                let place = generator.place();
                // SAFETY: invariant 1.
                drop(unsafe { self.spawn(generator.close(), place) });
            }
        }
        if self.is_empty() { Rest::Nothing } else { Rest::Closing }
    }
}
