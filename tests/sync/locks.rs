//! D1: mutexes, locks for readers and a writer, conditions and semaphores.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::FutureExt;
use seedbed::sync::{
    Condition, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore,
    SemaphoreClosed, TryAcquireError,
};
use seedbed::{CancelScope, Error, cancel_scope, move_on_after, nursery, sleep, yield_now};

use crate::support::{catching, is_cancelled, poll_once, run, secs};

#[test]
fn d01_a_mutex_is_first_come_first_served() {
    run(async {
        let (mutex, order) = (Mutex::new(()), RefCell::new(Vec::new()));
        nursery(async |n| {
            for i in 0..5 {
                let (mutex, order) = (&mutex, &order);
                n.spawn(async move {
                    let guard = mutex.lock().await?;
                    order.borrow_mut().push(i);
                    sleep(secs(1)).await?;
                    drop(guard);
                    assert!(mutex.try_lock().is_none(), "it is the next one's already");
                    Ok(())
                });
            }
            yield_now().await?;
            let _guard = mutex.lock().await?;
            order.borrow_mut().push(5);
            Ok(())
        })
        .await?;
        assert_eq!(order.take(), [0, 1, 2, 3, 4, 5]);
        Ok(())
    })
    .unwrap();
}

/// And it is not poisoned.
#[test]
fn d02_a_panic_unlocks() {
    run(async {
        let mutex = Mutex::new(1);
        let text = catching(async {
            let _guard = mutex.lock().await?;
            yield_now().await?;
            panic!("planted");
            #[expect(unreachable_code)]
            Ok::<(), Error>(())
        });
        assert_eq!(text.await.unwrap_err(), "planted");
        assert_eq!(*mutex.lock().await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_the_value_of_a_mutex() {
    let mut mutex = Mutex::from(vec![1]);
    mutex.get_mut().push(2);
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{mutex:?}"), r#"Mutex { value: <locked> }"#);
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &mutex));
    let mut last = MutexGuard::map(guard, |all| all.last_mut().unwrap());
    *last += 1;
    assert!(mutex.try_lock().is_none());
    drop(last);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: [1, 3] }");
    let unsized_: &Mutex<[i32]> = &Mutex::new([1, 2]);
    assert_eq!(unsized_.try_lock().unwrap().len(), 2);
    // One whose guard is leaked stays locked, and nothing worse.
    std::mem::forget(mutex.try_lock());
    assert!(mutex.try_lock().is_none());
    assert_eq!(mutex.get_mut(), &[1, 3]);
    assert_eq!(mutex.into_inner(), [1, 3]);
}

#[test]
fn d01_readers_share_and_a_writer_is_not_starved() {
    run(async {
        let (lock, log) = (RwLock::new(0), RefCell::new(Vec::new()));
        let reads = async |name: &'static str| {
            let value = lock.read().await?;
            log.borrow_mut().push((name, *value));
            sleep(secs(1)).await
        };
        nursery(async |n| {
            n.spawn(reads("a"));
            n.spawn(reads("b"));
            n.spawn(async {
                let mut value = lock.write().await?;
                *value = 1;
                log.borrow_mut().push(("w", *value));
                sleep(secs(1)).await
            });
            n.spawn(reads("c")); // waits behind the writer
            n.spawn(reads("d"));
            yield_now().await?;
            yield_now().await?;
            assert_eq!(*log.borrow(), [("a", 0), ("b", 0)]);
            assert!(lock.try_read().is_none(), "a writer waits");
            Ok(())
        })
        .await?;
        assert_eq!(log.take(), [("a", 0), ("b", 0), ("w", 1), ("c", 1), ("d", 1)]);
        Ok(())
    })
    .unwrap();
}

