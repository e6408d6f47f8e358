//! N2 and N3: one failure cancels the rest, and all are reported as a group.

use std::cell::{Cell, RefCell};

use seedbed::{
    Cancelled, Error, Reason, cancel_scope, checkpoint, finishing, nursery, sleep, sleep_forever,
    yield_now,
};

use super::{Log, SECOND, clean_up, fails, run, timed};
use crate::support::shape;

// N2: one fails, all are cancelled, every failure is reported.

#[test]
fn n02_in_the_order_it_happened() {
    let (outcome, seconds) = timed(nursery(async |n| {
        for (text, seconds) in [("c", 3), ("a", 1), ("d", 4)] {
            drop(n.spawn(async move {
                clean_up(seconds).await;
                fails::<()>(text)
            }));
        }
        drop(n.spawn(async { fails::<()>("first") }));
        clean_up(2).await;
        fails::<()>("body")
    }));
    assert_eq!((shape(&outcome.unwrap_err()), seconds), ("[first a body c d]".into(), 4));
}

#[test]
fn n02_each_is_told_why() {
    let error = run(nursery(async |n| {
        let told = |error: Error| {
            let why = error.downcast::<Cancelled>().unwrap();
            assert_eq!(why.reason(), &Reason::ChildFailed("out of paper".into()));
            Error::msg(why.cancelled_by().is_some())
        };
        drop(n.spawn(async move { sleep_forever().await.map_err(told) }));
        drop(n.spawn(async {
            yield_now().await?;
            fails::<()>("out of paper")
        }));
        sleep_forever().await.map_err(told)
    }))
    .unwrap_err();
    let mut texts: Vec<_> = error.as_group().unwrap().errors().map(shape).collect();
    texts.sort();
    assert_eq!(texts, ["out of paper", "true", "true"]);
}

/// A `Cancelled` that was turned into something else is a failure; one that was swallowed is not.
#[test]
fn n02_what_becomes_of_a_cancelled() {
    let error = run(nursery(async |n| {
        drop(n.spawn(async { fails::<()>("first") }));
        drop(n.spawn(async {
            sleep_forever().await.unwrap_err();
            Ok(())
        }));
        drop(n.spawn(async { sleep_forever().await.map_err(|_| Error::msg("changed")) }));
        drop(n.spawn(async { sleep_forever().await }));
        sleep_forever().await
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[first changed]");
}

/// The outer scope is cancelled as well, so it is not for the nursery to absorb anything: the
/// failure and the `Cancelled`s go on, and the outer scope takes out its own.
#[test]
fn n02_with_a_cancellation_from_outside() {
    let inside = RefCell::new(String::new());
    let error = run(cancel_scope(async |scope| {
        let outcome = nursery(async |n| {
            drop(n.spawn(async {
                scope.cancel();
                fails::<()>("child")
            }));
            drop(n.spawn(sleep_forever()));
            sleep_forever().await
        })
        .await;
        *inside.borrow_mut() = shape(outcome.as_ref().unwrap_err());
        outcome
    }))
    .unwrap_err();
    assert!(inside.borrow().contains("Cancelled"), "{inside:?}");
    assert_eq!(shape(&error), "[child]");
}

#[test]
fn n02_the_body_has_ended_long_since() {
    let (outcome, seconds) = timed(nursery(async |n| {
        for i in 1..=3 {
            drop(n.spawn(async move {
                sleep(SECOND * i * 10).await?;
                fails::<()>("late")
            }));
        }
        Ok(1)
    }));
    assert_eq!((shape(&outcome.unwrap_err()), seconds), ("[late]".into(), 10));
}

/// A child that comes when the nursery is cancelled runs, up to its first checkpoint.
#[test]
fn n02_spawned_into_a_cancelled_nursery() {
    let log = Log::default();
    let error = run(nursery(async |n| {
        drop(n.spawn(async { fails::<()>("child") }));
        sleep_forever().await.unwrap_err();
        drop(n.spawn(async {
            log.say("runs");
            let outcome = checkpoint().await;
            log.say(outcome.is_err());
            outcome
        }));
        Ok(())
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[child]");
    log.assert("runs true");
}

/// Two that fail in the same round are both reported.
#[test]
fn n02_at_the_same_time() {
    let error = run(nursery(async |n| {
        for i in 0..3 {
            drop(n.spawn(async move { fails::<()>(&i.to_string()) }));
        }
        fails::<()>("body")
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[body 0 1 2]");
}

/// A graceful cancellation does not become a full one through children that obey it at once.
#[test]
fn n02_graceful_stays_graceful() {
    let done = Cell::new(false);
    let (outcome, seconds) = timed(nursery(async |n| {
        drop(n.spawn(sleep_forever()));
        drop(n.spawn(async {
            finishing(sleep(SECOND * 3)).await?;
            done.set(true);
            Ok(())
        }));
        yield_now().await?;
        n.scope().cancel_gracefully(SECOND * 10);
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!((done.get(), seconds), (true, 3));
}

// N3: strict groups.

/// The same as Trio's `strict_exception_groups=True`.
#[test]
fn n03_a_group_even_of_one() {
    for in_child in [false, true] {
        let line = line!() + 1;
        let error = run(nursery(async |n| {
            match in_child {
                true => drop(n.spawn(async { fails::<()>("one") })),
                false => return fails("one"),
            }
            Ok(())
        }))
        .unwrap_err();
        let group = error.as_group().expect("a group of one");
        assert_eq!((group.len(), group.place().line()), (1, line));
        assert_eq!(shape(&error), "[one]");
    }
}

#[test]
fn n03_groups_nest() {
    let error = run(nursery(async |n| {
        drop(n.spawn(async { nursery(async |_| fails::<()>("inner")).await }));
        clean_up(1).await;
        nursery(async |n| {
            drop(n.spawn(async { fails::<()>("x") }));
            fails::<()>("y")
        })
        .await
    }))
    .unwrap_err();
    assert_eq!(shape(&error), "[[inner] [y x]]");
}

#[test]
fn n03_nothing_but_cancelled_is_plain() {
    let outcome = run(cancel_scope(async |scope| {
        let error = nursery(async |n| {
            drop(n.spawn(sleep_forever()));
            drop(n.spawn(async { nursery(async |_| sleep_forever().await).await }));
            yield_now().await?;
            scope.cancel_with("enough");
            sleep_forever().await
        })
        .await
        .unwrap_err();
        assert!(error.is_cancelled(), "{error:?}");
        let why = error.downcast_ref::<Cancelled>().unwrap();
        assert_eq!(why.reason(), &Reason::Requested(Some("enough".into())));
        Err::<(), _>(error)
    }));
    assert_eq!(outcome.unwrap(), None);
}

/// A `Cancelled` that came from elsewhere and was kept is absorbed by no scope of its own, but it
/// is not a failure either.
#[test]
fn n03_a_stray_cancelled() {
    let error = run(async {
        let mut stray = None;
        cancel_scope(async |scope| {
            scope.cancel();
            stray = Some(checkpoint().await.unwrap_err());
            Ok(())
        })
        .await?;
        cancel_scope(async |_| {
            nursery(async |n| {
                let stray = stray.take().unwrap();
                drop(n.spawn(async move { Err::<(), _>(stray) }));
                sleep_forever().await
            })
            .await
        })
        .await?;
        fails::<()>("went on")
    })
    .unwrap_err();
    assert_eq!(shape(&error), "went on");
}
