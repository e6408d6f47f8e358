//! The prices of a shop. Customers want fresh ones if those come soon, and otherwise are content
//! with the old ones; but while the prices are being saved, nobody gets any, ever again.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use seedbed::sync::Mutex;
use seedbed::{Result, nursery, sleep};

/// How long a customer waits for fresh prices.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long it takes to save the prices, or to load them.
const DISK: Duration = Duration::from_millis(300);

#[derive(Default)]
struct Prices {
    tea: u32,
}

pub async fn main() -> Result<()> {
    let prices = Mutex::new(Prices::default());
    let served = Cell::new(0);
    nursery(async |n| {
        n.named("save").spawn(save(&prices));
        for customer in 1..=3 {
            let (prices, served) = (&prices, &served);
            n.named(format!("customer {customer}")).spawn(async move {
                let price = quote(prices).await?;
                served.set(served.get() + 1);
                println!("customer {customer} pays {price}");
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    println!("{} customers were served", served.get());
    Ok(())
}

/// Nobody may change the prices meanwhile.
async fn save(prices: &Mutex<Prices>) -> Result<()> {
    let locked = prices.lock().await?;
    sleep(DISK).await?;
    drop(locked);
    println!("saved");
    Ok(())
}

async fn quote(prices: &Mutex<Prices>) -> Result<u32> {
    let fresh = pin!(refresh(prices));
    match select(fresh, pin!(sleep(PATIENCE))).await {
        Either::Left((fresh, _)) => fresh,
        Either::Right((_, _fresh)) => {
            println!("the old price will do");
            // Here it hangs. `_fresh` is still there, and is next in line for the lock. It gets the
            // lock when the prices have been saved, but only this task could poll it.
            Ok(prices.lock().await?.tea)
        }
    }
}

async fn refresh(prices: &Mutex<Prices>) -> Result<u32> {
    let mut locked = prices.lock().await?;
    sleep(DISK).await?;
    locked.tea += 1;
    Ok(locked.tea)
}
