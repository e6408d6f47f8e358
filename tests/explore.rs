//! `testing::explore`: what it varies, what it finds, and what it says. At the end it is put to
//! this crate's own concurrency.

#[path = "support/example.rs"]
mod example;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::poll_fn;
use std::process::Command;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use example::example;
use futures::future::{Either, select};
use seedbed::testing::{Explore, Failure, FailureKind, Report, Schedule, VirtualClock, explore};
use seedbed::{
    Builder, Cancelled, Error, Event, Receiver, Result, Sender, cancel_scope, channel, checkpoint,
    fail_after, interval, move_on_after, nursery, sleep, yield_now,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The failure that has to be found, and a look at what all failures have in common.
fn finds(program: impl AsyncFn() -> Result<()>) -> Failure {
    let failure = Explore::new().run(&program).expect_err("the bug was not found");
    let schedule = failure.schedule().to_string();
    let again = Explore::new().replay(&schedule).run(&program).expect_err("the replay passes");
    assert_eq!(again.kind(), failure.kind());
    assert_eq!(again.schedule(), failure.schedule(), "the schedule is made of what is decided");
    let told = format!("{failure:?}");
    assert!(told.contains(&format!("SEEDBED_SCHEDULE={schedule} ")), "{told}");
    assert!(told.contains(&format!(".replay({schedule:?})")), "{told}");
    failure
}

/// All that comes out of a program, over all its schedules.
fn outcomes<T: Ord + Debug>(program: impl AsyncFn() -> Result<T>) -> (BTreeSet<T>, Report) {
    let seen = RefCell::new(BTreeSet::new());
    let report = explore(async || {
        let outcome = program().await?;
        seen.borrow_mut().insert(outcome);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
    (seen.into_inner(), report)
}

fn deviations(failure: &Failure) -> usize {
    match failure.schedule().to_string().as_str() {
        "fifo" => 0,
        text => text.split('-').count(),
    }
}

mod planted {
    use super::*;

    /// A flag and the waker of who waits for it.
    #[derive(Default)]
    struct Flag {
        raised: Cell<bool>,
        waker: RefCell<Option<Waker>>,
    }

    impl Flag {
        fn raise(&self) {
            self.raised.set(true);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }

        /// Loses the wake-up that comes between its look at the flag and the wait.
        async fn wait_once(&self) -> Result<()> {
            if self.raised.get() {
                return Ok(());
            }
            checkpoint().await?;
            let mut left = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut left, true) {
                    return Poll::Ready(Ok(()));
                }
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await
        }

        /// Looks at the flag each time it is polled.
        async fn wait(&self) -> Result<()> {
            checkpoint().await?;
            poll_fn(|cx| {
                if self.raised.get() {
                    return Poll::Ready(Ok(()));
                }
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await
        }
    }

    async fn wake_up(wait: impl AsyncFn(&Flag) -> Result<()>) -> Result<()> {
        let flag = Flag::default();
        nursery(async |n| {
            n.spawn(wait(&flag));
            n.spawn(async {
                flag.raise();
                Ok(())
            });
            Ok(())
        })
        .await
    }

    #[test]
    fn a_lost_wake_up_is_found() {
        let failure = finds(|| wake_up(Flag::wait_once));
        assert_eq!(failure.kind(), FailureKind::Deadlock);
        // Between the look and the wait, which is one place, the other task has to run.
        assert_eq!(deviations(&failure), 1, "{failure}");
        assert!(explore(|| wake_up(Flag::wait)).is_complete());
    }

    /// A lock: the token is taken out to lock it, and put back to unlock it.
    struct Lock(Sender<()>, Receiver<()>);

    impl Lock {
        fn new() -> Lock {
            let (sender, receiver) = channel(1);
            sender.try_send(()).unwrap();
            Lock(sender, receiver)
        }

        async fn with<T>(&self, section: impl Future<Output = Result<T>>) -> Result<T> {
            self.1.recv().await?;
            let outcome = section.await;
            self.0.try_send(()).unwrap();
            outcome
        }
    }

    async fn two_locks(in_order: bool) -> Result<()> {
        let (a, b) = (Lock::new(), Lock::new());
        nursery(async |n| {
            n.spawn(a.with(b.with(checkpoint())));
            if in_order {
                n.spawn(a.with(b.with(checkpoint())));
            } else {
                n.spawn(b.with(a.with(checkpoint())));
            }
            Ok(())
        })
        .await
    }

    #[test]
    fn a_wrong_order_of_locks_is_found() {
        let failure = finds(|| two_locks(false));
        assert_eq!(failure.kind(), FailureKind::Deadlock);
        assert_eq!(deviations(&failure), 1, "{failure}");
        assert!(explore(|| two_locks(true)).is_complete());
    }

    /// Two withdrawals, of which there is enough for one.
    async fn withdrawals(ask_before_the_look: bool) -> Result<()> {
        let balance = Cell::new(100);
        let withdraw = async || {
            if ask_before_the_look {
                checkpoint().await?;
            }
            if balance.get() >= 70 {
                if !ask_before_the_look {
                    checkpoint().await?;
                }
                balance.set(balance.get() - 70);
            }
            Ok(())
        };
        nursery(async |n| {
            n.spawn(withdraw());
            n.spawn(withdraw());
            Ok(())
        })
        .await?;
        assert!(balance.get() >= 0, "overdrawn: {}", balance.get());
        Ok(())
    }

    #[test]
    fn a_check_then_act_across_an_await_is_found() {
        let failure = finds(|| withdrawals(false));
        assert_eq!(failure.kind(), FailureKind::Panic);
        // What the guide shows.
        let told = format!("{failure:?}");
        assert!(
            told.starts_with(
                "under schedule 1.1, found as number 3, it panics:\n    overdrawn: -40\nTo see \
                 this one again, and no other:\n    SEEDBED_SCHEDULE=1.1 cargo test planted::"
            ),
            "{told}"
        );
        assert!(explore(|| withdrawals(true)).is_complete());
    }

    /// Takes a message, and has it in hand at a checkpoint, where a timeout may strike.
    async fn hand_on_in_time(guarded: bool) -> Result<()> {
        let (sender, receiver) = channel(1);
        let stored = RefCell::new(Vec::new());
        let spill = RefCell::new(Vec::new());
        nursery(async |n| {
            n.spawn(async {
                sleep(secs(1)).await?;
                sender.send("letter").await?;
                Ok(())
            });
            n.spawn(async {
                let hand_on = async {
                    let letter = receiver.recv().await?.unwrap();
                    if let Err(cancelled) = yield_now().await {
                        if guarded {
                            spill.borrow_mut().push(letter);
                        }
                        return Err(cancelled);
                    }
                    stored.borrow_mut().push(letter);
                    Ok(())
                };
                move_on_after(secs(1), hand_on).await?;
                Ok(())
            });
            Ok(())
        })
        .await?;
        let left = receiver.try_recv().ok();
        let seen = stored.take().len() + spill.take().len() + usize::from(left.is_some());
        if seen == 1 { Ok(()) } else { Err(Error::msg("the letter is lost")) }
    }

    #[test]
    fn a_message_lost_to_a_cancellation_is_found() {
        let failure = finds(|| hand_on_in_time(false));
        assert_eq!(failure.kind(), FailureKind::Error);
        assert_eq!(failure.error().unwrap().to_string(), "the letter is lost");
        assert!(explore(|| hand_on_in_time(true)).is_complete());
    }

    /// Counts who is inside, and forgets to count who is thrown out.
    async fn a_count_of_those_inside(with_a_guard: bool) -> Result<()> {
        struct Leave<'a>(&'a Cell<u32>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let inside = Cell::new(0);
        let found = Event::new();
        cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(async {
                    inside.set(inside.get() + 1);
                    let leave = Leave(&inside);
                    if with_a_guard {
                        found.wait().await?;
                    } else {
                        std::mem::forget(leave);
                        found.wait().await?;
                        inside.set(inside.get() - 1);
                    }
                    Ok(())
                });
                n.spawn(async {
                    found.set();
                    checkpoint().await
                });
                n.spawn(async {
                    scope.cancel();
                    Ok(())
                });
                Ok(())
            })
            .await
        })
        .await?;
        assert_eq!(inside.get(), 0, "somebody is still inside");
        Ok(())
    }

    #[test]
    fn a_clean_up_that_a_cancellation_misses_is_found() {
        let failure = finds(|| a_count_of_those_inside(false));
        assert_eq!(failure.kind(), FailureKind::Panic);
        assert!(explore(|| a_count_of_those_inside(true)).is_complete());
    }

    /// After you; no, after you. If one is through before the other comes, all is well.
    async fn after_you(both_give_way: bool) -> Result<()> {
        let wants = [Cell::new(false), Cell::new(false)];
        let pass = async |me: usize| {
            wants[me].set(true);
            checkpoint().await?;
            while wants[1 - me].get() {
                yield_now().await?;
                wants[me].set(me == 0 && !both_give_way);
                yield_now().await?;
                wants[me].set(both_give_way || me == 0);
                yield_now().await?;
            }
            wants[me].set(false);
            Ok(())
        };
        nursery(async |n| {
            n.spawn(pass(0));
            n.spawn(pass(1));
            Ok(())
        })
        .await
    }

    #[test]
    fn a_livelock_is_found() {
        let found = Explore::new().max_rounds(1000).run(|| after_you(true)).unwrap_err();
        assert_eq!(found.kind(), FailureKind::Livelock);
        assert!(found.error().unwrap().to_string().contains("1000 rounds"), "{found}");
        assert_eq!(deviations(&found), 1, "{found}");
        assert!(explore(|| after_you(false)).is_complete());
    }

    /// A task that never waits lets nobody in but by its budget, and never ends.
    #[test]
    fn a_task_that_never_waits_is_a_livelock() {
        let found = Explore::new().max_rounds(100).run(|| async {
            loop {
                checkpoint().await?;
            }
        });
        assert_eq!(found.unwrap_err().kind(), FailureKind::Livelock);
    }

    /// Time that passes does not hide it.
    #[test]
    fn a_program_that_waits_for_ever_is_a_livelock() {
        let found = Explore::new().max_rounds(100).run(|| async {
            let mut ticks = interval(secs(1));
            loop {
                ticks.tick().await?;
            }
        });
        assert_eq!(found.unwrap_err().kind(), FailureKind::Livelock);
    }
}

