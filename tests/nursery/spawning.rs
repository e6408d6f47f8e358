//! N5 and N9: siblings and handles, and that a child's enclosing scope is the nursery's.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use seedbed::{
    CancelScope, Error, Event, Nursery, NurseryClosed, NurseryHandle, Started, Task, cancel_scope,
    checkpoint, nursery, sleep, sleep_forever, yield_now,
};

use super::{Log, SECOND, of_an_earlier_run, run, timed};

// N5: siblings, and handles.

#[test]
fn n05_a_child_spawns_siblings() {
    fn tree<'scope>(
        n: &'scope Nursery<'scope, '_>,
        depth: u32,
        leaves: &'scope Cell<u32>,
    ) -> Task<'scope, ()> {
        n.spawn(async move {
            yield_now().await?;
            match depth {
                0 => leaves.set(leaves.get() + 1),
                _ => (0..3).for_each(|_| drop(tree(n, depth - 1, leaves))),
            }
            Ok(())
        })
    }
    let leaves = Cell::new(0);
    run(nursery(async |n| {
        drop(tree(n, 4, &leaves));
        Ok(())
    }))
    .unwrap();
    assert_eq!(leaves.get(), 81);
}

/// Through a handle, from a task outside, while a child keeps the nursery open.
#[test]
fn n05_a_handle_spawns_from_anywhere() {
    let log = Rc::new(Log::default());
    run(nursery(async |outer| {
        let kept: Rc<RefCell<Option<NurseryHandle>>> = Rc::default();
        let (handle, inner) = (kept.clone(), log.clone());
        let all = outer.spawn(async move {
            nursery(async |n| {
                *handle.borrow_mut() = Some(n.handle());
                drop(n.spawn(sleep(SECOND * 2)));
                Ok(())
            })
            .await?;
            inner.say("closed");
            Ok(())
        });
        sleep(SECOND).await?;
        let handle = kept.take().unwrap();
        let clone = handle.clone();
        drop(handle);
        let (first, second) = (log.clone(), log.clone());
        let task = clone.spawn(async move {
            first.say("spawned");
            sleep(SECOND * 5).await?;
            first.say("ended");
            Ok(9)
        })?;
        // A plain function can spawn as well.
        let synchronous: Box<dyn Fn()> = Box::new({
            let handle = clone.clone();
            move || {
                let log = second.clone();
                drop(handle.spawn(async move {
                    log.say("from a function");
                    Ok(())
                }));
            }
        });
        synchronous();
        assert!(clone.is_open());
        assert_eq!(task.await?, 9);
        all.await?;
        assert!(!clone.is_open());
        synchronous();
        Ok(())
    }))
    .unwrap();
    log.assert("spawned from a function ended closed");
}

#[test]
fn n05_closed_gives_the_future_back() {
    let line = Cell::new(0);
    run(async {
        let mut kept = None;
        line.set(line!() + 1);
        nursery(async |n| {
            kept = Some(n.handle());
            Ok(())
        })
        .await?;
        let handle = kept.unwrap();
        assert!(!handle.is_open());
        let text = String::from("as it was");
        let refused = handle.spawn(async move { Ok(text) }).unwrap_err();
        assert_eq!(refused.error().place().line(), line.get());
        assert_eq!(refused.into_inner().await?, "as it was");

        let refused = handle
            .start(async |started: Started<i32>| {
                started.ready(3);
                Ok(())
            })
            .err()
            .unwrap();
        let child = refused.into_inner(); // the closure
        assert_eq!(nursery(async |n| n.start(child).await).await?, 3);

        let error = Error::from(handle.spawn(checkpoint()).unwrap_err());
        assert!(error.is::<NurseryClosed>());
        Ok(())
    })
    .unwrap();
}

