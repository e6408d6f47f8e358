//! What a server heeds while it drains: a signal that says not to wait for the connections.

use std::panic::Location;
use std::time::Duration;

use crate::signal::Signals;
use crate::{CancelScope, Result, sleep};

/// Cancels `server` when one of the signals comes that the program ends by: it has had the first
/// already, or has begun to end for another reason.
pub(super) async fn end_on_signal(
    server: &CancelScope,
    place: &'static Location<'static>,
) -> Result<()> {
    let Some(signals) = listen().await? else { return Ok(()) };
    let signal = signals.recv().await?;
    tracing::info!(%signal, server = %place, "ending a server's grace at once");
    server.end_at_once(format!("{signal} came while the server was shutting down").into(), place);
    Ok(())
}

async fn listen() -> Result<Option<Signals>> {
    /// A server that drains may well have used up its descriptors, and gives them back one by one.
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        match Signals::of_drain() {
            Ok(signals) => return Ok(signals),
            Err(error) => {
                tracing::debug!(%error, "cannot listen to signals at present; trying again");
                sleep(PAUSE).await?;
            }
        }
    }
}
