//! The context managers that were entered, for those who look at a run. One is listed when something
//! in it, or in the body of its `with`, first has to wait: most end before that, and pay nothing.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use slab::Slab;

use crate::platform::part::part;
use crate::schedule::current::{self, THREAD};
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::remote::away;

part! {
    /// The context managers of the present run.
    pub(crate) const ENTERED: EnteredManagers;
}

/// The context managers of a run that were entered and in which something has waited.
#[derive(Default)]
pub(crate) struct EnteredManagers(RefCell<Slab<Rc<Manager>>>);

struct Manager {
    made_at: &'static Location<'static>,
    entered_at: &'static Location<'static>,
    now: Cell<Stage>,
    /// The unit that polls it.
    unit: Cell<UnitId>,
    run: RunId,
    key: Cell<usize>,
}

/// How far a context manager has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    SetsUp,
    /// It is at its yield, and the body of the `with` runs.
    AroundBody,
    CleansUp,
}

/// What there is to see of a context manager.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) made_at: &'static Location<'static>,
    pub(crate) entered_at: &'static Location<'static>,
    pub(crate) stage: Stage,
    pub(crate) unit: UnitId,
}

impl EnteredManagers {
    /// What there is to see of them, if they can be looked at.
    pub(crate) fn seen(&self) -> Option<Vec<Seen>> {
        let all = self.0.try_borrow().ok()?;
        let seen = all.iter().map(|(_, manager)| Seen {
            made_at: manager.made_at,
            entered_at: manager.entered_at,
            stage: manager.now.get(),
            unit: manager.unit.get(),
        });
        Some(seen.collect())
    }
}

/// A context manager's place in the list, if it has one.
pub(super) struct Listed(Option<Rc<Manager>>);

impl Listed {
    pub(super) const NOT_YET: Listed = Listed(None);

    /// To be called when something in a context manager waits, with where that was made and
    /// entered.
    #[inline]
    pub(super) fn waits(
        &mut self,
        stage: Stage,
        [made_at, entered_at]: [&'static Location<'static>; 2],
    ) {
        let manager = self.0.get_or_insert_with(|| list(made_at, entered_at));
        manager.now.set(stage);
        manager.unit.set(THREAD.with(|thread| thread.unit.get()));
    }
}

#[cold]
fn list(
    made_at: &'static Location<'static>,
    entered_at: &'static Location<'static>,
) -> Rc<Manager> {
    let manager = Rc::new(Manager {
        made_at,
        entered_at,
        now: Cell::new(Stage::SetsUp),
        unit: Cell::new(UnitId::NONE),
        run: current::current_run(),
        key: Cell::new(0),
    });
    ENTERED.with(|entered| {
        if let Some(entered) = entered {
            manager.key.set(entered.0.borrow_mut().insert(manager.clone()));
        }
    });
    manager
}

impl Drop for Listed {
    #[inline]
    fn drop(&mut self) {
        if let Some(manager) = self.0.take() {
            unlist(&manager);
        }
    }
}

#[cold]
fn unlist(manager: &Manager) {
    away::in_run(manager.run, || {
        if manager.run == current::current_run() {
            ENTERED.with(|entered| entered?.0.borrow_mut().try_remove(manager.key.get()));
        }
    });
}
