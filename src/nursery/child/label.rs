//! What a child is called: nothing, or a name. A child without a name has no room for one.

use std::panic::Location;
use std::sync::Arc;

use crate::error::{Named, Spawned};

/// What a child is called.
pub(crate) trait Label {
    const IS_NAME: bool;

    /// The task that has this label, and was spawned at this place.
    fn spawned(&self, place: &'static Location<'static>) -> Spawned;
}

/// No name.
impl Label for () {
    const IS_NAME: bool = false;

    fn spawned(&self, place: &'static Location<'static>) -> Spawned {
        Spawned::At(place)
    }
}

impl Label for Arc<Named> {
    const IS_NAME: bool = true;

    fn spawned(&self, _: &'static Location<'static>) -> Spawned {
        Spawned::Named(self.clone())
    }
}
