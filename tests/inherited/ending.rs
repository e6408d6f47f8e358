//! Clean-up and destructors have what is around the code that they belong to.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::task::Poll;

use futures::FutureExt;
use seedbed::{Error, cancel_scope, finishing, nursery, sleep, sleep_forever, yield_now};

use crate::support::{poll_once, run, secs, shielded};
use crate::{Seen, Surroundings, for_each};

#[test]
fn x05_clean_up_has_what_is_around_it() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(cancel_scope(async |scope| {
            S::around("outer", async {
                nursery(async |n| {
                    n.spawn(async {
                        let outcome = sleep_forever().await;
                        seen.look::<S>();
                        shielded(sleep(secs(1))).await?;
                        seen.look::<S>();
                        outcome
                    });
                    yield_now().await?;
                    S::around_call("inner", || scope.cancel());
                    let outcome = sleep_forever().await;
                    seen.look::<S>();
                    outcome
                })
                .await
            })
            .await
        }))
        .unwrap();
        seen.assert(&["outer", "outer", "outer"]);
    }
}

#[test]
fn x05_a_section_that_finishes_its_work_has_what_is_around_it() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(S::around("outer", async {
                    finishing(async {
                        sleep(secs(1)).await?;
                        seen.look::<S>();
                        Ok(())
                    })
                    .await?;
                    let outcome = sleep_forever().await;
                    seen.look::<S>();
                    outcome
                }));
                yield_now().await?;
                scope.cancel_gracefully(secs(2));
                Ok(())
            })
            .await
        }))
        .unwrap();
        seen.assert(&["outer", "outer"]);
    }
}

/// A child that ends, one that fails, and one that is cancelled.
#[test]
fn x05_a_childs_destructors_have_what_is_around_its_nursery() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        let outcome = run(S::around("outer", async {
            nursery(async |n| {
                let held = [(); 3].map(|()| seen.at_drop::<S>());
                let [ends, fails, cancelled] = held;
                n.spawn(async move {
                    let _held = ends;
                    Ok(())
                });
                n.spawn(async move {
                    let _held = fails;
                    yield_now().await?;
                    Err::<(), _>(Error::msg("fails"))
                });
                n.spawn(async move {
                    let _held = cancelled;
                    sleep_forever().await
                });
                Ok(())
            })
            .await
        }));
        outcome.unwrap_err();
        seen.assert(&["outer", "outer", "outer"]);
    }
}

/// A nursery that is dropped with what is around it, by code in other surroundings.
#[test]
fn x05_what_is_dropped_has_what_was_around_it() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(async {
            let mut future = Box::pin(S::around("outer", async {
                nursery(async |n| {
                    let [body, child, own] = [(); 3].map(|()| seen.at_drop::<S>());
                    let _body = body;
                    n.spawn(async move {
                        let _child = child;
                        sleep_forever().await
                    });
                    n.spawn(S::around("inner", async move {
                        let _own = own;
                        sleep_forever().await
                    }));
                    sleep_forever().await
                })
                .await
            }));
            for _ in 0..2 {
                assert!(poll_once(future.as_mut()).await.is_none());
                yield_now().await?;
            }
            S::around_call("other", || drop(future));
            Ok(())
        })
        .unwrap();
        seen.assert(&["outer", "outer", "inner"]);
    }
}

#[test]
fn x05_a_panic_unwinds_through_what_is_around_it() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(async {
            let panicking = S::around("outer", async {
                nursery(async |n| {
                    let held = seen.at_drop::<S>();
                    n.spawn(async {
                        let outcome = sleep_forever().await;
                        seen.look::<S>();
                        outcome
                    });
                    n.spawn(S::around("inner", async move {
                        let _held = held;
                        yield_now().await?;
                        panic_any(5);
                        #[expect(unreachable_code)]
                        Ok(())
                    }));
                    Ok(())
                })
                .await
            });
            let payload = AssertUnwindSafe(panicking).catch_unwind().await.unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&5));
            assert_eq!(S::here(), "nothing");
            Ok(())
        })
        .unwrap();
        seen.assert(&["inner", "outer"]);
        let payload = catch_unwind(|| S::around_call("outer", || panic_any(6))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&6));
        assert_eq!(S::here(), "nothing");
    }
}

/// One that is polled in turns with others by a combinator of another library.
#[test]
fn x05_a_foreign_combinator_keeps_surroundings_apart() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(async {
            let named = |name| {
                S::around(name, async move {
                    for _ in 0..3 {
                        assert_eq!(S::here(), name);
                        yield_now().await?;
                    }
                    Ok::<_, Error>(())
                })
            };
            let (one, two) = futures::join!(named("outer"), named("inner"));
            one.and(two)?;
            std::future::poll_fn(|_| Poll::Ready(())).await;
            assert_eq!(S::here(), "nothing");
            Ok(())
        })
        .unwrap();
    }
}
