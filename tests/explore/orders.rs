//! What varies from schedule to schedule, and what does not.

use std::cell::RefCell;

use seedbed::testing::{Explore, VirtualClock, explore};
use seedbed::{
    Builder, Error, Event, Result, channel, checkpoint, move_on_after, nursery, sleep, yield_now,
};

use super::{finds, outcomes, secs};

async fn children(n: usize, child: impl AsyncFn(usize) -> Result<()>) -> Result<Vec<usize>> {
    let order = RefCell::new(Vec::new());
    nursery(async |nursery| {
        for i in 0..n {
            let (order, child) = (&order, &child);
            nursery.spawn(async move {
                child(i).await?;
                order.borrow_mut().push(i);
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    Ok(order.into_inner())
}

/// Four children that do nothing: 4! orders, and nothing else to decide.
#[test]
fn children_run_in_every_order_once() {
    let (seen, report) = outcomes(|| children(4, async |_| Ok(())));
    assert_eq!((seen.len(), report.schedules()), (24, 24));
}

/// In the first round 3! orders, and in the second again: a yield is no decision.
#[test]
fn children_that_yield_run_in_every_order_each_time() {
    let (seen, report) = outcomes(|| children(3, async |_| yield_now().await));
    assert_eq!((seen.len(), report.schedules()), (6, 36));
}

/// Two children at a checkpoint. Either is first: 2 ways. It goes on, and the other finds nobody
/// to let in: 1 way. Or it does not, and the other goes on, 1 way, or does not either, and
/// then there are 2 orders. So 2 · (1 + 1 + 2).
#[test]
fn at_a_checkpoint_a_child_goes_on_or_does_not() {
    let (seen, report) = outcomes(|| children(2, async |_| checkpoint().await));
    assert_eq!((seen.len(), report.schedules()), (2, 8));
}

/// Alone there is nobody to let in.
#[test]
fn a_task_alone_has_one_schedule() {
    let report = explore(|| async {
        for _ in 0..1000 {
            checkpoint().await?;
            sleep(secs(1)).await?;
        }
        Ok(())
    });
    assert!(report.is_complete());
    assert_eq!(report.schedules(), 1);
    assert_eq!(report.to_string(), "the only schedule passes");
}

/// More than the 64 that a seed draws from: the last of 70 can be the first.
#[test]
fn any_of_many_children_can_be_first() {
    let failure = finds(|| async {
        let order = children(70, async |_| Ok(())).await?;
        if order[0] == 69 { Err(Error::msg("the last came first")) } else { Ok(()) }
    });
    assert_eq!(failure.schedule().to_string(), "0.69");
}

/// Tasks that sleep for the same time wake in any order, and what one does then may all come before
/// the other wakes. The two are spawned in 2 orders. Their timers go off both at once, and
/// then there are 2 orders to run in; or the first alone, or the second alone: 2 · (2 + 1 + 1).
#[test]
fn simultaneous_timers_go_off_in_every_order() {
    let (seen, report) = outcomes(|| children(2, async |_| sleep(secs(1)).await));
    assert_eq!((seen.len(), report.schedules()), (2, 8));
}

/// Three have 13 ordered partitions: 1 with all at once, and 3! orders to run in, 6 with two
/// at once, and 2!, and 6 with none. After the 3! orders to be spawned in: 6 · (6 + 12 + 6).
#[test]
fn three_simultaneous_timers_go_off_in_every_order() {
    let (seen, report) = outcomes(|| children(3, async |_| sleep(secs(1)).await));
    assert_eq!((seen.len(), report.schedules()), (6, 144));
}

#[test]
fn timers_of_different_times_do_not_change_places() {
    let (seen, _) = outcomes(|| children(3, async |i| sleep(secs(1 + i as u64)).await));
    assert_eq!(Vec::from_iter(seen), [[0, 1, 2]]);
}

/// The timers belong to futures of another library, which polls them in the order in which
/// they go off.
#[test]
fn simultaneous_timers_inside_a_foreign_combinator_go_off_in_every_order() {
    use futures::stream::{FuturesUnordered, StreamExt};
    let (seen, _) = outcomes(|| async {
        let both = FuturesUnordered::new();
        for i in 0..3 {
            both.push(async move { sleep(secs(1)).await.map(|()| i) });
        }
        let order: Vec<Result<i32>> = both.collect().await;
        order.into_iter().collect::<Result<Vec<i32>>>()
    });
    assert_eq!(seen.len(), 6, "{seen:?}");
}

/// A message that comes with the deadline is in time, or is not.
#[test]
fn a_deadline_and_what_comes_at_the_same_time_go_either_way() {
    let (seen, _) = outcomes(|| async {
        let (sender, receiver) = channel(0);
        let mut got = None;
        nursery(async |n| {
            n.spawn(async {
                sleep(secs(1)).await?;
                sender.try_send("in time").ok();
                Ok(())
            });
            got = move_on_after(secs(1), receiver.recv()).await?.flatten();
            Ok(())
        })
        .await?;
        Ok(got)
    });
    assert_eq!(Vec::from_iter(seen), [None, Some("in time")]);
}

/// Two senders and two receivers meet in all four ways, whichever of them comes first.
#[test]
fn partners_of_a_channel_meet_in_every_way() {
    for capacity in [0, 1] {
        let (seen, _) = outcomes(|| async {
            let (sender, receiver) = channel(capacity);
            let log = RefCell::new(Vec::new());
            nursery(async |n| {
                for i in [1, 2] {
                    let sender = &sender;
                    n.spawn(async move { Ok(sender.send(i).await?) });
                }
                for who in ["a", "b"] {
                    let (receiver, log) = (&receiver, &log);
                    n.spawn(async move {
                        let message = receiver.recv().await?.unwrap();
                        log.borrow_mut().push((who, message));
                        Ok(())
                    });
                }
                Ok(())
            })
            .await?;
            Ok(log.into_inner())
        });
        // Which one gets what, and which one has it first.
        assert_eq!(seen.len(), 4, "capacity {capacity}: {seen:?}");
    }
}

/// The tasks of one event, in any order.
#[test]
fn those_who_wait_for_an_event_go_on_in_every_order() {
    let (seen, _) = outcomes(|| async {
        let event = Event::new();
        let order = RefCell::new(Vec::new());
        nursery(async |n| {
            for i in 0..3 {
                let (event, order) = (&event, &order);
                n.spawn(async move {
                    event.wait().await?;
                    order.borrow_mut().push(i);
                    Ok(())
                });
            }
            sleep(secs(1)).await?;
            event.set();
            Ok(())
        })
        .await?;
        Ok(order.into_inner())
    });
    assert_eq!(seen.len(), 6);
}

/// The schedule without deviations is what an ordinary run does.
#[test]
fn fifo_is_an_ordinary_run() {
    async fn busy(log: &RefCell<Vec<String>>) -> Result<()> {
        let (sender, receiver) = channel(1);
        let say = |what: String| log.borrow_mut().push(what);
        nursery(async |n| {
            for i in 0..4 {
                let (sender, say) = (sender.clone(), &say);
                n.spawn(async move {
                    for j in 0..100 {
                        sender.send((i, j)).await?;
                        say(format!("{i} sent {j}"));
                    }
                    sleep(secs(1)).await?;
                    say(format!("{i} slept"));
                    Ok(())
                });
            }
            drop(sender);
            n.spawn(nursery(async |n| {
                let say = &say;
                n.spawn(async move {
                    for _ in 0..300 {
                        checkpoint().await?;
                    }
                    say("done".into());
                    Ok(())
                });
                for i in 0..300 {
                    checkpoint().await?;
                    say(format!("at {i}"));
                }
                Ok(())
            }));
            while let Some(got) = receiver.recv().await? {
                say(format!("{got:?}"));
            }
            Ok(())
        })
        .await
    }
    let ordinary = RefCell::new(Vec::new());
    Builder::new().clock(&VirtualClock::new()).run(busy(&ordinary)).unwrap();
    let explored = RefCell::new(Vec::new());
    Explore::new().replay("fifo").check(async || busy(&explored).await);
    assert!(ordinary.borrow().len() > 1000);
    assert_eq!(ordinary, explored);
}
