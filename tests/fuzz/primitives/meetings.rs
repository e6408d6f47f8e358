//! Tasks that meet: at a barrier, or for a value that one of them makes. The first byte says which;
//! each further byte is a step.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use seedbed::sync::{Barrier, BarrierWaitResult, OnceCell};
use seedbed::{Error, Result};

use super::{OPERATIONS, Operation};

pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 2 {
        0 => barrier(usize::from(kind / 2) % 4, bytes),
        _ => once_cell(bytes),
    }
}

/// A task at the barrier. `opening` is the number of the opening with which it goes on.
struct Arrived<'a> {
    operation: Operation<'a, BarrierWaitResult>,
    opening: Option<usize>,
}

fn barrier(parties: usize, bytes: &[u8]) {
    let barrier = Barrier::new(parties);
    super::steps(|| {
        let mut places: Vec<Option<Arrived<'_>>> = (0..OPERATIONS).map(|_| None).collect();
        // For each opening, whether it has had its leader.
        let mut openings: Vec<bool> = Vec::new();
        let ends = |openings: &mut Vec<bool>, opening: usize, result: BarrierWaitResult| {
            let has_one = std::mem::replace(&mut openings[opening], true);
            assert_eq!(result.is_leader(), !has_one, "the first to go on is the leader");
        };
        for step in bytes {
            let at = usize::from(*step) % OPERATIONS;
            match (usize::from(*step) / OPERATIONS % 8, places[at].take()) {
                (0..4, None) => {
                    let mut operation = Operation::new(barrier.wait());
                    let outcome = operation.poll();
                    let waits = |arrived: &&mut Arrived<'_>| {
                        arrived.opening.is_none() && !arrived.operation.is_cancelled()
                    };
                    let there: Vec<_> = places.iter_mut().flatten().filter(waits).collect();
                    let opens = there.len() + 1 >= parties;
                    assert_eq!(outcome.is_some(), opens, "it opens when all are there");
                    let Some(outcome) = outcome else {
                        places[at] = Some(Arrived { operation, opening: None });
                        continue;
                    };
                    there.into_iter().for_each(|other| other.opening = Some(openings.len()));
                    openings.push(false);
                    let last = openings.len() - 1;
                    ends(&mut openings, last, outcome.expect("not cancelled"));
                }
                (4 | 5, Some(arrived)) => {
                    arrived.operation.scope.cancel();
                    places[at] = Some(arrived);
                }
                (6, Some(mut arrived)) => match (arrived.operation.poll(), arrived.opening) {
                    (None, opening) => {
                        assert!(opening.is_none() && !arrived.operation.is_cancelled());
                        places[at] = Some(arrived);
                    }
                    (Some(Some(result)), opening) => {
                        ends(&mut openings, opening.expect("it has opened"), result);
                    }
                    (Some(None), opening) => {
                        assert!(arrived.operation.is_cancelled() && opening.is_none());
                    }
                },
                (7, Some(arrived)) => drop(arrived),
                (_, other) => places[at] = other,
            }
            for arrived in places.iter().flatten() {
                let due = arrived.opening.is_some() || arrived.operation.is_cancelled();
                assert!(arrived.operation.is_woken() || !due);
            }
        }
    });
}

/// What a task that asks for the value is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    Waits,
    /// It is to make the value, and may not know it yet.
    Makes,
    Looks,
}

/// A task that asks for the value.
struct Asks<'a> {
    operation: Operation<'a, Result<usize>>,
    turn: Turn,
    /// Whether it was polled since it was its turn.
    knows: bool,
}

