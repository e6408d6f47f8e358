//! Nothing of a guest is seen by its host, or by another guest on the same thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use seedbed::net::UnixStream;
use seedbed::testing::statistics;
use seedbed::{
    AsyncgenHooks, Builder, Local, Result, Token, Yielder, checkpoint,
    current_default_thread_limiter, current_effective_deadline, fail_after, generator,
    get_asyncgen_hooks, nursery, set_asyncgen_hooks, sleep, sleep_forever, yield_now,
};

use crate::{on_tokio, polled};

/// Does some of everything, in a limit.
async fn some_of_everything() -> Result<()> {
    fail_after(
        Duration::from_secs(3600),
        nursery(async |n| {
            let (one, other) = UnixStream::pair()?;
            n.spawn(async move {
                for _ in 0..3 {
                    sleep(Duration::from_micros(100)).await?;
                    tokio::task::yield_now().await; // it is the host's turn
                    one.write_all(b"x").await?;
                }
                Ok(())
            });
            n.spawn(async {
                for _ in 0..300 {
                    checkpoint().await?;
                }
                seedbed::to_thread(|| ()).await
            });
            let mut input = Vec::new();
            other.read_to_end(&mut input).await?;
            assert_eq!(input, b"xxx");
            Ok(())
        }),
    )
    .await
}

fn assert_nothing_runs() {
    assert!(Token::current().is_err());
    assert!(statistics().is_err());
    assert_eq!(current_effective_deadline(), None);
    assert!(current_default_thread_limiter().is_err());
    assert!(get_asyncgen_hooks().finalizer.is_none());
}

#[test]
fn x03_between_two_polls_the_thread_has_no_run() {
    on_tokio(async {
        let polls = Cell::new(0);
        let guest = Builder::new().guest(some_of_everything());
        polled(guest, || {
            polls.set(polls.get() + 1);
            assert_nothing_runs();
        })
        .await
        .unwrap();
        assert!(polls.get() >= 3);
        assert_nothing_runs();
    });
}

#[test]
fn x03_two_guests_on_a_thread_see_nothing_of_each_other() {
    /// Yields `rounds` times, with `tasks` tasks, and always finds what is its own.
    async fn alone(tasks: usize, rounds: usize) -> Result<Token> {
        let token = Token::current()?;
        let begin = statistics()?;
        let limiter = current_default_thread_limiter()?;
        limiter.set_total(tasks);
        let hook = Rc::new(|_: seedbed::Unfinished<'static>| ());
        set_asyncgen_hooks(AsyncgenHooks { finalizer: Some(hook.clone()), ..Default::default() });
        nursery(async |n| {
            for _ in 0..tasks {
                n.spawn(async { fail_after(Duration::from_secs(3600), sleep_forever()).await });
            }
            for _ in 0..rounds {
                yield_now().await?;
                tokio::task::yield_now().await; // the other one is polled
                assert!(Token::current()? == token);
                let now = statistics()?;
                assert_eq!(now.tasks, begin.tasks + tasks);
                assert_eq!(now.timers, begin.timers + tasks);
                assert_eq!(current_default_thread_limiter()?.total(), tasks);
                assert_eq!(Rc::strong_count(&hook), 2);
            }
            n.scope().cancel();
            Ok(())
        })
        .await?;
        assert_eq!(statistics()?, begin);
        Ok(token)
    }
    on_tokio(async {
        let [one, other] =
            [(3, 50), (5, 20)].map(|(tasks, rounds)| Builder::new().guest(alone(tasks, rounds)));
        let (one, other) = futures::join!(one, other);
        assert!(one.unwrap() != other.unwrap());
        assert_nothing_runs();
    });
}

#[test]
fn x03_what_is_set_around_a_guest_holds_in_it_and_in_no_other() {
    static NAME: Local<&str> = Local::new();
    async fn named(name: &'static str) -> Result<()> {
        for _ in 0..5 {
            assert_eq!(NAME.get(), Some(name));
            nursery(async |n| {
                n.spawn(async {
                    assert_eq!(NAME.get(), Some(name));
                    tokio::task::yield_now().await; // the other one is polled
                    assert_eq!(NAME.get(), Some(name));
                    Ok(())
                });
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
    on_tokio(async {
        let [one, other] =
            ["one", "other"].map(|name| NAME.scope(name, Builder::new().guest(named(name))));
        let (one, other) = futures::join!(polled(one, || assert_eq!(NAME.get(), None)), other);
        one.unwrap();
        other.unwrap();
        assert_eq!(NAME.get(), None);
    });
}

#[test]
fn x03_hooks_of_the_host_are_inherited_and_those_of_the_guest_stay_in_it() {
    on_tokio(async {
        let begun = Rc::new(RefCell::new(Vec::new()));
        let log = begun.clone();
        let first_iter = move |name: &str, _| log.borrow_mut().push(name.to_owned());
        set_asyncgen_hooks(AsyncgenHooks {
            first_iter: Some(Rc::new(first_iter)),
            finalizer: None,
        });
        Builder::new()
            .guest(async {
                let mut numbers = generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
                numbers.set_qualname("numbers");
                numbers.anext().await?;
                numbers.aclose().await?;
                set_asyncgen_hooks(AsyncgenHooks::default());
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(*begun.borrow(), ["numbers"]);
        assert!(set_asyncgen_hooks(AsyncgenHooks::default()).first_iter.is_some());
    });
}
