//! What belongs to a guest, and is dropped, cancelled or spawned while its run is not polled.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use seedbed::net::UnixStream;
use seedbed::testing::{Statistics, statistics};
use seedbed::{
    Builder, CancelScope, Event, Generator, Result, Task, Token, Yielder, cancel_scope, channel,
    generator, nursery, sleep_forever, sleep_until, to_thread, yield_now,
};

use crate::{guest, on_tokio};

/// A thing that a guest makes, to be dropped elsewhere.
type Thing = Box<dyn std::any::Any>;
type Polled = Pin<Box<dyn Future<Output = ()>>>;

/// A future that has been polled once, and waits.
async fn begun(future: impl Future + 'static) -> Thing {
    let mut future: Polled = Box::pin(async { drop(future.await) });
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    Box::new(future)
}

async fn things() -> Result<Vec<Thing>> {
    let (one, other) = UnixStream::pair()?;
    let in_use = Rc::new(other);
    let used = in_use.clone();
    let (sender, receiver) = channel::<i32>(1);
    let mut half: Generator<'static, i32> =
        generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
    half.anext().await?;
    half.aclose().await?;
    let things = vec![
        begun(async move { one.read(&mut [0]).await }).await,
        begun(async move { used.read(&mut [0]).await }).await,
        Box::new(in_use) as Thing,
        begun(sleep_until(Instant::now() + Duration::from_secs(3600))).await,
        begun(cancel_scope(async |_| sleep_forever().await)).await,
        begun(nursery(async |n| {
            n.spawn(async { sleep_until(Instant::now() + Duration::from_secs(3600)).await });
            n.spawn(sleep_forever());
            n.start(async |_: seedbed::Started<()>| sleep_forever().await).await
        }))
        .await,
        begun(async move { receiver.recv().await }).await,
        Box::new(sender) as Thing,
        begun(to_thread(|| ()).abandon_on_cancel(true)).await,
        Box::new(half) as Thing,
    ];
    Ok(things)
}

/// Has a guest make the things, and give them to `dropper`; afterwards nothing is left in it.
fn x03(dropper: impl AsyncFnOnce(Vec<Thing>)) {
    on_tokio(async {
        let handed: Rc<RefCell<Option<Vec<Thing>>>> = Rc::default();
        let done = Rc::new(tokio::sync::Notify::new());
        let making = Builder::new().guest(async {
            let before = statistics()?;
            let made = things().await?;
            let within = statistics()?;
            assert!(within.sources >= before.sources + 2 && within.timers > before.timers);
            assert!(within.scopes >= before.scopes + 3 && within.tasks >= before.tasks + 2);
            handed.replace(Some(made));
            done.notified().await;
            assert_eq!(statistics()?, before);
            Ok(())
        });
        let dropping = async {
            while handed.borrow().is_none() {
                tokio::task::yield_now().await;
            }
            let things = handed.take().unwrap();
            dropper(things).await;
            done.notify_one();
        };
        let (outcome, ()) = futures::join!(making, dropping);
        outcome.unwrap();
    });
}

#[test]
fn x03_what_the_host_drops_is_gone_from_the_guest() {
    x03(async |things| drop(things));
}

#[test]
fn x03_what_another_guest_drops_is_gone_from_the_first() {
    x03(async |things| {
        let dropping = Builder::new().guest(async move {
            let before: Statistics = statistics()?;
            drop(things);
            assert_eq!(statistics()?, before);
            yield_now().await
        });
        dropping.await.unwrap();
    });
}

#[test]
fn x03_what_a_run_drops_in_the_hosts_place_is_gone_from_the_guest() {
    x03(async |things| {
        let ran = seedbed::run(async move {
            let before = statistics()?;
            drop(things);
            assert_eq!(statistics()?, before);
            yield_now().await
        });
        ran.unwrap();
    });
}

#[test]
fn x03_dropping_is_followed_by_what_it_makes_ready_in_the_guest() {
    on_tokio(async {
        let closed = Rc::new(Event::new());
        let made: Rc<RefCell<Option<Generator<'static, i32>>>> = Rc::default();
        let sees = closed.clone();
        let main = async {
            let mut numbers = generator(async move |y: Yielder<i32>| {
                let outcome = y.yield_(1).await;
                sees.set();
                outcome.map(drop)
            });
            numbers.anext().await?;
            made.replace(Some(numbers));
            closed.wait().await // nothing else wakes it
        };
        let dropping = async {
            while made.borrow().is_none() {
                tokio::task::yield_now().await;
            }
            drop(made.take());
        };
        let (outcome, ()) = futures::join!(Builder::new().guest(main), dropping);
        outcome.unwrap();
    });
}

