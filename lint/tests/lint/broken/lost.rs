//! Cancellations that are thrown away, and guards that are dropped at once.

use std::mem::drop as forget_it;
use std::time::Duration;

use seedbed::net::TcpStream;
use seedbed::{
    CancelScope, Event, Interval, Nursery, Receiver, Result, Yielder, cancel_scope, checkpoint,
    fail_after, generator, interval, nursery, prevent_yields, sleep, sync, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);

pub async fn by_let() {
    let _ = sleep(SECOND).await; //~ swallowed-cancellation
    let _: Result<()> = checkpoint().await; //~ swallowed-cancellation
    _ = yield_now().await; //~ swallowed-cancellation
    let _ = seedbed::sleep_forever().await; //~ swallowed-cancellation
}

pub async fn by_ok(events: &Receiver<u32>) -> Option<u32> {
    sleep(SECOND).await.ok(); //~ swallowed-cancellation
    let first = events.recv().await.ok()?; //~ swallowed-cancellation
    while let Some(event) = events.recv().await.ok().flatten() { //~ swallowed-cancellation
        if event > 5 {
            return Some(event);
        }
    }
    first
}

pub async fn by_drop(event: &Event) {
    drop(event.wait().await); //~ swallowed-cancellation
    std::mem::drop(fail_after(SECOND, event.wait()).await); //~ swallowed-cancellation
    forget_it(sleep(SECOND).await); //~ swallowed-cancellation
}

pub async fn of_values_that_are_followed() -> Result<()> {
    let event = Event::new();
    let _ = event.wait().await; //~ swallowed-cancellation
    let mut ticks: Interval = interval(SECOND);
    loop {
        let _ = ticks.tick().await; //~ swallowed-cancellation
        let (tx, rx) = seedbed::channel(1);
        tx.send(1).await.ok(); //~ swallowed-cancellation
        if rx.recv().await.ok().is_some() { //~ swallowed-cancellation
            break;
        }
    }
    let stream = TcpStream::connect("localhost:1").await?;
    let _ = stream.write_all(b"bye").await; //~ swallowed-cancellation
    stream.close().await.ok(); //~ swallowed-cancellation
    Ok(())
}

pub async fn of_scopes() -> Result<()> {
    let _ = nursery(async |n: &Nursery<'_, '_>| { //~ swallowed-cancellation
        n.spawn(sleep(SECOND));
        Ok(())
    })
    .await;
    let _ = cancel_scope(async |_| sleep(SECOND).await).await; //~ swallowed-cancellation
    let scope = CancelScope::new();
    let _ = scope.enter(async |_| sleep(SECOND).await).await; //~ swallowed-cancellation
    Ok(())
}

pub async fn of_a_generator() -> Result<()> {
    let mut numbers = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
    let first = numbers.anext().await.ok(); //~ swallowed-cancellation
    assert_eq!(first, Some(Some(1)));
    let _ = numbers.aclose().await; //~ swallowed-cancellation
    Ok(())
}

struct Connection {
    stream: TcpStream,
}

impl Connection {
    async fn say_goodbye(&self) {
        let _ = self.stream.write_all(b"bye").await; //~ swallowed-cancellation
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

pub fn a_guard_without_a_name() {
    let _ = prevent_yields("nothing"); //~ guard-dropped-at-once
    prevent_yields("nothing"); //~ guard-dropped-at-once
    _ = prevent_yields("nothing"); //~ guard-dropped-at-once
}

pub async fn of_locks(lock: &sync::Mutex<u32>, cell: &sync::watch::Receiver<u32>) {
    let _ = lock.lock().await; //~ swallowed-cancellation
    let mut cell = cell.clone();
    let _ = cell.changed().await; //~ swallowed-cancellation
    let (tx, mut rx) = sync::oneshot::channel::<u32>();
    let _ = tx.send(1); // it waits for nothing
    rx.recv().await.ok(); //~ swallowed-cancellation
    let (_tx, rx) = sync::unbounded_channel::<u32>();
    rx.recv().await.ok(); //~ swallowed-cancellation
    let (tx, _rx) = sync::broadcast::channel::<u32>(1, sync::broadcast::WhenFull::DropOldest);
    let _ = tx.send(1).await; //~ swallowed-cancellation
}
