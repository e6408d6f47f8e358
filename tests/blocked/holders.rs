//! Who is named.

use std::hint::spin_loop;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Result, cancel_scope, checkpoint, nursery, yield_now};

use super::hears::Heard;
use super::place;
use crate::support::Record;

const LIMIT: Duration = Duration::from_millis(10);

/// Runs with a limit that everything exceeds which waits for a warning.
fn watched<T>(heard: &Heard, main: impl Future<Output = Result<T>>) -> T {
    heard.listen(|| Builder::new().warn_when_blocked(LIMIT).run(main)).unwrap()
}

/// The first warning of each kind about what is named like this. A machine that is busy enough makes
/// more of them.
#[track_caller]
fn both(heard: &Heard, named: &str) -> (Record, Record) {
    let said = heard.of(named);
    let first = |begins: &str| {
        let found = said.iter().find(|record| record.message().starts_with(begins));
        found.unwrap_or_else(|| panic!("{said:?}")).clone()
    };
    (first("blocked: "), first("blocked until now: "))
}

#[test]
fn l02_a_task_that_blocks_is_named_while_it_does() {
    let heard = Heard::default();
    let spawned = place(3);
    watched(&heard, async {
        nursery(async |n| {
            n.named("grinder").spawn(async {
                heard.wait_for("\"grinder\"");
                Ok(())
            });
            Ok(())
        })
        .await
    });
    let (during, after) = both(&heard, "\"grinder\"");
    for record in [&during, &after] {
        assert_eq!(record.level, tracing::Level::WARN);
        assert!(record.field("task").starts_with(&spawned), "{record:?}");
        assert!(record.message().contains(&format!("spawned at {spawned}")), "{record:?}");
        assert_eq!(record.field("name"), "\"grinder\"");
        assert!(record.field("run").contains("holders.rs"), "{record:?}");
        assert!(record.field("thread").contains("l02_a_task"), "the test's name: {record:?}");
    }
    assert!(during.message().contains("`to_thread`"), "what to do about it: {during:?}");
}

#[test]
fn l02_a_loop_that_comes_to_no_await_is_found() {
    let heard = Heard::default();
    let spawned = place(3);
    watched(&heard, async {
        nursery(async |n| {
            n.spawn(async {
                while heard.of("blocked: the task").is_empty() {
                    spin_loop();
                }
                Ok(())
            });
            Ok(())
        })
        .await
    });
    let (during, _) = both(&heard, "the task");
    assert!(during.field("task").starts_with(&spawned), "{during:?}");
    assert!(!during.fields.contains_key("name"), "it has none: {during:?}");
}

/// Before its first child, between two of them, and in the body of its nursery.
#[test]
fn l02_the_main_future_is_named_as_such() {
    let heard = Heard::default();
    let blocks = || {
        let before = heard.of("blocked until now: the main future").len();
        while heard.of("blocked: the main future").len() <= before {
            spin_loop();
        }
    };
    watched(&heard, async {
        blocks();
        yield_now().await?;
        nursery(async |n| {
            n.spawn(checkpoint());
            blocks();
            yield_now().await?;
            blocks();
            Ok(())
        })
        .await?;
        blocks();
        Ok(())
    });
    let during = heard.of("blocked: the main future");
    assert!(during.len() >= 4 && heard.of("blocked until now").len() >= 4, "{during:?}");
    assert!(!during[0].fields.contains_key("task"), "{during:?}");
}

/// A task that polls a nursery is told from the tasks in that.
#[test]
fn l02_the_innermost_task_is_named_and_then_the_one_around_it() {
    let heard = Heard::default();
    watched(&heard, async {
        nursery(async |n| {
            n.named("outer").spawn(async {
                nursery(async |inner| {
                    inner.named("inner").spawn(cancel_scope(async |_| {
                        heard.wait_for("\"inner\"");
                        Ok(())
                    }));
                    inner.spawn(checkpoint());
                    Ok(())
                })
                .await?;
                heard.wait_for("\"outer\"");
                Ok(())
            });
            Ok(())
        })
        .await
    });
    both(&heard, "\"inner\"");
    both(&heard, "\"outer\"");
}

/// One that has panicked no longer holds anything.
#[test]
fn l02_after_a_panic_the_next_task_is_named() {
    let heard = Heard::default();
    let outcome = heard.listen(|| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Builder::new().warn_when_blocked(LIMIT).run(nursery(async |n| {
                n.named("panics")
                    .spawn::<_, ()>(async { std::panic::resume_unwind(Box::new("out of paper")) });
                n.named("blocks").spawn(async {
                    heard.wait_for("\"blocks\"");
                    Ok(())
                });
                Ok(())
            }))
        }))
    });
    assert!(outcome.is_err());
    both(&heard, "\"blocks\"");
}

/// Real time, although the clock stands still.
#[test]
fn l02_on_a_virtual_clock() {
    let heard = Heard::default();
    let clock = VirtualClock::new();
    heard
        .listen(|| {
            Builder::new().clock(&clock).warn_when_blocked(LIMIT).run(async {
                heard.wait_for("blocked: the main future");
                Ok(())
            })
        })
        .unwrap();
    let (_, after) = both(&heard, "the main future");
    assert!(after.field("held") != "0ns", "{after:?}");
    assert_eq!(clock.elapsed(), Duration::ZERO);
}
