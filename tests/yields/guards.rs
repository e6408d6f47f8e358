//! Y6 and Y7: guards handed to a caller, and dropped in any order and anywhere.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::join;
use futures::poll;
use seedbed::{
    Generator, PreventYields, Result, Yielder, channel, context_manager, fail_after, generator,
    nursery, prevent_yields, sleep, sync_generator, with,
};

use super::{Boxed, exhaust, locked, may_yield, refused};
use crate::support::{catching, poll_once, run, secs};

async fn locked_later() -> Result<PreventYields> {
    sleep(secs(1)).await?;
    Ok(prevent_yields("locked later"))
}

#[test]
fn y06_a_guard_returned_from_a_function_counts_in_its_callers_frame() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let guard = locked();
            assert!(!may_yield(&y).await);
            drop(guard);
            assert!(may_yield(&y).await);
            let guard = locked_later().await?;
            assert!(!may_yield(&y).await);
            drop(guard);
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y06_a_guard_that_outlives_its_frame_counts_in_the_one_that_ran_it() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            // A generator that leaves a guard behind.
            let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
            let leave = left.clone();
            let mut inner = generator(async move |y: Yielder<()>| {
                y.yield_(()).await?;
                leave.set(Some(prevent_yields("left behind")));
                Ok(())
            });
            inner.anext().await?;
            assert!(may_yield(&y).await);
            assert_eq!(inner.anext().await?, None);
            let refusal = refused(y.yield_(()).await);
            assert_eq!(refusal.reason(), "left behind");
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            // A context manager whose resource holds one.
            let leave = left.clone();
            let manager = context_manager(async move |y: Yielder<PreventYields>| {
                y.yield_(prevent_yields("the resource")).await.map(drop)
            });
            with(manager, async |guard| {
                assert!(!may_yield(&y).await);
                leave.set(Some(guard));
                Ok(())
            })
            .await?;
            assert!(!may_yield(&y).await, "it is kept");
            left.take();
            assert!(may_yield(&y).await);
            // The body of the manager drops it: what was handed over lasts until it is left.
            let manager = context_manager(async move |y: Yielder<PreventYields>| {
                y.yield_(prevent_yields("the resource")).await.map(drop)
            });
            with(manager, async |guard| {
                drop(guard);
                Ok(())
            })
            .await?;
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y06_handed_on_through_many_frames() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
            fn nest(depth: u32, left: Rc<Cell<Option<PreventYields>>>) -> Generator<'static, ()> {
                generator(async move |_: Yielder<()>| {
                    if depth == 0 {
                        left.set(Some(prevent_yields("deep")));
                        return Ok(());
                    }
                    Box::pin(exhaust(nest(depth - 1, left))).await.map(drop)
                })
            }
            exhaust(nest(5, left.clone())).await?;
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            // A synchronous generator is a frame as well.
            let leave = left.clone();
            let sync = sync_generator(async move |_: Yielder<()>| {
                leave.set(Some(prevent_yields("sync")));
                Ok(())
            });
            assert_eq!(sync.count(), 0);
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            // One that panics ends, too.
            let leave = left.clone();
            let panicking = generator(async move |_: Yielder<()>| {
                leave.set(Some(prevent_yields("panicking")));
                panic!("x")
            });
            assert!(catching(exhaust(panicking)).await.is_err());
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y06_a_frame_that_ends_in_a_task_leaves_its_guards_to_nobody() {
    run(async {
        let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
        let leave = left.clone();
        let ends = generator(async move |_: Yielder<()>| {
            leave.set(Some(prevent_yields("left behind")));
            Ok(())
        });
        exhaust(ends).await?;
        let g = generator(async |y: Yielder<()>| {
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 1);
        left.take();
        Ok(())
    })
    .unwrap();
}

#[test]
fn y07_guards_dropped_in_any_order() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let mut guards = ["0", "1", "2"].map(|name| Some(prevent_yields(name)));
                for (dropped, at) in order.into_iter().enumerate() {
                    let refusal = refused(y.yield_(()).await);
                    let newest = (0..3).rev().find(|i| guards[*i].is_some()).unwrap();
                    assert_eq!(refusal.reason(), newest.to_string(), "{order:?} {dropped}");
                    guards[at] = None;
                }
                assert!(may_yield(&y).await);
            }
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 6);
        Ok(())
    })
    .unwrap();
}

