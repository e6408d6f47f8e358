//! The service that gives back the memory of expired keys.

use std::time::Duration;

use seedbed::{Result, sleep, yield_now};

use crate::serve::Server;

/// As often as in Redis. Whoever asks for a key that is due finds it gone in any case, so being
/// late does no harm.
const PERIOD: Duration = Duration::from_millis(100);
/// After so many keys, others get their turn.
const AT_ONCE: usize = 1000;

pub(super) async fn forever(server: &Server) -> Result<()> {
    loop {
        sleep(PERIOD).await?;
        while server.data().store.remove_due(AT_ONCE) == AT_ONCE {
            yield_now().await?;
        }
    }
}
