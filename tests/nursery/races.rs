//! N15: `race` and `gather`.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;

use seedbed::{
    EmptyRace, Result, cancel_scope, channel, checkpoint, gather, move_on_after, nursery, race,
    race_ok, sleep, sleep_forever,
};

use super::{Log, SECOND, fails, run, shielded, timed};
use crate::support::shape;

type Any<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

#[test]
fn n15_the_first_value_wins_and_the_others_are_waited_for() {
    let log = Log::default();
    let (raced, seconds) = timed(race([5, 1, 3].map(async |time| {
        let outcome = sleep(SECOND * time as u32).await;
        if outcome.is_err() {
            shielded(time).await;
            log.say(time);
        }
        outcome.map(|()| time)
    })));
    let raced = raced.unwrap();
    assert_eq!((raced.value, raced.winner), (1, 1));
    assert!(raced.late.is_empty() && raced.failures.is_empty());
    assert_eq!(seconds, 6);
    log.assert("3 5");
}

/// Those that had been given what they waited for say so.
#[test]
fn n15_no_value_is_dropped_unseen() {
    run(async {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| channel(1)).unzip();
        nursery(async |n| {
            n.spawn(async {
                sleep(SECOND).await?;
                for i in [2, 0] {
                    senders[i].try_send(i).unwrap();
                }
                Ok(())
            });
            let raced = race(receivers.iter().map(|receiver| receiver.recv())).await?;
            assert_eq!((raced.value, raced.winner), (Some(2), 2));
            assert_eq!(raced.late, [(0, Some(0))]);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn n15_of_none_it_is_an_error() {
    let none = || std::iter::empty::<Any<'_, ()>>();
    let line = line!() + 1;
    let error = run(async { race(none()).await }).unwrap_err();
    assert_eq!(error.find::<EmptyRace>().unwrap().place().line(), line);
    assert!(run(async { race_ok(none()).await }).unwrap_err().is::<EmptyRace>());
    assert!(run(async { gather(none()).await }).unwrap().is_empty());
}

#[test]
fn n15_a_failure_ends_a_race() {
    let (outcome, seconds) = timed(race([
        Box::pin(async {
            sleep(SECOND).await?;
            fails::<u8>("early")
        }) as Any<'_, u8>,
        Box::pin(async {
            sleep_forever().await.unwrap_err();
            shielded(2).await;
            fails("late")
        }),
        Box::pin(async { sleep_forever().await.map(|()| 0) }),
    ]));
    assert_eq!((&*shape(&outcome.unwrap_err()), seconds), ("[early late]", 3));
}

#[test]
fn n15_the_second_form_puts_failures_aside() {
    let server = |time: u32, up| async move {
        sleep(SECOND * time).await?;
        if up { Ok(time) } else { fails(&format!("{time} is down")) }
    };
    let (raced, seconds) =
        timed(race_ok([server(2, false), server(9, true), server(1, false), server(3, true)]));
    let raced = raced.unwrap();
    assert_eq!((raced.value, raced.winner, seconds), (3, 3, 3));
    let failures = raced.failures.iter().map(|(from, error)| format!("{from}: {error}"));
    assert_eq!(failures.collect::<Vec<_>>(), ["2: 1 is down", "0: 2 is down"]);

    let (outcome, seconds) = timed(race_ok([server(2, false), server(1, false)]));
    assert_eq!((&*shape(&outcome.unwrap_err()), seconds), ("[1 is down 2 is down]", 2));
}

/// Of a loser that is cancelled and fails as well, the failure is put aside; that it was cancelled
/// is no failure.
#[test]
fn n15_a_loser_that_is_several_tasks() {
    let several = |fails_too: bool| async move {
        nursery(async |n| {
            n.spawn(sleep_forever());
            n.spawn(async move {
                let outcome = sleep_forever().await;
                if fails_too { fails("late") } else { outcome }
            });
            Ok(())
        })
        .await?;
        Ok(0_u8)
    };
    for fails_too in [false, true] {
        let raced = run(race_ok([
            Box::pin(async { sleep(SECOND).await.map(|()| 1_u8) }) as Any<'_, u8>,
            Box::pin(several(fails_too)),
        ]))
        .unwrap();
        let failures = raced.failures.iter().map(|(from, error)| (*from, shape(error)));
        let failures: Vec<_> = failures.collect();
        let expected: &[_] = if fails_too { &[(1, "[late]".into())] } else { &[] };
        assert_eq!((raced.value, raced.winner, &*failures), (1, 0, expected));
    }
}

/// A race that has been decided has happened.
#[test]
fn n15_a_value_is_not_lost_to_a_cancellation_of_the_caller() {
    let (outcome, seconds) = timed(cancel_scope(async |scope| {
        let raced = race([
            Box::pin(async { sleep(SECOND).await }) as Any<'_, ()>,
            Box::pin(async {
                let outcome = sleep_forever().await;
                shielded(2).await;
                scope.cancel();
                outcome
            }),
        ])
        .await?;
        assert_eq!(raced.winner, 0);
        checkpoint().await?;
        Ok(())
    }));
    assert_eq!((outcome.unwrap(), seconds), (None, 3));
}

#[test]
fn n15_cancelled_before_there_is_a_value() {
    for puts_aside in [false, true] {
        let ended = Cell::new(0);
        let work = async |_: i32| {
            let outcome = sleep_forever().await;
            ended.set(ended.get() + 1);
            outcome
        };
        let outcome = run(move_on_after(SECOND, async {
            match puts_aside {
                false => race([1, 2].map(work)).await.map(drop),
                true => race_ok([1, 2].map(work)).await.map(drop),
            }
        }));
        assert_eq!((outcome.unwrap(), ended.get()), (None, 2));
    }
}

#[test]
fn n15_gather_gives_all_values_in_order() {
    let words = ["three", "a", "of"]; // borrowed
    let (lengths, seconds) = timed(gather(words.iter().map(async |word| {
        sleep(SECOND * word.len() as u32).await?;
        Ok(word.len())
    })));
    assert_eq!((lengths.unwrap(), seconds), (vec![5, 1, 2], 5));
}

#[test]
fn n15_gather_waits_for_those_that_a_failure_has_cancelled() {
    let log = RefCell::new(Vec::new());
    let (outcome, seconds) = timed(gather([1, 2, 3].map(async |time: u32| {
        if time == 2 {
            sleep(SECOND * 2).await?;
            return fails("two");
        }
        let outcome = sleep(SECOND * time).await;
        shielded(5).await;
        log.borrow_mut().push((time, outcome.is_ok()));
        outcome
    })));
    assert_eq!((&*shape(&outcome.unwrap_err()), seconds), ("[two]", 7));
    assert_eq!(*log.borrow(), [(1, true), (3, false)]);
}

#[test]
fn n15_a_panic_continues_in_the_caller() {
    let outcome = std::panic::catch_unwind(|| {
        run(race([1, 2].map(async |i| {
            sleep(SECOND * i).await?;
            if true { panic!("racer") } else { Ok(()) }
        })))
    });
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "racer");
}
