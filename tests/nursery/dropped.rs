//! N11: a nursery whose future is dropped half-way.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, panic_any};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::{Either, select};
use seedbed::{Nursery, Result, checkpoint, nursery, sleep, sleep_forever, yield_now};

use super::{Events, SECOND, fails, run};
use crate::support::listener;

/// How a place looks in the log.
fn place(line: u32) -> String {
    format!("nursery={}:{line}:", Location::caller().file())
}

const DROPPED: &str = "dropped before it had ended";

#[test]
fn n11_by_a_select() {
    let events = Events::default();
    let line = Cell::new(0);
    let dropped = Rc::new(());
    events
        .record(|| {
            run(async {
                line.set(line!() + 1);
                let slow = pin!(nursery(async |n| {
                    for _ in 0..3 {
                        let held = dropped.clone();
                        drop(n.spawn(async move {
                            let _held = held;
                            sleep_forever().await
                        }));
                    }
                    sleep_forever().await
                }));
                let fast = pin!(sleep(SECOND));
                let Either::Right((outcome, _)) = select(slow, fast).await else {
                    panic!("it runs for ever")
                };
                outcome
            })
        })
        .unwrap();
    assert_eq!(Rc::strong_count(&dropped), 1, "the children were dropped");
    let warnings = events.with(DROPPED);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("WARN"), "{warnings:?}");
    assert!(warnings[0].contains(&place(line.get())), "{warnings:?}");
    assert!(warnings[0].contains("children=3"), "{warnings:?}");
}

/// What waits for the value of a child that was dropped is told as well.
#[test]
fn n11_one_warning_for_each_nursery() {
    let events = Events::default();
    let lines = Cell::new((0, 0));
    let set_lines = &lines;
    events
        .record(|| {
            run(async {
                let outer = line!() + 1;
                let mut future = Box::pin(nursery(async |n| {
                    drop(n.spawn(async move {
                        set_lines.set((outer, line!() + 1));
                        nursery(async |n| {
                            drop(n.spawn(sleep_forever()));
                            Ok(())
                        })
                        .await
                    }));
                    Ok(())
                }));
                for _ in 0..5 {
                    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                    assert!(polled.is_pending());
                    yield_now().await?;
                }
                drop(future);
                Ok(())
            })
        })
        .unwrap();
    let (outer, inner) = lines.get();
    let warnings = events.with(DROPPED);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains(&place(outer)), "{warnings:?}");
    assert!(warnings[1].contains(&place(inner)), "{warnings:?}");
}

/// With a body but no children: what it was doing is lost, too.
#[test]
fn n11_a_body_alone() {
    let events = Events::default();
    events.record(|| {
        run(async {
            let foreign = nursery(async |_| pending::<Result<()>>().await);
            assert!(foreign.now_or_never().is_none());
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(events.with(DROPPED).len(), 1);
}

#[test]
fn n11_silent_when_nothing_is_lost() {
    let events = Events::default();
    events.record(|| {
        run(async {
            drop(nursery(async |n| n.spawn(sleep_forever()).await)); // never polled
            nursery(async |n| n.spawn(checkpoint()).await).await?; // ended
            nursery(async |_| fails::<()>("failed")).await.unwrap_err();
            nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                n.cancel();
                Ok(())
            })
            .await?;
            let panicking = nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                panic_any(());
                #[expect(unreachable_code)]
                Ok(())
            });
            AssertUnwindSafe(panicking).catch_unwind().await.unwrap_err();
            nursery(async |n| {
                n.start(async |started| {
                    started.ready(());
                    Ok(())
                })
                .await
            })
            .await
        })
        .unwrap();
    });
    assert_eq!(events.0.lock().unwrap().join("\n"), "");
}

/// By the end of `run`, where the main future had polled it and went on to its end.
#[test]
fn n11_by_the_end_of_run() {
    let events = Events::default();
    let kept = RefCell::new(None);
    events.record(|| {
        run(async {
            let mut future = Box::pin(nursery(async |n| {
                drop(n.spawn(sleep_forever()));
                Ok(())
            }));
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            *kept.borrow_mut() = Some(future);
            Ok(())
        })
        .unwrap();
        assert!(events.with(DROPPED).is_empty());
        drop(kept.take()); // outside of `run`
    });
    assert_eq!(events.with(DROPPED).len(), 1);
}

/// A subscriber is foreign code. If it panics, no child is left behind.
#[test]
fn n11_a_subscriber_that_panics() {
    struct Panicking;
    impl tracing::Subscriber for Panicking {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() <= tracing::Level::WARN
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            panic_any("a subscriber")
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    let dropped = Rc::new(());
    listener::always();
    let payload = tracing::subscriber::with_default(Panicking, || {
        catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let held = dropped.clone();
                let mut future = Box::pin(nursery(async move |n: &Nursery<'_, '_>| {
                    for _ in 0..3 {
                        let held = held.clone();
                        drop(n.spawn(async move {
                            let _held = held;
                            sleep_forever().await
                        }));
                    }
                    Ok(())
                }));
                let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
                drop(future);
                Ok(())
            })
        }))
    })
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"a subscriber"));
    assert_eq!(Rc::strong_count(&dropped), 1);
}
