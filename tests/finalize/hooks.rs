//! F1: the hooks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use seedbed::testing::VirtualClock;
use seedbed::{
    AsyncgenHooks, Deadlock, Event, GeneratorState, NotRunning, Unfinished, Yielder, generator,
    get_asyncgen_hooks, nursery, set_asyncgen_hooks, sleep,
};
use tracing::Level;

use super::{Numbers, begun, left_at};
use crate::support::{Drops, Log, catching, count, counting, recording, run, run_on, secs};

#[test]
fn f01_hooks_are_set_got_stacked_and_restored() {
    let log = Log::new();
    let hooks = |name: &'static str| AsyncgenHooks {
        first_iter: {
            let log = log.clone();
            Some(Rc::new(move |generator, place| {
                assert_eq!(place.file(), file!());
                log.add(format!("{name} first: {generator}"));
            }))
        },
        finalizer: {
            let log = log.clone();
            Some(Rc::new(move |unfinished: Unfinished<'static>| {
                log.add(format!("{name} final: {}", unfinished.qualname()));
            }))
        },
    };
    let none = get_asyncgen_hooks();
    assert!(none.first_iter.is_none() && none.finalizer.is_none(), "to begin with");
    run(async {
        fn named(name: &'static str) -> Numbers {
            let g = generator(async |y: Yielder<u32>| count(&y).await);
            g.set_qualname(name);
            g
        }
        let before = set_asyncgen_hooks(hooks("outer"));
        assert!(before.first_iter.is_none());
        let mut a = named("a");
        a.anext().await?;
        let outer = set_asyncgen_hooks(hooks("inner"));
        let mut b = named("b");
        b.anext().await?;
        a.anext().await?; // not the first time
        let inner = set_asyncgen_hooks(outer);
        assert!(inner.finalizer.is_some());
        let mut c = named("c");
        c.anext().await?;
        let unused = named("unused");
        drop(set_asyncgen_hooks(before));
        let none = get_asyncgen_hooks();
        assert!(none.first_iter.is_none() && none.finalizer.is_none(), "restored");
        // Each keeps the finalizer that was set at its first iteration.
        drop((a, b, c, unused));
        assert_eq!(
            log.take(),
            [
                "outer first: a",
                "inner first: b",
                "outer first: c",
                "outer final: a",
                "inner final: b",
                "outer final: c"
            ]
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn f01_hooks_are_of_the_thread() {
    let before = set_asyncgen_hooks(AsyncgenHooks {
        first_iter: Some(Rc::new(|_, _| panic!("not this thread's"))),
        ..AsyncgenHooks::default()
    });
    std::thread::spawn(|| {
        assert!(get_asyncgen_hooks().first_iter.is_none());
        run(async {
            let mut g = begun(async |y: Yielder<u32>| count(&y).await).await?;
            g.aclose().await
        })
        .unwrap();
    })
    .join()
    .unwrap();
    // They outlast a run, and a hook's panic comes out where the generator is iterated.
    run(async {
        let mut g = generator(async |y: Yielder<u32>| count(&y).await);
        assert_eq!(catching(g.anext()).await.unwrap_err(), "not this thread's");
        assert_eq!(g.state(), GeneratorState::Created);
        Ok(())
    })
    .unwrap();
    set_asyncgen_hooks(before);
}

#[test]
fn f01_a_finalizer_of_ones_own_may_close_it_where_it_likes() {
    let clock = VirtualClock::new();
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let log = Log::new();
            nursery(async |n| {
                let (handle, inside) = (n.handle(), log.clone());
                let before = set_asyncgen_hooks(AsyncgenHooks {
                    finalizer: Some(Rc::new(move |unfinished| {
                        inside.add(format!("line {}", unfinished.suspended_at().unwrap().line()));
                        inside.add(format!("{}", unfinished.place().file() == file!()));
                        drop(handle.spawn(unfinished.aclose()));
                    })),
                    ..AsyncgenHooks::default()
                });
                let line = Rc::new(Cell::new(0));
                let (at, inside) = (line.clone(), log.clone());
                let mut g = generator(async move |y: Yielder<u32>| {
                    at.set(line!() + 1);
                    let outcome = y.yield_(1).await;
                    sleep(secs(3)).await?; // not cancelled: that is the finalizer's choice
                    inside.add("cleaned");
                    outcome.map(drop)
                });
                g.anext().await?;
                set_asyncgen_hooks(before);
                drop(g);
                assert_eq!(log.take(), [format!("line {}", line.get()), "true".into()]);
                Ok(())
            })
            .await?;
            assert_eq!((log.take(), clock.elapsed()), (vec!["cleaned".to_owned()], secs(3)));
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "the warning is the runtime's own finalizer's: {records:?}");
}

#[test]
fn f01_what_a_finalizer_of_ones_own_keeps_is_closed_at_the_end() {
    let log = Log::new();
    let kept: Rc<RefCell<Vec<Unfinished<'static>>>> = Rc::default();
    let keep = kept.clone();
    let drops = Drops::default();
    run(async {
        let before = set_asyncgen_hooks(AsyncgenHooks {
            finalizer: Some(Rc::new(move |unfinished| keep.borrow_mut().push(unfinished))),
            ..AsyncgenHooks::default()
        });
        drop(begun(counting(&log)).await?);
        let guard = drops.guard();
        let dropped = begun(async move |y: Yielder<u32>| {
            let _guard = guard;
            count(&y).await
        });
        drop(dropped.await?);
        set_asyncgen_hooks(before);
        // Dropping what a finalizer gets drops the body, without its clean-up.
        let unfinished = kept.borrow_mut().pop();
        drop(unfinished);
        assert_eq!(drops.count(), 1);
        assert!(log.take().is_empty());
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), [left_at(0)]);
    assert!(format!("{:?}", kept.take()).contains("counting"));
}

#[test]
fn f01_iterating_where_nothing_runs_is_an_error() {
    let mut g = generator(async |y: Yielder<u32>| count(&y).await);
    let outcome = futures::executor::block_on(g.anext());
    assert!(outcome.unwrap_err().is::<NotRunning>());
    let next = futures::executor::block_on(futures::StreamExt::next(&mut g));
    assert!(next.unwrap().unwrap_err().is::<NotRunning>());
    futures::executor::block_on(g.aclose()).unwrap();
    assert_eq!(g.state(), GeneratorState::Finished);
}

#[test]
fn f01_nor_can_one_go_on_after_its_run_has_failed() {
    // A deadlock ends a run without waiting for anything.
    let (mut kept, log) = (None, Log::new());
    let inside = log.clone();
    let (outcome, records) = recording(|| {
        run(async {
            kept = Some(
                begun(async move |y: Yielder<u32>| {
                    let _guard = inside.on_drop("dropped");
                    count(&y).await
                })
                .await?,
            );
            Event::new().wait().await
        })
    });
    assert!(outcome.unwrap_err().is::<Deadlock>());
    let mut g = kept.unwrap();
    assert_eq!(log.take(), ["dropped"], "`run` leaves nothing behind");
    assert_eq!(g.state(), GeneratorState::Finished);
    let record =
        records.iter().find(|record| record.level == Level::ERROR).expect("it is reported");
    assert!(record.message().contains("without cleaning up"));
    assert!(record.field("generator").starts_with("finalize::hooks::f01_nor_can_one_go_on"));
    assert_eq!(run(async { g.anext().await }).unwrap(), None);
}
