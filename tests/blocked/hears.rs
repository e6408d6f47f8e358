//! A subscriber that something can wait for.

use std::sync::{Arc, Condvar, Mutex};

use crate::support::{Record, Recorder, listener};

/// What has been said so far. Clones hear the same.
#[derive(Clone, Default)]
pub struct Heard {
    said: Arc<(Mutex<Vec<Record>>, Condvar)>,
}

impl Heard {
    /// Runs `f` while this listens on its thread.
    pub fn listen<T>(&self, f: impl FnOnce() -> T) -> T {
        listener::always();
        let said = self.said.clone();
        let recorder = Recorder(move |record| {
            said.0.lock().unwrap().push(record);
            said.1.notify_all();
        });
        tracing::subscriber::with_default(recorder, f)
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
