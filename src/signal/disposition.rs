//! Who heeds a signal, in this process, and what it does while nobody does.
//!
//! A handler cannot be taken out again in a way that is safe where threads and other libraries
//! install their own. So there is one for good, which does what the system would do by default
//! while a flag says so. It is the first that runs when the signal comes.
//!
//! Whoever begins or ceases to heed a signal changes that flag and the actions behind it in an
//! order that loses no signal: one that comes in between is heeded by the old or by the new, or
//! by both.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use signal_hook::consts::{FORBIDDEN, SIGINT};
use signal_hook::{SigId, flag, low_level};

static DISPOSITIONS: Mutex<BTreeMap<i32, Disposition>> = Mutex::new(BTreeMap::new());

struct Disposition {
    /// Whether the default is what happens. Never, where that was to ignore the signal.
    default: Arc<AtomicBool>,
    ignored: bool,
    listeners: usize,
    /// Whether the program has ever listened to it.
    heard: bool,
    /// Whether it has come and no listener has received it since.
    unreceived: Arc<AtomicBool>,
    /// What Ctrl-C cancels while nobody listens to it.
    interrupt: Option<Interruptible>,
}

struct Interruptible {
    pressed: Arc<AtomicBool>,
    /// The actions that take note, while nobody listens.
    actions: Vec<SigId>,
}

impl Disposition {
    fn of(table: &mut BTreeMap<i32, Disposition>, signal: i32) -> io::Result<&mut Disposition> {
        use std::collections::btree_map::Entry;
        Ok(match table.entry(signal) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                if FORBIDDEN.contains(&signal) || low_level::signal_name(signal).is_none() {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                let ignored = is_ignored(signal);
                let default = Arc::new(AtomicBool::new(!ignored));
                flag::register_conditional_default(signal, default.clone())?;
                let unreceived = Arc::new(AtomicBool::new(false));
                flag::register(signal, unreceived.clone())?;
                entry.insert(Disposition {
                    default,
                    ignored,
                    listeners: 0,
                    heard: false,
                    unreceived,
                    interrupt: None,
                })
            }
        })
    }

    fn restore_default(&self) {
        self.default.store(!self.ignored, Ordering::SeqCst);
    }

    /// Lets the first Ctrl-C be noted, and the next have its default effect.
    fn arm(&mut self) {
        if let Some(Interruptible { pressed, actions }) = &mut self.interrupt {
            for flag in [&*pressed, &self.default] {
                // It fails only where the handler has to be installed first, and it has been.
                actions.extend(flag::register(SIGINT, flag.clone()).ok());
            }
        }
    }

    fn disarm(&mut self) {
        if let Some(Interruptible { actions, .. }) = &mut self.interrupt {
            unregister(actions);
        }
    }
}

fn unregister(actions: &mut Vec<SigId>) {
    for action in actions.drain(..) {
        low_level::unregister(action);
    }
}

/// Whether the process was begun with this signal ignored: a shell does so with Ctrl-C for what
/// it runs in the background, `nohup` with a hang-up, and Rust with broken pipes.
fn is_ignored(signal: i32) -> bool {
    // Only Linux tells without a system call of which the wrappers are unsafe.
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .is_some_and(|mask| mask >> (signal - 1) & 1 != 0)
}

