//! A busy guest and its host: counted, not timed.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use seedbed::{Builder, checkpoint, nursery, sleep, yield_now};

use crate::{on_tokio, polled};

/// How many units of work the turn of a guest has, at most.
const TURN: usize = 256;

/// Runs children that are always ready, and counts how often the host was let run, and how often
/// another task of its was polled meanwhile.
fn busy(children: usize, each: usize) -> (usize, usize) {
    on_tokio(async {
        let done = Rc::new(Cell::new(false));
        let let_run = Cell::new(0);
        let other = {
            let done = done.clone();
            tokio::task::spawn_local(async move {
                let mut polls = 0;
                while !done.get() {
                    polls += 1;
                    tokio::task::yield_now().await;
                }
                polls
            })
        };
        let guest = Builder::new().guest(nursery(async |n| {
            for _ in 0..children {
                n.spawn(async {
                    for _ in 0..each {
                        checkpoint().await?;
                    }
                    Ok(())
                });
            }
            Ok(())
        }));
        polled(guest, || let_run.set(let_run.get() + 1)).await.unwrap();
        done.set(true);
        (let_run.get(), other.await.unwrap())
    })
}

#[test]
fn x03_a_busy_guest_lets_its_host_run_after_each_turn() {
    for (children, each) in [(1, 20_000), (10, 2_000), (20_000, 1)] {
        let (let_run, polls) = busy(children, each);
        let turns = children * each / TURN / 2;
        assert!(let_run >= turns, "{children}: let run {let_run} times in {turns} turns");
        assert!(polls >= turns, "{children}: polled {polls} times in {turns} turns");
    }
}

#[test]
fn x03_a_round_that_is_cut_for_the_host_goes_on_where_it_was() {
    const CHILDREN: usize = 3_000;
    let order = Rc::new(std::cell::RefCell::new(Vec::new()));
    let let_run = Cell::new(0);
    on_tokio(polled(
        Builder::new().guest(nursery(async |n| {
            for child in 0..CHILDREN {
                let order = order.clone();
                n.spawn(async move {
                    for _ in 0..3 {
                        order.borrow_mut().push(child);
                        yield_now().await?;
                    }
                    Ok(())
                });
            }
            Ok(())
        })),
        || let_run.set(let_run.get() + 1),
    ))
    .unwrap();
    assert!(let_run.get() >= 3 * CHILDREN / TURN, "{let_run:?}");
    let order = order.borrow();
    assert!(order.iter().copied().eq((0..3).flat_map(|_| 0..CHILDREN)), "each once in a round");
}

#[test]
fn x03_timers_of_the_guest_fire_beside_what_is_always_ready() {
    on_tokio(Builder::new().guest(nursery(async |n| {
        let fired = Rc::new(Cell::new(false));
        let sees = fired.clone();
        n.spawn(async move {
            sleep(std::time::Duration::from_micros(100)).await?;
            sees.set(true);
            Ok(())
        });
        while !fired.get() {
            checkpoint().await?;
        }
        Ok(())
    })))
    .unwrap();
}

#[test]
fn x03_children_do_not_share_the_budget_of_one_task_of_the_hosts() {
    const ITEMS: usize = 1_000;
    on_tokio(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(ITEMS);
        for item in 0..ITEMS {
            sender.send(item).await.unwrap();
        }
        let guest = Builder::new().guest(async {
            let mut polls = 0;
            let mut receiving = pin!(async {
                for item in 0..ITEMS {
                    assert_eq!(receiver.recv().await, Some(item));
                }
            });
            poll_fn(|cx| {
                polls += 1;
                receiving.as_mut().poll(cx)
            })
            .await;
            assert_eq!(polls, 1);
            Ok(())
        });
        guest.await.unwrap();
        assert!(tokio::task::coop::has_budget_remaining(), "nor is the task's used up");
    });
}
