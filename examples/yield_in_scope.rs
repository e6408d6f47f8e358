//! The four programs of PEP 789, each broken and mended, with the error that the broken one gets.
//!
//! ```text
//! cargo run --example yield_in_scope
//! ```
//!
//! A suspended generator runs nothing; its consumer does. If the generator had a scope open, the
//! scope would stay open meanwhile, with nobody inside: a time limit would cancel the consumer's
//! code instead of the generator's, or a nursery's children would fail with nobody to tell. In
//! Python (asyncio, Trio) these four programs do one or the other. Here a yield inside a scope
//! fails.

use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, ContextManager, Error, Feed, Generator, Receiver, Result, SyncGenerator, Yielder,
    aclosing, channel, context_manager, fail_after, generator, move_on_after, nursery,
    safe_channel, sleep, sync_generator, with,
};

const SECOND: Duration = Duration::from_secs(1);

/// What a program prints before it ends, and the error that it ends with.
pub type Outcome = (Vec<String>, Option<Error>);

/// A program, broken and mended.
pub struct Program {
    pub name: &'static str,
    pub broken: Outcome,
    pub mended: Outcome,
}

pub fn demonstrate() -> Vec<Program> {
    let programs = vec![
        Program {
            name: "A leaking time limit",
            broken: run(async |log| each_with_limit(log, limited_broken).await),
            mended: run(async |log| each_with_limit(log, limited).await),
        },
        Program { name: "A fan-in of sensors", broken: run(lights_broken), mended: run(lights) },
        Program { name: "A websocket's messages", broken: run(chat_broken), mended: run(chat) },
        Program {
            name: "A synchronous generator with a scope",
            broken: run(patient_broken),
            mended: run(patient),
        },
    ];
    for Program { name, broken, mended } in &programs {
        println!("{name}");
        for (version, (log, error)) in [("broken", broken), ("mended", mended)] {
            println!("  {version}");
            for line in log {
                println!("    {line}");
            }
            if let Some(error) = error {
                // As `main` would print it if it returned the error.
                println!("    Error: {}", format!("{error:?}").replace('\n', "\n    "));
            }
        }
    }
    programs
}

pub fn main() {
    demonstrate();
}

/// Runs a program on a clock that keeps nobody waiting.
fn run(program: impl AsyncFnOnce(&mut Vec<String>) -> Result<()>) -> Outcome {
    let mut log = Vec::new();
    let outcome = Builder::new().clock(&VirtualClock::new()).run(program(&mut log));
    (log, outcome.err())
}

// ---- 1. A leaking time limit -------------------------------------------------------------------

/// One number a second.
fn numbers() -> Generator<'static, u32> {
    generator(async |y: Yielder<u32>| {
        for n in 0..3 {
            sleep(SECOND).await?;
            y.yield_(n).await?;
        }
        Ok(())
    })
}

/// Broken: the time limit is also around the yield. It would keep running while the consumer works
/// on the item, and cancel that work.
fn limited_broken(items: Generator<'static, u32>, limit: Duration) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        aclosing(items, async |items| {
            let mut more = true;
            while more {
                fail_after(limit, async {
                    match items.anext().await? {
                        // seedbed-lint: allow(yield-in-scope)
                        Some(item) => drop(y.yield_(item).await?),
                        None => more = false,
                    }
                    Ok(())
                })
                .await?;
            }
            Ok(())
        })
        .await
    })
}

/// Mended: the limit is around waiting for the item, and has been left at the yield.
fn limited(items: Generator<'static, u32>, limit: Duration) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        aclosing(items, async |items| {
            while let Some(item) = fail_after(limit, items.anext()).await? {
                y.yield_(item).await?;
            }
            Ok(())
        })
        .await
    })
}

