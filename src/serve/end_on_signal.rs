//! A signal that ends the grace of a server: it says not to wait for the connections any longer.

use std::panic::Location;
use std::time::Duration;

use crate::world::signal::Signals;
use crate::{CancelScope, Result, sleep};

/// How long to wait before trying to listen again: a server that is draining may well have used up
/// its descriptors, and frees them one by one.
const PAUSE: Duration = Duration::from_millis(100);

/// Cancels `server` when one of the signals comes that end the program. The program has had the
/// first already, or has begun to end for another reason. This listens from the moment it is
/// called.
pub(super) fn end_on_signal(
    server: &CancelScope,
    place: &'static Location<'static>,
) -> impl Future<Output = Result<()>> {
    let mut listening = Signals::of_drain();
    async move {
        let signals = loop {
            match listening {
                Ok(Some(signals)) => break signals,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "cannot listen to signals; will try again");
                    sleep(PAUSE).await?;
                    listening = Signals::of_drain();
                }
            }
        };
        let signal = signals.recv().await?;
        tracing::info!(%signal, server = %place, "a signal ends a server's grace at once");
        let reason = format!("{signal} arrived while the server was shutting down");
        server.end_at_once(reason.into(), place);
        Ok(())
    }
}
