//! R11: an operation was handed something, and nobody polls it any more.
//!
//! A task that is always ready moves the virtual clock on by a millisecond each time it is polled,
//! the way time passes where there is always something to do.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join, select};
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, watch};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CapacityLimiter, Event, Permit, Result, channel, fail_after, now, nursery, sleep,
    to_thread, yield_now,
};

use crate::support::{Record, poll_once, recording, secs};

/// Runs `main` to its end beside a task that is always ready, and returns what was said of
/// what is stuck, and what it returned.
fn beside_a_busy_task<T>(main: impl AsyncFnOnce(&VirtualClock) -> Result<T>) -> (T, Vec<Record>) {
    let clock = VirtualClock::new();
    let time = clock.clone();
    told(Builder::new().clock(&clock), async {
        let done = &Cell::new(false);
        nursery(async |n| {
            n.spawn(async {
                while !done.get() {
                    time.advance(Duration::from_millis(1));
                    yield_now().await?;
                }
                Ok(())
            });
            let value = main(&time).await;
            done.set(true);
            value
        })
        .await
    })
}

fn told<T>(builder: Builder, main: impl Future<Output = Result<T>>) -> (T, Vec<Record>) {
    let (value, mut records) = recording(|| builder.run(main).unwrap());
    records.retain(|record| record.message().starts_with("stuck:"));
    (value, records)
}

/// It was reported once, of this line, and says that something like this was given.
#[track_caller]
fn assert_said_of(records: &[Record], line: u32, what: &str) {
    let [record] = records else { panic!("{records:?}") };
    assert_eq!(record.level, tracing::Level::WARN);
    let text = record.message();
    assert!(
        text.contains(&format!("the operation at tests/stuck/futurelock.rs:{line}:")),
        "{text}"
    );
    assert!(text.contains(what) && text.contains("task of its own"), "{text}");
    assert!(record.field("operation").contains(&format!("futurelock.rs:{line}:")), "{record:?}");
}

/// A lock, and the one permit for it.
fn taken() -> (CapacityLimiter, Option<Permit>) {
    let lock = CapacityLimiter::new(1);
    let held = lock.try_acquire();
    (lock, held)
}

/// Polls an operation once, and keeps it while the task does something else for this long.
async fn park<F: Future>(
    operation: F,
    meanwhile: impl FnOnce(),
    time: Duration,
) -> Option<F::Output> {
    let mut operation = pin!(operation);
    assert!(poll_once(&mut operation).await.is_none());
    meanwhile();
    sleep(time).await.unwrap();
    poll_once(&mut operation).await
}