/// A guest in which something waits for ever in a scope, and a task of the host that ends this.
fn ended_by(end: impl FnOnce(&CancelScope, &Task<'static, ()>) + 'static) {
    on_tokio(async {
        let shared = Rc::new(RefCell::new(None::<(CancelScope, Task<'static, ()>)>));
        let main = nursery(async |n| {
            let scope = CancelScope::new();
            let waiting = scope.clone();
            let task = n.handle().spawn(async move {
                waiting.enter(async |_| sleep_forever().await).await.map(drop)
            })?;
            yield_now().await?;
            shared.replace(Some((scope, task)));
            Ok(())
        });
        let ending = async {
            while shared.borrow().is_none() {
                tokio::task::yield_now().await;
            }
            // It sleeps by now, with nothing to wake it.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let (scope, task) = shared.take().unwrap();
            end(&scope, &task);
        };
        let (outcome, ()) = futures::join!(Builder::new().guest(main), ending);
        outcome.unwrap();
    });
}

#[test]
fn x03_the_host_may_cancel_what_is_in_a_guest() {
    ended_by(|scope, _| scope.cancel());
    ended_by(|scope, _| scope.cancel_gracefully(Duration::ZERO));
    ended_by(|scope, _| scope.set_deadline(Some(Instant::now())));
    ended_by(|scope, _| scope.set_timeout(Duration::from_millis(1)));
    ended_by(|_, task| task.cancel());
}

#[test]
fn x03_a_task_of_one_guest_is_awaited_in_another() {
    on_tokio(async {
        let shared: Rc<RefCell<Option<Task<'static, i32>>>> = Rc::default();
        let release = Rc::new(tokio::sync::Notify::new());
        let one = Builder::new().guest(nursery(async |n| {
            let release = release.clone();
            let task = n.handle().spawn(async move {
                release.notified().await;
                Ok(7)
            })?;
            shared.replace(Some(task));
            Ok(())
        }));
        let other = Builder::new().guest(async {
            while shared.borrow().is_none() {
                tokio::task::yield_now().await;
            }
            let task = shared.take().unwrap();
            nursery(async |n| {
                n.spawn(async {
                    yield_now().await?;
                    release.notify_one();
                    Ok(())
                });
                task.await
            })
            .await
        });
        let (one, seven) = futures::join!(one, other);
        one.unwrap();
        assert_eq!(seven.unwrap(), 7);
    });
}

#[test]
fn x03_a_stream_moves_from_one_guest_to_the_other() {
    on_tokio(async {
        let moving: Rc<RefCell<Option<(UnixStream, UnixStream)>>> = Rc::default();
        let moved = Rc::new(Cell::new(0));
        let turn = async |mine: usize| {
            for round in 0..6 {
                while moved.get() % 2 != mine {
                    tokio::task::yield_now().await;
                }
                let (one, other) = match moving.take() {
                    Some(pair) => pair,
                    None => UnixStream::pair()?,
                };
                let before = statistics()?.sources;
                let (sent, mut received) = ([round], [0]);
                let (read, written) =
                    futures::join!(other.read(&mut received), one.write_all(&sent));
                read?;
                written?;
                assert_eq!(received, sent);
                assert!(statistics()?.sources > before);
                moving.replace(Some((one, other)));
                moved.set(moved.get() + 1);
            }
            while moved.get() < 12 {
                tokio::task::yield_now().await;
            }
            assert_eq!(statistics()?.sources > 0, mine == 1);
            Ok(())
        };
        let (one, other) =
            futures::join!(Builder::new().guest(turn(0)), Builder::new().guest(turn(1)));
        (one.unwrap(), other.unwrap()) as ((), ());
    });
}

#[test]
fn x03_a_thread_with_a_guest_must_not_block_on_a_run() {
    on_tokio(async {
        let token = Rc::new(Cell::new(None));
        let mut guest = Box::pin(Builder::new().guest(async {
            token.set(Some(Token::current()?));
            pending::<Result<()>>().await
        }));
        poll_fn(|cx| {
            assert!(guest.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let refused = token.get().unwrap().run_sync(|| ());
        assert!(refused.is_err(), "it would wait for itself");
    });
    guest(async { yield_now().await }).unwrap();
}
