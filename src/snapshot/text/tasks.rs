//! The tasks of a dump, by their numbers, and what they are called in a sentence.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use crate::snapshot::dump::{Dump, Role, Task, What};

/// The tasks of a dump. They are put into order when the first is looked for, as it is rare that
/// one is.
pub(super) struct Tasks<'a> {
    dump: &'a Dump,
    by_id: OnceCell<HashMap<u64, &'a Task>>,
}

impl<'a> Tasks<'a> {
    pub(super) fn of(dump: &'a Dump) -> Tasks<'a> {
        Tasks { dump, by_id: OnceCell::new() }
    }

    /// The task, or the body of a nursery, with this number.
    pub(super) fn get(&self, id: u64) -> Option<&'a Task> {
        let by_id = self.by_id.get_or_init(|| {
            let tasks = self.dump.items.iter().filter_map(|item| match &item.what {
                What::Task(task) => Some((task.id, task)),
                _ => None,
            });
            tasks.collect()
        });
        by_id.get(&id).copied()
    }
}

/// A task in a sentence, with its name.
pub(super) struct ByName<'a>(pub(super) &'a Task);

/// A task in a sentence that stands for several, without its name.
pub(super) struct OneOf<'a>(pub(super) &'a Task);

impl fmt::Display for ByName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.role {
            Role::Child => write!(f, "task {}", self.0.spawned),
            Role::Main | Role::Body | Role::System => OneOf(self.0).fmt(f),
        }
    }
}

impl fmt::Display for OneOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.spawned.place();
        match self.0.role {
            Role::Main => f.write_str("the main future"),
            Role::Body => write!(f, "the body of the nursery opened at {place}"),
            Role::Child => write!(f, "a task spawned at {place}"),
            Role::System => f.write_str("a task of the run itself"),
        }
    }
}