#[test]
fn r11_a_permit_while_others_stay_busy() {
    let (line, records) = beside_a_busy_task(async |_| {
        let (lock, held) = taken();
        let (acquire, line) = (lock.acquire(), line!());
        // Reported within two seconds.
        assert!(park(acquire, || drop(held), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a permit");
}

#[test]
fn r11_a_message_while_others_stay_busy() {
    for capacity in [0, 1] {
        let (line, records) = beside_a_busy_task(async |_| {
            let (sender, receiver) = channel(capacity);
            let (recv, line) = (receiver.recv(), line!());
            assert!(park(recv, || sender.try_send(()).unwrap(), secs(2)).await.is_some());
            Ok(line)
        });
        assert_said_of(&records, line, "a message");
    }
}

#[test]
fn r11_locks_permits_and_notifications_while_others_stay_busy() {
    let (line, records) = beside_a_busy_task(async |_| {
        let mutex = Mutex::new(());
        let held = mutex.lock().await?;
        let (lock, line) = (mutex.lock(), line!());
        assert!(park(lock, || drop(held), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a lock");
    let (line, records) = beside_a_busy_task(async |_| {
        let lock = RwLock::new(());
        let held = lock.read().await?;
        let (write, line) = (lock.write(), line!());
        assert!(park(write, || drop(held), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a lock");
    let (line, records) = beside_a_busy_task(async |_| {
        let semaphore = Semaphore::new(1);
        let (acquire, line) = (semaphore.acquire_many(3), line!());
        assert!(park(acquire, || semaphore.add_permits(2), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a permit");
    let (line, records) = beside_a_busy_task(async |_| {
        let notify = Notify::new();
        let (notified, line) = (notify.notified(), line!());
        assert!(park(notified, || notify.notify_one(), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a notification");
}

/// What all are given is kept from nobody.
#[test]
fn r11_what_everybody_gets_is_not_reported() {
    let ((), records) = beside_a_busy_task(async |_| {
        let (notify, barrier) = (Notify::new(), Barrier::new(2));
        let (sender, mut receiver) = watch::channel(0);
        let other = async { poll_once(barrier.wait()).await.map(drop) };
        let other = &mut pin!(other);
        assert!(park(notify.notified(), || notify.notify_waiters(), secs(2)).await.is_some());
        assert!(park(receiver.changed(), || sender.send(1).unwrap(), secs(2)).await.is_some());
        let all = async {
            let mut first = pin!(barrier.wait());
            assert!(poll_once(&mut first).await.is_none());
            other.await.expect("it was the last");
            sleep(secs(2)).await?;
            first.await.map(drop)
        };
        all.await
    });
    assert!(records.is_empty(), "{records:?}");
}

/// Nothing runs but a timer now and then.
#[test]
fn r11_a_permit_in_a_run_that_sleeps() {
    let (line, records) = told(Builder::new().clock(&VirtualClock::new()), async {
        let (lock, held) = taken();
        let (acquire, line) = (lock.acquire(), line!());
        assert!(park(acquire, || drop(held), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a permit");
}

/// The task itself stays busy.
#[test]
fn r11_a_task_that_runs_and_does_not_poll_it() {
    let (line, records) = beside_a_busy_task(async |time| {
        let (sender, receiver) = channel(1);
        let (recv, line) = (receiver.recv(), line!());
        let mut recv = pin!(recv);
        assert!(poll_once(&mut recv).await.is_none());
        sender.try_send(()).unwrap();
        let began = time.elapsed();
        while time.elapsed() - began < secs(2) {
            yield_now().await?;
        }
        Ok(line)
    });
    assert_said_of(&records, line, "a message");
}

/// In a buffered stream, which polls with wakers of its own and only while it is polled.
#[test]
fn r11_in_a_set_of_futures_that_is_not_polled() {
    let (line, records) = beside_a_busy_task(async |_| {
        let (lock, held) = taken();
        let mut all = FuturesUnordered::new();
        let line = line!() + 1;
        (0..3).for_each(|_| all.push(lock.acquire()));
        assert!(poll_once(&mut all.next()).await.is_none());
        drop(held);
        sleep(secs(2)).await?;
        assert!(poll_once(&mut all.next()).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a permit");
}

#[test]
fn r11_in_a_nursery_that_is_not_polled() {
    let (line, records) = beside_a_busy_task(async |_| {
        let (lock, held) = taken();
        let line = line!() + 2;
        let work = nursery(async |n| {
            n.spawn(async { lock.acquire().await.map(drop) });
            Ok(())
        });
        let mut work = pin!(work);
        assert!(poll_once(&mut work).await.is_none());
        yield_now().await?;
        assert!(poll_once(&mut work).await.is_none());
        drop(held);
        sleep(secs(2)).await?;
        work.await?;
        Ok(line)
    });
    // The nursery itself is not looked for while there is something to run.
    assert_said_of(&records, line, "a permit");
}

#[test]
fn r11_in_a_scope_that_is_not_polled() {
    let (line, records) = beside_a_busy_task(async |_| {
        let (lock, held) = taken();
        let line = line!() + 1;
        let work = fail_after(secs(60), lock.acquire());
        assert!(park(work, || drop(held), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a permit");
}

/// The place is that of the call, which is the user's.
#[test]
fn r11_the_permit_of_a_thread() {
    let (line, records) = beside_a_busy_task(async |_| {
        let (lock, held) = taken();
        let (work, line) = (to_thread(|| ()), line!());
        let work = work.limiter(&lock);
        assert!(park(work, || drop(held), secs(2)).await.is_none(), "it is with the thread");
        Ok(line)
    });
    assert_said_of(&records, line, "a permit");
}

/// An operation that has it and lets others run before it goes on has it all the same.
#[test]
fn r11_what_an_operation_has_that_lets_others_run() {
    let builder = || Builder::new().clock(&VirtualClock::new()).budget(1);
    let (line, records) = told(builder(), async {
        let lock = CapacityLimiter::new(1);
        let (acquire, line) = (lock.acquire(), line!());
        assert!(park(acquire, || assert_eq!(lock.borrowed(), 1), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a permit");
    let (line, records) = told(builder(), async {
        let (sender, receiver) = channel(1);
        sender.try_send(()).unwrap();
        let (recv, line) = (receiver.recv(), line!());
        assert!(park(recv, || (), secs(2)).await.is_some());
        Ok(line)
    });
    assert_said_of(&records, line, "a message");
}

/// A warning for each place, however many there are and however often it happens.
#[test]
fn r11_it_is_said_once_a_place() {
    const MANY: usize = 100;
    let (lines, records) = beside_a_busy_task(async |_| {
        let (sender, receiver) = channel(MANY);
        let first = line!() + 2;
        for _ in 0..2 {
            let mut all: Vec<_> = (0..MANY).map(|_| Box::pin(receiver.recv())).collect();
            for recv in &mut all {
                assert!(poll_once(recv).await.is_none());
            }
            (0..MANY).for_each(|_| sender.try_send(()).unwrap());
            sleep(secs(2)).await?;
            for recv in &mut all {
                assert!(poll_once(recv).await.is_some());
            }
        }
        let (other, second) = (receiver.recv(), line!());
        park(other, || sender.try_send(()).unwrap(), secs(2)).await;
        Ok((first, second))
    });
    let [first, second] = &records[..] else { panic!("{records:?}") };
    assert_said_of(std::slice::from_ref(first), lines.0, "a message");
    assert_eq!(first.field("count"), MANY.to_string());
    assert_said_of(std::slice::from_ref(second), lines.1, "a message");
}

/// An operation that was not handed anything is not reported, however long it is kept.
#[test]
fn r11_a_loop_that_keeps_an_operation_that_was_not_served() {
    let ((), records) = beside_a_busy_task(async |_| {
        let (sender, receiver) = channel::<()>(1);
        let (stop, lock) = (Event::new(), CapacityLimiter::new(0));
        let mut stopped = pin!(stop.wait());
        let mut acquire = pin!(lock.acquire());
        let mut recv = pin!(receiver.recv());
        for _ in 0..3 {
            let tick = pin!(sleep(Duration::from_millis(10)));
            let kept = select(stopped.as_mut(), select(acquire.as_mut(), recv.as_mut()));
            assert!(matches!(select(kept, tick).await, Either::Right(_)));
            sleep(secs(5)).await?; // handles what came
        }
        drop(sender);
        Ok(())
    });
    assert!(records.is_empty(), "{records:?}");
}

/// An event that was set is kept from nobody, nor is a timer that has fired, or the end of a
/// channel.
#[test]
fn r11_what_others_can_have_as_well() {
    let ((), records) = beside_a_busy_task(async |_| {
        let (sender, receiver) = channel::<()>(1);
        let event = Event::new();
        park(event.wait(), || event.set(), secs(5)).await;
        park(sleep(secs(1)), || (), secs(5)).await;
        park(receiver.recv(), || drop(sender), secs(5)).await;
        Ok(())
    });
    assert!(records.is_empty(), "{records:?}");
}

/// A task that is merely slow, or comes to it in its own time.
#[test]
fn r11_what_is_polled_soon_is_not_told() {
    let (sum, records) = beside_a_busy_task(async |time| {
        let (sender, receiver) = channel(1);
        let sum = Rc::new(Cell::new(0));
        nursery(async |n| {
            let total = sum.clone();
            n.spawn(async move {
                while let Some(number) = receiver.recv().await? {
                    total.set(total.get() + number);
                }
                Ok(())
            });
            for number in 1..=10 {
                yield_now().await?;
                sender.send(number).await?;
                // The machine is busy with something else: the receiver has not had its turn.
                time.advance(secs(10));
            }
            drop(sender);
            Ok(())
        })
        .await?;
        let (sender, receiver) = channel(1);
        for _ in 0..10 {
            // It is handled for a while before the next is looked at.
            let recv = receiver.recv();
            park(recv, || sender.try_send(()).unwrap(), Duration::from_millis(900))
                .await
                .unwrap()?;
        }
        Ok(sum.get())
    });
    assert_eq!(sum, 55);
    assert!(records.is_empty(), "{records:?}");
}

/// What is given up in the end, in whatever way, is no longer reported.
#[test]
fn r11_what_was_dropped_or_fetched_is_not_told() {
    let ((), records) = beside_a_busy_task(async |_| {
        let lock = CapacityLimiter::new(1);
        for _ in 0..3 {
            let held = lock.try_acquire().expect("nobody has it");
            let mut acquire = Box::pin(lock.acquire());
            assert!(poll_once(&mut acquire).await.is_none());
            drop(held);
            sleep(Duration::from_millis(900)).await?;
            drop(acquire);
            sleep(secs(3)).await?;
        }
        let both = join(lock.acquire(), sleep(secs(3))).await;
        drop(both.0?);
        Ok(())
    });
    assert!(records.is_empty(), "{records:?}");
}

/// Where being stuck is an error, this is not one: it may still be polled.
#[test]
fn r11_it_fails_no_run() {
    let clock = VirtualClock::new();
    let builder = Builder::new().clock(&clock).fail_when_stuck(true);
    let ((), records) = told(builder, async {
        let (sender, receiver) = channel(1);
        let began = now();
        park(receiver.recv(), || sender.try_send(()).unwrap(), secs(5)).await.unwrap()?;
        assert_eq!(now() - began, secs(5));
        Ok(())
    });
    assert!(records.is_empty(), "{records:?}");
}
