//! N8: panics of children.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::task::{Context, Poll};

use futures::FutureExt;
use seedbed::{
    Cancelled, Nursery, Reason, Result, checkpoint, nursery, sleep, sleep_forever, yield_now,
};

use super::{Events, Log, SECOND, clean_up, fails, run};

#[derive(Debug, PartialEq)]
struct Payload(Vec<i32>);

#[test]
fn n08_with_its_own_payload() {
    let log = Log::default();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(nursery(async |n| {
            drop(n.spawn::<_, ()>(async {
                sleep(SECOND).await?;
                panic_any(Payload(vec![1, 2]))
            }));
            drop(n.spawn(async {
                clean_up(2).await;
                log.say("sibling");
                Ok(())
            }));
            let why = sleep_forever().await.unwrap_err();
            let why = why.downcast::<Cancelled>().unwrap();
            assert_eq!(why.reason(), &Reason::ChildFailed("it panicked".into()));
            log.say("body");
            Ok(())
        }))
    }))
    .unwrap_err();
    assert_eq!(*payload.downcast::<Payload>().unwrap(), Payload(vec![1, 2]));
    log.assert("body sibling");
}

/// Up through nurseries, each of which waits for its own.
#[test]
fn n08_through_nested_nurseries() {
    let log = Log::default();
    let (log, depth) = (&log, 3);
    fn nest(log: &Log, depth: u64) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        Box::pin(nursery(async move |n: &Nursery<'_, '_>| {
            drop(n.spawn(async move {
                clean_up(depth).await;
                log.say(depth);
                Ok(())
            }));
            match depth {
                0 => drop(n.spawn::<_, ()>(async { panic_any("deep down") })),
                _ => drop(n.spawn(async move { nest(log, depth - 1).await })),
            }
            Ok(())
        }))
    }
    let payload = catch_unwind(AssertUnwindSafe(|| run(nest(log, depth)))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"deep down"));
    log.assert("0 1 2 3");
}

/// The first of two is passed on, the other is reported.
#[test]
fn n08_two_panics() {
    let events = Events::default();
    let payload = events
        .record(|| {
            catch_unwind(AssertUnwindSafe(|| {
                run(nursery(async |n| {
                    drop(n.spawn::<_, ()>(async {
                        clean_up(1).await;
                        panic_any("second")
                    }));
                    drop(n.spawn::<_, ()>(async { panic_any("first") }));
                    clean_up(2).await;
                    panic_any("third");
                    #[expect(unreachable_code)]
                    Ok(())
                }))
            }))
        })
        .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
    assert_eq!(events.with("a further panic").len(), 2);
}

/// A panic is more than an error: it is passed on, and the errors are reported.
#[test]
fn n08_a_panic_and_errors() {
    let events = Events::default();
    let payload = events
        .record(|| {
            catch_unwind(AssertUnwindSafe(|| {
                run(nursery(async |n| {
                    drop(n.spawn::<_, ()>(async {
                        clean_up(1).await;
                        panic_any("later")
                    }));
                    drop(n.spawn(async { fails::<()>("out of paper") }));
                    Ok(())
                }))
            }))
        })
        .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"later"));
    let lost = events.with("lost to a panic");
    assert!(lost.len() == 1 && lost[0].contains("out of paper"), "{lost:?}");
}

struct Panics(&'static str);

impl Drop for Panics {
    fn drop(&mut self) {
        panic_any(self.0)
    }
}

/// In the drop of a child's future: after it has failed, where what it holds is dropped last.
#[test]
fn n08_in_the_drop_of_a_childs_future() {
    struct Child {
        fails: bool,
        _panics: Panics,
    }
    impl Future for Child {
        type Output = Result<i32>;
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<i32>> {
            Poll::Ready(if self.fails { fails("error") } else { Ok(4) })
        }
    }
    for fails in [false, true] {
        let log = Log::default();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(nursery(async |n| {
                drop(n.spawn(async {
                    clean_up(1).await;
                    log.say("sibling");
                    Ok(())
                }));
                yield_now().await?;
                let task = n.spawn(Child { fails, _panics: Panics("in the future's drop") });
                let error = task.await.unwrap_err();
                assert!(error.is_cancelled());
                log.say("waiting");
                Err::<(), _>(error)
            }))
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"in the future's drop"));
        log.assert("waiting sibling");
    }
}

/// In the drop of a child's value, which nobody wanted.
#[test]
fn n08_in_the_drop_of_a_childs_value() {
    let log = Log::default();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(nursery(async |n| {
            drop(n.spawn(async { Ok(Panics("in the value's drop")) }));
            clean_up(1).await;
            log.say("cancelled");
            Ok(())
        }))
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in the value's drop"));
    log.assert("cancelled");
}

/// In the call of the body, before there is anything to poll.
#[test]
fn n08_in_the_call_of_the_body() {
    let payload = catch_unwind(|| {
        fn body<'scope, 'env>(_: &'scope Nursery<'scope, 'env>) -> std::future::Ready<Result<()>> {
            panic_any("called")
        }
        run(nursery(body))
    })
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"called"));
}

/// Afterwards the thread is as good as new.
#[test]
fn n08_life_goes_on() {
    run(async {
        for _ in 0..3 {
            let panicking = nursery(async |n| {
                drop(n.spawn::<_, ()>(async { panic_any(()) }));
                sleep_forever().await
            });
            assert!(AssertUnwindSafe(panicking).catch_unwind().await.is_err());
            checkpoint().await?;
            assert_eq!(nursery(async |n| n.spawn(async { Ok(3) }).await).await?, 3);
        }
        Ok(())
    })
    .unwrap();
}