type Limited = fn(Generator<'static, u32>, Duration) -> Generator<'static, u32>;

/// A consumer that takes longer than the producer may.
async fn each_with_limit(log: &mut Vec<String>, limited: Limited) -> Result<()> {
    aclosing(limited(numbers(), 2 * SECOND), async |items| {
        while let Some(item) = items.anext().await? {
            sleep(10 * SECOND).await?;
            log.push(format!("took my time over {item}"));
        }
        Ok(())
    })
    .await
}

// ---- 2. A fan-in of sensors --------------------------------------------------------------------

/// Reports what it senses ten times a second. `a` has a bug: it fails at the fourth.
fn sensor(name: &'static str) -> Generator<'static, String> {
    generator(async move |y: Yielder<String>| {
        for n in 0.. {
            sleep(SECOND / 10).await?;
            match (name, n) {
                ("b", 1) => y.yield_("PRESENT".to_owned()).await?,
                ("a", 3) => return Err(Error::msg("sensor a is broken")),
                _ => y.yield_(format!("{name}-{n}")).await?,
            };
        }
        Ok(())
    })
}

/// Broken: while the generator is suspended its children go on, and if one of them fails, there is
/// nobody in the nursery to tell.
fn combined_broken(sensors: [Generator<'static, String>; 2]) -> Generator<'static, String> {
    generator(async move |y: Yielder<String>| {
        nursery(async |n| {
            let (sender, events) = channel(2);
            for sensor in sensors {
                let sender = sender.clone();
                n.spawn(aclosing(sensor, async move |sensor| {
                    while let Some(event) = sensor.anext().await? {
                        sender.send(event).await?;
                    }
                    Ok(())
                }));
            }
            drop(sender);
            while let Some(event) = events.recv().await? {
                y.yield_(event).await?; // seedbed-lint: allow(yield-in-scope)
            }
            Ok(())
        })
        .await
    })
}

async fn lights_broken(log: &mut Vec<String>) -> Result<()> {
    aclosing(combined_broken([sensor("a"), sensor("b")]), async |events| {
        while let Some(event) = events.anext().await? {
            log.push(event);
        }
        Ok(())
    })
    .await
}

/// Mended: a producer for [`safe_channel`], which is not suspended while its consumer runs.
async fn combined(sensors: [Generator<'static, String>; 2], y: &Feed<String>) -> Result<()> {
    nursery(async |n| {
        for sensor in sensors {
            n.spawn(aclosing(sensor, async move |sensor| {
                while let Some(event) = sensor.anext().await? {
                    y.yield_(event).await?;
                }
                Ok(())
            }));
        }
        Ok(())
    })
    .await
}

async fn lights(log: &mut Vec<String>) -> Result<()> {
    // Leave when somebody is at home: the sensors are stopped before the program goes on.
    let sensors = [sensor("a"), sensor("b")];
    safe_channel(
        2,
        async |y| combined(sensors, y).await,
        async |events| {
            while let Some(event) = events.recv().await? {
                let present = event == "PRESENT";
                log.push(event);
                if present {
                    break;
                }
            }
            Ok(())
        },
    )
    .await?;
    sleep(SECOND).await?;
    log.push("main task slept, and nothing happened".to_owned());

    // Do not leave: the failure of a sensor is then the failure of the whole.
    let sensors = [sensor("a"), sensor("b")];
    let mut events = 0;
    let outcome = safe_channel(
        2,
        async |y| combined(sensors, y).await,
        async |all| {
            while all.recv().await?.is_some() {
                events += 1;
            }
            Ok(())
        },
    );
    let error = outcome.await.expect_err("a sensor fails");
    log.push(format!("after {events} events: {error}"));
    Ok(())
}

// ---- 3. A websocket's messages -----------------------------------------------------------------

/// Something like a websocket: for as long as it is open, tasks of its own keep it alive and
/// receive the messages. A context manager may yield in its nursery, because the body of the
/// `with`, which runs at that yield, is inside the nursery.
fn open_websocket() -> ContextManager<'static, Receiver<String>> {
    context_manager(async |y: Yielder<Receiver<String>>| {
        nursery(async |n| {
            let (sender, messages) = channel(8);
            n.spawn::<_, ()>(async {
                loop {
                    sleep(30 * SECOND).await?; // and ping
                }
            });
            n.spawn(async move {
                for message in ["hello", "how are you", "bye"] {
                    sleep(SECOND).await?;
                    sender.send(message.to_owned()).await?;
                }
                Ok(())
            });
            y.yield_(messages).await?;
            n.cancel();
            Ok(())
        })
        .await
    })
}

/// Broken: while this is suspended, the websocket's nursery is open with nobody in it. That there
/// is a nursery cannot be seen from here.
fn messages_broken() -> Generator<'static, String> {
    generator(async |y: Yielder<String>| {
        with(open_websocket(), async |websocket| {
            while let Some(message) = websocket.recv().await? {
                y.yield_(message).await?; // seedbed-lint: allow(yield-in-scope)
            }
            Ok(())
        })
        .await
    })
}

async fn chat_broken(log: &mut Vec<String>) -> Result<()> {
    aclosing(messages_broken(), async |messages| {
        while let Some(message) = messages.anext().await? {
            log.push(message);
        }
        Ok(())
    })
    .await
}

/// Mended: whoever wants the messages opens the websocket.
fn messages(websocket: Receiver<String>) -> Generator<'static, String> {
    generator(async move |y: Yielder<String>| {
        while let Some(message) = websocket.recv().await? {
            y.yield_(message).await?;
        }
        Ok(())
    })
}

async fn chat(log: &mut Vec<String>) -> Result<()> {
    with(open_websocket(), async |websocket| {
        aclosing(messages(websocket), async |messages| {
            while let Some(message) = messages.anext().await? {
                log.push(message);
            }
            Ok(())
        })
        .await
    })
    .await
}

// ---- 4. A synchronous generator with a scope ---------------------------------------------------

/// Broken: it would put each iteration of somebody else's loop under a time limit, by opening a
/// scope there and leaving it open.
fn abandon_each_iteration_after(limit: Duration) -> SyncGenerator<'static, ()> {
    sync_generator(async move |y: Yielder<()>| {
        loop {
            // seedbed-lint: allow(yield-in-scope)
            move_on_after(limit, async { y.yield_(()).await.map(drop) }).await?;
        }
    })
}

async fn patient_broken(log: &mut Vec<String>) -> Result<()> {
    for (n, round) in abandon_each_iteration_after(SECOND * 5 / 2).take(4).enumerate() {
        round?;
        sleep(n as u32 * SECOND).await?;
        log.push(format!("finished {n}"));
    }
    Ok(())
}

/// Mended: the scope is opened around the code that it is for.
async fn patient(log: &mut Vec<String>) -> Result<()> {
    for n in 0..4 {
        move_on_after(SECOND * 5 / 2, async {
            sleep(n * SECOND).await?;
            log.push(format!("finished {n}"));
            Ok(())
        })
        .await?;
    }
    Ok(())
}
