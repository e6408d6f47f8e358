//! A dump when a signal comes.
//!
//! The signal is waited for by a thread of its own, which asks the run as any other thread does. So
//! it costs the run nothing, and if the run's thread is held up, there is somebody to say so.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use crate::threads::{Token, affinity};
use crate::world::signal::Signal;
use crate::world::signal::outside::{Heard, Stop, listen};

/// Where dumps go.
#[derive(Clone, Debug)]
pub(crate) enum To {
    Stderr,
    /// They are appended to this file.
    File(PathBuf),
}

/// As long as this lives, a signal has a dump of the run written.
pub(crate) struct OnSignal {
    stop: Option<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl OnSignal {
    /// Begins to wait for the signal, on behalf of the run on this thread.
    ///
    /// # Errors
    ///
    /// That of listening to the signal, or of starting a thread.
    pub(crate) fn begin(signal: Signal, to: To) -> io::Result<OnSignal> {
        let (mut outside, stop) = listen(signal)?;
        let token = Token::here();
        let wait = move || {
            affinity::restore();
            while outside.wait() == Heard::Signal {
                if let Some(token) = token {
                    write_dump(token, &to);
                }
            }
        };
        let thread = thread::Builder::new().name("seedbed-dump".into()).spawn(wait)?;
        Ok(OnSignal { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for OnSignal {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has no panic of ours, and nobody to pass one on to
        }
    }
}

fn write_dump(token: Token, to: &To) {
    let text = match token.dump() {
        Ok(dump) => dump.to_string(),
        Err(error) => format!("no dump: {error}\n"),
    };
    let written = match to {
        To::Stderr => io::stderr().lock().write_all(text.as_bytes()),
        To::File(path) => append(path, &text),
    };
    if let (Err(error), To::File(path)) = (written, to) {
        let _ = writeln!(io::stderr(), "no dump in {}: {error}\n{text}", path.display());
    }
}

fn append(path: &PathBuf, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())
}
