//! W1: waiting for any descriptor.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::fd::AsyncFd;
use seedbed::testing::statistics;
use seedbed::{Event, cancel_scope, channel, nursery, run, yield_now};

use crate::support::{cancelled, is_cancelled, poll_once};
use crate::{blocking_pipe, is_nonblocking, write};

#[test]
fn w01_a_pipe_in_blocking_mode_is_waited_for_and_its_mode_is_left_alone() {
    let (reads, writes) = blocking_pipe();
    run(async {
        let reader = AsyncFd::new(&reads)?;
        let order = Cell::new(0);
        nursery(async |n| {
            n.spawn(async {
                let mut buffer = [0; 8];
                assert_eq!(reader.read(&mut buffer).await?, 3);
                assert_eq!(&buffer[..3], b"abc");
                assert_eq!(order.get(), 1, "it waited");
                Ok(())
            });
            yield_now().await?;
            order.set(1);
            write(&writes, b"abc");
            Ok(())
        })
        .await
    })
    .unwrap();
    assert!(!is_nonblocking(&reads));
}

/// A task that writes to a pipe in blocking mode that is full lets others run.
#[test]
fn w01_a_write_in_blocking_mode_does_not_block_the_thread() {
    let (reads, writes) = blocking_pipe();
    let sent = 1 << 18;
    run(async {
        let (reader, writer) = (AsyncFd::new(&reads)?, AsyncFd::new(&writes)?);
        let mut received = 0;
        nursery(async |n| {
            n.spawn(async {
                let bytes = vec![7; sent];
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    rest = &rest[writer.write(rest).await?..];
                }
                Ok(())
            });
            while received < sent {
                received += reader.read(&mut [0; 1000]).await?;
            }
            Ok(())
        })
        .await?;
        assert_eq!(received, sent);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w01_a_cancelled_read_has_taken_nothing() {
    let (reads, writes) = blocking_pipe();
    run(async {
        let reader = AsyncFd::new(&reads)?;
        let mut buffer = [0; 8];
        // While it waits, and when there is something.
        cancel_scope(async |scope| {
            let mut reading = Box::pin(reader.read(&mut buffer));
            assert!(poll_once(&mut reading).await.is_none());
            scope.cancel();
            assert!(is_cancelled(&reading.await));
            Ok(())
        })
        .await?;
        write(&writes, b"abc");
        assert!(cancelled(reader.read(&mut buffer)).await?.is_none());
        drop(reader.read(&mut buffer)); // not begun
        assert_eq!(reader.read(&mut buffer).await?, 3);
        Ok(())
    })
    .unwrap();
}

/// The next call does not wait for news: nothing has to be drained.
#[test]
fn w01_what_is_left_is_found_by_the_next_call() {
    let (reads, writes) = blocking_pipe();
    run(async {
        let reader = AsyncFd::new(&reads)?;
        let mut reading = Box::pin(reader.readable());
        assert!(poll_once(&mut reading).await.is_none());
        write(&writes, b"abcdef");
        reading.await?;
        for byte in b"abcdef" {
            reader.readable().await?;
            let mut buffer = [0];
            assert_eq!(reader.read(&mut buffer).await?, 1);
            assert_eq!(buffer[0], *byte);
        }
        assert!(poll_once(Box::pin(reader.readable())).await.is_none());
        drop(writes);
        reader.readable().await?; // the end is news as well
        assert_eq!(reader.read(&mut [0]).await?, 0);
        Ok(())
    })
    .unwrap();
}

/// With a function that makes the call itself, on a socket in non-blocking mode.
#[test]
fn w01_a_call_of_ones_own_is_repeated_until_it_does_not_block() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    run(async {
        let calls = Cell::new(0);
        let fd = AsyncFd::new(ours)?;
        nursery(async |n| {
            n.spawn(async {
                let got = fd
                    .read_with(|mut socket| {
                        calls.set(calls.get() + 1);
                        if calls.get() == 1 {
                            return Err(ErrorKind::Interrupted.into());
                        }
                        let mut buffer = [0; 8];
                        let length = socket.read(&mut buffer)?;
                        Ok(buffer[..length].to_owned())
                    })
                    .await?;
                assert_eq!(got, b"abc");
                Ok(())
            });
            while calls.get() < 2 {
                yield_now().await?;
            }
            theirs.write_all(b"abc")?;
            Ok(())
        })
        .await?;
        assert_eq!(calls.get(), 3);
        fd.write_with(|mut socket| socket.write(b"d")).await?;
        let error = fd.read_with(|_| io::Result::<()>::Err(ErrorKind::TimedOut.into())).await;
        assert_eq!(crate::kind_of(&error.unwrap_err()), Some(ErrorKind::TimedOut));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w01_both_directions_and_foreign_traits() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    run(async {
        let (one, other) = (AsyncFd::new(ours)?, AsyncFd::new(theirs)?);
        other.set_nonblocking()?;
        let mut text = Vec::new();
        nursery(async |n| {
            n.spawn(async {
                let mut other = &other;
                AsyncWriteExt::write_all(&mut other, b"hello").await?;
                AsyncWriteExt::flush(&mut other).await?;
                other.get_ref().shutdown(std::net::Shutdown::Write)?;
                Ok(())
            });
            AsyncReadExt::read_to_end(&mut &one, &mut text).await?;
            Ok(())
        })
        .await?;
        assert_eq!(text, b"hello");
        let inside =
            cancelled(async { Ok(AsyncReadExt::read(&mut &one, &mut [0]).await?) }).await?;
        assert!(inside.is_none(), "a cancellation comes through the `io::Error`");
        Ok(())
    })
    .unwrap();
}

/// If nothing was left behind, the same descriptor can be registered again.
#[test]
fn w01_it_is_deregistered_wherever_it_is_dropped() {
    let (reads, writes) = blocking_pipe();
    let mut kept = None;
    run(async {
        // In the run, by its owner, by another task, and taken apart.
        for way in 0..3 {
            let reader = Rc::new(AsyncFd::new(&reads)?);
            let mut reading = Box::pin(reader.readable());
            assert!(poll_once(&mut reading).await.is_none());
            drop(reading);
            match way {
                0 => drop(reader),
                1 => {
                    nursery(async |n| {
                        n.spawn(async move {
                            yield_now().await?;
                            drop(reader);
                            Ok(())
                        });
                        Ok(())
                    })
                    .await?;
                }
                _ => drop(Rc::into_inner(reader).unwrap().into_inner()),
            }
        }
        // It outlives the run.
        let reader = AsyncFd::new(&reads)?;
        assert!(poll_once(Box::pin(reader.readable())).await.is_none());
        kept = Some(reader);
        Ok(())
    })
    .unwrap();
    let kept = kept.unwrap();
    run(async {
        // In a later run, unused there, and used.
        let other = AsyncFd::new(&reads)?;
        assert!(poll_once(Box::pin(other.readable())).await.is_none());
        drop(other);
        assert!(poll_once(Box::pin(kept.readable())).await.is_none());
        write(&writes, b"a");
        kept.readable().await
    })
    .unwrap();
    drop(kept); // outside of a run
    run(async { AsyncFd::new(&reads)?.readable().await }).unwrap();
}

/// A child that is dropped while it waits, because its nursery is, leaves nothing behind.
#[test]
fn w01_it_is_deregistered_when_its_task_is_dropped() {
    let (reads, _writes) = blocking_pipe();
    run(async {
        let mut nursery = Box::pin(nursery(async |n| {
            n.spawn(async { AsyncFd::new(&reads)?.readable().await });
            Event::new().wait().await
        }));
        assert!(poll_once(&mut nursery).await.is_none());
        drop(nursery);
        assert!(poll_once(Box::pin(AsyncFd::new(&reads)?.readable())).await.is_none());
        Ok(())
    })
    .unwrap();
}

/// Both wait for the same thing, through a duplicate.
#[test]
fn w01_a_duplicate_can_be_waited_for_as_well() {
    let (reads, writes) = blocking_pipe();
    let duplicate = reads.try_clone().unwrap();
    run(async {
        let (one, other) = (AsyncFd::new(&reads)?, AsyncFd::new(duplicate)?);
        let (sender, heard) = channel(2);
        nursery(async |n| {
            n.spawn(async {
                one.readable().await?;
                Ok(sender.send(1).await?)
            });
            n.spawn(async {
                other.readable().await?;
                Ok(sender.send(2).await?)
            });
            yield_now().await?;
            write(&writes, b"a");
            Ok(())
        })
        .await?;
        assert_eq!(heard.len(), 2);
        Ok(())
    })
    .unwrap();
}

/// Linux does not watch it, but it never has to.
#[test]
#[cfg(target_os = "linux")]
fn w01_a_device_that_is_always_ready() {
    run(async {
        let zero = AsyncFd::new(File::open("/dev/zero")?)?;
        let mut buffer = [1; 8];
        zero.readable().await?;
        assert_eq!(zero.read(&mut buffer).await?, 8);
        assert_eq!(buffer, [0; 8]);
        let before = statistics()?.sources;
        let null = AsyncFd::new(File::options().write(true).open("/dev/null")?)?;
        assert_eq!(null.write(b"abc").await?, 3);
        assert_eq!(statistics()?.sources, before);
        Ok(())
    })
    .unwrap();
}

/// An owner whose function panics, or that goes back on its word.
#[test]
fn w01_foreign_code_in_the_call() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    run(async {
        let fd = AsyncFd::new(ours)?;
        write(&theirs, b"ab");
        let text = crate::support::catching(fd.read_with(|_| -> io::Result<()> { panic!("oh") }));
        assert_eq!(text.await.err().as_deref(), Some("oh"));
        assert_eq!(fd.read(&mut [0]).await?, 1);
        // One that says that it would block although it would not waits for further news.
        let mut wrong =
            Box::pin(fd.read_with(|_| io::Result::<()>::Err(ErrorKind::WouldBlock.into())));
        assert!(poll_once(&mut wrong).await.is_none());
        drop(wrong);
        write(&theirs, b"c");
        assert_eq!(fd.read(&mut [0; 8]).await?, 2);
        Ok(())
    })
    .unwrap();
}

/// The worst is that it hears nothing itself.
#[test]
fn w01_an_owner_whose_descriptor_changes_harms_nobody_else() {
    struct Changing([OwnedFd; 2], Cell<usize>);
    impl AsFd for Changing {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.1.set(self.1.get() + 1);
            self.0[self.1.get() % 2].as_fd()
        }
    }
    run(async {
        for times in 0..8 {
            let (one, to_one) = blocking_pipe();
            let (other, to_other) = blocking_pipe();
            let changing = AsyncFd::new(Changing([one, other], Cell::new(times)))?;
            assert!(poll_once(Box::pin(changing.readable())).await.is_none());
            drop(changing);
            let (reads, writes) = blocking_pipe();
            let sound = AsyncFd::new(reads)?;
            let mut reading = Box::pin(sound.readable());
            assert!(poll_once(&mut reading).await.is_none());
            drop((to_one, to_other));
            yield_now().await?;
            write(&writes, b"a");
            reading.await?;
        }
        Ok(())
    })
    .unwrap();
}

/// With the thread, after its runs.
#[test]
fn w01_it_may_be_dropped_with_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<AsyncFd<OwnedFd>>> = const { RefCell::new(None) };
    }
    let (reads, writes) = blocking_pipe();
    std::thread::spawn(move || {
        let fd = AsyncFd::new(reads).unwrap();
        run(async {
            assert!(poll_once(Box::pin(fd.readable())).await.is_none());
            Ok(())
        })
        .unwrap();
        KEPT.set(Some(fd));
    })
    .join()
    .unwrap();
    let error = rustix::io::write(&writes, b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "the other end is closed");
}
