//! Waiting for a signal on a thread that has no run.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Signal;
use super::listening::{Listener, Listening};
use super::signals::check;

/// Listens to a signal, for a thread that has nothing else to do.
pub(crate) struct Outside {
    listening: Listening,
    receiver: UnixStream,
    stopped: Arc<AtomicBool>,
}

/// Ends the waiting when it is dropped.
pub(crate) struct Stop {
    sender: UnixStream,
    stopped: Arc<AtomicBool>,
}

/// Why a thread does not wait any longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    Signal,
    Stopped,
}

/// Starts listening to a signal.
///
/// # Errors
///
/// As for [`Signals::new`](super::Signals::new).
pub(crate) fn listen(signal: Signal) -> io::Result<(Outside, Stop)> {
    check(signal.as_raw())?;
    let (receiver, sender) = UnixStream::pair()?;
    let listening = Listening::new(signal.as_raw(), sender.try_clone()?, Listener::Program)?;
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Stop { sender, stopped: stopped.clone() };
    Ok((Outside { listening, receiver, stopped }, stop))
}

impl Outside {
    /// Blocks until the signal comes, or until it is of no interest any more.
    pub(crate) fn wait(&mut self) -> Heard {
        loop {
            if self.stopped.load(Ordering::Acquire) {
                return Heard::Stopped;
            }
            if self.listening.take().is_some() {
                return Heard::Signal;
            }
            // Whatever is written comes after a flag was set, which is looked at next.
            match self.receiver.read(&mut [0; 64]) {
                Ok(0) => return Heard::Stopped,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Heard::Stopped,
            }
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // If there is no room, there is something to read already.
        let _ = self.sender.set_nonblocking(true);
        let _ = self.sender.write(&[0]);
    }
}
