//! Who heeds a signal, in this process, and what becomes of one that nobody has received.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use parking_lot::Mutex;
use signal_hook::consts::SIGINT;
use signal_hook::low_level;

use crate::world::signal::handler::{self, Note};

/// The signals that the program has ever listened to.
static HEARD: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Whether the program has ever listened to this signal, rather than leaving it to the system.
pub(super) fn was_heard(signal: i32) -> bool {
    HEARD.lock().contains(&signal)
}

/// Who listens to a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// The program. A signal that it does not receive has its default effect afterwards.
    Program,
    /// A server that drains. After one signal, which ends the drain, the next has its default
    /// effect, whether anything runs that could receive it or not.
    Drain,
}

/// While it lives, a signal is noted, writes to a pipe, and has no other effect.
pub(super) struct Listening {
    signal: i32,
    listener: Listener,
    note: Arc<Note>,
}

impl Listening {
    pub(super) fn new(signal: i32, pipe: UnixStream, listener: Listener) -> io::Result<Listening> {
        let note = Note::new(pipe, listener == Listener::Drain);
        handler::change(signal, |plan| plan.listeners.push(note.clone()))?;
        handler::set_spent(signal, false);
        HEARD.lock().insert(signal);
        Ok(Listening { signal, listener, note })
    }

    pub(super) fn signal(&self) -> i32 {
        self.signal
    }

    /// Whether the signal has come since this was asked for the last time.
    pub(super) fn take(&self) -> bool {
        if !self.note.is_noted() {
            return false;
        }
        // In this order: of one that comes in between, other listeners still know that it was not
        // received.
        handler::receive(self.signal);
        self.note.take()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It fails only where listening would have failed.
        let _ = handler::change(self.signal, |plan| {
            plan.listeners.retain(|note| !Arc::ptr_eq(note, &self.note));
        });
        if !self.note.take() {
            return;
        }
        // What it asked a drain for, to end, has happened. Otherwise, what came and nobody received
        // does what it would have done a moment later.
        if handler::receive(self.signal) && self.listener == Listener::Program {
            let _ = low_level::raise(self.signal);
        }
    }
}

/// While it lives, and nobody listens to Ctrl-C, the first is noted and writes to a pipe, and the
/// second has its default effect.
pub(super) struct Heeding {
    note: Arc<Note>,
    told: Cell<bool>,
}

impl Heeding {
    /// `None` if Ctrl-C is ignored in this process, or another has it.
    pub(super) fn new(pipe: UnixStream) -> io::Result<Option<Heeding>> {
        if handler::is_ignored(SIGINT)? {
            return Ok(None);
        }
        let note = Note::new(pipe, false);
        let is_first = handler::change(SIGINT, |plan| {
            let is_first = plan.interrupt.is_none();
            plan.interrupt.get_or_insert_with(|| note.clone());
            is_first
        })?;
        if !is_first {
            return Ok(None);
        }
        handler::set_spent(SIGINT, false);
        Ok(Some(Heeding { note, told: Cell::new(false) }))
    }

    /// Whether Ctrl-C was pressed, once.
    pub(super) fn take(&self) -> bool {
        self.note.is_noted() && !self.told.replace(true)
    }
}

impl Drop for Heeding {
    fn drop(&mut self) {
        // It fails only where heeding would have failed.
        let _ = handler::change(SIGINT, |plan| plan.interrupt = None);
        // Pressed when the run was as good as over: as above.
        if self.take() {
            let _ = low_level::raise(SIGINT);
        }
    }
}
