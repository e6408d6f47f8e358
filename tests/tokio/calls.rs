//! X1: calls, which are operations like any other.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use seedbed::tokio::call;
use seedbed::{Error, cancel_scope, fail_after, move_on_after, nursery, yield_now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{SHORT, run};

/// An echo through a server of tokio's, whose tasks are children.
#[test]
fn x01_tokios_sockets_and_timers_work() {
    run(async {
        let listener = call(TcpListener::bind("127.0.0.1:0")).await?;
        let address = listener.local_addr()?;
        nursery(async |n| {
            n.service(async {
                loop {
                    let (mut stream, _) = call(listener.accept()).await?;
                    n.spawn(async move {
                        let mut buffer = [0; 5];
                        call(stream.read_exact(&mut buffer)).await?;
                        call(tokio::time::sleep(Duration::from_millis(1))).output().await?;
                        call(stream.write_all(&buffer)).await
                    });
                }
            });
            for _ in 0..10 {
                let mut stream = call(TcpStream::connect(address)).await?;
                call(stream.write_all(b"hello")).await?;
                let mut answer = String::new();
                fail_after(Duration::from_secs(60), call(stream.read_to_string(&mut answer)))
                    .await?;
                assert_eq!(answer, "hello");
            }
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// A message there and back, cancelled after each number of polls.
#[test]
fn x01_a_call_is_cancelled_after_any_number_of_polls() {
    run(async {
        let listener = call(TcpListener::bind("127.0.0.1:0")).await?;
        let address = listener.local_addr()?;
        let exchange = async || {
            let mut client = call(TcpStream::connect(address)).await?;
            // Those before were cancelled, and accepted by nobody.
            let mut server = loop {
                let (server, peer) = call(listener.accept()).await?;
                if peer == client.local_addr()? {
                    break server;
                }
            };
            call(client.write_all(b"a")).await?;
            call(server.read_u8()).await?;
            call(server.write_all(b"b")).await?;
            call(client.read_u8()).await
        };
        for polls in 0.. {
            let ended = cancel_scope(async |scope| {
                let (mut exchange, mut left) = (pin!(exchange()), polls);
                poll_fn(|cx| {
                    if left == 0 {
                        scope.cancel();
                    } else {
                        left -= 1;
                    }
                    exchange.as_mut().poll(cx)
                })
                .await
            })
            .await?;
            if ended.is_some() {
                assert!(polls > 0);
                return Ok(());
            }
        }
        unreachable!()
    })
    .unwrap();
}

#[test]
fn x01_a_call_is_a_checkpoint() {
    run(async {
        let polled = Cell::new(false);
        let never_begun = poll_fn(|_| {
            polled.set(true);
            Poll::Ready(io::Result::Ok(()))
        });
        let cancelled = cancel_scope(async |scope| {
            scope.cancel();
            call(never_begun).await
        });
        assert_eq!(cancelled.await?, None);
        assert!(!polled.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn x01_a_cancelled_call_drops_its_future_at_once() {
    run(async {
        let alive = Rc::new(());
        let seen = Rc::downgrade(&alive);
        move_on_after(SHORT, async {
            let call = call(async move {
                let _alive = alive;
                pending::<io::Result<()>>().await
            });
            let mut call = pin!(call);
            let outcome = call.as_mut().await;
            assert!(outcome.is_err_and(|error| error.is_cancelled()));
            assert_eq!(seen.strong_count(), 0);
            Ok(())
        })
        .await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn x01_one_question_mark_is_for_both_errors() {
    let refused = |port| async move {
        let stream = call(TcpStream::connect(("127.0.0.1", port))).await?;
        Ok(stream)
    };
    let error = run(refused(1)).unwrap_err();
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    let place = error.place().unwrap();
    assert!(place.file().ends_with("calls.rs"), "{place}");
}

#[test]
fn x01_an_error_of_this_crate_stays_as_it_is() {
    let failed = call(ready(Err::<(), _>(Error::msg("out of paper"))));
    assert_eq!(run(failed).unwrap_err().to_string(), "out of paper");
}

#[test]
fn x01_any_output_is_a_value_where_that_is_asked_for() {
    run(async {
        let (sender, mut receiver) = mpsc::channel(1);
        sender.send(1).await?;
        assert_eq!(call(receiver.recv()).output().await?, Some(1));
        drop(sender);
        assert_eq!(call(receiver.recv()).output().await?, None);
        let inner = call(ready(Err::<(), _>("not even an error"))).output().await?;
        assert_eq!(inner, Err("not even an error"));
        Ok(())
    })
    .unwrap();
}

/// It need be neither `Send` nor `'static`, nor need what it gives be.
#[test]
fn x01_a_call_may_borrow() {
    run(async {
        let text = String::from("borrowed");
        let rc = Rc::new(5);
        let both = call(async { io::Result::Ok((&*text, rc.clone())) }).await?;
        assert_eq!(both, ("borrowed", rc.clone()));
        Ok(())
    })
    .unwrap();
}

/// Receives what is there, all of it at once, and counts how often the other task has run meanwhile.
fn others_run_while(
    receive: impl AsyncFn(&mut mpsc::Receiver<u32>) -> seedbed::Result<Option<u32>>,
) -> u32 {
    const MESSAGES: u32 = 50_000;
    run(async {
        let (sender, mut receiver) = mpsc::channel(MESSAGES as usize);
        for i in 0..MESSAGES {
            sender.try_send(i)?;
        }
        drop(sender);
        let turns = Cell::new(0);
        nursery(async |n| {
            n.service(async {
                loop {
                    yield_now().await?;
                    turns.set(turns.get() + 1);
                }
            });
            yield_now().await?;
            turns.set(0);
            let mut received = 0;
            while receive(&mut receiver).await?.is_some() {
                received += 1;
            }
            assert_eq!(received, MESSAGES);
            Ok(turns.get())
        })
        .await
    })
    .unwrap()
}

#[test]
fn x01_what_is_always_ready_starves_nobody_if_it_is_a_call() {
    // A turn of the other's for each budget, of 128.
    let turns = others_run_while(async |receiver| call(receiver.recv()).output().await);
    assert!(turns >= 50_000 / 128 - 1, "{turns}");
    let starved = others_run_while(async |receiver| Ok(receiver.recv().await));
    assert_eq!(starved, 0, "as the guide says");
}
