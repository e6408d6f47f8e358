//! A subscriber that listens to the crate's reports in every thread.
//!
//! `tracing` asks once for each place in the code whether anybody listens, in whichever thread
//! comes there first. If no test listens in that thread, the answer may be no, and a test that
//! listens in another thread at that moment hears nothing.

use std::sync::Once;

use tracing::{Event, Metadata, Subscriber, span};

/// To be called before a test listens.
pub fn always() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| drop(tracing::subscriber::set_global_default(Listener)));
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("seedbed")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
