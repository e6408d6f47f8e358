//! A signal that ends the grace of a server which is shutting down.

use std::future::Future;
use std::time::Duration;

use crate::error::Result;
use crate::operation::time::sleep;
use crate::serve::shutdown::Shutdown;
use crate::world::signal::{Signal, Signals};

/// The signals that end the grace at once: those that tell a process to end.
const ENDING: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::QUIT];

/// How long to wait before trying to listen again: a server that is draining may well have used up
/// its descriptors, and frees them one by one.
const PAUSE: Duration = Duration::from_millis(100);

impl Shutdown {
    /// Ends the grace when one of the signals that end the program comes. The program has already
    /// received the first one, or has begun to end for another reason. This listens from the moment
    /// it is called.
    pub(super) fn end_grace_on_signal(&self) -> impl Future<Output = Result<()>> {
        let mut listening = Signals::of_drain(ENDING);
        async move {
            let signals = loop {
                match listening {
                    Ok(Some(signals)) => break signals,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        tracing::debug!(%error, "cannot listen to signals; will try again");
                        sleep(PAUSE).await?;
                        listening = Signals::of_drain(ENDING);
                    }
                }
            };
            let signal = signals.recv().await?;
            tracing::info!(%signal, server = %self.place, "a signal ends a server's grace at once");
            let reason = format!("{signal} arrived while the server was shutting down");
            self.scope.end_at_once(reason.into(), self.place);
            Ok(())
        }
    }
}
