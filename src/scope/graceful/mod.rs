//! Graceful cancellation: code that finishes its work has some grace until it is cancelled too, and
//! code that is idle stops at once.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the grace: how long a scope that was cancelled gracefully may go on |
//! | `finishing` | sections that a graceful cancellation lets finish |
//! | `idle` | waiting that is cancelled at once even in such a section |
//!
//! How far each level of a cancellation goes is in `tree/cancellation.rs`.

pub(crate) mod finishing;
pub(crate) mod idle;

pub use finishing::finishing;
pub use idle::idle;

use crate::platform::clock::{CLOCK, Nanos};
use crate::scope::deadline::Deadline;
use crate::scope::tree::pool::ScopeRef;

impl ScopeRef {
    /// Moves the deadline to this long from now, if it is later than that. If the scope has not
    /// been entered, and so there may be no clock yet, the grace begins when it is.
    pub(crate) fn limit_grace(&self, grace: Nanos) {
        if self.has_left() {
            return; // its clock may be gone, and a timer would be useless
        }
        let limited = match self.deadline.get() {
            Deadline::Never => Deadline::AfterEntry(grace),
            Deadline::At(deadline) => {
                let earlier = CLOCK.with(|clock| {
                    clock.is_some_and(|clock| deadline <= clock.now().saturating_add(grace))
                });
                if earlier {
                    return;
                }
                Deadline::AfterEntry(grace)
            }
            Deadline::Instant(instant) => Deadline::EarlierOf(instant, grace),
            Deadline::AfterEntry(time) => Deadline::AfterEntry(time.min(grace)),
            Deadline::Since(..) | Deadline::Unarmed(_) => {
                self.start_deadline();
                return self.limit_grace(grace);
            }
            Deadline::EarlierOf(instant, time) => Deadline::EarlierOf(instant, time.min(grace)),
        };
        self.set_deadline(limited);
    }
}
