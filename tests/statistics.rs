//! `testing::statistics` counts what it says.

use std::mem;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream};
use seedbed::testing::{Statistics, VirtualClock, statistics};
use seedbed::{
    Builder, CancelScope, NotRunning, Result, Yielder, cancel_scope, checkpoint, generator,
    move_on_after, nursery, sleep, sleep_forever, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);

fn run(main: impl AsyncFnOnce(Statistics) -> Result<()>) {
    let builder = Builder::new().clock(&VirtualClock::new()).detect_deadlock(true);
    builder.run(async { main(statistics()?).await }).unwrap();
}

#[test]
fn a_run_that_does_nothing() {
    run(async |before| {
        let Statistics { tasks, scopes, timers, sources, generators, .. } = before;
        assert_eq!((tasks, scopes, timers, sources, generators), (1, 2, 0, 0, 0));
        Ok(())
    });
}

#[test]
fn outside_of_a_run_there_is_none() {
    assert!(statistics().unwrap_err().is::<NotRunning>());
}

#[test]
fn tasks_are_counted_until_they_end() {
    run(async |before| {
        nursery(async |n| {
            let one = n.spawn(checkpoint());
            n.spawn(nursery(async |inner| {
                inner.spawn(sleep(SECOND));
                inner.spawn(sleep(SECOND * 2));
                Ok(())
            }));
            assert_eq!(statistics()?.tasks - before.tasks, 2, "not polled yet");
            sleep(SECOND / 2).await?;
            assert_eq!(statistics()?.tasks - before.tasks, 3, "one has ended, the inner two run");
            sleep(SECOND).await?;
            assert_eq!(statistics()?.tasks - before.tasks, 2);
            one.await?; // its handle was kept all the time
            Ok(())
        })
        .await?;
        assert_eq!(statistics()?, before);
        Ok(())
    });
}

#[test]
fn a_task_that_is_being_started_counts_once() {
    run(async |before| {
        nursery(async |n| {
            n.start(async |started| {
                assert_eq!(statistics()?.tasks - before.tasks, 1);
                started.ready(());
                sleep(SECOND).await
            })
            .await?;
            assert_eq!(statistics()?.tasks - before.tasks, 1);
            assert_eq!(statistics()?.scopes - before.scopes, 1, "the nursery's");
            Ok(())
        })
        .await?;
        assert_eq!(statistics()?, before);
        Ok(())
    });
}

#[test]
fn scopes_and_timers_are_counted_while_they_are_entered() {
    run(async |before| {
        let scope = CancelScope::new().with_timeout(SECOND);
        assert_eq!(statistics()?, before, "made, not entered");
        scope
            .enter(async |scope| {
                let within = statistics()?;
                assert_eq!((within.scopes, within.timers), (before.scopes + 1, before.timers));
                yield_now().await?; // a timer is set when something waits
                assert_eq!(statistics()?.timers, before.timers + 1);
                scope.set_deadline(None);
                assert_eq!(statistics()?.timers, before.timers);
                scope.set_timeout(SECOND);
                cancel_scope(async |_| {
                    assert_eq!(statistics()?.scopes, before.scopes + 2);
                    Ok(())
                })
                .await?;
                Ok(())
            })
            .await?;
        assert_eq!(statistics()?, before);
        move_on_after(SECOND, sleep_forever()).await?;
        assert_eq!(statistics()?, before, "it has expired");
        Ok(())
    });
}

#[test]
fn what_is_dropped_half_way_is_not_counted_any_more() {
    run(async |before| {
        let outcome = futures::future::select(
            Box::pin(nursery(async |n| {
                n.spawn(sleep(SECOND * 2));
                n.spawn(move_on_after(SECOND * 3, sleep_forever()));
                sleep_forever().await
            })),
            Box::pin(sleep(SECOND)),
        )
        .await;
        let within = statistics()?;
        assert_eq!((within.tasks, within.scopes, within.timers), (3, before.scopes + 2, 2));
        drop(outcome);
        assert_eq!(statistics()?, before);
        Ok(())
    });
}

/// What is forgotten can only be counted. It does not concern a later run.
#[test]
fn what_is_forgotten_stays_counted_to_the_end_of_the_run() {
    run(async |before| {
        let mut waiting = Box::pin(move_on_after(SECOND, sleep_forever()));
        assert!(futures::poll!(&mut waiting).is_pending());
        mem::forget(waiting);
        let after = statistics()?;
        assert_eq!((after.scopes, after.timers), (before.scopes + 1, before.timers + 1));
        Ok(())
    });
    a_run_that_does_nothing();
}

#[test]
fn what_another_run_has_entered_does_not_count() {
    let mut kept = None;
    run(async |_| {
        let mut waiting = Box::pin(cancel_scope(async |_| sleep_forever().await));
        assert!(futures::poll!(&mut waiting).is_pending());
        kept = Some(waiting);
        Ok(())
    });
    run(async |before| {
        drop(kept);
        assert_eq!(statistics()?, before);
        Ok(())
    });
}

#[test]
fn sources_are_counted_from_the_first_wait_until_they_are_dropped() {
    run(async |before| {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let client = TcpStream::connect(address).await?;
        let (server, _) = listener.accept().await?;
        let earlier = statistics()?.sources;
        let read = move_on_after(SECOND, server.read(&mut [0; 1])).await?;
        assert_eq!(read, None, "there is nothing to read");
        assert_eq!(statistics()?.sources, earlier + 1);
        drop((listener, client, server));
        assert_eq!(statistics()?, before);
        Ok(())
    });
}

#[test]
fn generators_are_counted_from_their_first_item_to_their_end() {
    run(async |before| {
        let mut numbers = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
        assert_eq!(statistics()?, before);
        numbers.anext().await?;
        assert_eq!(statistics()?.generators - before.generators, 1);
        numbers.aclose().await?;
        assert_eq!(statistics()?, before);
        let mut dropped = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
        dropped.anext().await?;
        drop(dropped);
        let closing = statistics()?;
        assert_eq!((closing.tasks, closing.generators), (before.tasks + 1, before.generators));
        while statistics()?.tasks > before.tasks {
            yield_now().await?;
        }
        assert_eq!(statistics()?, before);
        Ok(())
    });
}
