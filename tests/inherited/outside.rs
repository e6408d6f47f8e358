//! What is outside has nothing: other threads, and calls that come from there.

use std::cell::Cell;
use std::thread;

use seedbed::{Builder, Token, nursery, to_thread, yield_now};

use crate::support::run;
use crate::{OURS, Surroundings, for_each};

#[test]
fn x05_another_thread_has_nothing() {
    for_each!(test);
    fn test<S: Surroundings + 'static>() {
        run(S::around("outer", async {
            assert_eq!(to_thread(S::here).await?, "nothing");
            let taken_along = S::here();
            let there = to_thread(move || match taken_along {
                "outer" => S::around_call("outer", S::here),
                _ => "it was lost",
            });
            assert_eq!(there.await?, "outer");
            assert_eq!(S::here(), "outer");
            Ok(())
        }))
        .unwrap();
    }
}

/// It belongs to the run, and so has what is around the run.
#[test]
fn x05_a_task_from_another_thread_has_what_is_around_the_run() {
    for_each!(test);
    fn test<S: Surroundings + 'static>() {
        let program = S::around("inner", async {
            let token = Token::current()?;
            let task = to_thread(move || {
                S::around_call("other", || {
                    token.run(async || {
                        let first = S::here();
                        yield_now().await?;
                        Ok((first, S::here()))
                    })
                })
            });
            assert_eq!(task.await???, ("outer", "outer"));
            Ok(())
        });
        S::around_call("outer", || run(program)).unwrap();
    }
}

#[test]
fn x05_a_run_on_another_core_has_nothing() {
    for_each!(test);
    fn test<S: Surroundings + 'static>() {
        S::around_call("outer", || {
            let here = thread::current().id();
            Builder::new().run_on_cores(1, async |_| {
                assert!(thread::current().id() == here || S::here() == "nothing");
                Ok(())
            })
        })
        .unwrap();
    }
}

thread_local! { static SEEN: Cell<Option<&'static str>> = const { Cell::new(None) }; }

/// The call is made at the end of a turn, deep inside of whatever is being polled then.
#[test]
fn x05_a_function_from_another_thread_has_no_local_value() {
    run(OURS.scope("outer", async {
        let token = Token::current()?;
        nursery(async |n| {
            for _ in 0..2 {
                n.spawn(async {
                    while SEEN.get().is_none() {
                        assert_eq!(OURS.get(), Some("outer"));
                        yield_now().await?;
                    }
                    assert_eq!(OURS.get(), Some("outer"));
                    Ok(())
                });
            }
            let look = || SEEN.set(Some(OURS.get().unwrap_or("nothing")));
            let leave = thread::spawn(move || token.run_sync_soon(look));
            while SEEN.get().is_none() {
                yield_now().await?;
            }
            leave.join().unwrap()?;
            Ok(())
        })
        .await
    }))
    .unwrap();
    assert_eq!(SEEN.take(), Some("nothing"));
}
