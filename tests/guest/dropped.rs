//! A guest that its host drops.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use seedbed::net::UnixStream as Stream;
use seedbed::process::Command;
use seedbed::testing::statistics;
use seedbed::{
    Builder, Guest, Result, Yielder, generator, nursery, sleep, sleep_forever, to_thread, yield_now,
};

use crate::support::alone::{alone, descriptors};
use crate::support::{Drops, recording, said};
use crate::{guest, on_tokio, polled};

/// Has a bit of everything: children, a nursery in a child, a stream, a timer, generators, a thread.
async fn program(drops: &Drops, ours: Rc<Stream>) -> Result<()> {
    nursery(async |n| {
        let _guard = drops.guard();
        for _ in 0..2 {
            n.spawn(async {
                let _guard = drops.guard();
                nursery(async |inner| {
                    inner.spawn(async {
                        let _guard = drops.guard();
                        sleep(Duration::from_micros(50)).await
                    });
                    yield_now().await
                })
                .await
            });
        }
        let guard = drops.guard();
        let mut numbers = generator(async move |y: Yielder<i32>| {
            let _guard = guard;
            y.yield_(1).await?;
            y.yield_(2).await.map(drop)
        });
        numbers.anext().await?;
        let mut borrowing = n.generator(async |y: Yielder<i32>| {
            let _guard = drops.guard();
            y.yield_(1).await.map(drop)
        });
        borrowing.anext().await?;
        n.spawn(async {
            let _guard = drops.guard();
            ours.read(&mut [0]).await.map(drop)
        });
        tokio::task::yield_now().await; // it is the host's turn
        to_thread(|| ()).await?;
        tokio::task::yield_now().await;
        ours.write_all(b"x").await?;
        tokio::task::yield_now().await;
        numbers.aclose().await?;
        tokio::task::yield_now().await;
        borrowing.aclose().await?;
        n.scope().cancel();
        sleep_forever().await
    })
    .await?;
    Ok(())
}

/// How many guards the program has, if it gets to its end.
const GUARDS: u32 = 8;

/// Polls the program this often, and drops it. Returns how often it was polled, at most.
fn cut_after(polls: u32) -> u32 {
    let drops = Drops::default();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let ((polled, tasks), warnings) = recording(|| {
        on_tokio(async {
            let tasks = Rc::new(Cell::new(0));
            let main = async {
                let ours = Rc::new(Stream::try_from(OwnedFd::from(ours))?);
                let counts = tasks.clone();
                polled(program(&drops, ours), || counts.set(statistics().unwrap().tasks)).await
            };
            let mut guest = Box::pin(Builder::new().guest(main));
            let polled = poll_times(polls, guest.as_mut()).await;
            drop(guest);
            assert!(statistics().is_err());
            Builder::new().guest(async { yield_now().await }).await.unwrap();
            (polled, tasks.get())
        })
    });
    let cut = polled == polls && drops.count() < GUARDS || !warnings.is_empty();
    match theirs.read(&mut [0; 8]) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "the stream is open"),
    }
    if cut && polls > 0 {
        assert_eq!(warnings.len(), 1, "{polls}: {warnings:?}");
        assert_eq!(said(&warnings, "without cleaning up"), 1, "{warnings:?}");
        let told: usize = warnings[0].field("tasks").parse().unwrap();
        assert!(told > 0 && told.abs_diff(tasks) <= 3, "{tasks}: {warnings:?}");
        assert!(warnings[0].field("guest").contains("dropped.rs"), "{warnings:?}");
    }
    polled
}

#[test]
fn x03_dropped_at_every_poll_it_leaves_nothing_and_says_what_was_cut() {
    let mut polls = 0;
    while cut_after(polls) == polls {
        polls += 1;
    }
    assert!(polls > 4, "{polls}");
}