/// There is always one open, so nothing begins anew: whatever is dropped, the newest is named.
#[test]
fn y07_guards_that_overlap_without_end() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            for at in [0, 1, 2] {
                let mut guards: Vec<_> =
                    (0..3).map(|n| (n, prevent_yields(n.to_string()))).collect();
                for n in 3..30 {
                    drop(guards.remove(at));
                    let newest = guards.last().unwrap().0.to_string();
                    assert_eq!(refused(y.yield_(()).await).reason(), newest, "at {at}");
                    guards.push((n, prevent_yields(n.to_string())));
                    assert_eq!(refused(y.yield_(()).await).reason(), n.to_string(), "at {at}");
                }
                drop(guards);
                assert!(may_yield(&y).await);
            }
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y07_guards_dropped_in_another_frame_or_task() {
    run(async {
        let (give, given) = channel::<PreventYields>(9);
        let mut holder = generator(async move |y: Yielder<bool>| {
            loop {
                let guard = prevent_yields("given away");
                let refusal = y.yield_(true).await; // seedbed-lint: allow(yield-in-scope)
                refused(refusal);
                give.send(guard).await?;
                // It still counts here: this is where it was made.
                refused(y.yield_(true).await);
                sleep(secs(1)).await?;
                y.yield_(false).await?; // by now it has been dropped elsewhere
            }
        });
        let given = &given;
        nursery(async |n| {
            // Dropped in a task …
            let dropper = n.spawn(async {
                let guard = given.recv().await?;
                drop(guard);
                Ok(())
            });
            assert_eq!(holder.anext().await?, Some(false));
            dropper.await?;
            // … and in another generator, whose counter it does not touch.
            let other = async {
                let mut other = generator(async |y: Yielder<()>| {
                    assert!(may_yield(&y).await);
                    Ok(())
                });
                let guard = given.recv().await?;
                assert!(other.anext().await?.is_some());
                drop(guard);
                assert_eq!(other.anext().await?, None);
                Ok(())
            };
            let (value, other) = join(holder.anext(), other).await;
            assert_eq!(value?, Some(false));
            other
        })
        .await?;
        holder.aclose().await
    })
    .unwrap();
}

#[test]
fn y07_a_guard_moved_into_a_frame_does_not_count_there() {
    run(async {
        let guard = prevent_yields("made in a task");
        let g = generator(async move |y: Yielder<()>| {
            assert!(may_yield(&y).await);
            drop(guard);
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y07_an_open_scope_moved_to_another_frame_counts_where_it_was_opened() {
    run(async {
        let moved: Rc<RefCell<Option<Boxed<'static>>>> = Rc::default();
        let give = moved.clone();
        let mut opener = generator(async move |y: Yielder<bool>| {
            let mut open: Boxed<'static> = Box::pin(fail_after(secs(5), sleep(secs(1))));
            assert!(poll!(open.as_mut()).is_pending());
            give.replace(Some(open));
            refused(y.yield_(true).await);
            sleep(secs(2)).await?;
            y.yield_(false).await.map(drop)
        });
        let mut finisher = generator(async move |y: Yielder<bool>| {
            y.yield_(true).await?;
            let mut open = moved.take().expect("it was given");
            y.yield_(true).await?; // it does not count here, where it was not opened
            open.as_mut().await?;
            y.yield_(true).await.map(drop)
        });
        assert_eq!(finisher.anext().await?, Some(true));
        assert!(poll_once(opener.anext()).await.is_none());
        assert_eq!(finisher.anext().await?, Some(true));
        assert_eq!(finisher.anext().await?, Some(true));
        // The box of the finished scope is still there; it was left when it was over.
        assert_eq!(opener.anext().await?, Some(false));
        finisher.aclose().await?;
        opener.aclose().await
    })
    .unwrap();
}

#[test]
fn y07_a_guard_that_outlives_its_frame_dropped_after_its_heir_has_ended() {
    run(async {
        let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
        let leave = left.clone();
        let outer = generator(async move |_: Yielder<()>| {
            let inner = generator(async move |_: Yielder<()>| {
                leave.set(Some(prevent_yields("left behind")));
                Ok(())
            });
            exhaust(inner).await.map(drop)
        });
        exhaust(outer).await?;
        left.take();
        // And with a new frame meanwhile.
        let g = generator(async |y: Yielder<()>| {
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y07_a_leaked_guard_forbids_for_ever() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            std::mem::forget(prevent_yields("leaked"));
            y.yield_(1).await.map(drop)
        });
        assert_eq!(refused(g.anext().await).reason(), "leaked");
        Ok(())
    })
    .unwrap();
}
