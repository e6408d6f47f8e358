//! Standard input and output: W5.
//!
//! The descriptors are made here: a terminal, a pipe, a socket, a file. What is done to them is the
//! same as for the standard streams.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod descriptors;
mod foreign_traits;
mod jobs;

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use seedbed::stdio::{Input, Output};
use seedbed::{Result, nursery, yield_now};

use crate::support::{cancelled, poll_once, run};

/// Two ends of something: what is written to the second is read from the first.
type Ends = (OwnedFd, File);

fn pipe() -> Ends {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader.into(), File::from(OwnedFd::from(writer)))
}

fn socket() -> Ends {
    let (reader, writer) = UnixStream::pair().unwrap();
    (reader.into(), File::from(OwnedFd::from(writer)))
}

/// The end that a program has, and the one that the person has.
fn terminal() -> Ends {
    let (mut person, mut program) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: the numbers are written to, and the rest may be null.
    let made = unsafe { libc::openpty(&mut person, &mut program, none, none.cast(), none.cast()) };
    assert_eq!(made, 0);
    // SAFETY: they were just opened, and are nobody else's.
    unsafe { (OwnedFd::from_raw_fd(program), File::from_raw_fd(person)) }
}

const ALL: [fn() -> Ends; 3] = [pipe, socket, terminal];

fn flags(descriptor: &impl AsRawFd) -> i32 {
    // SAFETY: it only asks.
    unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL) }
}

