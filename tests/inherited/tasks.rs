//! Tasks have what is around their nursery.

use std::cell::RefCell;

use seedbed::{Error, Event, NurseryHandle, flow, gather, nursery, race, sleep_forever, yield_now};

use crate::support::run;
use crate::{Seen, Surroundings, for_each};

#[test]
fn x05_children_and_theirs_have_what_is_around_their_nursery() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(async {
            let around = S::around("outer", async {
                nursery(async |n| {
                    seen.look::<S>();
                    n.spawn(async {
                        for _ in 0..2 {
                            seen.look::<S>();
                            yield_now().await?;
                        }
                        nursery(async |n| {
                            n.spawn(async {
                                seen.look::<S>();
                                Ok(())
                            });
                            Ok(())
                        })
                        .await
                    });
                    yield_now().await?;
                    seen.look::<S>();
                    Ok(())
                })
                .await
            });
            around.await?;
            seen.look::<S>();
            Ok(())
        })
        .unwrap();
        seen.assert(&["outer", "outer", "outer", "outer", "outer", "nothing"]);
    }
}

/// What is around the spawner may have gone when the child runs.
#[test]
fn x05_a_child_has_nothing_of_what_is_around_its_spawner() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(S::around("outer", async {
            nursery(async |n| {
                let spawner = S::around("inner", async {
                    n.spawn(async {
                        seen.look::<S>();
                        yield_now().await?;
                        seen.look::<S>();
                        Ok(())
                    });
                    yield_now().await?;
                    seen.0.borrow_mut().push("the spawner");
                    seen.look::<S>();
                    Ok(())
                });
                spawner.await
            })
            .await
        }))
        .unwrap();
        seen.assert(&["outer", "the spawner", "inner", "outer"]);
    }
}

/// Two tasks that take turns do not see what is around the other.
#[test]
fn x05_tasks_have_each_their_own() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(nursery(async |n| {
            for name in ["outer", "inner", "other"] {
                n.spawn(S::around(name, async move {
                    for _ in 0..3 {
                        assert_eq!(S::here(), name);
                        yield_now().await?;
                    }
                    nursery(async |n| {
                        n.spawn(async {
                            yield_now().await?;
                            assert_eq!(S::here(), name);
                            Ok(())
                        });
                        yield_now().await?;
                        assert_eq!(S::here(), name);
                        Ok(())
                    })
                    .await
                }));
            }
            yield_now().await?;
            assert_eq!(S::here(), "nothing");
            Ok(())
        }))
        .unwrap();
    }
}

/// A nursery in another task, with "inner" around it.
async fn elsewhere<S: Surroundings>(
    handle: &RefCell<Option<NurseryHandle>>,
) -> seedbed::Result<()> {
    S::around("inner", async {
        nursery(async |n| {
            *handle.borrow_mut() = Some(n.handle());
            sleep_forever().await
        })
        .await
    })
    .await
}

#[test]
fn x05_a_child_of_a_handle_has_what_is_around_the_nursery() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(nursery(async |n| {
            let handle = RefCell::new(None);
            let handle = &*Box::leak(Box::new(handle));
            n.spawn(elsewhere::<S>(handle));
            yield_now().await?;
            let handle = handle.take().unwrap();
            let caller = S::around("outer", async {
                let child = handle.spawn(async {
                    let first = S::here();
                    yield_now().await?;
                    Ok((first, S::here()))
                })?;
                assert_eq!(child.await?, ("inner", "inner"));
                assert_eq!(S::here(), "outer");
                Ok::<_, Error>(())
            });
            caller.await?;
            handle.cancel();
            Ok(())
        }))
        .unwrap();
    }
}

/// As it is under the caller's scopes until then.
#[test]
fn x05_a_child_that_is_started_goes_from_its_caller_to_its_nursery() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = &*Box::leak(Box::new(Seen::default()));
        run(nursery(async |n| {
            let handle = &*Box::leak(Box::new(RefCell::new(None)));
            n.spawn(elsewhere::<S>(handle));
            yield_now().await?;
            let handle = handle.take().unwrap();
            let start = handle.start(async |started| {
                seen.look::<S>();
                yield_now().await?;
                seen.look::<S>();
                started.ready(());
                yield_now().await?;
                seen.look::<S>();
                S::around("other", async {
                    yield_now().await?;
                    seen.look::<S>();
                    Ok::<_, Error>(())
                })
                .await?;
                seen.look::<S>();
                Ok(())
            });
            S::around("outer", start?).await?;
            for _ in 0..4 {
                yield_now().await?;
            }
            handle.cancel();
            Ok(())
        }))
        .unwrap();
        seen.assert(&["outer", "outer", "inner", "other", "inner"]);
    }
}

/// The caller is in the nursery itself, so what is around the nursery holds from beginning to end.
/// What the child has around itself does as well.
#[test]
fn x05_a_child_that_is_started_from_inside_has_what_is_around_the_nursery() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(S::around("outer", async {
            nursery(async |n| {
                n.start(async |started| {
                    seen.look::<S>();
                    yield_now().await?;
                    started.ready(());
                    yield_now().await?;
                    seen.look::<S>();
                    Ok(())
                })
                .await?;
                n.start_service(async |started| {
                    S::around("inner", async {
                        seen.look::<S>();
                        started.ready(());
                        yield_now().await?;
                        seen.look::<S>();
                        sleep_forever().await
                    })
                    .await
                })
                .await?;
                Ok(())
            })
            .await
        }))
        .unwrap();
        seen.assert(&["outer", "outer", "inner", "inner"]);
    }
}

#[test]
fn x05_services_have_what_is_around_their_nursery() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(S::around("outer", async {
            nursery(async |n| {
                n.service(async {
                    seen.look::<S>();
                    let outcome = sleep_forever().await;
                    seen.look::<S>();
                    outcome
                });
                S::around("inner", yield_now()).await
            })
            .await
        }))
        .unwrap();
        seen.assert(&["outer", "outer"]);
    }
}

#[test]
fn x05_what_is_raced_and_gathered_has_what_is_around_the_call() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(async {
            let looks = || async {
                yield_now().await?;
                Ok(S::here())
            };
            let gathered = S::around("outer", gather([looks(), looks()])).await?;
            assert_eq!(gathered, ["outer", "outer"]);
            let raced = S::around("inner", race([looks(), looks()])).await?;
            assert_eq!(raced.value, "inner");
            Ok(())
        })
        .unwrap();
    }
}

/// What an operator of a flow does beside its consumer, it does in a nursery of the consumer's.
#[test]
fn x05_the_work_of_a_flow_has_what_is_around_its_consumer() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(async {
            let made = S::around("inner", async {
                flow::from_iter([1, 2, 3]).buffered(2, async |_| {
                    yield_now().await?;
                    Ok(S::here())
                })
            });
            let consumed = S::around("outer", made.await.collect::<Vec<_>>());
            assert_eq!(consumed.await?, ["outer"; 3]);
            Ok(())
        })
        .unwrap();
    }
}

/// Whoever is woken has its own surroundings, not those of whoever has woken it.
#[test]
fn x05_a_wake_brings_nothing_along() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let event = Event::new();
        run(nursery(async |n| {
            n.spawn(S::around("outer", async {
                event.wait().await?;
                assert_eq!(S::here(), "outer");
                Ok(())
            }));
            n.spawn(async {
                event.wait().await?;
                assert_eq!(S::here(), "nothing");
                Ok(())
            });
            yield_now().await?;
            S::around_call("inner", || event.set());
            Ok(())
        }))
        .unwrap();
    }
}
