//! Channels for the latest value, and for one message. The first byte says which; each further byte
//! is a step.

use std::mem;
use std::rc::Rc;

use seedbed::TryRecvError;
use seedbed::sync::{oneshot, watch};

use super::Operation;

const RECEIVERS: usize = 3;

pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 2 {
        0 => super::steps(|| watched(bytes)),
        _ => super::steps(|| one_message(bytes)),
    }
}

/// A receiver, which is with its operation while there is one.
struct Watcher {
    receiver: watch::Receiver<u64>,
    seen: u64,
}

struct Waits {
    operation: Operation<'static, (Option<()>, watch::Receiver<u64>)>,
    /// A further handle of the receiver's channel, that has seen the same.
    copy: watch::Receiver<u64>,
    seen: u64,
    /// Whether it was told that there is something to see.
    served: bool,
}

enum Place {
    Idle(Watcher),
    Waits(Waits),
}

/// The value is the number of its version.
fn watched(bytes: &[u8]) {
    let (sender, receiver) = watch::channel(0);
    let mut sender = Some(sender);
    let mut version = 0;
    let watcher = || Watcher { receiver: receiver.clone(), seen: 0 };
    let mut places: Vec<_> = (0..RECEIVERS).map(|_| Some(Place::Idle(watcher()))).collect();
    for step in bytes {
        let at = usize::from(*step) % RECEIVERS;
        let place = places[at].take().expect("it was put back");
        let (what, after) = (usize::from(*step) / RECEIVERS % 12, version);
        places[at] = Some(match (what, place) {
            (0..3, Place::Idle(Watcher { receiver, seen })) => {
                let (copy, mut its) = (receiver.clone(), receiver);
                let mut operation = Operation::new(async move {
                    let changed = its.changed().await?;
                    Ok((changed, its))
                });
                match operation.poll() {
                    Some(outcome) => {
                        let (changed, receiver) = outcome.expect("not cancelled");
                        assert_eq!(changed.is_some(), seen != version);
                        assert!(changed.is_some() || sender.is_none());
                        Place::Idle(Watcher { receiver, seen: version })
                    }
                    None => {
                        assert!(seen == version && sender.is_some());
                        Place::Waits(Waits { operation, copy, seen, served: false })
                    }
                }
            }
            (3 | 4, Place::Waits(mut waits)) => match waits.operation.poll() {
                None => {
                    assert!(!waits.served && !waits.operation.is_cancelled());
                    Place::Waits(waits)
                }
                Some(Some((changed, receiver))) => {
                    assert!(waits.served);
                    assert_eq!(changed.is_some(), waits.seen != version);
                    assert!(changed.is_some() || sender.is_none());
                    Place::Idle(Watcher { receiver, seen: version })
                }
                Some(None) => {
                    assert!(waits.operation.is_cancelled() && !waits.served);
                    Place::Idle(Watcher { receiver: waits.copy, seen: waits.seen })
                }
            },
            (5, Place::Waits(waits)) => {
                waits.operation.scope.cancel();
                Place::Waits(waits)
            }
            // Dropped, it has seen nothing, whether or not it was told.
            (6, Place::Waits(waits)) => {
                let Waits { operation, copy, seen, .. } = waits;
                drop(operation);
                Place::Idle(Watcher { receiver: copy, seen })
            }
            (7, Place::Idle(mut watcher)) => {
                assert_eq!(watcher.receiver.has_changed(), watcher.seen != version);
                assert_eq!(*watcher.receiver.borrow_and_update(), version);
                watcher.seen = version;
                Place::Idle(watcher)
            }
            (8..11, place) => {
                if let Some(sender) = &sender {
                    let kept = (step % 2 == 0).then(|| sender.borrow());
                    sender.send(version + 1).unwrap();
                    version += 1;
                    assert!(kept.is_none_or(|kept| *kept + 1 == version), "it stays as it is");
                }
                place
            }
            (11, place) if *step > 200 => {
                sender = None;
                place
            }
            (_, place) => place,
        });
        let told = version != after || sender.is_none();
        for place in places.iter_mut().flatten() {
            if let Place::Waits(waits) = place {
                let cancelled = waits.operation.is_cancelled();
                waits.served |= told && !cancelled;
                assert!(waits.operation.is_woken() || !(waits.served || cancelled));
            }
        }
    }
}

