//! Bodies of generators that count.

use seedbed::{Result, Yielder, sleep};

use super::{Log, secs, shielded};

/// A body that yields 0, 1, 2, … for ever, and says how it was left.
pub fn counting(log: &Log) -> impl AsyncFnOnce(Yielder<u32>) -> Result<()> + 'static {
    let log = log.clone();
    async move |y| {
        for i in 0.. {
            if let Err(error) = y.yield_(i).await {
                log.add(format!("left at {i}: {error}"));
                return Err(error);
            }
        }
        Ok(())
    }
}

/// As `counting`, with a clean-up that takes a second, under a shield.
pub fn slow_to_close(log: &Log) -> impl AsyncFnOnce(Yielder<u32>) -> Result<()> + 'static {
    let log = log.clone();
    async move |y| {
        let outcome = count(&y).await;
        log.add("cleaning");
        shielded(sleep(secs(1))).await?;
        log.add("cleaned");
        outcome
    }
}

pub async fn count(y: &Yielder<u32>) -> Result<()> {
    for i in 0.. {
        y.yield_(i).await?;
    }
    Ok(())
}
