//! Polling the units of a run that is watched: what is being polled is shown.

use std::ptr::NonNull;

use crate::error::Spawned;
use crate::nursery::child::Child;
use crate::nursery::core::Core;
use crate::schedule::rounds::Scheduler;
use crate::schedule::seen::onlookers::{Ended, Looks, Occasion};
use crate::schedule::seen::shown::{SHOWN, Shown, What};
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;

/// The run is watched, or was until a moment ago.
pub(super) struct Watched;

impl Looks for Watched {
    type Poll = Before;

    #[inline(always)]
    fn before_poll(unit: &Unit, _: impl FnOnce() -> Occasion) -> Before {
        SHOWN.with(|shown| match shown {
            Some(shown) => show(shown, unit),
            None => Before { what: What::NOTHING, is: Named::No },
        })
    }

    #[inline(always)]
    fn after_poll(before: Before, _: &Unit, _: Ended) {
        drop(before); // foreign code
    }

    #[inline(always)]
    fn is_joined(scheduler: &Scheduler) -> bool {
        scheduler.ahead.is_looked_on()
    }
}

/// What was shown before a unit was polled. It is shown again when this is dropped, also if the poll
/// has panicked.
pub(super) struct Before {
    what: What,
    is: Named,
}

/// Whether the unit is a task with a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    No,
}

#[inline(always)]
fn show(shown: &Shown, unit: &Unit) -> Before {
    let before = shown.what();
    let Some(child) = child(unit) else {
        // A body belongs to the task that is being polled already.
        shown.show(before); // foreign code
        return Before { what: before, is: Named::No };
    };
    // SAFETY: it is about to be polled.
    match unsafe { Child::place_if_nameless(child) } {
        Some(place) => {
            shown.show(What::task(place)); // foreign code
            Before { what: before, is: Named::No }
        }
        None => show_named(shown, before, child),
    }
}

#[cold]
#[inline(never)]
fn show_named(shown: &Shown, before: What, child: NonNull<Child>) -> Before {
    if shown.is_told() {
        shown.show(before); // foreign code, which is told the name that is the last at present
    }
    // SAFETY: as above.
    let task = unsafe { Child::spawned(child) };
    let what = What::named(task.place());
    if let Spawned::Named(name) = task {
        shown.keep_name(name);
    }
    shown.show(what); // foreign code
    Before { what: before, is: Named::Yes }
}

impl Drop for Before {
    #[inline(always)]
    fn drop(&mut self) {
        SHOWN.with(|shown| {
            let Some(shown) = shown else { return };
            shown.show(self.what); // foreign code
            if self.is == Named::Yes {
                shown.forget_name();
            }
        });
    }
}

/// The node of the unit, if it is a child and not the body of a nursery.
#[inline(always)]
fn child(unit: &Unit) -> Option<NonNull<Child>> {
    let node = table::node(unit.index()).filter(|_| Core::is_child(unit))?;
    NonNull::new(node.cast_mut().cast())
}