/// Whether the program has ever listened to this signal, rather than leaving it to the system.
pub(super) fn was_heard(signal: i32) -> bool {
    DISPOSITIONS.lock().get(&signal).is_some_and(|disposition| disposition.heard)
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

/// While it lives, a signal sets a flag, writes to a pipe, and has no other effect.
pub(super) struct Listening {
    signal: i32,
    listener: Listener,
    noted: Arc<AtomicBool>,
    unreceived: Arc<AtomicBool>,
    actions: Vec<SigId>,
}

impl Listening {
    pub(super) fn new(signal: i32, pipe: UnixStream, listener: Listener) -> io::Result<Listening> {
        let mut table = DISPOSITIONS.lock();
        let disposition = Disposition::of(&mut table, signal)?;
        let noted = Arc::new(AtomicBool::new(false));
        let mut actions = vec![flag::register(signal, noted.clone())?];
        let rest = || {
            if listener == Listener::Drain && !disposition.ignored {
                actions.push(flag::register(signal, disposition.default.clone())?);
            }
            // After the flag: who finds the byte has to find the flag too.
            actions.push(low_level::pipe::register(signal, pipe)?);
            Ok(())
        };
        if let Err(error) = rest() {
            unregister(&mut actions);
            return Err(error);
        }
        disposition.listeners += 1;
        disposition.heard = true;
        disposition.disarm();
        disposition.default.store(false, Ordering::SeqCst);
        let unreceived = disposition.unreceived.clone();
        Ok(Listening { signal, listener, noted, unreceived, actions })
    }

    pub(super) fn signal(&self) -> i32 {
        self.signal
    }

    /// Whether the signal has come since this was asked for the last time.
    pub(super) fn take(&self) -> bool {
        if !self.noted.load(Ordering::Relaxed) {
            return false;
        }
        // In this order: of one that comes in between, other listeners still know that it was not
        // received.
        self.unreceived.store(false, Ordering::SeqCst);
        self.noted.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        {
            let mut table = DISPOSITIONS.lock();
            let disposition = table.get_mut(&self.signal).expect("entries stay");
            disposition.listeners -= 1;
            if disposition.listeners == 0 {
                match &disposition.interrupt {
                    None => disposition.restore_default(),
                    Some(interrupt) => {
                        let pressed = interrupt.pressed.load(Ordering::SeqCst);
                        disposition.arm();
                        if pressed {
                            disposition.restore_default();
                        }
                    }
                }
            }
            unregister(&mut self.actions);
        }
        let noted = self.noted.swap(false, Ordering::SeqCst);
        if !noted {
            return;
        }
        match self.listener {
            // It asked for the drain to end, and it has ended.
            Listener::Drain => self.unreceived.store(false, Ordering::SeqCst),
            // What came and nobody received does what it would have done a moment later.
            Listener::Program => {
                if self.unreceived.swap(false, Ordering::SeqCst) {
                    let _ = low_level::raise(self.signal);
                }
            }
        }
    }
}

/// While it lives, and nobody listens to Ctrl-C, the first sets a flag and writes to a pipe, and
/// the second has its default effect.
pub(super) struct Heeding {
    pressed: Arc<AtomicBool>,
    told: Cell<bool>,
    pipe: Vec<SigId>,
}

impl Heeding {
    /// `None` if Ctrl-C is ignored in this process, or another has it.
    pub(super) fn new(pipe: UnixStream) -> io::Result<Option<Heeding>> {
        let mut table = DISPOSITIONS.lock();
        let disposition = Disposition::of(&mut table, SIGINT)?;
        if disposition.ignored || disposition.interrupt.is_some() {
            return Ok(None);
        }
        let pressed = Arc::new(AtomicBool::new(false));
        disposition.interrupt =
            Some(Interruptible { pressed: pressed.clone(), actions: Vec::new() });
        if disposition.listeners == 0 {
            disposition.arm();
        }
        // Stays while others listen, so that going back needs no descriptor, of which there may
        // be none. After the flag, as above.
        match low_level::pipe::register(SIGINT, pipe) {
            Ok(action) => {
                disposition.default.store(false, Ordering::SeqCst);
                Ok(Some(Heeding { pressed, told: Cell::new(false), pipe: vec![action] }))
            }
            Err(error) => {
                disposition.disarm();
                disposition.interrupt = None;
                Err(error)
            }
        }
    }

    /// Whether Ctrl-C was pressed, once.
    pub(super) fn take(&self) -> bool {
        self.pressed.load(Ordering::Relaxed) && !self.told.replace(true)
    }
}

impl Drop for Heeding {
    fn drop(&mut self) {
        {
            let mut table = DISPOSITIONS.lock();
            let disposition = table.get_mut(&SIGINT).expect("entries stay");
            if disposition.listeners == 0 {
                disposition.restore_default();
            }
            disposition.disarm();
            disposition.interrupt = None;
            unregister(&mut self.pipe);
        }
        // Pressed when the run was as good as over: as above.
        if self.take() {
            let _ = low_level::raise(SIGINT);
        }
    }
}
