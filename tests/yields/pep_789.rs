//! Y9: the PEP's examples, broken and mended.

use std::cell::Cell;

use seedbed::testing::VirtualClock;
use seedbed::{
    ContextManager, Error, Generator, GeneratorExit, Receiver, Result, TooSlow, Yielder, aclosing,
    channel, context_manager, fail_after, generator, move_on_after, nursery, safe_channel, sleep,
    sync_generator, with, yield_now,
};

use super::refused;
use crate::support::{Log, count, run, run_on, secs};

/// "Leaking a timeout to the outer scope": the time that the consumer takes counts in the timeout
/// around the yield. In Python the `TimeoutError`'s cancellation hits the consumer.
fn iter_with_timeout_broken(values: Receiver<u32>) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        loop {
            let end = fail_after(secs(2), async {
                match values.recv().await? {
                    // seedbed-lint: allow(yield-in-scope)
                    Some(value) => y.yield_(value).await.map(|_| false),
                    None => Ok(true),
                }
            });
            if end.await? {
                return Ok(());
            }
        }
    })
}

/// "Get the next element inside the timeout context, and yield outside that context."
fn iter_with_timeout(values: Receiver<u32>) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        while let Some(value) = fail_after(secs(2), values.recv()).await? {
            y.yield_(value).await?;
        }
        Ok(())
    })
}

/// A value every second.
async fn sensor(first: u32, values: seedbed::Sender<u32>) -> Result<()> {
    for i in 0..3 {
        sleep(secs(1)).await?;
        values.send(first + i).await?;
    }
    Ok(())
}

#[test]
fn y09_the_leaking_timeout() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        for broken in [true, false] {
            let begun = clock.elapsed();
            nursery(async |n| {
                let (send, values) = channel(0);
                drop(n.spawn(async move {
                    let _ = sensor(1, send).await; // whose receiver goes away, if it is broken
                    Ok(())
                }));
                let readings = if broken {
                    iter_with_timeout_broken(values)
                } else {
                    iter_with_timeout(values)
                };
                let mut got = Vec::new();
                let outcome = aclosing(readings, async |readings| {
                    while let Some(value) = readings.anext().await? {
                        got.push(value);
                        sleep(secs(10)).await?; // longer than the timeout
                    }
                    Ok(())
                })
                .await;
                if broken {
                    assert_eq!(refused(outcome).reason(), "a timeout");
                    assert!(got.is_empty());
                } else {
                    outcome?;
                    assert_eq!(got, [1, 2, 3]);
                    assert_eq!(clock.elapsed() - begun, secs(31));
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn y09_the_timeout_still_times_out() {
    run(async {
        let (_send, values) = channel(0);
        let outcome = iter_with_timeout(values).anext().await;
        assert!(outcome.unwrap_err().is::<TooSlow>());
        Ok(())
    })
    .unwrap();
}

/// "Leaking background tasks": tasks read the sensors, and the generator that yields their values
/// is suspended with them running. If it is left half-way, nobody waits for them; if one fails,
/// nobody learns of it until the next `anext`.
fn combined_broken(sensors: [u32; 2]) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        nursery(async |n| {
            let (send, values) = channel(0);
            for first in sensors {
                drop(n.spawn(sensor(first, send.clone())));
            }
            drop(send);
            while let Some(value) = values.recv().await? {
                y.yield_(value).await?; // seedbed-lint: allow(yield-in-scope)
            }
            Ok(())
        })
        .await
    })
}

/// The PEP's remedy: a context manager that gives out something to iterate.
fn combined<'a>(sensors: [u32; 2], fails: bool) -> ContextManager<'a, Receiver<u32>> {
    context_manager(async move |y: Yielder<Receiver<u32>>| {
        nursery(async |n| {
            let (send, values) = channel(0);
            for first in sensors {
                drop(n.spawn(sensor(first, send.clone())));
            }
            drop(send);
            if fails {
                drop(n.spawn(async {
                    sleep(secs(2)).await?;
                    Err::<(), _>(Error::msg("a sensor is broken"))
                }));
            }
            // The body drops its end, and the tasks are to be cancelled before theirs fails.
            y.yield_(values.clone()).await?;
            n.cancel();
            Ok(())
        })
        .await
    })
}

#[test]
fn y09_the_fan_in_of_sensors() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut broken = combined_broken([10, 20]);
        let error = broken.anext().await.unwrap_err();
        assert_eq!(refused(Err::<(), _>(error)).reason(), "a nursery");
        let begun = clock.elapsed();
        // Mended, and left half-way: the tasks have ended when it has.
        let got = with(combined([10, 20], false), async |values| {
            let mut got = Vec::new();
            while let Some(value) = values.recv().await? {
                got.push(value);
                if value % 10 == 1 {
                    break;
                }
            }
            Ok(got)
        })
        .await?;
        assert_eq!(got, [10, 20, 11]);
        assert_eq!(clock.elapsed() - begun, secs(2));
        // A failing one is noticed at once, though the consumer is busy with something else.
        let begun = clock.elapsed();
        let outcome = with(combined([10, 20], true), async |values| {
            values.recv().await?;
            sleep(secs(100)).await
        })
        .await;
        let error = outcome.unwrap_err();
        assert!(error.as_group().unwrap().errors().any(|e| e.to_string() == "a sensor is broken"));
        assert_eq!(clock.elapsed() - begun, secs(2));
        // The other remedy.
        let got = safe_channel(
            0,
            async |y| {
                nursery(async |n| {
                    let (send, values) = channel(0);
                    for first in [10, 20] {
                        drop(n.spawn(sensor(first, send.clone())));
                    }
                    drop(send);
                    while let Some(value) = values.recv().await? {
                        y.yield_(value).await?;
                    }
                    Ok(())
                })
                .await
            },
            async |values| {
                let mut got = Vec::new();
                while let Some(value) = values.recv().await? {
                    got.push(value);
                }
                Ok(got)
            },
        )
        .await?;
        assert_eq!(got, [10, 20, 11, 21, 12, 22]);
        Ok(())
    })
    .unwrap();
}

