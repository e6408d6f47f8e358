//! What `tokio-console` is told of a task, and when it begins to listen. The rest is in
//! `schedule::seen::console`.
//!
//! # Invariants
//!
//! 1. A unit that is described is alive, and so is the nursery that it is attached to: no foreign
//!    code runs meanwhile.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::error::{Named, Spawned};
use crate::nursery::child::Child;
use crate::nursery::core::Core;
use crate::nursery::system::{self, SYSTEM};
use crate::schedule::current;
use crate::schedule::ids::UnitId;
use crate::schedule::seen::console::{About, Console, Describe, may_listen};
use crate::schedule::seen::onlookers;
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;

/// Whether the console is told of a run.
#[derive(Default)]
pub(crate) struct Told(Cell<bool>);

impl Told {
    /// Finds out whether the console listens by now, and if so, has it told of the present run. To
    /// be called before the main future is polled, and from time to time. This runs foreign code.
    #[inline]
    pub(crate) fn look(&self) {
        if may_listen() && !self.0.get() {
            self.begin();
        }
    }

    #[cold]
    fn begin(&self) {
        let body = SYSTEM.with(|system| system.map(|system| system.core().roster().body()));
        // SAFETY: invariant 1.
        let Some(body) = body.and_then(|body| unsafe { body.as_ref() }) else { return };
        // SAFETY: invariant 1.
        let id = |unit: *const Unit| unsafe { &*unit }.id(current::current_run());
        let others = || table::find(Core::is_child).into_iter().map(id).collect();
        if let Some(console) = Console::<Units>::begin(body, others) {
            self.0.set(true);
            onlookers::add(console);
        }
    }
}

/// Knows what units are.
struct Units;

impl Describe for Units {
    fn about(unit: &Unit) -> Option<About> {
        // SAFETY (all): invariant 1; what is not a body is a child.
        let roster = unsafe { unit.roster().as_ref() }?;
        let nursery = unsafe { Core::of(roster) };
        if ptr::eq(roster.body(), unit) {
            let spawned = Spawned::Named(Named::new("main".into(), nursery.place()));
            let about = About { kind: "block_on", spawned, nursery: None, size: None };
            return system::is_of_run(nursery).then_some(about);
        }
        let child = NonNull::from(unit).cast::<Child>();
        let (spawned, size) = unsafe { (Child::spawned(child), child.as_ref().size()) };
        let nursery = Some(nursery.place());
        Some(About { kind: "task", spawned, nursery, size: Some(size) })
    }

    fn task_of(unit: &Unit) -> Option<UnitId> {
        Core::task_of(unit).map(|(id, _)| id)
    }
}