/// Those behind it waited only for it.
#[test]
fn d02_readers_go_on_when_the_writer_before_them_gives_up() {
    run(async {
        let lock = RwLock::new(0);
        let reads = lock.read().await?;
        nursery(async |n| {
            let writer = n.spawn(move_on_after(secs(1), lock.write().map(|got| got.map(drop))));
            yield_now().await?;
            let reader = n.spawn(async { Ok(*lock.read().await?) });
            assert_eq!(writer.await?, None);
            assert_eq!(reader.await?, 0);
            Ok(())
        })
        .await?;
        // Dropped, instead of cancelled.
        let (mut write, mut read) = (lock.write(), lock.read());
        assert!(poll_once(&mut write).await.is_none() && poll_once(&mut read).await.is_none());
        drop(write);
        drop(read.await?);
        drop(reads);
        assert!(lock.try_write().is_some());
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_a_writer_goes_on_reading() {
    run(async {
        let lock = RwLock::new((1, "one"));
        let mut writes = lock.write().await?;
        writes.0 = 2;
        let (mut read, mut write) = (lock.read(), lock.write());
        assert!(poll_once(&mut read).await.is_none() && poll_once(&mut write).await.is_none());
        let reads = RwLockWriteGuard::downgrade(writes);
        assert_eq!(read.await?.0, 2, "a reader before the next writer reads as well");
        assert!(poll_once(&mut write).await.is_none());
        let number = RwLockReadGuard::map(reads, |pair| &pair.0);
        assert_eq!(*number, 2);
        drop(number);
        drop(write.await?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_a_condition_unlocks_while_it_waits() {
    run(async {
        let (mutex, condition) = (Mutex::new(Vec::new()), Condition::new());
        nursery(async |n| {
            for i in 0..3 {
                let (mutex, condition) = (&mutex, &condition);
                n.spawn(async move {
                    let guard = mutex.lock().await?;
                    condition.wait(guard).await?.push(i);
                    Ok(())
                });
            }
            yield_now().await?;
            yield_now().await?;
            let guard = mutex.try_lock().expect("those who wait have unlocked it");
            condition.notify_one();
            yield_now().await?;
            assert!(guard.is_empty());
            drop(guard);
            sleep(secs(1)).await?;
            assert_eq!(*mutex.lock().await?, [0], "the one that has waited longest");
            condition.notify_all();
            Ok(())
        })
        .await?;
        assert_eq!(mutex.into_inner(), [0, 1, 2]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d02_a_cancelled_wait_for_a_condition_leaves_the_mutex_unlocked() {
    run(async {
        let (mutex, condition) = (Mutex::new(0), Condition::new());
        let outcome = move_on_after(secs(1), async {
            let guard = mutex.lock().await?;
            condition.wait(guard).await.map(drop)
        });
        assert_eq!(outcome.await?, None);
        assert!(mutex.try_lock().is_some());

        // One that was notified and waits for the lock passes the notification on.
        let waits = async || condition.wait(mutex.lock().await?).await.map(drop);
        let (mut first, mut second) = (Box::pin(waits()), Box::pin(waits()));
        assert!(poll_once(&mut first).await.is_none() && poll_once(&mut second).await.is_none());
        let guard = mutex.lock().await?;
        condition.notify_one();
        assert!(poll_once(&mut first).await.is_none(), "it waits for the lock");
        drop(first);
        drop(guard);
        second.await
    })
    .unwrap();
}

#[test]
fn d01_several_permits_are_waited_for_in_order() {
    run(async {
        let (semaphore, order) = (Semaphore::new(3), RefCell::new(Vec::new()));
        let held = semaphore.acquire_many(2).await?;
        nursery(async |n| {
            for (name, count) in [("three", 3), ("one", 1), ("two", 2)] {
                let (semaphore, order) = (&semaphore, &order);
                n.spawn(async move {
                    let permits = semaphore.acquire_many(count).await?;
                    order.borrow_mut().push(name);
                    assert_eq!(permits.num_permits(), count);
                    sleep(secs(1)).await
                });
            }
            yield_now().await?;
            assert_eq!(semaphore.available_permits(), 1);
            assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
            assert!(order.borrow().is_empty(), "what is left is kept for the first");
            drop(held);
            Ok(())
        })
        .await?;
        assert_eq!(order.take(), ["three", "one", "two"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_permits_are_split_merged_forgotten_and_added() {
    run(async {
        let semaphore = Rc::new(Semaphore::new(5));
        let mut four = semaphore.clone().acquire_many_owned(4).await?;
        let one = four.split(1).unwrap();
        assert!(four.split(4).is_none());
        assert_eq!((four.num_permits(), one.num_permits()), (3, 1));
        four.merge(one);
        four.forget();
        assert_eq!(semaphore.available_permits(), 1);
        let mut waits = semaphore.acquire_many(2);
        assert!(poll_once(&mut waits).await.is_none());
        semaphore.add_permits(1);
        drop(waits.await?);
        assert_eq!(semaphore.forget_permits(7), 2);
        assert_eq!(semaphore.available_permits(), 0);
        Ok(())
    })
    .unwrap();
    let (a, b) = (Semaphore::new(1), Semaphore::new(1));
    let merge = || a.try_acquire().unwrap().merge(b.try_acquire().unwrap());
    assert!(crate::support::panics(merge).contains("the same semaphore"));
    assert_eq!((a.available_permits(), b.available_permits()), (1, 1));
}

#[test]
fn d01_a_closed_semaphore_gives_no_permits() {
    run(async {
        let semaphore = Semaphore::new(1);
        let held = semaphore.acquire().await?;
        nursery(async |n| {
            let waits = n.spawn(async { Ok(semaphore.acquire().await.map(drop)) });
            yield_now().await?;
            semaphore.close();
            let error = waits.await?.unwrap_err();
            assert!(error.is::<SemaphoreClosed>() && error.place().is_some(), "{error:?}");
            Ok(())
        })
        .await?;
        drop(held);
        assert!(semaphore.is_closed());
        assert!(semaphore.acquire().await.unwrap_err().is::<SemaphoreClosed>());
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
        Ok(())
    })
    .unwrap();
}

/// They look for cancellation before anything has happened.
#[test]
fn c02_locks_look_for_cancellation_first() {
    run(async {
        let (mutex, lock, semaphore) = (Mutex::new(0), RwLock::new(0), Semaphore::new(1));
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&mutex.lock().await));
            assert!(is_cancelled(&lock.read().await));
            assert!(is_cancelled(&lock.write().await));
            assert!(is_cancelled(&semaphore.acquire().await));
            Ok(())
        })
        .await?;
        assert!(mutex.try_lock().is_some() && lock.try_write().is_some());
        assert_eq!(semaphore.available_permits(), 1);
        Ok(())
    })
    .unwrap();
}

/// Both in one instant, in either order.
#[test]
fn c10_a_lock_that_was_given_is_had_and_a_cancelled_one_goes_to_the_next() {
    for given_first in [true, false] {
        run(async {
            let (mutex, got, scope) = (Mutex::new(()), Cell::new(false), CancelScope::new());
            let held = mutex.lock().await?;
            let outcome = nursery(async |n| {
                let first = n.spawn(scope.enter(async |_| {
                    let _guard = mutex.lock().await?;
                    got.set(true);
                    Ok(())
                }));
                yield_now().await?;
                if given_first {
                    drop(held);
                    scope.cancel();
                } else {
                    scope.cancel();
                    drop(held);
                }
                first.await
            });
            assert_eq!(outcome.await?.is_some(), given_first);
            assert_eq!(got.get(), given_first);
            assert!(mutex.try_lock().is_some());
            Ok(())
        })
        .unwrap();
    }
}
