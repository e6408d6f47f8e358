//! Which parts of a dump are alike: whatever differs only in names, numbers and times.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::snapshot::dump::{Dump, Item, Place, Scope, State, What};
use crate::snapshot::wakes::Wakes;

/// For each item of a dump: where what is in it ends in the list, and a number that is the same for
/// all that look like it, with what is in them.
pub(super) struct Alike {
    pub(super) ends: Vec<usize>,
    pub(super) looks: Vec<u64>,
}

impl Alike {
    pub(super) fn of(dump: &Dump) -> Alike {
        let items = &dump.items;
        let mut ends = vec![0; items.len()];
        let mut looks = vec![0; items.len()];
        // The items after the present one that are not inside another of these, the nearest last.
        let mut after: Vec<usize> = Vec::new();
        for (at, item) in items.iter().enumerate().rev() {
            let mut hasher = DefaultHasher::new();
            hash(dump, item, &mut hasher);
            while let Some(&inner) = after.last()
                && items[inner].depth > item.depth
            {
                looks[inner].hash(&mut hasher);
                after.pop();
            }
            ends[at] = after.last().copied().unwrap_or(items.len());
            looks[at] = hasher.finish();
            after.push(at);
        }
        Alike { ends, looks }
    }
}

fn hash(dump: &Dump, item: &Item, hasher: &mut DefaultHasher) {
    match &item.what {
        What::Task(task) => {
            (0, task.role, address(task.spawned.place())).hash(hasher);
            match task.state {
                State::Running => 0.hash(hasher),
                State::PollsNursery => 1.hash(hasher),
                State::Ready(_) => 2.hash(hasher),
                State::Waits(kind, place, _) => {
                    (3, kind.name(), place.map(address)).hash(hasher);
                }
                State::InNursery => 4.hash(hasher),
                State::Elsewhere(_) => 5.hash(hasher),
            }
            for wakes in dump.wakes(task) {
                match wakes {
                    Wakes::Timer(_) => 0.hash(hasher),
                    Wakes::Source(_, what) => (1, what).hash(hasher),
                    Wakes::Child(_) => 2.hash(hasher),
                }
            }
        }
        What::Scope(scope) => {
            1.hash(hasher);
            hash_scope(scope, hasher);
        }
        What::Nursery(scope, body) => {
            (2, body).hash(hasher);
            hash_scope(scope, hasher);
        }
        What::Apart(place) => (3, address(place)).hash(hasher),
    }
}

fn hash_scope(scope: &Scope, hasher: &mut DefaultHasher) {
    let Scope { address: _, place, deadline, shield, patience, level, why } = scope;
    (address(place), deadline.is_some(), shield).hash(hasher);
    (*patience as u8, *level as u8).hash(hasher);
    if let Some(why) = why {
        (std::mem::discriminant(why.reason()), why.cancelled_by().map(address)).hash(hasher);
    }
}

/// Two places in the source may have several addresses, and then look different. That is rare, and
/// does no harm.
fn address(place: Place) -> usize {
    std::ptr::from_ref(place).addr()
}
