//! In which order schedules are tried, and when the search ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::{Either, select};
use seedbed::testing::{Explore, FailureKind, Schedule};
use seedbed::{Error, Event, Result, checkpoint, nursery, sleep, yield_now};

use super::{deviations, finds, secs};

/// Fails only if four children run in the opposite of their order, which takes three
/// deviations: the last of 4, of 3, and of 2.
async fn backwards() -> Result<()> {
    let order = RefCell::new(Vec::new());
    nursery(async |n| {
        for i in 0..4 {
            let order = &order;
            n.spawn(async move {
                yield_now().await?;
                order.borrow_mut().push(i);
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    assert_ne!(order.into_inner(), [3, 2, 1, 0]);
    Ok(())
}

#[test]
fn beyond_the_bound_random_schedules_find_what_is_deep() {
    let explore = Explore::new().max_schedules(10);
    let report = explore.clone().random_schedules(0).check(backwards);
    assert!(!report.is_complete());
    assert_eq!((report.schedules(), report.random_schedules()), (10, 0));
    let failure = explore.run(backwards).unwrap_err();
    assert!(failure.schedules() > 10);
    // Drawn at random it had more deviations. Those that are left are all needed.
    let schedule = failure.schedule().to_string();
    let deviations: Vec<&str> = schedule.split('-').collect();
    assert!((3..=4).contains(&deviations.len()), "{schedule}");
    for i in 0..deviations.len() {
        let others: Vec<&str> = (0..deviations.len())
            .filter(|other| *other != i)
            .map(|other| deviations[other])
            .collect();
        Explore::new().replay(&others.join("-")).check(backwards);
    }
}

#[test]
fn in_order_the_simplest_failure_comes_first() {
    let failure = finds(backwards);
    assert_eq!(deviations(&failure), 3, "{failure}");
}

/// The first round decides at 0, 1 and 2, and the second at 3, 4 and 5.
#[test]
fn a_schedule_can_be_read() {
    Explore::new().replay("0.3-1.2").check(backwards);
    let failure = Explore::new().replay("3.3-4.2-5.1").run(backwards).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Panic);
    assert_eq!(failure.schedule().to_string(), "3.3-4.2-5.1");
    assert_eq!(failure.schedules(), 1);
}

/// 1 schedule without deviations; with one, 3 + 2 + 1 in each of two rounds: 12. So of 13 none
/// has two.
#[test]
fn a_report_says_how_far_it_went() {
    let up_to = |n| Explore::new().max_schedules(n).random_schedules(7).check(backwards);
    assert!(up_to(13).to_string().starts_with(
        "13 schedules pass, including all with up to 1 deviation from first in, first out, \
         and 7 random ones"
    ));
    assert!(up_to(12).to_string().contains("up to 0 deviations"));
    assert_eq!(up_to(14).schedules(), 21);
}

#[test]
fn the_same_seed_draws_the_same_schedules() {
    let drawn = |seed| {
        let orders = RefCell::new(Vec::new());
        Explore::new().max_schedules(1).random_schedules(20).seed(seed).check(async || {
            let order = Rc::new(RefCell::new(Vec::new()));
            nursery(async |n| {
                for i in 0..5 {
                    let order = order.clone();
                    n.spawn(async move {
                        order.borrow_mut().push(i);
                        Ok(())
                    });
                }
                Ok(())
            })
            .await?;
            orders.borrow_mut().push(order.take());
            Ok(())
        });
        orders.into_inner()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn a_program_that_is_not_deterministic_is_told_of() {
    let calls = Cell::new(0);
    let program = async || {
        calls.set(calls.get() + 1);
        nursery(async |n| {
            for _ in 0..2 + calls.get() % 2 {
                n.spawn(yield_now());
            }
            Ok(())
        })
        .await
    };
    let failure = Explore::new().run(program).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotDeterministic);
    assert!(format!("{failure:?}").contains("HashMap"), "{failure:?}");
}

#[test]
fn a_failure_that_does_not_come_again_is_told_of() {
    let calls = Cell::new(0);
    let program = async || {
        calls.set(calls.get() + 1);
        if calls.get() == 1 { Err(Error::msg("only once")) } else { Ok(()) }
    };
    let failure = Explore::new().run(program).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotDeterministic);
}

#[test]
fn what_is_kept_from_one_call_to_the_next_is_told_of() {
    let calls = Cell::new(0); // ought to be made in the closure
    let program = async || {
        calls.set(calls.get() + 1);
        nursery(async |n| {
            n.spawn(checkpoint());
            n.spawn(checkpoint());
            Ok(())
        })
        .await?;
        assert!(calls.get() < 3);
        Ok(())
    };
    let failure = Explore::new().run(program).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotDeterministic, "{failure}");
    assert!(failure.to_string().contains("is kept from one call"), "{failure}");
}

#[test]
fn a_schedule_of_another_program_is_told_of() {
    for schedule in ["2.2", "99.1"] {
        let failure = Explore::new().replay(schedule).run(backwards).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::NotDeterministic, "{failure}");
        assert!(failure.to_string().contains("cannot be a schedule"), "{failure}");
    }
}

#[test]
#[should_panic(expected = "`3` is not a schedule")]
fn what_is_no_schedule_is_refused() {
    Explore::new().replay("3").check(backwards);
}

#[test]
fn schedules_are_read_as_they_are_written() {
    for text in ["fifo", "0.1", "12.1-40.2", "4294967295.4294967295"] {
        assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
    }
    for text in ["", "1", "1.0", "2.1-1.1", "1.1-1.2", "1.1-", "a.b", "1.1 ", "4294967296.1"] {
        assert!(text.parse::<Schedule>().is_err(), "{text:?}");
    }
}

/// A nursery that lies in a `select!` with work ready: as part of a failure of its own, not
/// of the hang that it might become.
#[test]
fn a_stuck_task_is_found() {
    let outcome = Explore::new().run(|| async {
        let event = Event::new();
        let parked = std::pin::pin!(nursery(async |n| {
            n.spawn(event.wait());
            Ok(())
        }));
        let Either::Right((_, parked)) = select(parked, yield_now()).await else {
            panic!("nothing has happened yet");
        };
        event.set();
        sleep(secs(1)).await?; // and nobody polls the nursery
        parked.await
    });
    assert_eq!(outcome.unwrap_err().kind(), FailureKind::Stuck);
}

/// A run inside a run is the error that it always is.
#[test]
fn exploring_inside_of_a_run_fails() {
    let outcome = seedbed::run(async {
        let failure = Explore::new().run(|| async { Ok(()) }).unwrap_err();
        assert!(failure.error().unwrap().is::<seedbed::AlreadyRunning>());
        Ok(())
    });
    outcome.unwrap();
}
