//! X1: the companion's context, on every thread of the run.

use std::sync::Mutex;
use std::thread;

use seedbed::tokio::{Companion, call};
use seedbed::{Builder, Generator, aclosing, generator, nursery, to_thread};
use tokio::runtime::{Handle, Id, Runtime};

use super::run;
use crate::support::Log;

/// The runtime whose context this code is in.
fn here() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

#[test]
fn x01_the_context_is_entered_for_all_of_the_run_and_left_with_it() {
    run(async {
        let own = here();
        assert!(own.is_some());
        nursery(async |n| {
            for _ in 0..3 {
                n.spawn(async {
                    seedbed::checkpoint().await?;
                    assert_eq!(here(), own);
                    Ok(())
                });
            }
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(here(), None);
}

#[test]
fn x01_it_is_left_when_the_run_panics() {
    let panic = crate::support::panics(|| run::<()>(async { panic!("out of paper") }));
    assert_eq!(panic, "out of paper");
    assert_eq!(here(), None);
}

#[test]
fn x01_what_is_dropped_or_closed_by_the_run_is_in_it() {
    struct Where(Log);
    impl Drop for Where {
        fn drop(&mut self) {
            self.0.add(format!("dropped: {}", here().is_some()));
        }
    }
    let log = Log::new();
    let dropped = Where(log.clone());
    run(async {
        let _dropped = dropped;
        let closed = Where(log.clone());
        let numbers: Generator<'_, u32> = generator(async move |y| {
            let _closed = closed;
            y.yield_(1).await?;
            Ok(())
        });
        aclosing(numbers, async |numbers| numbers.anext().await).await?;
        let left = Where(log.clone());
        let mut left_behind: Generator<'_, u32> = generator(async move |y| {
            let _left = left;
            y.yield_(2).await?;
            Ok(())
        });
        left_behind.anext().await
    })
    .unwrap();
    assert_eq!(log.take(), ["dropped: true"; 3]);
}

#[test]
fn x01_it_holds_in_functions_on_other_threads() {
    run(async {
        let own = here();
        // On a thread that others have used, and of which nothing may be left afterwards.
        for _ in 0..2 {
            let there = to_thread(|| {
                assert_eq!(Handle::current().block_on(tokio::spawn(async { 42 })).unwrap(), 42);
                here()
            });
            assert_eq!(there.await?, own);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(seedbed::run(to_thread(here)).unwrap(), None);
}

#[test]
fn x01_it_holds_on_every_core() {
    let seen = Mutex::new(Vec::new());
    let values = Builder::new().tokio(Companion::new()).run_on_cores(3, async |core| {
        seen.lock().unwrap().push(here().unwrap());
        call(tokio::spawn(async move { core })).await
    });
    assert_eq!(values.unwrap(), [0, 1, 2]);
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen, [seen[0]; 3], "they share one");
    assert_eq!(here(), None);
}

#[test]
fn x01_runs_one_after_the_other_and_runs_in_threads_have_their_own() {
    let builder = Builder::new().tokio(Companion::new());
    let first = builder.clone().run(async { Ok(here()) }).unwrap();
    builder
        .run(async {
            let own = here();
            assert_ne!(own, first);
            let inner = to_thread(move || {
                let inner = run(async { Ok(here()) }).unwrap();
                assert_eq!(here(), own);
                inner
            });
            assert_ne!(inner.await?, own);
            // Where there is no other, a run is in the one of its thread.
            assert_eq!(to_thread(|| seedbed::run(async { Ok(here()) })).await??, own);
            Ok(())
        })
        .unwrap();
}

#[test]
fn x01_a_runtime_that_is_there_is_entered_and_goes_on() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    let spawned = Builder::new().tokio(handle.clone()).run(async {
        assert_eq!(here(), Some(handle.id()));
        let (sender, receiver) = tokio::sync::oneshot::channel::<u32>();
        Ok((tokio::spawn(receiver), sender))
    });
    let (task, sender) = spawned.unwrap();
    sender.send(42).unwrap();
    assert_eq!(runtime.block_on(task).unwrap().unwrap(), 42);
    assert_eq!(here(), None);
}

/// Where nobody may wait for a runtime to end.
#[test]
fn x01_a_run_in_a_tokio_task_has_its_own_too() {
    let runtime = Runtime::new().unwrap();
    let inner = runtime.block_on(runtime.spawn(async {
        let outer = here();
        let inner = run(async { call(tokio::spawn(async { here() })).await });
        assert_eq!(here(), outer);
        inner
    }));
    let inner = inner.unwrap().unwrap();
    assert!(inner.is_some() && inner != Some(runtime.handle().id()));
    let directly = runtime.block_on(async { run(async { Ok(here()) }) }).unwrap();
    assert!(directly.is_some() && directly != Some(runtime.handle().id()));
}

#[test]
fn x01_a_call_can_be_polled_in_another_runtimes_context() {
    let other = Runtime::new().unwrap();
    run(async {
        let own = here();
        let there = call(async {
            tokio::task::yield_now().await;
            here()
        });
        assert_eq!(there.output().on(other.handle()).await?, Some(other.handle().id()));
        assert_eq!(here(), own);
        Ok(())
    })
    .unwrap();
}

/// Two tasks take turns; each is in its own context whenever it is polled.
#[test]
fn x01_contexts_do_not_get_in_each_others_way() {
    let runtimes = [Runtime::new().unwrap(), Runtime::new().unwrap()];
    let turns = async |runtime: &Runtime| {
        let turns = async {
            for _ in 0..5 {
                assert_eq!(here(), Some(runtime.handle().id()));
                seedbed::yield_now().await?;
            }
            Ok::<_, seedbed::Error>(())
        };
        call(turns).on(runtime.handle()).await
    };
    seedbed::run(nursery(async |n| {
        n.spawn(turns(&runtimes[0]));
        n.spawn(turns(&runtimes[1]));
        Ok(())
    }))
    .unwrap();
    assert_eq!(here(), None);
}

#[test]
fn x01_a_token_runs_in_it() {
    run(async {
        let own = here();
        let token = seedbed::Token::current()?;
        let other = thread::spawn(move || token.run_sync(here).unwrap());
        let seen = to_thread(move || other.join().unwrap()).await?;
        assert_eq!(seen, own);
        Ok(())
    })
    .unwrap();
}
