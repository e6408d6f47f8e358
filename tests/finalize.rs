//! What becomes of generators that are left half-way: rows F1 to F6 of what the crate promises.

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use futures::future::{Either, FutureExt, LocalBoxFuture, TryFutureExt, join};
use futures::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    AsyncgenHooks, Builder, Deadlock, Error, Event, Generator, GeneratorExit, GeneratorMisused,
    GeneratorState, NotRunning, Result, Unfinished, Yielder, aclosing, cancel_scope, checkpoint,
    current_effective_deadline, fail_after, generator, get_asyncgen_hooks, move_on_after, now,
    nursery, set_asyncgen_hooks, sleep, sleep_forever, yield_now,
};
use support::{
    Drops, Log, Record, cancelled, catching, count, counting, poll_once, recording, run, run_on,
    said, secs, shielded, slow_to_close,
};
use tracing::Level;

type Numbers = Generator<'static, u32>;
type Kept = Rc<RefCell<Vec<Numbers>>>;

/// The generator has been made by then, and the cell is not borrowed while it was.
fn keep(kept: &Kept, g: Numbers) {
    kept.borrow_mut().push(g);
}

const EXIT: &str = "the generator is being closed";

fn left_at(i: u32) -> String {
    format!("left at {i}: {EXIT}")
}

/// A generator at its first yield.
async fn begun(body: impl AsyncFnOnce(Yielder<u32>) -> Result<()> + 'static) -> Result<Numbers> {
    let mut g = generator(body);
    g.anext().await?;
    Ok(g)
}

/// As `run`, without the warnings that are expected.
fn quiet<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    recording(|| run(main)).0
}

fn errors(records: &[Record]) -> Vec<&str> {
    let errors = records.iter().filter(|record| record.level == Level::ERROR);
    errors.map(|record| record.field("error")).collect()
}

// F1

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
    assert!(record.field("generator").starts_with("finalize::f01_nor_can_one_go_on"));
    assert_eq!(run(async { g.anext().await }).unwrap(), None);
}

// F2

#[test]
fn f02_a_suspended_generator_that_is_dropped_is_closed_in_a_system_task() {
    let clock = VirtualClock::new();
    let place = Cell::new(0);
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let log = Log::new();
            let inside = log.clone();
            place.set(line!() + 1);
            let mut g = generator(async move |y: Yielder<u32>| {
                let error = y.yield_(1).await.unwrap_err();
                inside.add(format!("exit: {}", error.is::<GeneratorExit>()));
                // Inside a cancelled scope …
                inside
                    .add(format!("cancelled: {}", checkpoint().await.unwrap_err().is_cancelled()));
                inside.add(format!(
                    "cancelled: {}",
                    sleep(secs(9)).await.unwrap_err().is_cancelled()
                ));
                inside.add(format!("late: {}", current_effective_deadline().unwrap() <= now()));
                // … but it may raise a shield of its own.
                shielded(sleep(secs(2))).await?;
                inside.add("cleaned");
                Err(error)
            });
            g.set_qualname("readings");
            assert_eq!(g.anext().await?, Some(1));
            drop(g);
            assert!(log.take().is_empty(), "not in the destructor");
            sleep(secs(1)).await?;
            assert_eq!(
                log.take(),
                ["exit: true", "cancelled: true", "cancelled: true", "late: true"]
            );
            sleep(secs(2)).await?;
            assert_eq!(log.take(), ["cleaned"], "while the program goes on");
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].level, Level::WARN);
    assert_eq!(records[0].field("generator"), "readings");
    let made_at = records[0].field("made_at");
    assert!(made_at.starts_with(&format!("{}:{}:", file!(), place.get())), "{made_at}");
    let suspended_at = records[0].field("suspended_at");
    assert!(
        suspended_at.starts_with(&format!("{}:{}:", file!(), place.get() + 1)),
        "{suspended_at}"
    );
    assert!(records[0].message().contains("aclosing"), "it says what to do");
}

#[test]
fn f02_its_scope_is_shielded_from_what_is_cancelled_around() {
    // Neither the consumer's scope nor the end of the main future interrupts the shielded part.
    let log = Log::new();
    let clock = VirtualClock::new();
    recording(|| {
        run_on(&clock, async {
            cancelled(async {
                let g = begun(slow_to_close(&log)).await?;
                drop(g);
                yield_now().await
            })
            .await?;
            Ok(())
        })
    })
    .0
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
    assert_eq!(clock.elapsed(), secs(1));
}