mod orders {
    use super::*;

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

    /// Two children at a checkpoint. Who is first: 2 ways. It goes on, and the other finds nobody
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
        assert_eq!(report.to_string(), "all 1 schedules pass");
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

    /// Who sleeps for the same time wakes in any order, and what one does then may all come before
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
            // Who gets what, and who has it first.
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
}

mod search {
    use super::*;

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
        // Drawn at random it had more deviations. There is none left that it can do without.
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
            "13 schedules pass, among them all with up to 1 deviations from first in, first out, \
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

    /// A run inside of a run is the error that it always is.
    #[test]
    fn exploring_inside_of_a_run_fails() {
        let outcome = seedbed::run(async {
            let failure = Explore::new().run(|| async { Ok(()) }).unwrap_err();
            assert!(failure.error().unwrap().is::<seedbed::AlreadyRunning>());
            Ok(())
        });
        outcome.unwrap();
    }
}

/// What one sees, of `examples/overdrawn.rs`.
mod output {
    use super::*;

    /// Runs the example in a process of its own, and returns what it writes.
    fn overdrawn(arguments: &[&str], schedule: Option<&str>) -> (bool, String) {
        let mut command = Command::new(example("overdrawn"));
        command.args(arguments).env_remove("RUST_BACKTRACE");
        match schedule {
            Some(schedule) => command.env("SEEDBED_SCHEDULE", schedule),
            None => command.env_remove("SEEDBED_SCHEDULE"),
        };
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    }

