//! Beginning again: `retry` and its policy.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use seedbed::flow::{Flow, Retry, Source, retry};
use seedbed::testing::explore;
use seedbed::{
    Error, RetriesExhausted, TooSlow, Yielder, cancel_scope, flow, generator, move_on_after, now,
    nursery, sleep, yield_now,
};

use crate::support::{Log, catching, recording, run, secs, shape};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Gives so many numbers, and fails.
fn failing(n: u32) -> Flow<'static, impl Source<Value = u32>> {
    flow::from_iter(0..).try_map(move |i| if i < n { Ok(i) } else { Err(Error::msg("worn out")) })
}

/// When the attempts begin that a policy allows, in milliseconds, if none gives an item.
fn attempts(policy: Retry<'static>) -> Vec<u64> {
    run(async {
        let start = now();
        let mut times = Vec::new();
        let outcome = retry(policy, || {
            times.push((now() - start).as_millis() as u64);
            failing(0)
        })
        .count()
        .await;
        assert!(outcome.unwrap_err().is::<RetriesExhausted>());
        Ok(times)
    })
    .unwrap()
}

#[test]
fn o01_retry_waits_longer_each_time() {
    assert_eq!(attempts(Retry::attempts(1)), [0]);
    assert_eq!(attempts(Retry::attempts(4)), [0, 100, 300, 700]);
    let policy = Retry::attempts(5).first_delay(ms(20)).factor(3.0).max_delay(ms(200));
    assert_eq!(attempts(policy), [0, 20, 80, 260, 460]);
    assert_eq!(attempts(Retry::attempts(3).first_delay(Duration::ZERO)), [0, 0, 0]);
    let constant = Retry::attempts(3).first_delay(secs(1)).factor(1.0);
    assert_eq!(attempts(constant), [0, 1000, 2000]);
    // The power grows beyond any duration.
    let steep = Retry::attempts(4).factor(1e200).max_delay(secs(1));
    assert_eq!(attempts(steep), [0, 100, 1100, 2100]);
}

#[test]
fn o01_retry_with_jitter() {
    let times = |seed| attempts(Retry::attempts(6).first_delay(secs(1)).jitter(seed));
    assert_eq!(times(1), times(1));
    assert_ne!(times(1), times(2));
    for seed in 0..20 {
        let times = times(seed);
        for (pair, whole) in times.windows(2).zip([1000, 2000, 4000, 8000, 16000]) {
            let pause = pair[1] - pair[0];
            assert!(pause >= whole / 2 - 1 && pause <= whole, "{times:?}");
        }
    }
}

#[test]
fn o01_retry_gives_up_with_the_last_error() {
    let count = Cell::new(0);
    let error = run(async {
        let made = || {
            count.set(count.get() + 1);
            let n = count.get();
            flow::from_iter([()]).try_map(move |()| Err::<u32, _>(Error::msg(format!("no. {n}"))))
        };
        retry(Retry::attempts(3), made).count().await
    })
    .unwrap_err();
    let exhausted = error.find::<RetriesExhausted>().unwrap();
    assert_eq!(exhausted.attempts(), 3);
    assert_eq!(shape(exhausted.last()), "no. 3");
    assert!(exhausted.place().to_string().contains("retry.rs"));
    assert_eq!(
        exhausted.to_string().replace(&exhausted.place().to_string(), "PLACE"),
        "the `retry` at PLACE gave up after 3 attempts, the last of which failed: no. 3"
    );
}

/// What was given stays given, and the end is the end.
#[test]
fn o01_retry_begins_from_the_start() {
    let attempt = Cell::new(0);
    let all = run(async {
        let made = || {
            attempt.set(attempt.get() + 1);
            if attempt.get() < 3 { failing(2).boxed() } else { flow::from_iter(7..9).boxed() }
        };
        retry(Retry::attempts(3), made).collect::<Vec<_>>().await
    });
    assert_eq!(all.unwrap(), [0, 1, 0, 1, 7, 8]);
}

#[test]
fn o01_retry_only_after_some_errors() {
    let attempts = Cell::new(0);
    let outcome = run(async {
        let policy = Retry::forever().only_if(|error| error.to_string().contains("busy"));
        let made = || {
            attempts.set(attempts.get() + 1);
            let text = if attempts.get() < 4 { "busy" } else { "no such host" };
            flow::from_iter([()]).try_map(move |()| Err::<u32, _>(Error::msg(text)))
        };
        retry(policy, made).count().await
    });
    assert_eq!(shape(&outcome.unwrap_err()), "no such host");
    assert_eq!(attempts.get(), 4);
}