#[test]
fn f02_what_was_not_begun_or_has_ended_needs_no_finalizer() {
    let (outcome, records) = recording(|| {
        run(async {
            let drops = Drops::default();
            let guard = drops.guard();
            let unbegun = generator(async move |y: Yielder<u32>| {
                let _guard = guard;
                count(&y).await
            });
            drop(unbegun);
            assert_eq!(drops.count(), 1, "at once");
            let mut ended = generator(async |_: Yielder<u32>| Ok(()));
            assert_eq!(ended.anext().await?, None);
            drop(ended);
            let mut closed = begun(async |y: Yielder<u32>| count(&y).await).await?;
            closed.aclose().await
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn f02_dropped_in_flight() {
    // It waits for something of its own, for something behind a combinator that polls only what
    // was woken, in a nursery, or in a timeout: the cancelled scope reaches it.
    let clock = VirtualClock::new();
    quiet_on(&clock, async {
        for kind in 0..5 {
            let log = Log::new();
            let inside = log.clone();
            let mut g = generator(async move |y: Yielder<u32>| {
                let _guard = inside.on_drop("dropped");
                let outcome = match kind {
                    0 => sleep_forever().await,
                    1 => {
                        let all: FuturesUnordered<_> = (0..3).map(|_| sleep_forever()).collect();
                        all.try_collect::<Vec<_>>().await.map(drop)
                    }
                    2 => nursery(async |n| n.spawn(sleep_forever()).await).await,
                    3 => fail_after(secs(1000), sleep_forever()).await,
                    _ => {
                        let mut inner = generator(async |_: Yielder<u32>| {
                            let all = (0..50).map(|_| sleep_forever());
                            futures::future::join_all(all).await.into_iter().collect()
                        });
                        inner.anext().await.map(drop)
                    }
                };
                inside.add(format!("cancelled: {}", outcome.as_ref().unwrap_err().is_cancelled()));
                outcome?;
                y.yield_(1).await.map(drop)
            });
            assert!(poll_once(g.anext()).await.is_none());
            drop(g);
            sleep(secs(1)).await?;
            assert_eq!(log.take(), ["cancelled: true", "dropped"], "{kind}");
        }
        Ok(())
    })
    .unwrap();
}

fn quiet_on<T>(clock: &VirtualClock, main: impl Future<Output = Result<T>>) -> Result<T> {
    recording(|| run_on(clock, main)).0
}

#[test]
fn f02_dropped_in_flight_under_a_shield_of_its_own() {
    let log = Log::new();
    let clock = VirtualClock::new();
    let inside = log.clone();
    quiet_on(&clock, async {
        let mut g = generator(async move |y: Yielder<u32>| {
            shielded(sleep(secs(5))).await?;
            inside.add("done");
            let error = y.yield_(1).await.unwrap_err();
            inside.add(error.to_string());
            Err(error)
        });
        assert!(poll_once(g.anext()).await.is_none());
        drop(g);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["done", EXIT], "its work was not interrupted");
    assert_eq!(clock.elapsed(), secs(5));
}

#[test]
fn f02_many_dropped_at_once_are_closed_beside_each_other() {
    let log = Log::new();
    let clock = VirtualClock::new();
    quiet_on(&clock, async {
        for _ in 0..100 {
            drop(begun(slow_to_close(&log)).await?);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take().iter().filter(|line| *line == "cleaned").count(), 100);
    assert_eq!(clock.elapsed(), secs(1));
}

// F3

thread_local! {
    static KEPT: RefCell<Vec<Numbers>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn f03_every_generator_still_alive_is_closed_before_run_returns() {
    let (outcome, records) = recording(|| {
        let log = Log::new();
        let cell = Kept::default();
        let clock = VirtualClock::new();
        let returned = run_on(&clock, async {
            // In a cell that outlives the run, in a cycle with itself, in a thread-local, leaked,
            // and in the value that is returned.
            keep(&cell, begun(slow_to_close(&log)).await?);
            let cycle = Kept::default();
            keep(&cycle, begun(slow_to_close(&log)).await?);
            let (own, inside) = (cycle.clone(), log.clone());
            let in_itself = begun(async move |y: Yielder<u32>| {
                let _own = own;
                slow_to_close(&inside)(y).await
            });
            keep(&cycle, in_itself.await?);
            let in_a_thread_local = begun(slow_to_close(&log)).await?;
            KEPT.with_borrow_mut(|kept| kept.push(in_a_thread_local));
            std::mem::forget(begun(slow_to_close(&log)).await?);
            begun(slow_to_close(&log)).await
        })
        .unwrap();
        let lines = log.take();
        assert_eq!(lines, ["cleaning", "cleaned"].repeat(6), "one at a time, to the end");
        assert_eq!(clock.elapsed(), secs(6));
        assert_eq!(returned.state(), GeneratorState::Finished);
        assert_eq!(cell.borrow()[0].state(), GeneratorState::Finished);
        KEPT.with_borrow_mut(|kept| {
            assert_eq!(kept.pop().unwrap().state(), GeneratorState::Finished)
        });
        Ok::<_, Error>(())
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn f03_the_bodies_of_those_closed_are_dropped() {
    let drops = Drops::default();
    run(async {
        for _ in 0..3 {
            let guard = drops.guard();
            let g = begun(async move |y: Yielder<u32>| {
                let _guard = guard;
                count(&y).await
            });
            std::mem::forget(g.await?);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 3);
}

#[test]
fn f03_those_made_while_finalizing_included() {
    let log = Log::new();
    let cell = Kept::default();
    fn chain(depth: u32, log: Log, cell: Kept) -> Numbers {
        generator(async move |y: Yielder<u32>| {
            let outcome = y.yield_(1).await.map(drop);
            log.add(format!("closing {depth}"));
            if depth > 0 {
                let mut next = chain(depth - 1, log.clone(), cell.clone());
                next.anext().await?;
                cell.borrow_mut().push(next);
            }
            outcome
        })
    }
    run(async {
        for _ in 0..2 {
            let mut first = chain(3, log.clone(), cell.clone());
            first.anext().await?;
            cell.borrow_mut().push(first);
        }
        Ok(())
    })
    .unwrap();
    let mut lines = log.take();
    lines.sort();
    let mut expected = ["closing 0", "closing 1", "closing 2", "closing 3"].repeat(2);
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert!(cell.borrow().iter().all(|g| g.state() == GeneratorState::Finished));
    cell.take();
}

#[test]
fn f03_those_dropped_while_finalizing_included() {
    let log = Log::new();
    quiet(async {
        let inside = log.clone();
        let holder = begun(async move |y: Yielder<u32>| {
            let held = begun(slow_to_close(&inside)).await?;
            let outcome = y.yield_(1).await;
            drop(held); // goes to its own finalizer
            outcome.map(drop)
        });
        std::mem::forget(holder.await?);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
}

#[test]
fn f03_whichever_way_the_main_future_ends() {
    let log = Log::new();
    let leak = async || -> Result<()> {
        std::mem::forget(begun(slow_to_close(&log)).await?);
        Ok(())
    };
    let error = run(async {
        leak().await?;
        Err::<(), _>(Error::msg("main failed"))
    });
    assert_eq!(error.unwrap_err().to_string(), "main failed");
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            leak().await?;
            panic!("main panicked");
            #[expect(unreachable_code, reason = "for the type")]
            Ok(())
        })
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "main panicked");
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            nursery(async |n| {
                leak().await?;
                n.spawn::<_, ()>(async { panic!("a child panicked") }).await
            })
            .await
        })
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "a child panicked");
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
}

#[test]
fn f03_one_that_is_dropped_as_the_main_future_ends() {
    // It is closed once, by one of the two ways.
    for turns in 0..6 {
        let log = Log::new();
        let clock = VirtualClock::new();
        quiet_on(&clock, async {
            let g = begun(slow_to_close(&log)).await?;
            drop(g);
            for _ in 0..turns {
                yield_now().await?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(log.take(), ["cleaning", "cleaned"]);
        assert_eq!(clock.elapsed(), secs(1));
    }
}

#[test]
fn f03_one_that_wraps_another_dropped_as_the_main_future_ends() {
    // The outer one's clean-up closes the inner one, in a task of the runtime's, while all that
    // are alive are closed: nobody takes the inner one from under it.
    for (turns, closing) in (0..6).flat_map(|turns| [(turns, true), (turns, false)]) {
        let log = Log::new();
        let inside = log.clone();
        quiet(async {
            let outer = begun(async move |y: Yielder<u32>| {
                let mut inner = begun(async move |y: Yielder<u32>| {
                    let outcome = count(&y).await;
                    sleep(secs(1)).await?; // shielded by whoever closes it, or cancelled
                    inside.add("inner cleaned");
                    outcome
                })
                .await?;
                let outcome = count(&y).await;
                if closing {
                    shielded(inner.aclose()).await?;
                } else {
                    shielded(sleep(secs(1))).await?;
                    drop(inner);
                }
                outcome
            });
            drop(outer.await?);
            for _ in 0..turns {
                yield_now().await?;
            }
            Ok(())
        })
        .unwrap();
        let lines = log.take();
        if closing && turns > 2 {
            assert_eq!(lines, ["inner cleaned"], "{turns}");
        }
    }
}

#[test]
fn f03_a_clean_up_that_drives_what_is_being_finalized() {
    // The inner one was picked first. The outer one's `anext` is refused, as it is in Python, and
    // its `aclose` waits.
    let log = Log::new();
    quiet(async {
        let shared: Rc<RefCell<Option<Numbers>>> = Rc::default();
        shared.replace(Some(begun(slow_to_close(&log)).await?));
        let (theirs, inside) = (shared.clone(), log.clone());
        let outer = begun(async move |y: Yielder<u32>| {
            let outcome = count(&y).await;
            let mut inner = theirs.take().unwrap();
            let error = inner.anext().await.unwrap_err();
            inside.add(format!("refused: {}", error.is::<GeneratorMisused>()));
            shielded(inner.aclose()).await?;
            inside.add(format!("closed: {:?}", inner.state()));
            outcome
        });
        drop(outer.await?);
        Ok(())
    })
    .unwrap();
    let lines = log.take();
    assert_eq!(lines, ["cleaning", "refused: true", "cleaned", "closed: Finished"]);
}

/// Also behind what polls only what was woken.
#[test]
fn f03_whoever_drives_what_is_finalized_meanwhile_hears_of_it() {
    type Drive = for<'a> fn(&'a mut Numbers) -> LocalBoxFuture<'a, Result<()>>;
    let drives: [(&str, Drive); 4] = [
        ("anext", |g| g.anext().map_ok(drop).boxed_local()),
        ("asend", |g| g.asend(()).map_ok(drop).err_into().boxed_local()),
        ("athrow", |g| g.athrow(Error::msg("thrown in")).map_ok(drop).boxed_local()),
        ("aclose", |g| g.aclose().boxed_local()),
    ];
    let test = |how: &str, drive: Drive, in_nursery: bool| {
        let (log, clock, kept) = (Log::new(), VirtualClock::new(), Kept::default());
        let (slow, inside) = (log.clone(), log.clone());
        let main = async {
            // It is iterated first, and so it is closed first.
            let mut inner = begun(async move |y: Yielder<u32>| {
                let outcome = y.yield_(0).await;
                shielded(sleep(secs(1))).await?;
                slow.add("cleaned");
                outcome.map(drop)
            })
            .await?;
            let mut outer = generator(async move |y: Yielder<u32>| {
                let drive = async {
                    let outcome = drive(&mut inner).await;
                    inside.add("heard");
                    outcome
                };
                if in_nursery {
                    return shielded(nursery(async |n| {
                        n.spawn(drive);
                        Ok(())
                    }))
                    .await;
                }
                let all = FuturesUnordered::new();
                all.push(drive.boxed_local());
                all.push(y.yield_(1).map_ok(drop).boxed_local());
                all.collect::<Vec<_>>().await.into_iter().collect()
            });
            assert_eq!(poll_once(outer.anext()).await.is_some(), !in_nursery);
            keep(&kept, outer);
            Ok(())
        };
        let (outcome, _) = recording(|| run_on(&clock, main));
        assert!(outcome.is_ok(), "{how}, in a nursery: {in_nursery}: {outcome:?}");
        assert_eq!(log.take(), ["cleaned", "heard"], "{how}, in a nursery: {in_nursery}");
        assert_eq!(clock.elapsed(), secs(1));
    };
    for (how, drive) in drives {
        test(how, drive, false);
        test(how, drive, true);
    }
}

#[test]
fn f03_a_clean_up_that_drops_what_is_being_finalized() {
    let log = Log::new();
    let clock = VirtualClock::new();
    quiet_on(&clock, async {
        let shared: Rc<RefCell<Option<Numbers>>> = Rc::default();
        shared.replace(Some(begun(slow_to_close(&log)).await?));
        let (theirs, inside) = (shared.clone(), log.clone());
        let outer = begun(async move |y: Yielder<u32>| {
            let outcome = count(&y).await;
            drop(theirs.take());
            inside.add("dropped");
            outcome
        });
        drop(outer.await?);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "dropped", "cleaned"]);
    assert_eq!(clock.elapsed(), secs(1));
}

#[test]
fn f03_one_whose_clean_up_closes_itself() {
    // Python: "aclose(): asynchronous generator is already running".
    let log = Log::new();
    let inside = log.clone();
    run(async {
        let itself = Kept::default();
        let own = itself.clone();
        let g = begun(async move |y: Yielder<u32>| {
            let outcome = count(&y).await;
            let mut me = own.take().pop().unwrap();
            inside.add(me.aclose().await.unwrap_err().to_string());
            inside.add(me.anext().await.unwrap_err().to_string());
            outcome
        });
        keep(&itself, g.await?);
        Ok(())
    })
    .unwrap();
    let lines = log.take();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("from inside of its own body"), "{}", lines[0]);
}

#[test]
fn f03_one_that_was_left_in_flight() {
    let log = Log::new();
    let inside = log.clone();
    quiet(async {
        let mut g = generator(async move |_: Yielder<u32>| {
            let outcome = sleep_forever().await;
            inside.add(format!("cancelled: {}", outcome.as_ref().unwrap_err().is_cancelled()));
            outcome
        });
        assert!(poll_once(g.anext()).await.is_none());
        std::mem::forget(g);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cancelled: true"]);
}

#[test]
fn f03_ten_thousand() {
    let drops = Drops::default();
    run(async {
        for _ in 0..10_000 {
            let guard = drops.guard();
            let g = begun(async move |y: Yielder<u32>| {
                let _guard = guard;
                count(&y).await
            });
            std::mem::forget(g.await?);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(drops.count(), 10_000);
}

#[test]
fn f03_the_next_run_begins_with_none() {
    let cell = Kept::default();
    let log = Log::new();
    run(async {
        cell.borrow_mut().push(generator(counting(&log))); // not begun
        keep(&cell, begun(counting(&log)).await?);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), [left_at(0)]);
    run(async {
        let mut kept = cell.take();
        assert_eq!(kept.pop().unwrap().anext().await?, None);
        let mut unbegun = kept.pop().unwrap();
        assert_eq!(unbegun.anext().await?, Some(0), "a later run may begin it");
        std::mem::forget(unbegun);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), [left_at(0)]);
}

// F4

#[test]
fn f04_an_error_while_finalizing_is_reported_and_never_raised() {
    let (outcome, records) = recording(|| {
        run(async {
            let dropped = begun(async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                Err(Error::msg("dropped"))
            });
            dropped.await?.set_qualname("unused");
            yield_now().await?;
            sleep(secs(1)).await?; // nothing has been cancelled
            let left = begun(async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                Err(Error::msg("left"))
            });
            let left = left.await?;
            left.set_qualname("left");
            std::mem::forget(left);
            let stubborn = begun(async |y: Yielder<u32>| {
                loop {
                    drop(y.yield_(1).await);
                }
            });
            drop(stubborn.await?);
            let breaking = begun(async |y: Yielder<u32>| {
                let exit = y.yield_(1).await;
                cancel_scope(async |_| y.yield_(2).await).await?;
                exit.map(drop)
            });
            drop(breaking.await?);
            Ok(7)
        })
    });
    assert_eq!(outcome.unwrap(), 7);
    let errors = errors(&records);
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(errors[0], "dropped");
    for wanted in ["left", "pass `GeneratorExit` on", "is inside of a cancel scope"] {
        assert!(errors.iter().any(|error| error.contains(wanted)), "{wanted}: {errors:?}");
    }
    let record = records
        .iter()
        .find(|record| record.level == Level::ERROR && record.field("error") == "left");
    let record = record.unwrap();
    assert_eq!(record.field("generator"), "left");
    assert!(record.field("made_at").starts_with(file!()));
}

#[test]
fn f04_a_cancellation_while_finalizing_is_no_error() {
    let (outcome, records) = recording(|| {
        run(async {
            let g = begun(async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                sleep(secs(1)).await
            });
            std::mem::forget(g.await?);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn f04_a_panic_while_finalizing_does_not_keep_the_others_from_it() {
    for dropped in [true, false] {
        let log = Log::new();
        let outcome = recording(|| {
            catch_unwind(AssertUnwindSafe(|| {
                run(async {
                    std::mem::forget(begun(slow_to_close(&log)).await?);
                    let panics = begun(async |y: Yielder<u32>| {
                        drop(y.yield_(1).await);
                        panic!("while it was finalized")
                    });
                    if dropped {
                        drop(panics.await?);
                        drop(sleep(secs(5)).await); // may be cancelled
                    } else {
                        std::mem::forget(panics.await?);
                    }
                    std::mem::forget(begun(slow_to_close(&log)).await?);
                    Ok(())
                })
            }))
        })
        .0;
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "while it was finalized");
        assert_eq!(log.take(), ["cleaning", "cleaned"].repeat(2), "dropped: {dropped}");
    }
}

#[test]
fn f04_the_first_panic_is_the_one_that_goes_on() {
    let (outcome, records) = recording(|| {
        catch_unwind(AssertUnwindSafe(|| {
            run(async {
                for _ in 0..2 {
                    let g = begun(async |y: Yielder<u32>| {
                        drop(y.yield_(1).await);
                        panic!("a finalizer's")
                    });
                    std::mem::forget(g.await?);
                }
                panic!("the main future's");
                #[expect(unreachable_code, reason = "for the type")]
                Ok(())
            })
        }))
    });
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "the main future's");
    let lost = records.iter().filter(|record| record.message().contains("only the first"));
    assert_eq!(lost.count(), 2, "{records:?}");
}

// F5

#[test]
fn f05_aclosing_closes_on_every_way_out() {
    let clock = VirtualClock::new();
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let log = Log::new();
            let make = || generator(slow_to_close(&log));
            let cleaned = || assert_eq!(log.take(), ["cleaning", "cleaned"]);
            // A value.
            let value = aclosing(make(), async |g| g.anext().await).await?;
            cleaned();
            assert_eq!(value, Some(0));
            // An error, a `?`.
            let error = aclosing(make(), async |g| {
                g.anext().await?;
                Err::<(), _>(Error::msg("x"))
            });
            assert_eq!(error.await.unwrap_err().to_string(), "x");
            cleaned();
            // A cancellation.
            let none = move_on_after(
                secs(1),
                aclosing(make(), async |g| {
                    g.anext().await?;
                    sleep_forever().await
                }),
            );
            assert_eq!(none.await?, None::<()>);
            cleaned();
            // A panic.
            let panic = catching(aclosing(make(), async |g| -> Result<()> {
                g.anext().await?;
                panic!("x")
            }));
            assert_eq!(panic.await.unwrap_err(), "x");
            cleaned();
            // Its own end, and the generator's own failure.
            aclosing(generator(async |_: Yielder<u32>| Ok(())), async |g| g.anext().await).await?;
            let failing = generator(async |_: Yielder<u32>| Err(Error::msg("of the generator")));
            let error = aclosing(failing, async |g| g.anext().await).await.unwrap_err();
            assert_eq!(error.to_string(), "of the generator");
            // Closed inside already, and not begun at all.
            aclosing(make(), async |g| {
                g.anext().await?;
                g.aclose().await
            })
            .await?;
            cleaned();
            aclosing(make(), async |_| Ok(())).await?;
            assert!(log.take().is_empty());
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
    assert_eq!(clock.elapsed(), secs(6));
}

#[test]
fn f05_an_error_of_the_clean_up_replaces_the_bodys_which_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            let make = || {
                generator(async |y: Yielder<u32>| {
                    drop(y.yield_(1).await);
                    Err(Error::msg("of the clean-up"))
                })
            };
            let error = aclosing(make(), async |g| g.anext().await).await.unwrap_err();
            assert_eq!(error.to_string(), "of the clean-up");
            let error = aclosing(make(), async |g| {
                g.anext().await?;
                Err::<(), _>(Error::msg("of the body"))
            });
            assert_eq!(error.await.unwrap_err().to_string(), "of the clean-up");
            let panic = catching(aclosing(make(), async |g| -> Result<()> {
                g.anext().await?;
                panic!("of the body")
            }));
            assert_eq!(panic.await.unwrap_err(), "of the body");
            Ok(())
        })
    });
    outcome.unwrap();
    let errors: Vec<_> = records.iter().map(|record| record.field("error")).collect();
    assert_eq!(errors, ["of the body", "of the clean-up"]);
}

#[test]
fn f05_a_panic_of_the_clean_up_after_one_of_the_body_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            let make = || {
                generator(async |y: Yielder<u32>| {
                    drop(y.yield_(1).await);
                    panic!("of the clean-up")
                })
            };
            let panic = catching(aclosing(make(), async |g| -> Result<()> {
                g.anext().await?;
                panic!("of the body")
            }));
            assert_eq!(panic.await.unwrap_err(), "of the body");
            let panic = catching(aclosing(make(), async |g| g.anext().await));
            assert_eq!(panic.await.unwrap_err(), "of the clean-up");
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    assert!(records[0].message().contains("only the first"));
}

#[test]
fn f05_dropped_half_way_it_goes_to_the_finalizer() {
    let log = Log::new();
    quiet(async {
        let open = aclosing(generator(slow_to_close(&log)), async |g| {
            g.anext().await?;
            sleep_forever().await
        });
        assert!(poll_once(open).await.is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
}

#[test]
fn f05_a_generator_made_in_a_nursery_borrows_and_is_closed_before_it_ends() {
    let clock = VirtualClock::new();
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let words = ["a", "bb"].map(str::to_owned);
            let log = RefCell::new(Vec::new());
            nursery(async |n| {
                let mut lengths = n.generator(async |y: Yielder<usize>| {
                    let outcome = async {
                        for word in &words {
                            y.yield_(word.len()).await?;
                        }
                        Ok(())
                    };
                    let outcome = outcome.await;
                    shielded(sleep(secs(2))).await?;
                    log.borrow_mut().push("cleaned");
                    outcome
                });
                assert_eq!(lengths.anext().await?, Some(1));
                Ok(()) // dropped half-way
            })
            .await?;
            assert_eq!(log.take(), ["cleaned"]);
            assert_eq!(clock.elapsed(), secs(2));
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "the structured way is nothing to warn of: {records:?}");
}

#[test]
fn f05_closed_by_the_nursery_on_every_way_out() {
    quiet(async {
        for way in ["value", "error", "cancelled", "in a child", "a child fails", "panic", "moved"]
        {
            let log = Log::new();
            let ended = catching(cancel_scope(async |scope| {
                let log = &log;
                nursery(async |n| {
                    let mut g = n.generator(async |y: Yielder<u32>| {
                        let outcome = count(&y).await;
                        shielded(sleep(secs(1))).await?;
                        log.add("cleaned");
                        outcome
                    });
                    g.anext().await?;
                    match way {
                        "error" => return Err(Error::msg("x")),
                        "cancelled" => {
                            scope.cancel();
                            checkpoint().await?;
                        }
                        "in a child" => {
                            n.spawn(async move {
                                g.anext().await?;
                                Ok(())
                            })
                            .await?;
                        }
                        "a child fails" => {
                            drop(n.spawn(async move {
                                g.anext().await?;
                                Err::<(), _>(Error::msg("x"))
                            }));
                            sleep_forever().await?;
                        }
                        "panic" => panic!("x"),
                        "moved" => {
                            // Left in a child's value that nobody takes.
                            drop(n.spawn(async move { Ok(g) }));
                        }
                        _ => {}
                    }
                    Ok(())
                })
                .await
            }))
            .await;
            assert_eq!(ended.is_err(), way == "panic");
            assert_eq!(log.take(), ["cleaned"], "{way}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn f05_an_error_of_a_nursery_generators_clean_up_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            nursery(async |n| {
                let mut g = n.generator(async |y: Yielder<u32>| {
                    drop(y.yield_(1).await);
                    Err(Error::msg("out of paper"))
                });
                g.anext().await.map(drop)
            })
            .await
        })
    });
    outcome.unwrap();
    assert_eq!(errors(&records), ["out of paper"]);
}

#[test]
fn f05_a_nursery_generator_that_holds_another() {
    quiet(async {
        let log = Log::new();
        let inside = &log;
        nursery(async |n| {
            let mut outer = n.generator(async |y: Yielder<u32>| {
                let mut inner = n.generator(async |y: Yielder<u32>| {
                    let outcome = count(&y).await;
                    inside.add("inner");
                    outcome
                });
                inner.anext().await?;
                let outcome = count(&y).await;
                inside.add("outer");
                outcome // and `inner` is dropped, while the nursery closes
            });
            outer.anext().await.map(drop)
        })
        .await?;
        assert_eq!(log.take(), ["outer", "inner"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn f05_a_nursery_that_is_dropped_half_way_drops_its_generators() {
    // Their clean-up cannot wait for anything then; the nursery warns.
    let (outcome, records) = recording(|| {
        run(async {
            let drops = Drops::default();
            let open = nursery(async |n| {
                let mut g = n.generator(async |y: Yielder<u32>| {
                    let _guard = drops.guard();
                    count(&y).await
                });
                g.anext().await?;
                sleep_forever().await
            });
            assert!(poll_once(open).await.is_none());
            assert_eq!(drops.count(), 1);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.iter().any(|record| record.message().contains("nursery")), "{records:?}");
}

// F6: PEP 525's transaction.

/// A stand-in for a database: what was inserted, and whether it is there for all to see.
#[derive(Clone, Default)]
struct Database {
    log: Log,
    open_cursors: Rc<Cell<u32>>,
}

impl Database {
    async fn execute(&self, statement: &str) -> Result<()> {
        sleep(std::time::Duration::from_millis(10)).await?;
        self.log.add(statement);
        Ok(())
    }

    /// The rows of a cursor, inside of a transaction: committed at the end, else rolled back.
    fn rows(&self) -> Generator<'static, u32> {
        let db = self.clone();
        generator(async move |y: Yielder<u32>| {
            db.execute("begin").await?;
            db.open_cursors.set(db.open_cursors.get() + 1);
            let outcome = async {
                for row in 0..3 {
                    db.execute(&format!("fetch {row}")).await?;
                    y.yield_(row).await?;
                }
                Ok(())
            }
            .await;
            // Clean-up that has to wait, and must not take for ever.
            let end = if outcome.is_ok() { "commit" } else { "rollback" };
            shielded(fail_after(secs(5), db.execute(end))).await?;
            db.open_cursors.set(db.open_cursors.get() - 1);
            outcome
        })
    }
}

#[test]
fn f06_left_half_way_with_aclosing_it_rolls_back_before_the_program_goes_on() {
    let db = Database::default();
    run(async {
        let first = aclosing(db.rows(), async |rows| rows.anext().await).await?;
        assert_eq!(first, Some(0));
        assert_eq!(db.log.take(), ["begin", "fetch 0", "rollback"]);
        assert_eq!(db.open_cursors.get(), 0);
        // By an error, and by a timeout.
        let failed = aclosing(db.rows(), async |rows| {
            rows.anext().await?;
            Err::<(), _>(Error::msg("x"))
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "x");
        assert_eq!(db.log.take(), ["begin", "fetch 0", "rollback"]);
        let late = move_on_after(
            secs(1),
            aclosing(db.rows(), async |rows| {
                rows.anext().await?;
                rows.anext().await?;
                sleep_forever().await
            }),
        );
        assert_eq!(late.await?, None::<()>);
        assert_eq!(db.log.take(), ["begin", "fetch 0", "fetch 1", "rollback"]);
        assert_eq!(db.open_cursors.get(), 0);
        // Read to the end it commits.
        let mut rows = db.rows();
        while rows.anext().await?.is_some() {}
        assert_eq!(db.log.take(), ["begin", "fetch 0", "fetch 1", "fetch 2", "commit"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn f06_left_half_way_without_it_rolls_back_before_run_returns() {
    for forgotten in [false, true] {
        let db = Database::default();
        quiet(async {
            let mut rows = db.rows();
            rows.anext().await?;
            if forgotten {
                std::mem::forget(rows);
            } else {
                drop(rows);
            }
            assert_eq!(db.log.take(), ["begin", "fetch 0"]);
            Ok(())
        })
        .unwrap();
        assert_eq!(db.log.take(), ["rollback"]);
        assert_eq!(db.open_cursors.get(), 0);
    }
}

#[test]
fn f06_cancelled_in_a_fetch_it_rolls_back() {
    let db = Database::default();
    run(async {
        let limit = std::time::Duration::from_millis(35);
        let late = move_on_after(
            limit,
            aclosing(db.rows(), async |rows| {
                while rows.anext().await?.is_some() {}
                Ok(())
            }),
        );
        assert_eq!(late.await?, None::<()>);
        assert_eq!(db.log.take(), ["begin", "fetch 0", "fetch 1", "rollback"]);
        Ok(())
    })
    .unwrap();
    // Without a virtual clock as well.
    Builder::new()
        .run(async { aclosing(db.rows(), async |rows| rows.anext().await).await })
        .unwrap();
    assert_eq!(db.log.take(), ["begin", "fetch 0", "rollback"]);
}

/// One that nobody drops, too.
#[test]
fn f05_one_that_is_forgotten_is_closed_before_the_nursery_ends() {
    let (_, records) = recording(|| {
        run(async {
            let closed = Cell::new(false);
            nursery(async |n| {
                let mut g = n.generator(async |y: Yielder<u8>| {
                    let outcome = y.yield_(1).await;
                    let limit = move_on_after(secs(1), sleep(secs(1))).await;
                    assert!(limit.is_err_and(|error| error.is_cancelled()), "it cannot wait");
                    closed.set(true);
                    outcome.map(drop)
                });
                g.anext().await?;
                std::mem::forget(g);
                Ok(())
            })
            .await?;
            assert!(closed.get());
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(said(&records, "left suspended at the end of its nursery"), 1);
}

/// It does not take the body away from the finalizer.
#[test]
fn f05_whoever_drives_what_the_nursery_closes_hears_of_it() {
    let log = Log::new();
    let (outcome, _) = recording(|| {
        run(async {
            nursery(async |n| {
                let mut inner = n.generator(async |y: Yielder<u32>| {
                    let outcome = y.yield_(0).await;
                    for _ in 0..3 {
                        shielded(yield_now()).await?;
                    }
                    log.add("cleaned");
                    outcome.map(drop)
                });
                inner.anext().await?;
                let log = &log;
                let mut outer = n.generator(async move |y: Yielder<u32>| {
                    let drive = async {
                        let error = inner.athrow(Error::msg("thrown in")).await.unwrap_err();
                        log.add(format!("refused: {}", error.is::<GeneratorMisused>()));
                    };
                    join(drive, y.yield_(1)).await.1.map(drop)
                });
                outer.anext().await?;
                std::mem::forget(outer);
                Ok(())
            })
            .await
        })
    });
    outcome.unwrap();
    assert_eq!(log.take(), ["refused: true", "cleaned"]);
}

/// A hook that gives the generator up skips its clean-up, and that is reported.
#[test]
fn f04_a_hook_that_drops_what_it_gets_is_reported() {
    let (_, records) = recording(|| {
        run(async {
            let hooks = AsyncgenHooks { finalizer: Some(Rc::new(drop)), ..Default::default() };
            let before = set_asyncgen_hooks(hooks);
            let g = begun(async |y| y.yield_(1).await.map(drop)).await?;
            drop(g);
            set_asyncgen_hooks(before);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(said(&records, "a finalizer has given a generator up"), 1);
}

/// A destructor has nobody to pass a panic on to.
#[test]
fn f04_a_hook_that_panics_is_reported() {
    let (_, records) = recording(|| {
        run(async {
            let hook: Rc<dyn Fn(Unfinished<'static>)> = Rc::new(|_| panic!("a hook panicked"));
            let hooks = AsyncgenHooks { finalizer: Some(hook), ..Default::default() };
            let before = set_asyncgen_hooks(hooks);
            let g = begun(async |y| y.yield_(1).await.map(drop)).await?;
            drop(g);
            set_asyncgen_hooks(before);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(said(&records, "a finalizer hook has panicked"), 1);
}

/// What waits beside a yield, behind a combinator that polls only what was woken, began to wait in
/// the consumer's scope. The scope in which the generator is closed reaches it all the same.
#[test]
fn c11_what_waits_beside_a_yield_is_reached_when_the_generator_is_closed() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        nursery(async |n| {
            let mut numbers = n.generator(async |y: Yielder<i32>| {
                let beside = async { sleep(secs(3600)).await };
                let yields = async { y.yield_(1).await.map(drop) };
                let mut both = FuturesUnordered::new();
                both.push(Either::Left(beside));
                both.push(Either::Right(yields));
                while let Some(outcome) = both.next().await {
                    assert!(outcome.is_err());
                }
                Ok(())
            });
            assert_eq!(numbers.anext().await?, Some(1));
            Ok(()) // dropped half-way
        })
        .await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(0));
}