/// A connection with a task in the background that keeps it alive.
fn open_websocket<'a>(log: &Log) -> ContextManager<'a, Receiver<u32>> {
    let log = log.clone();
    context_manager(async move |y: Yielder<Receiver<u32>>| {
        nursery(async |n| {
            let (send, messages) = channel(0);
            drop(n.spawn(async move {
                for i in 0.. {
                    sleep(secs(1)).await?;
                    send.send(i).await?;
                }
                Ok(())
            }));
            let outcome = y.yield_(messages.clone()).await;
            log.add("closed");
            n.cancel();
            outcome.map(drop)
        })
        .await
    })
}

#[test]
fn y09_the_context_manager_of_the_websocket() {
    // "This looks fine": no scope is to be seen in the generator. It is the manager's, which is
    // why what a manager holds counts in the frame that entered it.
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut broken = generator(async move |y: Yielder<u32>| {
            with(open_websocket(&inside), async |messages| {
                while let Some(message) = messages.recv().await? {
                    y.yield_(message).await?; // seedbed-lint: allow(yield-in-scope)
                }
                Ok(())
            })
            .await
        });
        let refusal = refused(broken.anext().await);
        assert_eq!(refusal.reason(), "a nursery");
        assert_eq!(log.take(), ["closed"]);
        // Mended: whoever iterates opens the connection.
        fn messages(of: Receiver<u32>) -> Generator<'static, String> {
            generator(async move |y: Yielder<String>| {
                while let Some(message) = of.recv().await? {
                    y.yield_(format!("message {message}")).await?;
                }
                Ok(())
            })
        }
        let got = with(open_websocket(&log), async |socket| {
            aclosing(messages(socket), async |messages| {
                Ok([messages.anext().await?.unwrap(), messages.anext().await?.unwrap()])
            })
            .await
        })
        .await?;
        assert_eq!(got, ["message 0", "message 1"]);
        assert_eq!(log.take(), ["closed"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y09_the_synchronous_abandon_each_iteration_after() {
    // "This is of course broken, but I can imagine someone trying it."
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut broken = sync_generator(async |y: Yielder<()>| {
            loop {
                // seedbed-lint: allow(yield-in-scope)
                move_on_after(secs(1), async { y.yield_(()).await.map(drop) }).await?;
            }
        });
        let refusal = refused(broken.next().unwrap());
        assert_eq!(refusal.reason(), "a timeout");
        assert!(broken.next().is_none());
        // Mended: a context manager, entered for each iteration.
        fn abandon_after<'a>(seconds: u64) -> ContextManager<'a, ()> {
            context_manager(async move |y: Yielder<()>| {
                let timed = move_on_after(secs(seconds), async { y.yield_(()).await.map(drop) });
                timed.await.map(drop)
            })
        }
        let done = Cell::new(0);
        for _ in 0..3 {
            with(abandon_after(1), async |()| {
                sleep(secs(3)).await?;
                done.set(done.get() + 1);
                Ok(())
            })
            .await?;
        }
        assert_eq!((done.get(), clock.elapsed()), (0, secs(3)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y09_generator_exit_at_a_yield_in_a_manager_is_the_managers_to_pass_on() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let manager = context_manager(async |m: Yielder<()>| {
                let error = m.yield_(()).await.unwrap_err();
                inside.add(format!("{}", error.is::<GeneratorExit>()));
                Err(error)
            });
            with(manager, async |()| count(&y).await).await
        });
        g.anext().await?;
        g.aclose().await?;
        assert_eq!(log.take(), ["true"]);
        Ok(())
    })
    .unwrap();
}

/// A consumer that fails cancels the producer, which is not a second failure.
#[test]
fn y09_a_consumer_that_fails_is_the_only_failure() {
    for capacity in [0, 1] {
        let mut ended = None;
        let outcome = run(safe_channel(
            capacity,
            async |y| {
                let outcome = async {
                    for i in 0.. {
                        y.yield_(i).await?;
                    }
                    Ok(())
                }
                .await;
                ended = Some(outcome.as_ref().is_err_and(Error::is_cancelled));
                outcome
            },
            async |items| {
                assert_eq!(items.recv().await?, Some(0));
                yield_now().await?;
                yield_now().await?;
                Err::<(), _>(Error::msg("enough"))
            },
        ));
        assert_eq!(outcome.unwrap_err().to_string(), "enough");
        assert_eq!(ended, Some(true), "the producer was cancelled");
    }
}

#[test]
fn y09_a_producer_that_fails_is_the_only_failure() {
    let outcome = run(safe_channel(
        0,
        async |y| {
            y.yield_(1).await?;
            Err(Error::msg("out of paper"))
        },
        async |items| {
            while items.recv().await?.is_some() {}
            sleep(secs(9)).await
        },
    ));
    assert_eq!(outcome.unwrap_err().to_string(), "out of paper");
}