/// Attempts and pauses are counted from the last item. Without an item, they are not.
#[test]
fn o01_retry_counts_anew_after_an_item() {
    run(async {
        let start = now();
        let times = RefCell::new(Vec::new());
        let made = || {
            let attempt = times.borrow().len();
            times.borrow_mut().push((now() - start).as_millis());
            failing(u32::from(attempt == 2 || attempt == 3))
        };
        let outcome = retry(Retry::attempts(4).anew_after_item(), made).count().await;
        assert_eq!(outcome.unwrap_err().find::<RetriesExhausted>().unwrap().attempts(), 4);
        assert_eq!(times.take(), [0, 100, 300, 400, 500, 700, 1100]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn o01_retry_and_its_unusable_policies() {
    for text in [
        crate::support::panics(|| Retry::attempts(0)),
        crate::support::panics(|| Retry::forever().factor(0.5)),
        crate::support::panics(|| Retry::forever().factor(f64::NAN)),
    ] {
        assert!(text.contains("0 attempts") || text.contains("at least 1"), "{text}");
    }
}

/// Says when it begins and when it is closed, which takes a second.
fn connection(log: &Log, n: u32) -> Flow<'static, impl Source<Value = u32> + use<>> {
    let log = log.clone();
    flow(generator(async move |y: Yielder<u32>| {
        log.add("begun");
        let outcome = async {
            for i in 0..n {
                y.yield_(i).await?;
            }
            Err(Error::msg("worn out"))
        }
        .await;
        log.add(if sleep(secs(1)).await.is_ok() { "closed" } else { "cut off" });
        outcome
    }))
}

/// One attempt is closed before the next begins, whatever runs beside it.
#[test]
fn o02_retry_closes_an_attempt_before_the_next() {
    for beside in [false, true] {
        let log = Log::new();
        let made = || {
            let connection = connection(&log, 2);
            // The operator fails, and not the connection.
            let checked =
                connection.try_map(|i| if i < 1 { Ok(i) } else { Err(Error::msg("bad")) });
            if beside { checked.buffer(2).boxed() } else { checked.boxed() }
        };
        let (outcome, _) = recording(|| run(retry(Retry::attempts(3), made).count()));
        assert!(outcome.unwrap_err().is::<RetriesExhausted>());
        assert_eq!(log.take(), ["begun", "closed"].repeat(3));
    }
}

/// A cancellation is no failure: nothing begins again.
#[test]
fn o01_retry_never_after_a_cancellation() {
    for beside in [false, true] {
        let attempts = Cell::new(0);
        let log = Log::new();
        let made = || {
            attempts.set(attempts.get() + 1);
            let connection = connection(&log, u32::MAX).throttle(secs(1));
            if beside { connection.buffer(1).boxed() } else { connection.boxed() }
        };
        let outcome = run(async {
            move_on_after(ms(2500), retry(Retry::forever(), made).for_each(async |_| Ok(()))).await
        });
        assert_eq!(outcome.unwrap(), None);
        assert_eq!((attempts.get(), log.take()), (1, vec!["begun".into(), "cut off".into()]));
    }
    // Nor during a pause.
    let attempts = Cell::new(0);
    let outcome = run(async {
        let made = || {
            attempts.set(attempts.get() + 1);
            failing(0)
        };
        move_on_after(secs(5), retry(Retry::forever().first_delay(secs(9)), made).count()).await
    });
    assert_eq!((outcome.unwrap(), attempts.get()), (None, 1));
}

/// A consumer that gives up the wait during a pause and goes on gets the next attempt in time.
#[test]
fn o01_retry_keeps_its_pause() {
    run(async {
        let start = now();
        let attempt = Cell::new(0);
        let made = || {
            attempt.set(attempt.get() + 1);
            failing(attempt.get() - 1)
        };
        retry(Retry::forever().first_delay(secs(10)), made)
            .open(async |items| {
                for _ in 0..3 {
                    assert_eq!(move_on_after(secs(3), items.next()).await?, None);
                }
                assert_eq!(items.next().await?, Some(0));
                assert_eq!(now() - start, secs(10));
                Ok(())
            })
            .await
    })
    .unwrap();
}

/// Attempts that never wait for anything let others run, and can be cancelled.
#[test]
fn o01_retry_without_pauses_is_a_checkpoint() {
    let attempts = Cell::new(0);
    let cancelled_at = Cell::new(0);
    run(async {
        let made = || {
            attempts.set(attempts.get() + 1);
            flow(generator(async |_: Yielder<u32>| Err(Error::msg("worn out"))))
        };
        let policy = Retry::forever().first_delay(Duration::ZERO);
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    while attempts.get() < 500 {
                        yield_now().await?;
                    }
                    scope.cancel();
                    cancelled_at.set(attempts.get());
                    Ok(())
                }));
                retry(policy, made).count().await
            })
            .await
        });
        assert_eq!(outcome.await?, None);
        Ok(())
    })
    .unwrap();
    assert!(attempts.get() <= cancelled_at.get() + 1, "{attempts:?} {cancelled_at:?}");
}

