//! Generators and context managers: what is around the call that drives a body holds in it, and
//! nothing leaves it by a yield.

use std::cell::Cell;

use seedbed::{
    Error, Yielder, context_manager, generator, iterate, nursery, sync_generator, with, yield_now,
};

use crate::support::run;
use crate::{Seen, Surroundings, for_each};

/// Python has the same: a generator has no context of its own (PEP 568, which was to give it one,
/// was not accepted).
#[test]
fn x05_the_body_of_a_generator_has_what_is_around_each_call() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(async {
            let made = S::around("other", async {
                generator(async |y: Yielder<_>| {
                    loop {
                        yield_now().await?;
                        y.yield_(S::here()).await?;
                    }
                })
            });
            let mut names = made.await;
            assert_eq!(S::around("outer", names.anext()).await?, Some("outer"));
            assert_eq!(S::around("inner", names.anext()).await?, Some("inner"));
            assert_eq!(names.anext().await?, Some("nothing"));
            names.aclose().await
        })
        .unwrap();
    }
}

/// PEP 568's trouble: a generator that yields inside what it has set. Its consumer sees nothing of
/// that, and the body has it again when it goes on.
#[test]
fn x05_what_a_generator_sets_does_not_leave_it() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(S::around("outer", async {
            let mut names = generator(async |y: Yielder<_>| {
                S::around("inner", async {
                    y.yield_(S::here()).await?;
                    yield_now().await?;
                    y.yield_(S::here()).await.map(drop)
                })
                .await?;
                y.yield_(S::here()).await.map(drop)
            });
            for expected in ["inner", "inner", "outer"] {
                assert_eq!(names.anext().await?, Some(expected));
                assert_eq!(S::here(), "outer");
                nursery(async |n| {
                    n.spawn(async {
                        assert_eq!(S::here(), "outer");
                        Ok(())
                    });
                    yield_now().await
                })
                .await?;
            }
            assert_eq!(names.anext().await?, None);
            Ok(())
        }))
        .unwrap();
    }
}

#[test]
fn x05_what_the_body_of_an_iterate_sets_does_not_leave_it() {
    for_each!(test);
    fn test<S: Surroundings>() {
        run(S::around("outer", async {
            let body = async |y: Yielder<_>| {
                S::around("inner", async { y.yield_(S::here()).await.map(drop) }).await?;
                y.yield_(S::here()).await.map(drop)
            };
            iterate(body, async |items| {
                assert_eq!(items.anext().await?, Some("inner"));
                assert_eq!(S::here(), "outer");
                assert_eq!(items.anext().await?, Some("outer"));
                assert_eq!(S::here(), "outer");
                Ok(())
            })
            .await
        }))
        .unwrap();
    }
}

#[test]
fn x05_what_a_synchronous_generator_sets_does_not_leave_it() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let names = sync_generator(async |y: Yielder<_>| {
            y.yield_(S::here()).await?;
            S::around("inner", async { y.yield_(S::here()).await.map(drop) }).await
        });
        S::around_call("outer", || {
            for (name, expected) in names.zip(["outer", "inner"]) {
                assert_eq!(name.unwrap(), expected);
                assert_eq!(S::here(), "outer");
            }
        });
    }
}

#[test]
fn x05_a_context_manager_has_what_is_around_its_with_and_so_has_the_body() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(async {
            let manager = context_manager(async |y: Yielder<()>| {
                seen.look::<S>();
                S::around("inner", async {
                    y.yield_(()).await?;
                    seen.look::<S>();
                    Ok::<_, Error>(())
                })
                .await?;
                seen.look::<S>();
                Ok(())
            });
            let body = async |()| {
                yield_now().await?;
                seen.look::<S>();
                Ok(())
            };
            S::around("outer", with(manager, body)).await
        })
        .unwrap();
        seen.assert(&["outer", "outer", "inner", "outer"]);
    }
}

/// Children of a nursery that a manager has open are the manager's.
#[test]
fn x05_the_children_of_a_manager_have_what_the_manager_has_set() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = Seen::default();
        run(async {
            let manager = context_manager(async |y: Yielder<()>| {
                S::around("inner", async {
                    nursery(async |n| {
                        n.spawn(async {
                            yield_now().await?;
                            seen.look::<S>();
                            Ok(())
                        });
                        y.yield_(()).await.map(drop)
                    })
                    .await
                })
                .await
            });
            let body = async |()| {
                for _ in 0..3 {
                    yield_now().await?;
                }
                seen.look::<S>();
                Ok(())
            };
            S::around("outer", with(manager, body)).await
        })
        .unwrap();
        seen.assert(&["inner", "outer"]);
    }
}

/// A generator that borrows is closed by its nursery, any other by the run.
#[test]
fn x05_a_generator_is_closed_in_what_is_around_its_owner() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = &*Box::leak(Box::new(Seen::default()));
        let body = async |y: Yielder<i32>| {
            let outcome = y.yield_(1).await.map(drop);
            seen.look::<S>();
            outcome
        };
        let program = async {
            S::around("inner", async {
                nursery(async |n| {
                    let mut borrows = n.generator(body);
                    S::around("other", borrows.anext()).await?;
                    drop(borrows);
                    Ok(())
                })
                .await?;
                seen.assert(&["inner"]);
                let mut does_not = generator(body);
                S::around("other", does_not.anext()).await?;
                drop(does_not);
                for _ in 0..3 {
                    yield_now().await?;
                }
                seen.assert(&["outer"]);
                Ok(())
            })
            .await
        };
        S::around_call("outer", || run(program)).unwrap();
    }
}

/// A generator that is left to the end of the run.
#[test]
fn x05_a_generator_that_is_left_is_closed_in_what_is_around_the_run() {
    for_each!(test);
    fn test<S: Surroundings>() {
        let seen = &*Box::leak(Box::new(Seen::default()));
        let kept = Cell::new(None);
        let program = S::around("inner", async {
            let mut left = generator(async |y: Yielder<i32>| {
                let outcome = y.yield_(1).await.map(drop);
                seen.look::<S>();
                outcome
            });
            left.anext().await?;
            kept.set(Some(left));
            Ok(())
        });
        S::around_call("outer", || run(program)).unwrap();
        seen.assert(&["outer"]);
    }
}