#[test]
fn x03_everything_in_a_dropped_guest_is_dropped_once() {
    for polls in 0..20 {
        let drops = Drops::default();
        let made = Rc::new(Cell::new(0));
        on_tokio(async {
            let main = nursery(async |n| {
                for _ in 0..4 {
                    let guard = drops.guard();
                    made.set(made.get() + 1);
                    n.spawn(async {
                        let _guard = guard;
                        yield_now().await?;
                        sleep_forever().await
                    });
                    tokio::task::yield_now().await;
                }
                sleep_forever().await
            });
            let mut guest = Box::pin(Builder::new().guest(main));
            let mut polled = 0;
            poll_fn(|cx| {
                assert!(guest.as_mut().poll(cx).map(|done: Result<()>| done.unwrap()).is_pending());
                polled += 1;
                if polled >= polls || made.get() == 4 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        assert_eq!(drops.count(), made.get());
    }
}

/// Whether the process is there, be it as a zombie.
fn is_there(process: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process}")).exists()
}

#[test]
fn x03_processes_of_a_dropped_guest_are_killed_and_reaped() {
    let number = Rc::new(Cell::new(0));
    on_tokio(async {
        let main = nursery(async |n| {
            let child = Command::new("sleep").arg("3600").spawn(n)?;
            number.set(child.id());
            sleep_forever().await
        });
        let mut guest: Pin<Box<dyn Future<Output = Result<()>>>> =
            Box::pin(Builder::new().guest(main));
        poll_fn(|cx| {
            assert!(guest.as_mut().poll(cx).is_pending());
            if number.get() != 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert!(is_there(number.get()));
    });
    // A thread reaps it.
    while is_there(number.get()) {
        std::thread::yield_now();
    }
}

#[test]
fn x03_a_panic_of_what_is_dropped_comes_out_of_the_drop_when_all_is_dropped() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let drops = Drops::default();
    on_tokio(async {
        let main = nursery(async |n| {
            let _guard = drops.guard();
            for which in 0..3 {
                let (guard, panics) = (drops.guard(), (which == 1).then(|| Panics));
                n.spawn(async move {
                    let _moved = (guard, panics);
                    sleep_forever().await
                });
            }
            sleep_forever().await
        });
        let mut guest: Pin<Box<dyn Future<Output = Result<()>>>> =
            Box::pin(Builder::new().guest(main));
        poll_fn(|cx| {
            assert!(guest.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(guest)));
        assert_eq!(dropped.unwrap_err().downcast_ref::<&str>(), Some(&"in drop"));
        assert!(statistics().is_err());
        assert_eq!(drops.count(), 4);
    });
}

#[test]
fn x03_a_guest_that_was_never_polled_says_nothing() {
    let ((), warnings) = recording(|| drop(Builder::new().guest(async { Ok(()) })));
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn x03_a_leaked_guest_does_no_harm() {
    on_tokio(async {
        let mut guest = Box::pin(Builder::new().guest(nursery(async |n| {
            n.spawn(sleep_forever());
            sleep_forever().await
        })));
        let kept: RefCell<Option<()>> = RefCell::new(None);
        poll_fn(|cx| {
            assert!(guest.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        std::mem::forget(guest);
        kept.replace(Some(()));
    });
    guest(async { yield_now().await }).unwrap();
    seedbed::run(async { yield_now().await }).unwrap();
}

#[test]
fn x03_a_guest_has_three_descriptors_and_leaves_none() {
    alone("dropped::x03_a_guest_has_three_descriptors_and_leaves_none", || {
        on_tokio(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let before = descriptors().len();
            Builder::new()
                .guest(async {
                    assert_eq!(descriptors().len(), before + 3);
                    Ok(())
                })
                .await
                .unwrap();
            assert_eq!(descriptors().len(), before);
            for polls in 0..4 {
                let main = async {
                    let (one, other) = Stream::pair()?;
                    for _ in 0..3 {
                        one.write_all(b"x").await?;
                        tokio::task::yield_now().await;
                        other.read(&mut [0; 2]).await?;
                    }
                    Ok(())
                };
                let mut guest = Box::pin(Builder::new().guest(main));
                poll_times(polls, guest.as_mut()).await;
                drop(guest);
                assert_eq!(descriptors().len(), before, "after {polls} polls");
            }
        });
        assert!(process::id() > 0);
    });
}

/// Polls a guest so many times, or to its end. Returns how many times that was.
async fn poll_times(polls: u32, mut guest: Pin<&mut Guest<'_, ()>>) -> u32 {
    let mut polled = 0;
    poll_fn(|cx| {
        if polled == polls {
            return Poll::Ready(());
        }
        polled += 1;
        guest.as_mut().poll(cx).map(|outcome| outcome.unwrap())
    })
    .await;
    polled
}
