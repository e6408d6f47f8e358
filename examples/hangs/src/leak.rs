//! A chat whose visitors come and go. What keeps their connections alive never goes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use seedbed::{Nursery, Result, nursery, sleep};

/// How often a visitor comes.
const ARRIVAL: Duration = Duration::from_millis(10);
/// How long one stays.
const VISIT: Duration = Duration::from_millis(50);
/// How often a connection is kept alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Stands for a connection.
struct Connection {
    number: u64,
    pings: Cell<u64>,
}

pub async fn main() -> Result<()> {
    nursery(async |n| {
        for number in 1_u64.. {
            n.named(format!("visitor {number}")).spawn(visit(n, number));
            sleep(ARRIVAL).await?;
        }
        Ok(())
    })
    .await
}

async fn visit<'scope>(n: &'scope Nursery<'scope, '_>, number: u64) -> Result<()> {
    let connection = Rc::new(Connection { number, pings: Cell::new(0) });
    // Here it leaks: this is the nursery of all visitors, and the task outlives its own.
    n.spawn(keep_alive(connection.clone()));
    sleep(VISIT).await?;
    if connection.number.is_multiple_of(100) {
        println!("visitor {number} has left");
    }
    Ok(())
}

async fn keep_alive(connection: Rc<Connection>) -> Result<()> {
    loop {
        sleep(KEEP_ALIVE).await?;
        connection.pings.set(connection.pings.get() + 1);
    }
}
