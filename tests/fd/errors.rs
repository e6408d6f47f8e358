//! W1: what cannot be waited for, and what the error says.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};

use seedbed::fd::AsyncFd;
use seedbed::{Error, pipe};

use crate::support::{poll_once, run};
use crate::{blocking_pipe, kind_of};

#[track_caller]
fn says(error: &Error, kind: ErrorKind, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(kind_of(error), Some(kind), "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
}

#[test]
fn w01_a_file_is_refused_with_what_to_do_instead() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("file")).unwrap();
    let number = format!("descriptor {} is a file", file.as_raw_fd());
    let error = AsyncFd::new(&file).unwrap_err();
    let here = line!() - 1;
    says(&error, ErrorKind::InvalidInput, &[&number, "seedbed::fs::File", "to_thread"]);
    assert!(format!("{error:?}").contains(&format!("errors.rs:{here}:")), "{error:?}");
    let directory = File::open(folder.path()).unwrap();
    let error = AsyncFd::new(directory).unwrap_err();
    says(&error, ErrorKind::InvalidInput, &["is a directory", "seedbed::fs::read_dir"]);
}

/// The first goes on waiting.
#[test]
#[cfg(target_os = "linux")]
fn w01_a_descriptor_that_is_registered_twice() {
    let (reads, writes) = blocking_pipe();
    run(async {
        let (one, other) = (AsyncFd::new(&reads)?, AsyncFd::new(&reads)?);
        let mut waiting = Box::pin(one.readable());
        assert!(poll_once(&mut waiting).await.is_none());
        let error = other.readable().await.unwrap_err();
        let here = line!() - 1;
        let number = format!("descriptor {}", reads.as_raw_fd());
        says(&error, ErrorKind::AlreadyExists, &[&number, "duplicate"]);
        assert!(format!("{error:?}").contains(&format!("errors.rs:{here}:")), "{error:?}");
        drop(other);
        crate::write(&writes, b"a");
        waiting.await
    })
    .unwrap();
}

#[test]
fn w02_what_is_no_pipe_is_refused() {
    let file = OwnedFd::from(tempfile::tempfile().unwrap());
    let error = pipe::Receiver::try_from(file).unwrap_err();
    says(&error, ErrorKind::InvalidInput, &["seedbed::fs::File"]);
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let error = pipe::Sender::try_from(OwnedFd::from(socket)).unwrap_err();
    says(&error, ErrorKind::InvalidInput, &["seedbed::net"]);
}

#[test]
fn w02_a_path_that_is_no_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let file = folder.path().join("file");
    let socket = folder.path().join("socket");
    std::fs::write(&file, "").unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    run(async {
        let error = pipe::Receiver::open(&missing).await.unwrap_err();
        says(&error, ErrorKind::NotFound, &["missing", "reading"]);
        let error = pipe::Sender::open(&missing).await.unwrap_err();
        says(&error, ErrorKind::NotFound, &["missing", "writing"]);
        for error in [
            pipe::Receiver::open(&file).await.unwrap_err(),
            pipe::Sender::open(&file).await.unwrap_err(),
        ] {
            says(&error, ErrorKind::InvalidInput, &["file", "seedbed::fs::File"]);
        }
        pipe::Sender::open(&socket).await.unwrap_err(); // and does not wait for ever
        let error = pipe::Receiver::open("a\0b").await.unwrap_err();
        assert_eq!(kind_of(&error), Some(ErrorKind::InvalidInput));
        Ok(())
    })
    .unwrap();
}
