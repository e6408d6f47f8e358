//! Ctrl-C: the first cancels the main scope, the second has its default effect and ends the
//! process.
//!
//! This applies only while nobody [listens](super::listening) to it.

use std::cell::Cell;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use signal_hook::consts::SIGINT;
use signal_hook::low_level;

use crate::error::{Reason, Result};
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::world::reactor::readiness::{Kind, Side};
use crate::world::reactor::registration::Registration;
use crate::world::signal::handler::{self, Flag, Following};

/// Makes Ctrl-C cancel the `run` it belongs to, for as long as it lives.
pub(crate) struct Interrupt {
    first: First,
    /// Interrupts the reactor's sleep; while there is something to run, the flag is enough.
    pipe: Registration<UnixStream>,
}

impl Interrupt {
    /// `None` if this is not the thread that responds to Ctrl-C, or if the process ignores it.
    pub(crate) fn install() -> Result<Option<Interrupt>> {
        if !is_main_thread() {
            return Ok(None);
        }
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        let pipe = Registration::of_kind(Kind::Listener, receiver);
        pipe.register_quietly()?;
        Ok(First::new(sender)?.map(|first| Interrupt { first, pipe }))
    }

    /// Cancels the scope if Ctrl-C was pressed, and returns whether it was.
    pub(crate) fn cancel_if_pressed(&self, scope: &ScopeRef) -> bool {
        // A full pipe would no longer interrupt anything.
        while let Some(Ok(1..)) =
            self.pipe.attempt(Side::Read, |pipe| pipe.source().read(&mut [0; 64]))
        {}
        let pressed = self.first.take();
        if pressed {
            scope.cancel(Level::Full, Reason::Interrupted, None);
        }
        pressed
    }
}

/// While this lives and nobody listens to Ctrl-C, the first one sets a flag and writes to a pipe,
/// and the second has its default effect.
struct First {
    flag: Arc<Flag>,
    taken: Cell<bool>,
}

impl First {
    /// `None` if Ctrl-C is ignored in this process, or if another `run` responds to it.
    fn new(pipe: UnixStream) -> io::Result<Option<First>> {
        if handler::is_ignored(SIGINT)? {
            return Ok(None);
        }
        let flag = Flag::new(pipe, Following::Same);
        let is_only_one = handler::change(SIGINT, |plan| {
            let is_only_one = plan.interrupt.is_none();
            plan.interrupt.get_or_insert_with(|| flag.clone());
            is_only_one
        })?;
        if !is_only_one {
            return Ok(None);
        }
        handler::renew(SIGINT);
        Ok(Some(First { flag, taken: Cell::new(false) }))
    }

    /// Whether Ctrl-C was pressed; true only once.
    fn take(&self) -> bool {
        self.flag.is_set() && !self.taken.replace(true)
    }
}

impl Drop for First {
    fn drop(&mut self) {
        // This fails only if installing the handler would have failed.
        let _ = handler::change(SIGINT, |plan| plan.interrupt = None);
        // It was pressed when the run was as good as over, and now has the effect that it would
        // have had a moment later.
        if self.take() {
            let _ = low_level::raise(SIGINT);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_main_thread() -> bool {
    // The main thread's number is that of the process.
    rustix::thread::gettid() == rustix::process::getpid()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_main_thread() -> bool {
    // The standard library gives it this name. A thread that was given the name by hand is mistaken
    // for it, which does no harm: only the first one to ask responds to Ctrl-C.
    std::thread::current().name() == Some("main")
}