/// It closes when the last child has ended, not earlier: not when the body has, nor when it was
/// cancelled.
#[test]
fn n05_open_to_the_end() {
    let log = Rc::new(Log::default());
    run(async {
        let mut kept = None;
        let outer = log.clone();
        nursery(async |n| {
            kept = Some(n.handle());
            let (handle, log) = (n.handle(), log.clone());
            drop(n.spawn(async move {
                struct AtLast(NurseryHandle, Rc<Log>);
                impl Drop for AtLast {
                    fn drop(&mut self) {
                        let log = self.1.clone();
                        let child = async move {
                            log.say("last");
                            Ok(())
                        };
                        drop(self.0.spawn(child).expect("its own child has not ended yet"));
                    }
                }
                let _at_last = AtLast(handle.clone(), log.clone());
                sleep_forever().await.unwrap_err();
                drop(handle.spawn(async { Ok(()) }).expect("it is cancelled, not closed"));
                Ok(())
            }));
            yield_now().await?;
            n.cancel();
            Ok(())
        })
        .await?;
        outer.say("closed");
        assert!(!kept.unwrap().is_open());
        Ok(())
    })
    .unwrap();
    log.assert("last closed");
}

// N9: a child's scope is the nursery's.

/// Trio: "the child's enclosing scope is the nursery's `cancel_scope`, not the one around
/// `start_soon`".
#[test]
fn n09_not_the_spawners() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let (tx, log) = (Event::new(), &log);
        cancel_scope(async |scope| {
            drop(n.spawn(async {
                assert_eq!(seedbed::current_effective_deadline(), None);
                sleep(SECOND * 2).await?;
                log.say("not cancelled");
                Ok(())
            }));
            scope.set_timeout(SECOND);
            sleep_forever().await
        })
        .await?;
        tx.set();
        log.say("spawner left");
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 2);
    log.assert("spawner left not cancelled");
}

#[test]
fn n09_the_spawners_shield_is_no_help() {
    let log = Log::default();
    let (outcome, seconds) = timed(nursery(async |n| {
        let log = &log;
        let shield = CancelScope::new().with_shield();
        shield
            .enter(async |_| {
                drop(n.spawn(async move {
                    let outcome = sleep_forever().await;
                    log.say("child");
                    outcome
                }));
                yield_now().await?;
                n.cancel();
                sleep(SECOND).await?;
                log.say("spawner");
                Ok(())
            })
            .await?;
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 1);
    log.assert("child spawner");
}

/// A sibling that spawns, and a handle used under another nursery.
#[test]
fn n09_not_a_siblings_nor_a_handles() {
    let log = Rc::new(Log::default());
    run(nursery(async |n| {
        let handle = n.handle();
        let shared = log.clone();
        n.spawn(async move {
            nursery(async |inner| {
                let log = shared.clone();
                drop(handle.spawn(async move {
                    yield_now().await?;
                    yield_now().await?;
                    log.say("by handle");
                    Ok(())
                })?);
                inner.cancel();
                Ok(())
            })
            .await?;
            cancel_scope(async |scope| {
                let log = shared.clone();
                drop(n.spawn(async move {
                    yield_now().await?;
                    log.say("by sibling");
                    Ok(())
                }));
                scope.cancel();
                checkpoint().await
            })
            .await?;
            shared.say("spawner");
            Ok(())
        })
        .await
    }))
    .unwrap();
    let mut lines = log.0.take();
    lines.sort();
    assert_eq!(lines, ["by handle", "by sibling", "spawner"]);
}

/// It is the nursery's: its deadline is seen, and cancelling it reaches the child alone in there.
#[test]
fn n09_but_the_nurserys() {
    let (outcome, seconds) = timed(nursery(async |n| {
        n.scope().set_timeout(SECOND * 3);
        let deadline = n.scope().deadline();
        assert!(deadline.is_some());
        n.spawn(async move {
            assert_eq!(seedbed::current_effective_deadline(), deadline);
            Ok(())
        })
        .await?;
        drop(n.spawn(sleep_forever()));
        Ok(())
    }));
    outcome.unwrap();
    assert_eq!(seconds, 3);
}

#[test]
fn n05_a_nursery_of_an_earlier_run_drops_what_is_spawned_into_it() {
    let (earlier, handle) = of_an_earlier_run();
    let child = Rc::new(());
    let held = child.clone();
    let spawned = handle.spawn(async move {
        drop(held);
        Ok(())
    });
    drop(spawned.unwrap());
    seedbed::run(async { Ok(()) }).unwrap();
    assert_eq!(Rc::strong_count(&child), 2);
    drop(earlier);
    assert_eq!(Rc::strong_count(&child), 1);
}
