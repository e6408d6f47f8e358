//! Runs that go on but are not the present one of their thread.
//!
//! A run that is a guest is the present one only while its host polls it. What belongs to it may
//! be touched at any other time too: another task of the host drops one of its sockets, or spawns
//! into one of its nurseries. Then the run is made the present one for that moment: it is found
//! by its number.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use crate::platform::thread_static;
use crate::schedule::current::THREAD;
use crate::schedule::ids::{RunId, RunTag, UnitId};

/// A run that can be made the present one of its thread at any time.
pub(crate) trait Resident {
    /// Calls `f` with this run as the present one, and then lets the run know that something may
    /// have become ready.
    fn visit(&self, f: &mut dyn FnMut());
}

thread_static! {
    /// The runs of this thread that are not always the present one.
    static RESIDENTS: RefCell<Vec<(RunId, Weak<dyn Resident>)>> = RefCell::new(Vec::new());
}

/// From now on `resident` can be found by this number.
pub(crate) fn move_in(run: RunId, resident: Weak<dyn Resident>) {
    // While the thread ends, nothing is found.
    let _ = RESIDENTS.try_with(|all| all.borrow_mut().push((run, resident)));
}

/// To be called when the run has ended.
pub(crate) fn move_out(run: RunId) {
    let _ = RESIDENTS.try_with(|all| all.borrow_mut().retain(|(other, _)| *other != run));
}

/// Whether this thread has a run to do, now or at its next poll.
pub(crate) fn is_any_here() -> bool {
    RESIDENTS.try_with(|all| !all.borrow().is_empty()).unwrap_or(false)
}

/// Calls `f` in the run that has this number, if that goes on in this thread, and otherwise where
/// this is called.
#[inline]
pub(crate) fn in_run<R>(run: RunId, f: impl FnOnce() -> R) -> R {
    if THREAD.with(|thread| thread.run.get() == run) {
        return f();
    }
    elsewhere(&|other| other == run, f)
}

/// The same for a run of which only the tag is known.
#[cold]
pub(crate) fn in_tagged_run<R>(tag: RunTag, f: impl FnOnce() -> R) -> R {
    elsewhere(&|run| run.tag() == tag, f)
}

/// The same for the run that has this unit.
#[inline]
pub(crate) fn in_run_of<R>(unit: UnitId, f: impl FnOnce() -> R) -> R {
    if unit == UnitId::NONE || THREAD.with(|thread| thread.run.get().may_have(unit)) {
        return f();
    }
    elsewhere(&|run| run.may_have(unit), f)
}

#[cold]
fn elsewhere<R>(is_meant: &dyn Fn(RunId) -> bool, f: impl FnOnce() -> R) -> R {
    let Some(resident) = find(is_meant) else { return f() };
    let (mut f, mut returned) = (Some(f), None);
    resident.visit(&mut || returned = f.take().map(|f| f()));
    returned.expect("it has been called")
}

/// The run that is meant, unless it is the present one.
fn find(is_meant: &dyn Fn(RunId) -> bool) -> Option<Rc<dyn Resident>> {
    let present = THREAD.with(|thread| thread.run.get());
    let found = RESIDENTS.try_with(|all| {
        let all = all.borrow();
        let mut meant = all.iter().filter(|(run, _)| *run != present && is_meant(*run));
        meant.next()?.1.upgrade()
    });
    found.ok().flatten()
}