fn once_cell(bytes: &[u8]) {
    // How the function of each task ends, if it has been decided: with a value or an error.
    let decided: Vec<Cell<Option<bool>>> = (0..OPERATIONS).map(|_| Cell::new(None)).collect();
    let made: RefCell<Vec<usize>> = RefCell::default();
    let cell = OnceCell::new();
    let ask = |at: usize| {
        let (cell, decided, made) = (&cell, &decided, &made);
        async move {
            let make = async || {
                let succeeds = poll_fn(|_| match decided[at].get() {
                    Some(decision) => Poll::Ready(decision),
                    None => Poll::Pending,
                });
                if !succeeds.await {
                    return Err(Error::msg("planted"));
                }
                made.borrow_mut().push(at);
                Ok(at)
            };
            match cell.get_or_init(make).await {
                Err(error) if error.is_cancelled() => Err(error),
                outcome => Ok(outcome.copied()),
            }
        }
    };
    super::steps(|| {
        let mut places: Vec<Option<Asks<'_>>> = (0..OPERATIONS).map(|_| None).collect();
        let mut queue: VecDeque<usize> = VecDeque::new();
        let mut value: Option<usize> = None;
        let mut maker: Option<usize> = None;
        for step in bytes {
            let at = usize::from(*step) % OPERATIONS;
            // Whether the one whose turn it was has ended.
            let mut ended = false;
            match (usize::from(*step) / OPERATIONS % 9, places[at].take()) {
                (0..3, None) => {
                    decided[at].set(None);
                    let mut operation = Operation::new(ask(at));
                    match (operation.poll(), value, maker) {
                        (Some(outcome), value, _) => {
                            let got = outcome.expect("not cancelled").expect("it is there");
                            assert_eq!(Some(got), value);
                        }
                        (None, None, None) => {
                            maker = Some(at);
                            places[at] = Some(Asks { operation, turn: Turn::Makes, knows: true });
                        }
                        (None, None, Some(_)) => {
                            queue.push_back(at);
                            places[at] = Some(Asks { operation, turn: Turn::Waits, knows: false });
                        }
                        (None, Some(_), _) => panic!("it waits for what is there"),
                    }
                }
                (3 | 4, Some(asks)) => {
                    decided[at].set(Some(step % 2 == 0));
                    places[at] = Some(asks);
                }
                (5, Some(asks)) => {
                    asks.operation.scope.cancel();
                    places[at] = Some(asks);
                }
                (6 | 7, Some(mut asks)) => {
                    let outcome = asks.operation.poll();
                    asks.knows |= asks.turn == Turn::Makes;
                    match (outcome, asks.turn) {
                        (None, Turn::Waits) => {
                            assert!(!asks.operation.is_cancelled());
                            places[at] = Some(asks);
                        }
                        (None, Turn::Makes) => {
                            assert_eq!(decided[at].get(), None, "it makes it");
                            places[at] = Some(asks);
                        }
                        (Some(Some(Ok(got))), Turn::Makes) => {
                            assert!(got == at && decided[at].get() == Some(true));
                            value = Some(at);
                            ended = true;
                        }
                        (Some(Some(Err(_))), Turn::Makes) => {
                            assert_eq!(decided[at].get(), Some(false));
                            ended = true;
                        }
                        (Some(Some(Ok(got))), Turn::Looks) => assert_eq!(Some(got), value),
                        (Some(None), Turn::Waits) => {
                            assert!(asks.operation.is_cancelled());
                            queue.retain(|other| *other != at);
                        }
                        (outcome, turn) => panic!("{outcome:?} when it {turn:?}"),
                    }
                }
                (8, Some(asks)) => {
                    queue.retain(|other| *other != at);
                    ended = asks.turn == Turn::Makes;
                }
                (_, other) => places[at] = other,
            }
            if ended {
                assert_eq!(maker.take(), Some(at));
                while let Some(next) = queue.pop_front() {
                    let asks = places[next].as_mut().expect("it waits");
                    if asks.operation.is_cancelled() {
                        continue;
                    }
                    if value.is_none() {
                        (asks.turn, maker) = (Turn::Makes, Some(next));
                        break;
                    }
                    asks.turn = Turn::Looks;
                }
            }
            for asks in places.iter().flatten() {
                let due = asks.turn == Turn::Looks
                    || asks.turn == Turn::Makes && !asks.knows
                    || asks.turn == Turn::Waits && asks.operation.is_cancelled();
                assert!(asks.operation.is_woken() || !due);
            }
            assert_eq!(cell.get().copied(), value);
        }
        assert!(made.borrow().len() <= 1, "it is made once");
    });
}