    fn fails(schedule: Option<&str>) -> String {
        let (succeeds, text) = overdrawn(&[], schedule);
        assert!(!succeeds, "{text}");
        text
    }

    /// The panic once, of the run under the short schedule, and then what to do with it: the first
    /// task lets the second in at its checkpoint, which is decision 1, after the one on who is
    /// first. Tried before it are the schedule without a deviation and the one with 0.1.
    #[test]
    fn a_failure_is_told_once_and_replayed() {
        let text = fails(None);
        assert_eq!(text.matches("overdrawn: -40").count(), 2, "{text}");
        assert!(text.contains("under schedule 1.1, found as number 3"), "{text}");
        assert!(text.contains("SEEDBED_SCHEDULE=1.1 cargo test"), "{text}");
        assert!(text.matches("two people").count() > 3, "{text}");

        let text = fails(Some("1.1"));
        assert_eq!(text.matches("two people").count(), 1, "{text}");
        assert!(text.contains("under schedule 1.1, found as number 1"), "{text}");

        let text = fails(Some("backwards"));
        assert!(text.contains("SEEDBED_SCHEDULE: `backwards` is not a schedule"), "{text}");
    }

    /// The panic is reported at the call of `explore`.
    #[test]
    fn a_failure_names_the_place() {
        let text = fails(None);
        assert!(text.contains("panicked at examples/overdrawn.rs:"), "{text}");
        assert!(!text.contains("src/testing"), "{text}");
    }

