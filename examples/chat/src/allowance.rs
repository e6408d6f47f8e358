//! How many frames a client may send.

use std::cell::Cell;
use std::time::{Duration, Instant};

use seedbed::{Result, now, sleep_until};

/// A bucket of tokens, of which each frame costs one.
pub(crate) struct Allowance {
    burst: u32,
    each: Duration,
    /// When the bucket would be full again. The further off that is, the emptier it is.
    full_at: Cell<Instant>,
}

impl Allowance {
    pub(crate) fn new(burst: u32, rate: u32) -> Allowance {
        Allowance { burst, each: Duration::from_secs(1) / rate.max(1), full_at: Cell::new(now()) }
    }

    /// Takes a token, once there is one.
    pub(crate) async fn take(&self) -> Result<()> {
        let full_at = self.full_at.get().max(now()) + self.each;
        let there_is_one = full_at - self.each * self.burst.max(1);
        if there_is_one > now() {
            sleep_until(there_is_one).await?;
        }
        self.full_at.set(full_at);
        Ok(())
    }
}
