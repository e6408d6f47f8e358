//! The time of day.

use std::time::{Instant, SystemTime};

use seedbed::now;

use crate::data::store::Millis;

/// Milliseconds since 1970, by the clock of the run. On a virtual clock, keys expire in virtual
/// time; and if somebody sets the system's time, no key expires at once or stays for years.
#[derive(Debug)]
pub(super) struct Clock {
    begin: Instant,
    begin_since_1970: Millis,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Clock { begin: now(), begin_since_1970: since_1970.as_millis() as Millis }
    }

    pub(super) fn now(&self) -> Millis {
        self.begin_since_1970 + now().duration_since(self.begin).as_millis() as Millis
    }
}
