//! Files that are in memory and nowhere else are read and written at once.

use std::io::{self, SeekFrom};
use std::os::fd::{AsRawFd, FromRawFd};
use std::pin::pin;

use futures::{AsyncReadExt, AsyncWriteExt};
use seedbed::fs::{self, Failure, File};
use seedbed::{Builder, Result};

use crate::support::{cancelled, is_cancelled, poll_once, run};

fn in_memory() -> std::fs::File {
    // SAFETY: the name ends with a NUL, and the descriptor is nobody else's.
    unsafe {
        let descriptor = libc::memfd_create(c"test".as_ptr(), libc::MFD_ALLOW_SEALING);
        assert!(descriptor >= 0, "{}", io::Error::last_os_error());
        std::fs::File::from_raw_fd(descriptor)
    }
}

/// A file that takes no more than 8192 bytes.
fn full() -> std::fs::File {
    let file = in_memory();
    file.set_len(8192).unwrap();
    // SAFETY: this is a number and not an address.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_GROW) }, 0);
    file
}

/// Waits for an operation, which is not to have a thread.
async fn at_once<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    let mut operation = pin!(operation);
    if let Some(outcome) = poll_once(operation.as_mut()).await {
        return outcome;
    }
    // It may have let others run.
    assert_eq!(fs::current_limiter()?.borrowed(), 0);
    operation.await
}

#[test]
fn w04_a_file_in_memory_does_not_wait_for_a_thread() {
    seedbed::run(async {
        let mut file = File::from(in_memory());
        let long = vec![7; 3 << 20];
        assert_eq!(at_once(file.write(b"hello, ")).await?, 7);
        at_once(file.write_all(b"world")).await?;
        assert_eq!(file.position(), 12);
        assert_eq!(at_once(file.write_at(b"J", 0)).await?, 1);
        file.write_all_at(&long, 12).await?;
        assert_eq!(at_once(file.read(&mut [0; 5])).await?, 5, "the first byte of it");
        file.seek(SeekFrom::Start(0)).await?;
        let mut text = [0; 12];
        at_once(file.read_exact(&mut text)).await?;
        assert_eq!(&text, b"Jello, world");
        let end = 12 + (3 << 20);
        assert_eq!(at_once(file.read_at(&mut text, end)).await?, 0, "the end");
        assert_eq!(file.metadata().await?.len(), end);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_foreign_traits_do_not_wait_either() {
    seedbed::run(async {
        let mut file = File::from(in_memory());
        at_once(async { Ok(AsyncWriteExt::write_all(&mut file, b"hello").await?) }).await?;
        assert_eq!(file.position(), 5);
        file.seek(SeekFrom::Start(1)).await?;
        let mut buffer = [0; 4];
        at_once(async { Ok(AsyncReadExt::read(&mut file, &mut buffer).await?) }).await?;
        assert_eq!(&buffer, b"ello");
        Ok(())
    })
    .unwrap();
}

/// It is chance whether a file is in memory, and a repeatable run leaves it out.
#[test]
fn w04_on_a_virtual_clock_it_waits_for_a_thread() {
    run(async {
        let file = File::from(in_memory());
        assert!(poll_once(file.write_at(b"hello", 0)).await.is_none());
        assert_eq!(fs::current_limiter()?.borrowed(), 1);
        Ok(())
    })
    .unwrap();
}

/// The operation has happened, others run before it returns, and it is dropped meanwhile.
#[test]
fn w04_the_cursor_is_behind_a_write_to_memory_that_is_dropped() {
    let program = async || {
        let mut file = File::from(in_memory());
        let mut dropped = 0;
        for _ in 0..10 {
            dropped += usize::from(poll_once(file.write(b"hello")).await.is_none());
        }
        assert!(dropped > 0);
        assert_eq!(file.position(), 50);
        assert_eq!(file.metadata().await?.len(), 50);
        Result::Ok(())
    };
    Builder::new().budget(1).run(program()).unwrap();
}

#[test]
fn w04_in_a_cancelled_scope_nothing_is_written_to_memory() {
    seedbed::run(async {
        let mut file = File::from(in_memory());
        cancelled(async {
            assert!(is_cancelled(&file.write(b"J").await));
            assert!(is_cancelled(&file.write_all(b"J").await));
            assert!(is_cancelled(&file.write_at(b"J", 0).await));
            assert!(is_cancelled(&file.write_all_at(b"J", 0).await));
            let foreign = AsyncWriteExt::write(&mut file, b"J").await;
            assert!(seedbed::Error::from(foreign.unwrap_err()).is_cancelled());
            assert_eq!(file.position(), 0);
            Ok(())
        })
        .await?;
        assert_eq!(file.metadata().await?.len(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn w04_memory_that_is_full_says_how_much_it_took() {
    let is_full = |error: seedbed::Error, done| {
        let kind = error.downcast_ref().map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::PermissionDenied), "{error}");
        assert!(error.to_string().starts_with("writing `/dev/fd/"), "{error}");
        assert_eq!(error.find().map(Failure::done), Some(done), "{error}");
    };
    seedbed::run(async {
        let mut file = File::from(full());
        is_full(file.write_all(&[7; 10_000]).await.unwrap_err(), 8192);
        assert_eq!(file.position(), 8192);
        is_full(file.write(b"J").await.unwrap_err(), 0);
        is_full(file.write_all_at(&[7; 10_000], 4096).await.unwrap_err(), 4096);
        is_full(file.write_at(b"J", 8192).await.unwrap_err(), 0);
        assert_eq!(file.position(), 8192);
        Ok(())
    })
    .unwrap();
}
