//! L3: what `tokio-console` is told of a program, by `console-subscriber` as it is, in its own
//! protocol.
//!
//! | file | what |
//! |---|---|
//! | `watch` | the server of `console-subscriber`, and a client that reads what it says |
//!
//! Everything here is counted. Of times only this is asked, which holds however slow the machine is:
//! no two tasks are busy at a time, so together they are not busy for longer than the run goes on.

mod watch;

use std::time::{Duration, Instant};

use futures::channel::oneshot;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, Error, Event, Result, cancellable, nursery, sleep, sleep_forever, to_thread, yield_now,
};

use super::alone::alone;
use watch::{Counts, Watch};

/// How often a task was polled and woken, and how often by itself.
const fn counts(polls: u64, wakes: u64, self_wakes: u64) -> Counts {
    Counts { polls, wakes, self_wakes }
}

/// One poll, in which it computes for so long.
fn compute(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

async fn yields(times: usize) -> Result<()> {
    for _ in 0..times {
        yield_now().await?;
    }
    Ok(())
}

#[test]
fn l03_names_places_polls_and_wakes_are_shown() {
    alone("console::l03_names_places_polls_and_wakes_are_shown", || {
        let watch = Watch::begin();
        let mut lines = [0; 3];
        let main = async {
            let event = Event::new();
            lines[0] = line!() + 1;
            nursery(async |n| {
                lines[1] = line!() + 1;
                n.named("yields").spawn(yields(5));
                n.named("waits").spawn(event.wait());
                n.named("sleeps").spawn(sleep(Duration::from_secs(3600)));
                n.named("sets").spawn(async {
                    event.set();
                    Ok(())
                });
                lines[2] = line!() + 1;
                n.spawn(sleep_forever()); // cancelled by the failure
                n.named("fails").spawn(async { Err::<(), _>(Error::msg("fails")) });
                Ok(())
            })
            .await
        };
        Builder::new().clock(&VirtualClock::new()).run(main).unwrap_err();
        let tasks =
            watch.until(|tasks| tasks.len() == 7 && tasks.iter().all(|task| task.has_ended));
        let [nursery, yields, forever] = lines;
        assert_eq!(tasks["main"].kind, "block_on");
        assert_eq!(tasks["yields"].kind, "task");
        assert_eq!(tasks["yields"].place, (file!().to_owned(), yields));
        assert_eq!(tasks[""].place, (file!().to_owned(), forever));
        let opened = format!("{}:{nursery}:13", file!());
        assert_eq!(tasks["yields"].field("nursery"), opened);
        // The failure cancels it when it has yielded once, and is ready anyway.
        assert_eq!(tasks["yields"].counts, counts(2, 1, 1));
        assert_eq!(tasks["waits"].counts, counts(2, 1, 0));
        assert_eq!(tasks["sets"].counts, counts(1, 0, 0));
        assert_eq!(tasks["fails"].counts, counts(1, 0, 0));
        assert_eq!(tasks["sleeps"].counts, counts(2, 1, 0));
        assert_eq!(tasks[""].counts, counts(2, 1, 0));
        for task in tasks.iter() {
            assert_eq!(task.wakers, (1, 1), "{task:?}");
        }
    });
}

/// The tasks above one that computes are polled each time that it is, and are not busy.
#[test]
fn l03_the_time_of_a_task_is_not_that_of_its_children() {
    const TIME: Duration = Duration::from_millis(20);
    alone("console::l03_the_time_of_a_task_is_not_that_of_its_children", || {
        let watch = Watch::begin();
        let begin = Instant::now();
        seedbed::run(nursery(async |n| {
            n.named("above").spawn(nursery(async |n| {
                n.named("parent").spawn(nursery(async |n| {
                    n.named("computes").spawn(async {
                        for _ in 0..3 {
                            compute(TIME);
                            yield_now().await?;
                        }
                        Ok(())
                    });
                    Ok(())
                }));
                yields(2).await
            }));
            n.named("beside").spawn(async {
                let inside = nursery(async |n| {
                    n.named("inside").spawn(yields(1));
                    Ok(())
                });
                let (inside, yields) = futures::join!(inside, yields(3));
                inside.and(yields)
            });
            Ok(())
        }))
        .unwrap();
        let elapsed = begin.elapsed();
        let tasks =
            watch.until(|tasks| tasks.len() == 6 && tasks.iter().all(|task| task.has_ended));
        assert!(tasks["computes"].busy >= 3 * TIME, "{:?}", tasks["computes"]);
        assert!(tasks.busy() <= elapsed, "{:?} of {elapsed:?}", tasks.busy());
        assert_eq!(tasks["computes"].counts, counts(4, 3, 3));
        // It opens its nursery, and goes on after it.
        assert_eq!(tasks["parent"].counts, counts(2, 1, 0));
        // Its body is polled twice more.
        assert_eq!(tasks["above"].counts, counts(4, 3, 2));
        assert_eq!(tasks["inside"].counts, counts(2, 1, 1));
        // Its stretches are more than its polls: it is left for a child, and has more to do after.
        assert_eq!(tasks["beside"].counts.wakes, 4);
        assert_eq!(tasks["beside"].counts.self_wakes, 3);
        assert!((4..=8).contains(&tasks["beside"].counts.polls), "{:?}", tasks["beside"]);
    });
}

/// What is there when it comes is shown from then on.
#[test]
fn l03_the_console_may_come_while_the_run_goes_on() {
    alone("console::l03_the_console_may_come_while_the_run_goes_on", || {
        let (stop, stopped) = oneshot::channel();
        let main = nursery(async |n| {
            n.named("before").spawn(sleep_forever());
            let waits = n.named("waits").spawn(cancellable(stopped));
            yield_now().await?;
            let watch = Watch::begin();
            let looks = n.spawn(to_thread(move || {
                let tasks = watch.until(|tasks| tasks.len() == 5);
                let before = &tasks["before"];
                assert!(!before.has_ended, "{before:?}");
                assert_eq!(before.place.0, file!());
                let job = tasks.iter().find(|task| task.kind == "blocking").unwrap();
                assert_eq!((job.counts, job.has_ended), (counts(1, 0, 0), false));
                stop.send(()).unwrap();
                watch
            }));
            waits.await??;
            let watch = looks.await?;
            n.cancel();
            Ok(watch)
        });
        let watch = seedbed::run(main).unwrap();
        let tasks =
            watch.until(|tasks| tasks.len() == 5 && tasks.iter().all(|task| task.has_ended));
        // By another thread, and by a cancellation.
        assert_eq!((tasks["waits"].counts.wakes, tasks["waits"].counts.self_wakes), (1, 0));
        assert_eq!(tasks["before"].counts, counts(1, 1, 0));
    });
}
