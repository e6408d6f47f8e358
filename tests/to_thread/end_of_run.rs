//! A run waits for the functions that have begun.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use futures::future::{Either, select};
use seedbed::{Builder, Event, Stuck, Token, nursery, sleep_forever, to_thread, yield_now};

use super::{gate, run};
use crate::support::poll_once;

#[test]
fn r03_run_waits_for_work_whose_future_was_dropped() {
    let ended = Arc::new(AtomicUsize::new(0));
    run(async {
        let (mut gate, stand) = gate();
        let ended = ended.clone();
        let mut work = to_thread(move || {
            stand(); // until the main future has gone, and with it the gate
            let token = Token::current().unwrap();
            for _ in 0..10 {
                // The run is still there, and serves.
                token.run_sync(|| ()).unwrap();
                ended.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert!(poll_once(&mut work).await.is_none());
        gate.begun().await?;
        drop(work);
        Ok(())
    })
    .unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 10);
}

#[test]
fn r03_run_waits_for_work_whose_future_was_leaked_or_outlives_it() {
    let ended = Arc::new(AtomicUsize::new(0));
    let job = || {
        let (gate, stand) = gate();
        let ended = ended.clone();
        let work = move || {
            stand();
            ended.fetch_add(1, Ordering::SeqCst)
        };
        (gate, to_thread(work))
    };
    let (mut first, mut leaked) = job();
    let (mut second, mut kept) = job();
    run(async {
        assert!(poll_once(&mut leaked).await.is_none());
        assert!(poll_once(&mut kept).await.is_none());
        first.begun().await?;
        second.begun().await?;
        drop((first, second));
        std::mem::forget(leaked);
        Ok(())
    })
    .unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 2);
    // Its value has arrived, and can be had in another run.
    assert!(run(kept).unwrap() < 2);
}

#[test]
fn r03_run_does_not_wait_for_abandoned_work() {
    let (mut gate, stand) = gate();
    let (kept, gone) = mpsc::channel::<()>();
    run(async {
        let mut work = to_thread(move || {
            stand();
            // It knows whom it worked for, but there is nobody any more.
            let refused = Token::current().unwrap().run_sync(|| ());
            assert!(refused.is_err());
            kept
        })
        .abandon_on_cancel(true);
        assert!(poll_once(&mut work).await.is_none());
        gate.begun().await
    })
    .unwrap();
    assert_eq!(gone.try_recv(), Err(mpsc::TryRecvError::Empty));
    gate.open();
    // The value is dropped on the thread that made it.
    assert_eq!(gone.recv(), Err(mpsc::RecvError));
}

/// R1: nothing that was started is left, even where a run breaks down. What the thread may be
/// waiting for, here the sender's end, is dropped first.
#[test]
fn r03_a_run_that_fails_in_itself_waits_too() {
    let ended = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel::<()>();
    let tell = ended.clone();
    let outcome = Builder::new().fail_when_stuck(true).run(async move {
        let _sender = sender;
        let event = Event::new();
        nursery(async |n| {
            n.spawn(to_thread(move || {
                assert!(receiver.recv().is_err());
                tell.store(true, Ordering::SeqCst);
            }));
            yield_now().await?; // it begins
            let parked = pin!(nursery(async |n| {
                n.spawn(event.wait());
                Ok(())
            }));
            let Either::Right((_, _parked)) = select(parked, yield_now()).await else {
                panic!("nothing has happened yet");
            };
            event.set();
            sleep_forever().await
        })
        .await
    });
    assert!(outcome.unwrap_err().is::<Stuck>());
    assert!(ended.load(Ordering::SeqCst));
}