    #[test]
    fn what_is_mended_succeeds() {
        let (succeeds, text) = overdrawn(&["--mended"], None);
        assert!(succeeds && text.contains("all "), "{text}");
    }
}

/// C10 and its like, under every schedule.
mod this_crate {
    use super::*;

    /// Two senders, and two receivers of which one gives up at some point: every message is
    /// received, given back to its sender, or left in the channel, and no two of these.
    #[test]
    fn c10_no_message_is_lost_or_doubled() {
        for capacity in [0, 1] {
            let program = async || {
                let (sender, receiver) = channel(capacity);
                let (got, back) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
                cancel_scope(async |scope| {
                    nursery(async |n| {
                        for i in [1, 2] {
                            let (sender, back) = (&sender, &back);
                            n.spawn(async move {
                                if let Err(refused) = sender.send(i).await {
                                    back.borrow_mut().push(refused.into_inner());
                                }
                                Ok(())
                            });
                        }
                        n.spawn(async {
                            let message = receiver.recv().await?;
                            got.borrow_mut().extend(message);
                            Ok(())
                        });
                        n.spawn(async {
                            scope.cancel();
                            Ok(())
                        });
                        Ok(())
                    })
                    .await
                })
                .await?;
                let mut all = got.take();
                all.append(&mut back.take());
                all.extend(receiver.try_recv());
                all.extend(receiver.try_recv());
                all.sort();
                assert_eq!(all, [1, 2]);
                Ok(())
            };
            let report = explore(program);
            assert!(report.is_complete(), "capacity {capacity}: {report}");
        }
    }

    /// A rendezvous and a timeout at the same moment: both ends tell the same story.
    #[test]
    fn c10_both_ends_of_a_rendezvous_agree() {
        let (seen, _) = outcomes(|| async {
            let (sender, receiver) = channel(0);
            let (mut sent, mut got) = (None, None);
            nursery(async |n| {
                let sent = &mut sent;
                n.spawn(async {
                    *sent = move_on_after(secs(1), async { Ok(sender.send(()).await?) }).await?;
                    Ok(())
                });
                sleep(secs(1)).await?;
                got = receiver.try_recv().ok();
                Ok(())
            })
            .await?;
            assert_eq!(sent, got);
            Ok(sent)
        });
        assert_eq!(seen.len(), 2);
    }

    /// What is received before a failure is kept, and what is not stays.
    #[test]
    fn c10_a_failing_sibling_loses_no_message() {
        let report = explore(|| async {
            let (sender, receiver) = channel(2);
            sender.try_send(1).unwrap();
            sender.try_send(2).unwrap();
            let got = RefCell::new(Vec::new());
            let failed = nursery(async |n| {
                n.spawn(async {
                    while let Some(message) = receiver.recv().await? {
                        got.borrow_mut().push(message);
                    }
                    Ok(())
                });
                n.spawn(async {
                    checkpoint().await?;
                    Err::<(), _>(Error::msg("planted"))
                });
                Ok(())
            })
            .await;
            assert!(failed.unwrap_err().as_group().is_some_and(|group| group.len() == 1));
            let mut all = got.take();
            while let Ok(message) = receiver.try_recv() {
                all.push(message);
            }
            assert_eq!(all, [1, 2]);
            Ok(())
        });
        assert!(report.is_complete(), "{report}");
    }

