//! What the crate reports through `tracing`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::listener;

/// One event of `tracing`.
#[derive(Clone, Debug)]
pub struct Record {
    pub level: Level,
    pub fields: BTreeMap<String, String>,
}

impl Record {
    pub fn message(&self) -> &str {
        self.field("message")
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("no field `{name}` in {self:?}"))
    }
}

/// A subscriber that passes on what the crate warns of.
pub struct Recorder<F>(pub F);

impl<F: Fn(Record) + 'static> Subscriber for Recorder<F> {
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
        (self.0)(Record { level: *event.metadata().level(), fields: fields.0 });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Runs `f`, and returns what it warned of as well.
pub fn recording<T>(f: impl FnOnce() -> T) -> (T, Vec<Record>) {
    listener::always();
    let records = Arc::new(Mutex::new(Vec::new()));
    let recorder = records.clone();
    let recorder = Recorder(move |record| recorder.lock().unwrap().push(record));
    let value = tracing::subscriber::with_default(recorder, f);
    let records = records.lock().unwrap().clone();
    (value, records)
}

/// How many records say this.
pub fn said(records: &[Record], what: &str) -> usize {
    records.iter().filter(|record| format!("{record:?}").contains(what)).count()
}
