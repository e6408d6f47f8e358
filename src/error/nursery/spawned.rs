//! Which task: where it was spawned, and its name if it has one.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

type Place = &'static Location<'static>;

/// Where a task was spawned, and its name if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spawned {
    At(Place),
    Named(Arc<Named>),
}

/// A task's name, and where the task was spawned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    name: Box<str>,
    place: Place,
}

impl Named {
    pub(crate) fn new(name: String, place: Place) -> Arc<Named> {
        Arc::new(Named { name: name.into_boxed_str(), place })
    }
}

impl Spawned {
    /// Where the task was spawned.
    pub(crate) fn place(&self) -> Place {
        match self {
            Spawned::At(place) => place,
            Spawned::Named(named) => named.place,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Spawned::At(_) => None,
            Spawned::Named(named) => Some(&named.name),
        }
    }
}

/// What follows "the task": its name, and where it was spawned. This is one line, whatever the
/// name.
impl fmt::Display for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            write!(f, "{name:?} ")?;
        }
        write!(f, "spawned at {}", self.place())
    }
}