/// A limit on each item is a part of the attempt, and so are other operators; what comes after
/// `retry` is not.
#[test]
fn o01_retry_of_a_flow_with_operators() {
    let attempts = Cell::new(0);
    let made = || {
        attempts.set(attempts.get() + 1);
        let pause = secs(if attempts.get() < 3 { 60 } else { 1 });
        flow(generator(async move |y: Yielder<u32>| {
            sleep(pause).await?;
            y.yield_(7).await.map(drop)
        }))
        .timeout(secs(5))
    };
    let all =
        run(retry(Retry::attempts(3).only_if(|error| error.is::<TooSlow>()), made)
            .collect::<Vec<_>>());
    assert_eq!((all.unwrap(), attempts.get()), (vec![7], 3));

    attempts.set(0);
    let made = || {
        attempts.set(attempts.get() + 1);
        flow::from_iter(0..)
    };
    let outcome =
        run(retry(Retry::forever(), made).try_map(|_| Err::<u32, _>(Error::msg("later"))).count());
    assert_eq!((shape(&outcome.unwrap_err()), attempts.get()), ("later".into(), 1));
}

/// What fails when it is closed counts as the failure; the first one is reported.
#[test]
fn o01_retry_when_closing_fails() {
    let made = || {
        flow(generator(async |y: Yielder<u32>| {
            while y.yield_(0).await.is_ok() {}
            Err(Error::msg("cannot close"))
        }))
        .try_map(|_| Err::<u32, _>(Error::msg("bad")))
    };
    let (outcome, records) = recording(|| run(retry(Retry::attempts(2), made).count()));
    let error = outcome.unwrap_err();
    assert_eq!(shape(error.find::<RetriesExhausted>().unwrap().last()), "cannot close");
    assert_eq!(records.len(), 2);
    assert!(records[0].field("error").contains("bad"), "{records:?}");
}

/// A panic is a bug, and trying again does not mend it.
#[test]
fn o01_retry_never_after_a_panic() {
    for beside in [false, true] {
        let attempts = Cell::new(0);
        run(async {
            let made = || {
                attempts.set(attempts.get() + 1);
                let broken = flow::from_iter(0..).inspect(|i| assert!(*i < 2, "a bug"));
                if beside { broken.buffer(1).boxed() } else { broken.boxed() }
            };
            let outcome = catching(retry(Retry::forever(), made).count()).await;
            assert_eq!((outcome.unwrap_err().as_str(), attempts.get()), ("a bug", 1));
            Ok(())
        })
        .unwrap();
    }
}

/// In every order of an attempt that works beside the consumer, and is cancelled from outside or
/// fails.
#[test]
fn o01_retry_in_every_order() {
    let report = explore(|| async {
        let open = Cell::new(0);
        let most = Cell::new(0);
        let attempt = Cell::new(0);
        let made = || {
            attempt.set(attempt.get() + 1);
            open.set(open.get() + 1);
            most.set(open.get().max(most.get()));
            let closes = Closes(&open);
            failing(attempt.get()).map(move |i| (&closes, i).1).buffer(1)
        };
        let policy = Retry::attempts(2).first_delay(ms(1));
        let outcome = retry(policy, made).for_each(async |_| Ok(())).await;
        assert!(outcome.unwrap_err().is::<RetriesExhausted>());
        assert_eq!((open.get(), most.get(), attempt.get()), (0, 1, 2));
        Ok(())
    });
    assert!(report.is_complete(), "{report}");

    explore(|| async {
        let open = Cell::new(0);
        let value = cancel_scope(async |scope| {
            let made = || {
                open.set(open.get() + 1);
                let closes = Closes(&open);
                failing(9).map(move |i| (&closes, i).1).buffer(1)
            };
            retry(Retry::forever().first_delay(ms(1)), made)
                .for_each(async |i| {
                    if i == 1 {
                        scope.cancel();
                    }
                    Ok(())
                })
                .await
        });
        assert_eq!(value.await?, None);
        assert_eq!(open.get(), 0);
        Ok(())
    });
}

struct Closes<'a>(&'a Cell<u32>);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