    /// Who waits for an event that is set hears of it, or of a cancellation that came before.
    #[test]
    fn c10_an_event_is_heard_or_the_wait_is_cancelled() {
        let report = explore(|| async {
            let event = Event::new();
            let log = RefCell::new(Vec::new());
            cancel_scope(async |scope| {
                nursery(async |n| {
                    n.spawn(async {
                        let outcome = event.wait().await;
                        log.borrow_mut().push(if outcome.is_ok() { "heard" } else { "cancelled" });
                        outcome
                    });
                    n.spawn(async {
                        event.set();
                        log.borrow_mut().push("set");
                        Ok(())
                    });
                    n.spawn(async {
                        scope.cancel();
                        log.borrow_mut().push("cancel");
                        Ok(())
                    });
                    Ok(())
                })
                .await
            })
            .await?;
            let log = log.into_inner();
            let at = |what| log.iter().position(|said| *said == what);
            match at("heard") {
                // Also if it ran later than the cancellation: the wait was over by then.
                Some(heard) => assert!(at("set") < at("cancel").min(Some(heard)), "{log:?}"),
                None => assert!(at("cancel") < at("cancelled"), "{log:?}"),
            }
            Ok(())
        });
        assert!(report.is_complete(), "{report}");
    }

    /// `start` returns the value, or what went wrong before it, whoever comes first.
    #[test]
    fn n07_start_returns_the_value_or_fails() {
        let report = explore(|| async {
            let up = Cell::new(false);
            let outcome = nursery(async |n| {
                n.spawn(async {
                    checkpoint().await?;
                    Err::<(), _>(Error::msg("planted"))
                });
                let value = n
                    .start(async |started| {
                        checkpoint().await?;
                        up.set(true);
                        started.ready(7);
                        sleep(secs(1)).await
                    })
                    .await;
                match value {
                    Ok(value) => assert!(up.get() && value == 7),
                    Err(error) => assert!(error.is::<Cancelled>(), "{error:?}"),
                }
                Ok(())
            })
            .await;
            let error = outcome.unwrap_err();
            assert_eq!(error.as_group().map(|group| group.len()), Some(1), "{error:?}");
            Ok(())
        });
        assert!(report.is_complete(), "{report}");
    }

    /// A child's value, at the moment its owner is cancelled: taken, or still there.
    #[test]
    fn n06_a_value_is_not_lost_to_a_cancelled_await() {
        let report = explore(|| async {
            nursery(async |n| {
                let mut task = n.spawn(async {
                    checkpoint().await?;
                    Ok("value")
                });
                let mut got = None;
                cancel_scope(async |scope| {
                    let scope = &scope.clone();
                    n.spawn({
                        let scope = scope.clone();
                        async move {
                            scope.cancel();
                            Ok(())
                        }
                    });
                    got = Some((&mut task).await?);
                    Ok(())
                })
                .await?;
                if got.is_none() {
                    got = Some(task.await?);
                }
                assert_eq!(got, Some("value"));
                Ok(())
            })
            .await
        });
        assert!(report.is_complete(), "{report}");
    }

    /// A limit that is met at the moment it ends: the value or `TooSlow`, and nothing of both.
    #[test]
    fn c07_a_limit_and_its_work_end_together() {
        let (seen, _) = outcomes(|| async {
            let done = Cell::new(false);
            let work = async {
                sleep(secs(1)).await?;
                done.set(true);
                Ok(())
            };
            let in_time = fail_after(secs(1), work).await.is_ok();
            assert_eq!(in_time, done.get());
            Ok(in_time)
        });
        assert_eq!(Vec::from_iter(seen), [false, true]);
    }
}
