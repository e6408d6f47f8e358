//! Several runs: at once, one after another, as guests.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, nursery, sleep, yield_now};

use super::hears::Heard;
use crate::support::Log;

const LIMIT: Duration = Duration::from_millis(10);

#[test]
fn l02_runs_on_several_threads_at_once() {
    let heard = Heard::default();
    let all_block = &Barrier::new(3);
    thread::scope(|threads| {
        for name in ["one", "two", "three"] {
            let heard = heard.clone();
            threads.spawn(move || {
                heard.listen(|| {
                    Builder::new().warn_when_blocked(LIMIT).run(nursery(async |n| {
                        n.named(name).spawn(async {
                            all_block.wait();
                            heard.wait_for(&format!("blocked: the task {name:?}"));
                            Ok(())
                        });
                        Ok(())
                    }))
                })
            });
        }
    });
    for name in ["one", "two", "three"] {
        assert!(!heard.of(&format!("blocked: the task {name:?}")).is_empty());
        assert!(!heard.of(&format!("blocked until now: the task {name:?}")).is_empty());
    }
}

/// The watchdog sleeps in between, and each time is roused again.
#[test]
fn l02_runs_one_after_another_which_sleep_in_between() {
    let heard = Heard::default();
    for run in 0..3 {
        heard
            .listen(|| {
                Builder::new().warn_when_blocked(LIMIT).run(nursery(async |n| {
                    for task in 0..3 {
                        let name = format!("{run} {task}");
                        sleep(LIMIT).await?;
                        let heard = heard.clone();
                        let text = format!("{name:?}");
                        n.named(name).spawn(async move {
                            heard.wait_for(&text);
                            Ok(())
                        });
                        yield_now().await?;
                    }
                    Ok(())
                }))
            })
            .unwrap();
    }
    for name in ["0 0", "0 1", "0 2", "1 0", "1 1", "1 2", "2 0", "2 1", "2 2"] {
        assert!(!heard.of(&format!("blocked: the task {name:?}")).is_empty(), "{name}");
        assert!(!heard.of(&format!("blocked until now: the task {name:?}")).is_empty(), "{name}");
    }
}

#[test]
fn l02_runs_with_different_limits() {
    let heard = Heard::default();
    thread::scope(|threads| {
        let patient = threads.spawn(|| {
            Builder::new().warn_when_blocked(Duration::from_secs(3600)).run(async {
                heard.wait_for("blocked: the main future");
                Ok(())
            })
        });
        // It is named although the watchdog has another run to look after, which never ends before.
        heard
            .listen(|| {
                Builder::new().warn_when_blocked(LIMIT).run(async {
                    heard.wait_for("blocked: the main future");
                    Ok(())
                })
            })
            .unwrap();
        patient.join().unwrap().unwrap();
    });
    assert!(!heard.of("blocked: ").is_empty());
}

#[cfg(all(unix, feature = "tokio"))]
#[test]
fn l02_a_guest_is_watched_while_it_is_polled() {
    let heard = Heard::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    heard.listen(|| {
        runtime.block_on(async {
            let guest = Builder::new().warn_when_blocked(LIMIT).guest(nursery(async |n| {
                n.named("guest's").spawn(async {
                    sleep(LIMIT).await?;
                    heard.wait_for("\"guest's\"");
                    sleep(LIMIT).await
                });
                Ok(())
            }));
            guest.await.unwrap();
        });
    });
    assert!(!heard.of("blocked: the task \"guest's\"").is_empty());
    assert!(!heard.of("blocked until now: the task \"guest's\"").is_empty());
}

/// Neither the order of the tasks nor the clock.
#[test]
fn l02_being_watched_changes_nothing() {
    let trace = |limit: Option<Duration>| {
        let log = Log::default();
        Builder::new()
            .seed(7)
            .clock(&VirtualClock::new())
            .warn_when_blocked(limit)
            .run(nursery(async |n| {
                for task in 0..20 {
                    let log = log.clone();
                    n.named(format!("{task}")).spawn(async move {
                        for step in 0..20 {
                            log.add(format!("{task} {step}"));
                            match (task + step) % 3 {
                                0 => yield_now().await?,
                                1 => sleep(Duration::from_millis(step)).await?,
                                _ => nursery(async |n| n.spawn(yield_now()).await).await?,
                            }
                        }
                        Ok(())
                    });
                }
                Ok(())
            }))
            .unwrap();
        log.take()
    };
    assert_eq!(trace(Some(Duration::from_secs(3600))), trace(None));
}
