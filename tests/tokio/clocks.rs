//! X2: calls, virtual clocks, deadlocks and explorations. R9.

use std::future::pending;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use seedbed::testing::{Explore, FailureKind, VirtualClock, explore};
use seedbed::tokio::{Companion, call};
use seedbed::{Builder, Deadlock, Event, cancellable, move_on_after, now, nursery, sleep};
use tokio::sync::oneshot;

const HOUR: Duration = Duration::from_secs(3600);

fn virtually() -> Builder {
    let builder = Builder::new().clock(&VirtualClock::new()).detect_deadlock(true);
    builder.fail_when_stuck(true).tokio(Companion::new())
}

/// A thread that answers when it is told to.
fn answering() -> (Sender<()>, oneshot::Receiver<u32>) {
    let (tell, told) = mpsc::channel();
    let (answer, answered) = oneshot::channel();
    std::thread::spawn(move || {
        told.recv().unwrap();
        answer.send(42).unwrap();
    });
    (tell, answered)
}

#[test]
fn x02_a_virtual_clock_stands_still_while_a_call_is_pending() {
    virtually()
        .run(async {
            let began = now();
            let (tell, answered) = answering();
            nursery(async |n| {
                n.service(sleep(HOUR));
                tell.send(())?;
                assert_eq!(call(answered).await?, 42);
                assert_eq!(now(), began);
                Ok(())
            })
            .await?;
            // And goes on afterwards.
            sleep(HOUR).await?;
            assert_eq!(now(), began + HOUR);
            Ok(())
        })
        .unwrap();
}

#[test]
fn x02_a_pending_call_is_no_deadlock() {
    let (tell, answered) = answering();
    let answer = virtually().run(async {
        tell.send(())?;
        call(answered).await
    });
    assert_eq!(answer.unwrap(), 42);
}

/// As it is for what lives inside the run.
#[test]
fn x02_a_foreign_future_counts_only_through_call() {
    let stuck = virtually().run(async {
        let (_sender, receiver) = oneshot::channel::<()>();
        Ok(cancellable(receiver).await??)
    });
    assert!(stuck.unwrap_err().is::<Deadlock>());
    virtually()
        .run(async {
            let began = now();
            let (_sender, receiver) = oneshot::channel::<()>();
            move_on_after(HOUR, async { Ok(cancellable(receiver).await??) }).await?;
            assert_eq!(now(), began + HOUR);
            Ok(())
        })
        .unwrap();
}

/// Ended, cancelled, dropped, or never polled: none of them counts any more.
#[test]
fn x02_a_call_that_has_gone_does_not_count() {
    let stuck = virtually().run(async {
        call(async { io::Result::Ok(()) }).await?;
        let mut waits = Box::pin(call(pending::<io::Result<()>>()));
        assert!(futures::poll!(&mut waits).is_pending());
        drop(waits);
        let _never = call(pending::<io::Result<()>>());
        nursery(async |n| {
            n.spawn(call(pending::<io::Result<()>>()));
            seedbed::yield_now().await?;
            n.cancel();
            Ok(())
        })
        .await?;
        Event::new().wait().await
    });
    assert!(stuck.unwrap_err().is::<Deadlock>());
}

#[test]
fn x02_each_pending_call_counts() {
    virtually()
        .run(async {
            let began = now();
            let [(tell_one, one), (tell_two, two)] = [answering(), answering()];
            nursery(async |n| {
                n.service(sleep(HOUR));
                let one = n.spawn(call(one));
                let two = n.spawn(call(two));
                tell_one.send(())?;
                assert_eq!(one.await?, 42);
                tell_two.send(())?;
                assert_eq!(two.await?, 42);
                assert_eq!(now(), began);
                Ok(())
            })
            .await
        })
        .unwrap();
}

#[test]
fn x02_explore_says_that_it_cannot() {
    let failure = Explore::new().run(async || call(async { io::Result::Ok(()) }).await);
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Error);
    let error = failure.error().unwrap().to_string();
    assert!(error.contains("clocks.rs") && error.contains("cannot be explored"), "{error}");
    assert!(error.contains("stand-in"), "it says what to do: {error}");
}

/// A program that goes on without the call has not been explored either.
#[test]
fn x02_an_exploration_fails_even_if_the_program_does_not() {
    let failure = Explore::new().run(async || {
        let _ = call(async { io::Result::Ok(()) }).await; // seedbed-lint: allow(swallowed-cancellation)
        Ok(())
    });
    assert!(failure.unwrap_err().to_string().contains("cannot be explored"));
    let panic = crate::support::panics(|| {
        explore(async || {
            let _ = call(async { io::Result::Ok(()) }).await; // seedbed-lint: allow(swallowed-cancellation)
            Ok(())
        })
    });
    assert!(panic.contains("clocks.rs"), "{panic}");
}
