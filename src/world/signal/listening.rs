//! Listening to a signal in this process, and what becomes of one that nobody has received.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use parking_lot::Mutex;
use signal_hook::low_level;

use crate::world::signal::handler::{self, Flag, Following, Receipt};

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
    /// A server that is draining. It takes one signal, which ends the drain; the next has its
    /// default effect, whether or not anything is running that could receive it.
    Drain,
}

/// While this lives, a signal sets a flag, writes to a pipe, and has no other effect.
pub(super) struct Listening {
    signal: i32,
    listener: Listener,
    flag: Arc<Flag>,
}

impl Listening {
    pub(super) fn new(signal: i32, pipe: UnixStream, listener: Listener) -> io::Result<Listening> {
        let following = match listener {
            Listener::Program => Following::Same,
            Listener::Drain => Following::Default,
        };
        let flag = Flag::new(pipe, following);
        handler::change(signal, |plan| plan.listeners.push(flag.clone()))?;
        handler::renew(signal);
        HEARD.lock().insert(signal);
        Ok(Listening { signal, listener, flag })
    }

    pub(super) fn signal(&self) -> i32 {
        self.signal
    }

    /// Receives the signal, if it has come since this was last asked.
    pub(super) fn take(&self) -> Option<i32> {
        if !self.flag.is_set() {
            return None;
        }
        // In this order: if the signal comes again in between, other listeners can still tell that
        // it has not been received.
        handler::receive(self.signal);
        self.flag.take().then_some(self.signal)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // This fails only if listening would have failed.
        let _ = handler::change(self.signal, |plan| {
            plan.listeners.retain(|flag| !Arc::ptr_eq(flag, &self.flag));
        });
        if !self.flag.take() {
            return;
        }
        // If this was a drain, it has ended, which is all that the signal asked of it. Otherwise a
        // signal that came and that nobody received now has the effect that it would have had a
        // moment later.
        if handler::receive(self.signal) == Receipt::First && self.listener == Listener::Program {
            let _ = low_level::raise(self.signal);
        }
    }
}