/// The message is an `Rc`, so that it can be seen when it is dropped.
fn one_message(bytes: &[u8]) {
    let message = Rc::new(());
    let (sender, receiver) = oneshot::channel::<Rc<()>>();
    let (mut sender, mut receiver) = (Some(sender), Some(receiver));
    let mut receives: Option<Operation<'_, Rc<()>>> = None;
    let mut closes: Option<Operation<'_, ()>> = None;
    let (mut sent, mut got, mut served) = (false, false, false);
    // The operations borrow them for longer than the compiler can see; they are dropped first.
    for step in bytes {
        match step % 12 {
            0 | 1 if receives.is_none() && closes.is_none() => {
                // By value: a cancellation is the end of the receiver.
                if let Some(its) = receiver.take_if(|_| step / 12 % 2 == 0) {
                    let mut operation = Operation::new(its.into_future());
                    match operation.poll() {
                        Some(outcome) if sent && !got => {
                            assert!(outcome.is_some());
                            got = true;
                        }
                        Some(_) => unreachable!("an error is a panic of the operation"),
                        None => receives = Some(operation),
                    }
                }
            }
            2 | 3 => {
                if let Some(mut operation) = receives.take() {
                    match operation.poll() {
                        None => {
                            assert!(!served && !operation.is_cancelled());
                            receives = Some(operation);
                        }
                        Some(Some(_)) => {
                            assert!(sent && served && !mem::replace(&mut got, true));
                        }
                        Some(None) => assert!(operation.is_cancelled() && !served),
                    }
                }
            }
            4 => {
                if let Some(operation) = &receives {
                    operation.scope.cancel();
                }
            }
            5 if step / 12 % 3 == 0 => drop(receives.take()),
            6 if step / 12 % 3 == 0 => drop(receiver.take()),
            7 if closes.is_none() => {
                if let Some(its) = sender.take() {
                    let gone = receiver.is_none() && receives.is_none();
                    assert_eq!(its.is_closed(), gone);
                    match its.send(message.clone()) {
                        Ok(()) => {
                            assert!(!gone);
                            sent = true;
                            served |= receives.as_ref().is_some_and(|waits| !waits.is_cancelled());
                        }
                        Err(error) => {
                            assert!(gone);
                            drop(error.into_inner());
                        }
                    }
                }
            }
            8 if step / 12 % 2 == 0 && closes.is_none() => {
                if let Some(mut its) = sender.take() {
                    closes = Some(Operation::new(async move { its.closed().await }));
                }
            }
            9 => {
                if let Some(mut operation) = closes.take() {
                    let gone = receiver.is_none() && receives.is_none();
                    match operation.poll() {
                        Some(Some(())) => assert!(gone),
                        Some(None) => assert!(operation.is_cancelled()),
                        None => {
                            assert!(!gone);
                            closes = Some(operation);
                        }
                    }
                    // The sender may be gone with it, and then the receiver's operation fails.
                    if closes.is_none() {
                        break;
                    }
                }
            }
            10 => {
                if let Some(receiver) = &mut receiver {
                    let waits = sender.is_some() || closes.is_some();
                    match receiver.try_recv() {
                        Ok(_) => assert!(sent && !mem::replace(&mut got, true)),
                        Err(TryRecvError::Empty) => assert!(waits),
                        Err(TryRecvError::Ended) => assert!(got && !waits),
                    }
                }
            }
            _ => {}
        }
        if got && receives.is_none() && receiver.is_some() {
            receiver = None; // a further message does not come
        }
    }
    drop((receives, closes));
    drop((sender, receiver));
    assert_eq!(Rc::strong_count(&message), 1, "it is received, given back or dropped");
}
