//! Operations that are dropped half-way by what races them.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::Either;
use seedbed::{Event, Receiver, Result, channel, fail_after, sleep};

const SECOND: Duration = Duration::from_secs(1);

pub async fn futures_select(events: &Receiver<u32>) -> Result<Option<u32>> {
    futures::select! {
        event = events.recv().fuse() => event, //~ operation-in-select
        outcome = sleep(SECOND).fuse() => outcome.map(|()| None), //~ operation-in-select
    }
}

pub async fn fused(event: &Event) -> Result<()> {
    use futures::select_biased;
    let work = async { Ok(()) };
    let mut work = pin!(work.fuse());
    select_biased! {
        outcome = work => outcome,
        outcome = event.wait().fuse() => { //~ operation-in-select
            outcome?;
            Ok(())
        }
        complete => Ok(()),
    }
}

pub async fn in_a_loop() -> Result<u32> {
    let (tx, rx) = channel::<u32>(1);
    tx.send(1).await?;
    let mut sum = 0;
    loop {
        futures::select! {
            item = Box::pin(async {
                let item = rx.recv().await?; //~ operation-in-select
                sleep(SECOND).await?;
                Ok::<_, seedbed::Error>(item)
            }).fuse() => match item? {
                Some(item) => sum += item,
                None => return Ok(sum),
            },
            _ = Box::pin(fail_after(SECOND, std::future::pending::<Result<()>>())).fuse() => { //~ operation-in-select
                return Ok(0);
            }
        }
    }
}

pub async fn by_a_function(event: &Event) -> Result<()> {
    match futures::future::select(event.wait(), pin!(sleep(SECOND))).await {
        Either::Left((outcome, _)) | Either::Right((outcome, _)) => outcome,
    }
}
