//! W2: pipes and FIFOs.

use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::pipe::{self, Receiver, Sender};
use seedbed::{cancel_scope, nursery, run, yield_now};
use tempfile::TempDir;

use crate::support::{cancelled, is_cancelled, poll_once};
use crate::{is_nonblocking, kind_of};

fn fifo() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
    (folder, path)
}

#[test]
fn w02_more_than_fits_goes_through_a_pipe_and_its_end_is_seen() {
    let sent: Vec<u8> = (0..1 << 20).map(|i| (i * 31 + i / 251) as u8).collect();
    run(async {
        let (sender, receiver) = pipe::pipe()?;
        let mut received = b"before ".to_vec();
        nursery(async |n| {
            n.spawn(async {
                let sender = sender;
                sender.write_all(&sent).await
            });
            assert_eq!(receiver.read_to_end(&mut received).await?, sent.len());
            Ok(())
        })
        .await?;
        assert_eq!(&received[..7], b"before ");
        assert!(received[7..] == sent[..]);
        assert_eq!(receiver.read(&mut [0]).await?, 0, "the end lasts");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_foreign_traits_of_pipes() {
    run(async {
        let (mut sender, mut receiver) = pipe::pipe()?;
        nursery(async |n| {
            n.spawn(async move {
                AsyncWriteExt::write_all(&mut sender, b"hello").await?;
                AsyncWriteExt::close(&mut sender).await?;
                Ok(())
            });
            let mut text = String::new();
            receiver.read_to_string(&mut text).await?;
            assert_eq!(text, "hello");
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn w02_a_pipe_that_nobody_reads_is_broken() {
    run(async {
        let (sender, receiver) = pipe::pipe()?;
        nursery(async |n| {
            n.spawn(async {
                let error = sender.write_all(&[0; 1 << 20]).await.unwrap_err();
                assert_eq!(kind_of(&error), Some(ErrorKind::BrokenPipe));
                Ok(())
            });
            yield_now().await?;
            drop(receiver);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn w02_a_cancelled_read_or_write_of_a_pipe_has_not_happened() {
    run(async {
        let (sender, receiver) = pipe::pipe()?;
        cancel_scope(async |scope| {
            let mut buffer = [0; 8];
            let mut reading = Box::pin(receiver.read(&mut buffer));
            assert!(poll_once(&mut reading).await.is_none());
            scope.cancel();
            assert!(is_cancelled(&reading.await));
            Ok(())
        })
        .await?;
        assert!(cancelled(sender.write(b"lost?")).await?.is_none());
        assert!(cancelled(sender.writable()).await?.is_none());
        assert!(cancelled(receiver.readable()).await?.is_none());
        assert!(cancelled(sender.write_all(b"")).await?.is_none());
        sender.write_all(b"kept").await?;
        assert!(cancelled(receiver.read(&mut [0; 8])).await?.is_none());
        drop(sender);
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).await?;
        assert_eq!(all, b"kept");
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_an_end_for_another_program_blocks_again() {
    let (sender, receiver) = pipe::pipe().unwrap();
    assert!(is_nonblocking(&sender) && is_nonblocking(&receiver));
    let reads: OwnedFd = receiver.into_blocking().unwrap();
    assert!(!is_nonblocking(&reads));
    run(async move { sender.write_all(b"hello").await }).unwrap();
    let mut text = String::new();
    std::fs::File::from(reads).read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
}

/// Reading does not end before anybody has written, and goes on with whoever comes next.
#[test]
fn w02_a_fifo_waits_for_its_writers() {
    let (_folder, path) = fifo();
    run(async {
        let receiver = Receiver::open(&path).await?;
        let mut buffer = [0; 8];
        for text in [b"one", b"two"] {
            let mut reading = Box::pin(receiver.read(&mut buffer));
            if text == b"one" {
                assert!(poll_once(&mut reading).await.is_none(), "nobody has written yet");
            }
            let sender = Sender::open(&path).await?;
            assert!(poll_once(&mut reading).await.is_none());
            sender.write_all(text).await?;
            assert_eq!(reading.await?, 3);
            assert_eq!(&buffer[..3], text);
            // It has not ended as long as somebody has it open, and it ends then.
            let mut reading = Box::pin(receiver.read(&mut buffer));
            assert!(poll_once(&mut reading).await.is_none());
            drop(sender);
            assert_eq!(reading.await?, 0);
            drop(Sender::open(&path).await?);
            assert_eq!(receiver.read(&mut buffer).await?, 0, "it came and went");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn w02_opening_a_fifo_to_write_waits_for_a_reader() {
    let (_folder, path) = fifo();
    run(async {
        let mut opening = Box::pin(Sender::open(&path));
        assert!(poll_once(&mut opening).await.is_none());
        let receiver = Receiver::open(&path).await?;
        opening.await?.write_all(b"hello").await?;
        let mut buffer = [0; 8];
        assert_eq!(receiver.read(&mut buffer).await?, 5);
        drop(receiver);
        assert!(cancelled(Sender::open(&path)).await?.is_none());
        assert!(cancelled(Receiver::open(&path)).await?.is_none());
        cancel_scope(async |scope| {
            let mut opening = Box::pin(Sender::open(&path));
            assert!(poll_once(&mut opening).await.is_none());
            scope.cancel();
            assert!(is_cancelled(&opening.await));
            Ok(())
        })
        .await?;
        Ok(())
    })
    .unwrap();
}
