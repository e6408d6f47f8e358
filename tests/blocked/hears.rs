//! A subscriber that something can wait for.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Condvar, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::support::{Record, listener};

/// What has been said so far. Clones hear the same.
#[derive(Clone, Default)]
pub struct Heard {
    said: Arc<(Mutex<Vec<Record>>, Condvar)>,
}

impl Heard {
    /// Runs `f` while this listens on its thread.
    pub fn listen<T>(&self, f: impl FnOnce() -> T) -> T {
        listener::always();
        tracing::subscriber::with_default(self.clone(), f)
    }

    /// What was said whose text contains this.
    pub fn of(&self, part: &str) -> Vec<Record> {
        let said = self.said.0.lock().unwrap();
        said.iter().filter(|record| record.message().contains(part)).cloned().collect()
    }

    /// Blocks the thread until something was said whose text contains this.
    pub fn wait_for(&self, part: &str) {
        let (said, more) = &*self.said;
        let has_said = |said: &mut Vec<Record>| said.iter().any(|it| it.message().contains(part));
        drop(more.wait_while(said.lock().unwrap(), |said| !has_said(said)).unwrap());
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("seedbed") && *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Fields(BTreeMap<String, String>);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0.insert(field.name().to_owned(), format!("{value:?}"));
            }
        }
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let record = Record { level: *event.metadata().level(), fields: fields.0 };
        self.said.0.lock().unwrap().push(record);
        self.said.1.notify_all();
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
