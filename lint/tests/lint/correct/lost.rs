//! Results that are thrown away without a cancellation in them, and races that drop nothing.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use seedbed::{
    CancelScope, Event, Receiver, Result, SendError, Sender, Task, Yielder, channel, checkpoint,
    fail_after, generator, nursery, prevent_yields, sleep,
};

const SECOND: Duration = Duration::from_secs(1);

pub async fn passed_on() -> Result<()> {
    let _unused = sleep(SECOND).await?;
    let _ = checkpoint().await?;
    let outcome = sleep(SECOND).await;
    outcome?;
    fail_after(SECOND, checkpoint()).await.map(drop)
}

pub async fn what_is_no_operation() -> Result<()> {
    let (tx, rx) = channel::<u32>(1);
    let _ = tx.try_send(1);
    tx.try_send(2).ok();
    let _ = rx.try_recv();
    drop(tx);
    let _ = seedbed::now();
    let _ = "7".parse::<u32>().ok();
    let sent: std::result::Result<(), SendError<u32>> = Ok(());
    sent.ok();
    Ok(())
}

pub async fn a_future_that_is_dropped_before_it_began() {
    let _ = sleep(SECOND);
    drop(checkpoint());
}

pub async fn under_a_shield() -> Result<()> {
    let clean_up = CancelScope::new().with_timeout(SECOND).with_shield();
    clean_up
        .enter(async |_| {
            let _ = sleep(2 * SECOND).await;
            checkpoint().await.ok();
            Ok(())
        })
        .await?;
    Ok(())
}

pub async fn a_shield_that_is_put_up() -> Result<()> {
    seedbed::cancel_scope(async |scope| {
        scope.set_shield(true);
        let _ = sleep(SECOND).await;
        Ok(())
    })
    .await
    .map(drop)
}

pub async fn a_task_that_is_not_waited_for() -> Result<()> {
    nursery(async |n| {
        let _ = n.spawn(sleep(SECOND));
        let task: Task<'_, ()> = n.spawn(checkpoint());
        drop(task);
        Ok(())
    })
    .await
}

async fn sleep_for(_: Duration) -> Result<()> {
    Ok(())
}

pub async fn a_function_of_the_file() {
    let _ = sleep_for(SECOND).await;
    sleep_for(SECOND).await.ok();
}

pub async fn handled(event: &Event) -> Result<()> {
    if let Err(error) = event.wait().await {
        return Err(error);
    }
    match sleep(SECOND).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_cancelled() => Err(error),
        Err(_) => Ok(()),
    }
}

pub async fn raced_by_a_nursery(events: &Receiver<u32>) -> Result<Option<u32>> {
    nursery(async |n| {
        n.spawn(async {
            sleep(SECOND).await?;
            n.cancel();
            Ok(())
        });
        let event = events.recv().await?;
        n.cancel();
        Ok(event)
    })
    .await
}

pub async fn borrowed_by_a_race(event: &Event) -> Result<()> {
    let mut waiting = pin!(event.wait().fuse());
    let mut done = pin!(std::future::ready(()).fuse());
    futures::select! {
        outcome = waiting => return outcome,
        () = done => {}
    }
    waiting.await
}

pub async fn of_foreign_futures() {
    let (mut a, mut b) = (std::future::ready(1), std::future::ready(2));
    futures::select! {
        _ = (&mut a).fuse() => {}
        _ = (&mut b).fuse() => {}
    }
    let _ = a.await;
}

pub async fn a_guard_with_a_name() -> Result<()> {
    let _guard = prevent_yields("to the end of the block");
    let mut g = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
    g.anext().await?;
    let Sender { .. } = channel::<()>(1).0;
    g.aclose().await
}
