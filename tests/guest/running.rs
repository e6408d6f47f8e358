//! What works in a guest: everything.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream};
use seedbed::{
    Builder, CapacityLimiter, Error, Event, NurseryHandle, Result, Token, Yielder, aclosing,
    cancellable, channel, checkpoint, generator, move_on_after, nursery, sleep, sleep_forever,
    to_thread, yield_now,
};

use crate::support::Drops;
use crate::{guest, on_tokio, polled};

#[test]
fn x03_a_guest_gives_the_value_or_the_error_of_its_main_future() {
    assert_eq!(guest(async { Ok(7) }).unwrap(), 7);
    let error = guest(async { Err::<(), _>(Error::msg("out of paper")) }).unwrap_err();
    assert!(error.to_string().contains("out of paper"));
    let failed = guest(nursery(async |n| {
        n.spawn(async { Err::<(), _>(Error::msg("jam")) });
        sleep_forever().await
    }));
    assert!(failed.unwrap_err().to_string().contains("jam"));
}

#[test]
fn x03_it_waits_for_timers_sockets_and_threads() {
    let said = guest(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        nursery(async |n| {
            n.spawn(async {
                let (stream, _) = listener.accept().await?;
                sleep(Duration::from_millis(1)).await?;
                let said = to_thread(|| b"hello").await?;
                stream.write_all(said).await
            });
            let stream = TcpStream::connect(address).await?;
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await?;
            Ok(said)
        })
        .await
    });
    assert_eq!(said.unwrap(), b"hello");
}

#[test]
fn x03_what_is_cancelled_from_outside_is_waited_for_and_cleans_up() {
    let cleaned = Rc::new(Cell::new(false));
    on_tokio(async {
        let main = async {
            let error = sleep_forever().await.unwrap_err();
            seedbed::CancelScope::new()
                .with_shield()
                .enter(async |_| {
                    sleep(Duration::from_millis(1)).await?;
                    cleaned.set(true);
                    Ok(())
                })
                .await?;
            Err::<(), _>(error)
        };
        let guest = Builder::new().guest(main);
        let handle = guest.cancel_handle();
        let cancelling = thread::spawn(move || handle.cancel_with("enough"));
        let error = guest.await.unwrap_err();
        cancelling.join().unwrap();
        assert!(error.is_cancelled() && error.to_string().contains("enough"), "{error}");
        assert!(cleaned.get());

        let guest = Builder::new().guest(async { checkpoint().await });
        guest.cancel_handle().cancel(); // before it is polled
        assert!(guest.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn x03_a_panic_comes_out_at_the_hosts_poll_and_leaves_nothing() {
    for in_child in [false, true] {
        on_tokio(async {
            let drops = Drops::default();
            let main = nursery(async |n| {
                let _guard = drops.guard();
                n.spawn(async {
                    let _guard = drops.guard();
                    sleep_forever().await
                });
                yield_now().await?;
                if in_child {
                    n.spawn(async { if true { panic!("boom") } else { Ok(()) } });
                    sleep_forever().await
                } else {
                    panic!("boom")
                }
            });
            let mut guest = Box::pin(Builder::new().guest(main));
            let panicked = polled(
                std::future::poll_fn(|cx| {
                    match catch_unwind(AssertUnwindSafe(|| guest.as_mut().poll(cx))) {
                        Ok(polled) => polled.map(|outcome: Result<()>| Err(outcome)),
                        Err(payload) => std::task::Poll::Ready(Ok(payload)),
                    }
                }),
                || assert!(Token::current().is_err()),
            )
            .await
            .unwrap();
            assert_eq!(panicked.downcast_ref::<&str>(), Some(&"boom"));
            assert!(Token::current().is_err(), "the thread has no run");
            assert_eq!(drops.count(), 2);
            drop(guest);
            Builder::new().guest(async { checkpoint().await }).await.unwrap();
        });
    }
}

#[test]
fn x03_tasks_of_the_host_and_of_the_guest_talk_to_each_other() {
    on_tokio(async {
        // By what tokio has.
        let (to_guest, mut from_host) = tokio::sync::mpsc::channel(1);
        let (to_host, from_guest) = tokio::sync::oneshot::channel();
        // By what this crate has.
        let (sender, receiver) = channel(1);
        let event = Rc::new(Event::new());
        let handle: Rc<RefCell<Option<NurseryHandle>>> = Rc::default();
        let token = Rc::new(Cell::new(None));
        let main = nursery(async |n| {
            token.set(Some(Token::current()?));
            handle.replace(Some(n.handle()));
            assert_eq!(cancellable(from_host.recv()).await?, Some(1));
            to_host.send(2).unwrap();
            assert_eq!(receiver.recv().await?, Some(3));
            event.wait().await?;
            Ok(())
        });
        let host = async {
            tokio::task::yield_now().await;
            to_guest.send(1).await.unwrap();
            assert_eq!(from_guest.await, Ok(2));
            sender.try_send(3).unwrap();
            tokio::task::yield_now().await;
            event.set();
            // The nursery may be closed by now, but is not at first.
        };
        let spawning = async {
            let (told, hears) = tokio::sync::oneshot::channel();
            while handle.borrow().is_none() {
                tokio::task::yield_now().await;
            }
            let spawned = handle.take().unwrap().spawn(async move {
                sleep(Duration::from_millis(1)).await?;
                told.send(()).unwrap();
                Ok(())
            });
            drop(spawned.unwrap());
            hears.await.unwrap();
            let (told, hears) = tokio::sync::oneshot::channel();
            if token.get().unwrap().run_sync_soon(move || told.send(()).unwrap()).is_ok() {
                let _ = hears.await;
            }
        };
        let (outcome, (), ()) = futures::join!(Builder::new().guest(main), host, spawning);
        outcome.unwrap();
    });
}

#[test]
fn x03_a_limit_cuts_a_call_of_tokios() {
    let ended = guest(async {
        let long = tokio::time::sleep(Duration::from_secs(3600));
        let none =
            move_on_after(Duration::from_millis(1), async { cancellable(long).await }).await?;
        let short = tokio::time::sleep(Duration::from_millis(1));
        cancellable(short).await?;
        Ok(none)
    });
    assert_eq!(ended.unwrap(), None);
}

#[test]
fn x03_generators_are_closed_in_it() {
    let closed = Rc::new(Cell::new(0));
    guest(async {
        let counting = |closed: &Rc<Cell<u32>>| {
            let closed = closed.clone();
            generator(async move |y: Yielder<u32>| {
                let outcome = async {
                    y.yield_(1).await?;
                    y.yield_(2).await
                }
                .await;
                closed.set(closed.get() + 1);
                outcome.map(drop)
            })
        };
        aclosing(counting(&closed), async |numbers| {
            assert_eq!(numbers.anext().await?, Some(1));
            Ok(())
        })
        .await?;
        assert_eq!(closed.get(), 1);
        let mut left = counting(&closed);
        left.anext().await?;
        drop(left); // closed in the background, before the guest ends
        Ok(())
    })
    .unwrap();
    assert_eq!(closed.get(), 2);
}

#[test]
fn x03_many_threads_wake_many_tasks() {
    let woken = guest(nursery(async |n| {
        let limiter = CapacityLimiter::new(8);
        let woken = Rc::new(Cell::new(0));
        for _ in 0..200 {
            let (limiter, woken) = (limiter.clone(), woken.clone());
            n.spawn(async move {
                to_thread(thread::yield_now).limiter(&limiter).await?;
                woken.set(woken.get() + 1);
                Ok(())
            });
        }
        Ok(woken)
    }));
    assert_eq!(woken.unwrap().get(), 200);
}
