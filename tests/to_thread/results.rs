//! What comes back: values, panics, errors.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, Deadlock, Event, NotRunning, Token, cancel_scope, checkpoint,
    current_default_thread_limiter, nursery, sleep, to_thread, yield_now,
};

use super::{gate, run};
use crate::support::{catching, poll_once, secs};

#[test]
fn r03_the_value_comes_back_from_another_thread() {
    run(async {
        let here = thread::current().id();
        let (there, sum) = to_thread(move || (thread::current().id(), 1 + 1)).await?;
        assert_ne!(there, here);
        assert_eq!(sum, 2);
        // What is sent and what comes back need not be copied.
        let text = String::from("moved");
        assert_eq!(to_thread(move || text + " twice").await?, "moved twice");
        // An error of the function is a value.
        let error = to_thread(|| "x".parse::<u8>()).await?.unwrap_err();
        assert_eq!(error.to_string(), "invalid digit found in string");
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_others_run_meanwhile() {
    run(async {
        let (mut gate, stand) = gate();
        let rounds = Cell::new(0);
        nursery(async |n| {
            let work = n.spawn(to_thread(stand));
            n.spawn(async {
                gate.begun().await?;
                for _ in 0..1000 {
                    rounds.set(rounds.get() + 1);
                    yield_now().await?;
                }
                gate.open();
                Ok(())
            });
            work.await?;
            assert_eq!(rounds.get(), 1000);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn r03_a_panic_resumes_in_the_caller_with_its_own_payload() {
    struct Payload(u32);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            to_thread(|| resume_unwind(Box::new(Payload(7)))).await?;
            Ok(())
        })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref::<Payload>().unwrap().0, 7);

    // The permit is given back, and the thread is none the worse.
    run(async {
        let text = catching(to_thread(|| panic!("a panic for a test"))).await.unwrap_err();
        assert_eq!(text, "a panic for a test");
        assert_eq!(current_default_thread_limiter()?.borrowed(), 0);
        assert_eq!(to_thread(|| 3).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_in_a_cancelled_scope_nothing_starts() {
    run(async {
        let begun = Arc::new(AtomicUsize::new(0));
        let error = cancel_scope(async |scope| {
            scope.cancel();
            let begun = begun.clone();
            let error = to_thread(move || begun.fetch_add(1, Ordering::SeqCst)).await.unwrap_err();
            Ok(error)
        })
        .await?
        .unwrap();
        assert!(error.is_cancelled());
        // The function is dropped, not started.
        assert_eq!(Arc::strong_count(&begun), 1);
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_outside_of_run_it_is_an_error() {
    let mut future = pin!(to_thread(|| 1));
    let error = futures::executor::block_on(&mut future).unwrap_err();
    assert!(error.is::<NotRunning>());
    assert!(current_default_thread_limiter().unwrap_err().is::<NotRunning>());
}

#[test]
fn r03_a_run_in_the_thread_works() {
    run(async {
        let (inner, outer) = to_thread(|| {
            let outer = Token::current().unwrap();
            let inner = run(async {
                assert!(Token::current()? != outer);
                sleep(secs(1)).await?;
                to_thread(|| 21).await
            });
            // When that has ended it is the outer one again.
            (inner.unwrap() * 2, Token::current().unwrap() == outer)
        })
        .await?;
        assert_eq!((inner, outer), (42, true));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_the_thread_reaches_its_run_without_being_given_a_token() {
    run(async {
        let here = thread::current().id();
        let token = Token::current()?;
        let (same, sync, task) = to_thread(move || {
            let mine = Token::current().unwrap();
            let sync = mine.run_sync(|| thread::current().id()).unwrap();
            let task = mine.run(async || {
                checkpoint().await?;
                Ok(thread::current().id())
            });
            (mine == token, sync, task.unwrap().unwrap())
        })
        .await?;
        assert!(same);
        assert_eq!((sync, task), (here, here));
        Ok(())
    })
    .unwrap();
    // Threads that do no job are nobody's.
    let alone = thread::spawn(|| Token::current().unwrap_err().is::<NotRunning>());
    assert!(alone.join().unwrap());
}

#[test]
fn r03_a_job_that_is_done_in_another_task_or_combinator_is_heard_of() {
    run(async {
        // Polled with one waker first, then with others.
        let (mut gate, stand) = gate();
        let mut work = Box::pin(to_thread(move || {
            stand();
            1
        }));
        assert!(poll_once(&mut work).await.is_none());
        gate.begun().await?;
        let mut all = FuturesUnordered::new();
        all.push(work);
        all.extend((2..10).map(|i| Box::pin(to_thread_value(i))));
        let mut sum = 0;
        if let Some(early) = poll_once(all.next()).await {
            sum += early.unwrap()?;
        }
        gate.open();
        while let Some(value) = all.next().await {
            sum += value?;
        }
        assert_eq!(sum, 45);
        Ok(())
    })
    .unwrap();
}

fn to_thread_value(value: u32) -> seedbed::ToThread<u32> {
    to_thread(move || value)
}

#[test]
fn r03_a_thread_at_work_is_something_to_wait_for() {
    let run = |main: &mut dyn FnMut() -> seedbed::ToThread<()>| {
        // On the system's clock a first poll may last for so long that the operation lets others
        // run.
        let builder = Builder::new().clock(&VirtualClock::new()).detect_deadlock(true);
        builder.run(async {
            let event = std::rc::Rc::new(Event::new());
            EVENT.set(Some(event.clone()));
            let mut work = main();
            let _ = poll_once(&mut work).await;
            drop(work);
            event.wait().await
        })
    };
    thread_local! {
        static EVENT: RefCell<Option<std::rc::Rc<Event>>> = const { RefCell::new(None) };
    }
    let wake = || {
        let _ = Token::current().unwrap().run_sync(|| EVENT.take().unwrap().set());
    };
    run(&mut || to_thread(wake)).unwrap();
    run(&mut || to_thread(wake).abandon_on_cancel(true)).unwrap();
    // But not one that has ended.
    let error = run(&mut || to_thread(|| ())).unwrap_err();
    assert!(error.is::<Deadlock>());
}
