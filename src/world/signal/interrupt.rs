//! Ctrl-C, which cancels the main scope.

use std::io::Read;
use std::os::unix::net::UnixStream;

use crate::Result;
use crate::error::Reason;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::world::reactor::registration::{Registration, Side};
use crate::world::signal::disposition::Heeding;

/// Heeds Ctrl-C for the `run` it belongs to, for as long as it lives.
pub(crate) struct Interrupt {
    heeding: Heeding,
    /// Interrupts the reactor's sleep; while there is something to run the flag is enough.
    pipe: Registration<UnixStream>,
}

impl Interrupt {
    /// `None` if this is not the thread that heeds Ctrl-C, or the process ignores it.
    pub(crate) fn install() -> Result<Option<Interrupt>> {
        if !is_main_thread() {
            return Ok(None);
        }
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        let pipe = Registration::of_listener(receiver);
        pipe.register_quietly()?;
        Ok(Heeding::new(sender)?.map(|heeding| Interrupt { heeding, pipe }))
    }

    /// Cancels the scope, if Ctrl-C was pressed, and tells whether it was.
    pub(crate) fn heed(&self, scope: &ScopeRef) -> bool {
        // A pipe that is full would not interrupt any more.
        while let Some(Ok(1..)) = self.pipe.attempt(Side::Read, |mut pipe| pipe.read(&mut [0; 64]))
        {
        }
        let pressed = self.heeding.take();
        if pressed {
            scope.cancel(Level::Full, Reason::Interrupted, None);
        }
        pressed
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_main_thread() -> bool {
    // The main thread's number is the process's.
    rustix::thread::gettid() == rustix::process::getpid()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_main_thread() -> bool {
    // The standard library gives it this name. One that is given to another thread by hand is
    // believed, and does no harm: whichever is first heeds Ctrl-C.
    std::thread::current().name() == Some("main")
}
