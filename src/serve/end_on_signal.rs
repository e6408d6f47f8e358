//! What a server heeds while it drains: a signal that says not to wait for the connections.

use std::panic::Location;
use std::time::Duration;

use crate::world::signal::Signals;
use crate::{CancelScope, Result, sleep};

/// A server that drains may well have used up its descriptors, and gives them back one by one.
const PAUSE: Duration = Duration::from_millis(100);

/// Cancels `server` when one of the signals comes that the program ends by: it has had the first
/// already, or has begun to end for another reason. It listens from the call on.
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
                    tracing::debug!(%error, "cannot listen to signals at present; trying again");
                    sleep(PAUSE).await?;
                    listening = Signals::of_drain();
                }
            }
        };
        let signal = signals.recv().await?;
        tracing::info!(%signal, server = %place, "ending a server's grace at once");
        let reason = format!("{signal} came while the server was shutting down");
        server.end_at_once(reason.into(), place);
        Ok(())
    }
}
