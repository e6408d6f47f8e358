//! What accompanies a run: it begins before the run, surrounds its code on every thread, and ends
//! when nothing of the run is left.

use std::io;
use std::panic::Location;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::platform::Arc;
use crate::run::Builder;
use crate::threads::surroundings::Surroundings;

/// The settings of something that accompanies runs.
pub(crate) trait Accompany {
    /// Begins to accompany the run at `place`.
    fn begin(&self, place: &'static Location<'static>) -> io::Result<Arc<dyn Companion>>;
}

/// Something that accompanies a run.
pub(crate) trait Companion: Surroundings {
    /// Ends it. This may take a while, and does not unwind.
    fn end(&self);
}

/// The companion of a run, if it has one, which ends when this is dropped.
pub(crate) struct Beside(Option<Arc<dyn Companion>>);

impl Beside {
    /// # Errors
    ///
    /// The system's, if the companion could not begin.
    pub(crate) fn begin(
        companion: Option<&dyn Accompany>,
        place: &'static Location<'static>,
    ) -> Result<Beside> {
        let Some(companion) = companion else { return Ok(Beside(None)) };
        let begun = companion.begin(place).map_err(|error| {
            let text = format!("what was to accompany the run could not begin: {error}");
            Error::from(io::Error::new(error.kind(), text)).at(place)
        });
        Ok(Beside(Some(begun?)))
    }

    /// What the companion surrounds the run's code by.
    pub(crate) fn surroundings(&self) -> Option<Arc<dyn Surroundings>> {
        Some(self.0.clone()?)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(companion) = &self.0 {
            companion.end();
        }
    }
}

impl Builder {
    /// Sets what accompanies the run.
    pub(crate) fn accompanied(mut self, companion: Rc<dyn Accompany>) -> Self {
        self.companion = Some(companion);
        self
    }
}
