//! A bug that an ordinary run does not show, found by trying every schedule.
//!
//! ```text
//! cargo run --example overdrawn               # panics, and says under which schedule
//! cargo run --example overdrawn -- --mended   # passes under every schedule
//! ```
//!
//! The panic message ends with a schedule. `SEEDBED_SCHEDULE=… cargo run --example overdrawn` runs
//! that schedule and no other.

use std::cell::Cell;

use seedbed::testing::explore;
use seedbed::{Result, checkpoint, nursery};

/// Checks the balance, lets others run, and acts on what it saw.
async fn withdraw(balance: &Cell<i32>, amount: i32) -> Result<()> {
    if balance.get() >= amount {
        checkpoint().await?; // such as a question to the bank's other branch
        balance.set(balance.get() - amount);
    }
    Ok(())
}

/// Lets others run first, then checks and acts with nothing in between.
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
        Some(other) => panic!("unknown argument `{other}`: only `--mended` is possible"),
    };
    println!("{report}");
}
