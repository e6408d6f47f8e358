//! A bug that an ordinary run does not show, found by trying every schedule.
//!
//! ```text
//! cargo run --example overdrawn               # panics, and says under which schedule
//! cargo run --example overdrawn -- --mended   # goes through all of them
//! ```
//!
//! The panic ends with a schedule. `SEEDBED_SCHEDULE=… cargo run --example overdrawn` runs that
//! one, and no other.

use std::cell::Cell;

use seedbed::testing::explore;
use seedbed::{Result, checkpoint, nursery};

/// Looks, lets others run, and acts on what it has seen.
async fn withdraw(balance: &Cell<i32>, amount: i32) -> Result<()> {
    if balance.get() >= amount {
        checkpoint().await?; // asks the bank's other office, say
        balance.set(balance.get() - amount);
    }
    Ok(())
}

/// Asks first, then looks and acts, with nothing in between.
async fn withdraw_mended(balance: &Cell<i32>, amount: i32) -> Result<()> {
    checkpoint().await?;
    if balance.get() >= amount {
        balance.set(balance.get() - amount);
    }
    Ok(())
}

async fn two_withdrawals(
    withdraw: impl for<'a> AsyncFn(&'a Cell<i32>, i32) -> Result<()>,
) -> Result<()> {
    println!("two people withdraw 70 of 100");
    let balance = Cell::new(100);
    nursery(async |n| {
        n.spawn(withdraw(&balance, 70));
        n.spawn(withdraw(&balance, 70));
        Ok(())
    })
    .await?;
    assert!(balance.get() >= 0, "overdrawn: {}", balance.get());
    Ok(())
}

fn main() {
    let report = match std::env::args().nth(1).as_deref() {
        None => explore(|| two_withdrawals(withdraw)),
        Some("--mended") => explore(|| two_withdrawals(withdraw_mended)),
        Some(other) => panic!("`{other}` is not known here, only `--mended` is"),
    };
    println!("{report}");
}
