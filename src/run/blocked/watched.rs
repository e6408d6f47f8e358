//! A run that is watched: when it has the thread, and when it sleeps.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::run::blocked::told::went_on;
use crate::run::blocked::watchdog::Watch;
use crate::schedule::seen::shown::{Shown, What};

/// A run that is watched until this is dropped.
pub(in crate::run) struct Watched {
    shown: Arc<Shown>,
    watch: Watch,
    run: What,
}

impl Watched {
    pub(super) fn new(limit: Duration, place: &'static Location<'static>) -> Watched {
        let shown = Arc::new(Shown::new(place, limit, went_on));
        let watch = Watch::begin(shown.clone());
        Watched { shown, watch, run: What::run(place) }
    }

    /// What the run shows.
    pub(in crate::run) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// As long as the returned value lives, the run has the thread.
    pub(in crate::run) fn wakes(&self) -> impl Drop {
        self.showing(self.run)
    }

    /// As long as the returned value lives, the run sleeps.
    pub(in crate::run) fn sleeps(&self) -> impl Drop {
        self.showing(What::NOTHING)
    }

    fn showing(&self, what: What) -> Showing<'_> {
        let former = self.shown.what();
        self.show(what);
        Showing { watched: self, former }
    }

    fn show(&self, what: What) {
        let was_asleep = self.shown.what().is_nothing();
        self.shown.show(what); // foreign code
        if was_asleep {
            self.watch.rouse();
        }
    }
}

/// As long as this lives, something is shown. Then it is what was shown before.
struct Showing<'a> {
    watched: &'a Watched,
    former: What,
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        self.watched.show(self.former);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::schedule::seen::shown::Seen;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_run_that_sleeps_shows_nothing() {
        let watched = Watched::new(HOUR, Location::caller());
        let see = || watched.shown.see();
        assert_eq!(see(), Seen::Asleep);
        let awake = watched.wakes();
        let first = see();
        assert!(matches!(first, Seen::Polls(_)));
        let asleep = watched.sleeps();
        assert_eq!(see(), Seen::Asleep);
        drop(asleep);
        assert!(matches!(see(), Seen::Polls(_)) && see() != first);
        drop(awake);
        assert_eq!(see(), Seen::Asleep);
    }

    #[test]
    fn what_has_gone_on_is_not_told_of() {
        let watched = Watched::new(HOUR, Location::caller());
        let _awake = watched.wakes();
        let Seen::Polls(step) = watched.shown.see() else { panic!("it is awake") };
        watched.show(watched.run);
        assert!(watched.shown.begin_to_tell(step, Instant::now()).is_none());
        assert!(!watched.shown.is_told());
        assert!(watched.shown.begin_to_tell(step + 2, Instant::now()).is_some());
        assert!(watched.shown.is_told());
        watched.show(watched.run);
        assert!(!watched.shown.is_told(), "it has said so itself");
    }
}
