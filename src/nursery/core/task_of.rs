//! Which task a unit belongs to.

use std::ptr::{self, NonNull};

use crate::error::Spawned;
use crate::nursery::child::Child;
use crate::nursery::core::Core;
use crate::nursery::system;
use crate::schedule::current;
use crate::schedule::ids::UnitId;
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;

impl Core {
    /// The task that the unit with this number belongs to, if the present run still has it.
    pub(crate) fn task_with(unit: UnitId) -> Option<(UnitId, Spawned)> {
        // SAFETY: units that the table finds are alive (invariant 1 of `schedule::units::unit`).
        Core::task_of(unsafe { &*table::lookup(unit)? })
    }

    /// The task that an attached unit of the present run belongs to: its number, where it was
    /// spawned, and its name. A child is a task. A nursery's body belongs to the task that last
    /// polled the nursery, and at last to the main future, whose number is that of the run's own body.
    /// `None` if nothing has polled the nursery.
    pub(crate) fn task_of(unit: &Unit) -> Option<(UnitId, Spawned)> {
        let mut unit = ptr::from_ref(unit);
        loop {
            // SAFETY (all): units that the table finds are alive, and so are the rosters that units
            // are attached to (invariants 1 and 2 of `schedule::units::unit`). Every roster is in a
            // core, and what is attached to it and not its body is a child (invariants 2 and 5 of
            // `nursery::core`). Nothing foreign runs here.
            let this = unsafe { &*unit };
            let roster = unsafe { this.roster().as_ref() }?;
            let core = unsafe { Core::of(roster) };
            let id = this.id(current::current_run());
            if !ptr::eq(roster.body(), unit) {
                let child = NonNull::new(unit.cast_mut().cast::<Child>())?;
                return Some((id, unsafe { Child::spawned(child) }));
            }
            if system::is_of_run(core) {
                return Some((id, Spawned::At(core.place)));
            }
            unit = table::lookup(core.scope.host())?;
        }
    }
}
