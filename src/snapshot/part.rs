//! A part of a dump: what is at one place of the source, with all that is in it.

use std::fmt;

use crate::snapshot::dump::{Dump, Item, Place, State, What};

/// A part of a dump, which is written below the line that it belongs to.
pub(crate) struct Part(Dump);

impl Dump {
    /// The scopes and nurseries that were opened at this place, and the tasks that wait in an
    /// operation called there, with all that is in them. `None` if there are none.
    pub(crate) fn into_part(mut self, place: Place) -> Option<Part> {
        let mut depth = None;
        self.items.retain_mut(|item| {
            depth = depth.filter(|&depth| item.depth > depth);
            if item.is_at(place) {
                depth.get_or_insert(item.depth);
            }
            if let Some(depth) = depth {
                item.depth -= depth;
            }
            depth.is_some()
        });
        (!self.items.is_empty()).then_some(Part(self))
    }
}

impl Item {
    fn is_at(&self, place: Place) -> bool {
        match &self.what {
            What::Task(task) => matches!(task.state, State::Waits(_, at, _) if at == Some(place)),
            What::Scope(scope) | What::Nursery(scope, _) => scope.place == place,
            What::Apart(_) => false, // the nursery itself follows
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\n")?;
        self.0.write_items(f)
    }
}
