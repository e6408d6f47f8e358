//! Planted bugs, all of which are found.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use seedbed::testing::{Explore, FailureKind, explore};
use seedbed::{
    Error, Event, Receiver, Result, Sender, cancel_scope, channel, checkpoint, interval,
    move_on_after, nursery, sleep, yield_now,
};

use super::{deviations, finds, secs};

/// A flag, and the waker of the task that waits for it.
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

/// Two withdrawals, and enough money for one.
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
            "under schedule 1.1 (run number 3), the program panics:\n    overdrawn: -40\nTo \
             replay this schedule alone:\n    SEEDBED_SCHEDULE=1.1 cargo test planted::"
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

/// Counts those inside, and forgets to count those that are thrown out.
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