#[test]
fn w05_lines_are_read() {
    for ends in ALL {
        run(async {
            let (descriptor, mut other) = ends();
            let mut input = Input::new(&descriptor)?;
            other.write_all(b"one\ntwo\n")?;
            assert_eq!(input.next_line().await?.as_deref(), Some("one"));
            assert_eq!(input.next_line().await?.as_deref(), Some("two"));
            other.write_all(b"thr")?;
            assert!(poll_once(input.next_line()).await.is_none());
            other.write_all(b"ee\n")?;
            assert_eq!(input.next_line().await?.as_deref(), Some("three"));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn w05_the_last_line_need_not_have_an_end() {
    for ends in [pipe as fn() -> Ends, socket] {
        run(async {
            let (descriptor, mut other) = ends();
            let mut input = Input::new(&descriptor)?;
            other.write_all(b"one\r\n\nlast")?;
            drop(other);
            let mut lines = Vec::new();
            while let Some(line) = input.next_line().await? {
                lines.push(line);
            }
            assert_eq!(lines, ["one", "", "last"]);
            assert_eq!(input.next_line().await?, None);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn w05_a_read_that_is_cancelled_takes_nothing_away() {
    for ends in ALL {
        run(nursery(async |n| {
            let (descriptor, mut other) = ends();
            let mut input = Input::new(&descriptor)?;
            other.write_all(b"one\n")?;
            assert!(cancelled(input.next_line()).await?.is_none());
            assert!(cancelled(input.read(&mut [0; 8])).await?.is_none());
            assert_eq!(input.next_line().await?.as_deref(), Some("one"));
            // This one waits when it is cancelled.
            let scope = seedbed::CancelScope::new();
            let waiting = n.spawn(scope.enter(async move |_| {
                let outcome = input.next_line().await;
                assert!(support::is_cancelled(&outcome));
                Ok(input)
            }));
            yield_now().await?;
            scope.cancel();
            let mut input = waiting.await?.unwrap();
            other.write_all(b"two\n")?;
            assert_eq!(input.next_line().await?.as_deref(), Some("two"));
            Ok(())
        }))
        .unwrap();
    }
}

#[test]
fn w05_the_flags_are_left_alone() {
    for ends in ALL {
        run(async {
            let (descriptor, other) = ends();
            let before = (flags(&descriptor), flags(&other));
            let mut input = Input::new(&descriptor)?;
            let mut output = Output::new(&other)?;
            assert!(poll_once(input.read(&mut [0])).await.is_none());
            output.write_all(b"word\n").await?;
            assert_eq!(input.next_line().await?.as_deref(), Some("word"));
            assert_eq!((flags(&descriptor), flags(&other)), before);
            assert_eq!(before.0 & libc::O_NONBLOCK, 0);
            Ok(())
        })
        .unwrap();
    }
}

/// A sibling reads from the same open file, before this does.
#[test]
fn w05_what_a_sibling_takes_does_not_block_the_run() {
    for ends in ALL {
        run(async {
            let (descriptor, mut other) = ends();
            let mut sibling = File::from(descriptor.try_clone()?);
            let mut input = Input::new(&descriptor)?;
            assert!(poll_once(input.read(&mut [0; 8])).await.is_none());
            other.write_all(b"one\n")?;
            assert_eq!(sibling.read(&mut [0; 8])?, 4);
            // The news of what has gone by now is in the reactor.
            assert!(poll_once(input.next_line()).await.is_none());
            yield_now().await?;
            assert!(poll_once(input.next_line()).await.is_none());
            other.write_all(b"two\n")?;
            assert_eq!(input.next_line().await?.as_deref(), Some("two"));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn w05_a_file_is_read_from_where_it_is() -> Result<()> {
    let mut file = tempfile::tempfile()?;
    file.write_all(b"zero\none\ntwo")?;
    file.seek(std::io::SeekFrom::Start(5))?;
    run(async {
        let mut input = Input::new(&file)?;
        assert_eq!(input.next_line().await?.as_deref(), Some("one"));
        assert_eq!(input.next_line().await?.as_deref(), Some("two"));
        assert_eq!(input.next_line().await?, None);
        let mut output = Output::new(&file)?;
        output.write_all(b"\nthree").await?;
        Ok(())
    })?;
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    assert_eq!(text, "zero\none\ntwo\nthree");
    Ok(())
}

/// Such a device cannot be waited for.
#[test]
fn w05_the_null_device_has_nothing_and_takes_everything() {
    run(async {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        assert_eq!(Input::new(&null)?.next_line().await?, None);
        Output::new(&null)?.write_all(b"word").await
    })
    .unwrap();
}

#[test]
fn w05_a_person_at_a_terminal_can_end_it() {
    run(async {
        let (descriptor, mut person) = terminal();
        let mut input = Input::new(&descriptor)?;
        person.write_all(b"\x04")?; // Ctrl-D
        assert_eq!(input.next_line().await?, None);
        person.write_all(b"word\n")?; // it was an end and not the end
        assert_eq!(input.next_line().await?.as_deref(), Some("word"));
        Ok(())
    })
    .unwrap();
}

/// A line that was read ahead is one that waits no more.
#[test]
fn w05_reading_lines_lets_others_run_and_looks_for_a_cancellation() {
    let turns = &Cell::new(0);
    run(nursery(async |n| {
        let (descriptor, mut other) = pipe();
        let mut input = Input::new(&descriptor)?;
        other.write_all(&b"word\n".repeat(1000))?;
        drop(n.spawn(async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await?;
            }
            #[expect(unreachable_code)]
            Ok(())
        }));
        for _ in 0..900 {
            assert_eq!(input.next_line().await?.as_deref(), Some("word"));
        }
        assert!(turns.get() >= 900 / 128, "{}", turns.get());
        assert!(cancelled(input.next_line()).await?.is_none());
        assert_eq!(input.next_line().await?.as_deref(), Some("word"));
        n.cancel();
        Ok(())
    }))
    .unwrap();
}

#[test]
fn w05_what_is_not_text_is_an_error_and_the_next_line_is_not() {
    run(async {
        let (descriptor, mut other) = pipe();
        let mut input = Input::new(&descriptor)?;
        other.write_all(b"\xff\nword\n")?;
        let error = input.next_line().await.unwrap_err();
        let kind = error.downcast_ref::<std::io::Error>().unwrap().kind();
        assert_eq!(kind, std::io::ErrorKind::InvalidData);
        assert_eq!(input.next_line().await?.as_deref(), Some("word"));
        Ok(())
    })
    .unwrap();
}

/// More than a pipe holds.
#[test]
fn w05_a_writer_waits_for_room() {
    for ends in [pipe as fn() -> Ends, socket] {
        run(nursery(async |n| {
            const LENGTH: usize = 1 << 20;
            let (descriptor, other) = ends();
            let mut output = Output::new(&other)?;
            drop(other);
            n.spawn(async move { output.write_all(&vec![b'x'; LENGTH]).await });
            let mut input = Input::new(&descriptor)?;
            let (mut buffer, mut length) = (vec![0; 10_000], 0);
            while length < LENGTH {
                length += input.read(&mut buffer).await?;
            }
            assert_eq!(input.read(&mut buffer).await?, 0);
            Ok(())
        }))
        .unwrap();
    }
}
