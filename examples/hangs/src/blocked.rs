//! A shop that logs its orders to standard output. Once nobody reads that any more, be it a pipe to
//! a program that is stuck, or a terminal after Ctrl-S, the whole shop stands still.

use std::time::Duration;

use seedbed::{Receiver, Result, Sender, channel, nursery, sleep};

pub async fn main() -> Result<()> {
    let (log, lines) = channel(100);
    nursery(async |n| {
        n.named("shop").spawn(sell(log));
        n.named("log").spawn(write(lines));
        Ok(())
    })
    .await
}

async fn sell(log: Sender<String>) -> Result<()> {
    for order in 1_u64.. {
        log.send(format!("order {order}: a cup of tea, with milk and two lumps of sugar")).await?;
        sleep(Duration::from_millis(1)).await?;
    }
    Ok(())
}

async fn write(lines: Receiver<String>) -> Result<()> {
    while let Some(line) = lines.recv().await? {
        // Here it hangs: if the pipe is full, this waits, and with it the thread.
        println!("{line}");
    }
    Ok(())
}
