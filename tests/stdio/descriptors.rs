//! Descriptors that are closed, that may not be opened again, that hang up or are full.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::pin::pin;
use std::process::{Command, Stdio};

use futures::AsyncWriteExt;
use seedbed::stdio::{self, Input, Output};
use seedbed::{nursery, run, to_thread, yield_now};

#[cfg(target_os = "linux")]
use crate::support::forbidden::forbidding;
use crate::support::{cancelled, poll_once};
use crate::{ALL, Ends, pipe, terminal};

/// The system calls by which a descriptor is opened again.
#[cfg(target_os = "linux")]
const OPENING: &[i64] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];

const ALONE: &str = "SEEDBED_TEST_ALONE";

/// Runs this test again in a process in which this is done first. Returns whether that has happened,
/// and this process is the other one.
fn again(name: &str, first: fn()) -> bool {
    if std::env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return true;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", &format!("descriptors::{name}"), "--nocapture", "--test-threads=1"]);
    again.env(ALONE, name).stdin(Stdio::null()).stderr(Stdio::piped());
    // SAFETY: what is done first may be done after a fork.
    unsafe {
        again.pre_exec(move || {
            first();
            Ok(())
        });
    }
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// The standard library opens the null device in their place.
#[test]
fn w05_a_program_that_was_started_with_closed_streams_reads_nothing() {
    // SAFETY: it concerns the process that is about to be this program.
    let close = || unsafe {
        libc::close(0);
        libc::close(1);
    };
    if again("w05_a_program_that_was_started_with_closed_streams_reads_nothing", close) {
        run(async {
            assert_eq!(stdio::stdin()?.next_line().await?, None);
            stdio::stdout()?.write_all(b"word").await
        })
        .unwrap();
    }
}

#[test]
fn w05_a_closed_stream_is_named() {
    if again("w05_a_closed_stream_is_named", || ()) {
        // SAFETY: this test alone runs in this process, and uses none of them any more.
        unsafe {
            libc::close(0);
            libc::close(1);
        }
        let here = line!() + 1;
        let error = stdio::stdin().unwrap_err();
        assert_eq!(error.to_string(), "standard input: Bad file descriptor (os error 9)");
        assert_eq!(error.place().unwrap().line(), here);
        let error = stdio::stdout().unwrap_err();
        assert_eq!(error.to_string(), "standard output: Bad file descriptor (os error 9)");
        // SAFETY: so that others get no such number.
        unsafe { libc::dup(2) };
    }
}

/// A terminal of another user, after `su`, may be used and not opened. Then a thread reads, and what
/// a cancelled read gets is kept.
#[test]
#[cfg(target_os = "linux")]
fn w05_what_may_not_be_opened_again_is_read_and_written_by_a_thread() {
    for ends in ALL {
        let (descriptor, mut other) = ends();
        forbidding(OPENING, libc::EACCES, || {
            run(async {
                let mut input = Input::new(&descriptor)?;
                other.write_all(b"one\n")?;
                assert!(cancelled(input.next_line()).await?.is_none());
                assert_eq!(input.next_line().await?.as_deref(), Some("one"));
                assert!(poll_once(input.next_line()).await.is_none());
                other.write_all(b"two\n")?;
                assert_eq!(input.next_line().await?.as_deref(), Some("two"));
                let mut output = Output::new(&other)?;
                output.write_all(b"three\n").await?;
                assert_eq!(input.next_line().await?.as_deref(), Some("three"));
                // A read that waits is not waited for.
                assert!(poll_once(input.next_line()).await.is_none());
                Ok(())
            })
            .unwrap();
        });
    }
}

/// What was given up comes first, and as a whole.
#[test]
#[cfg(target_os = "linux")]
fn w05_a_write_that_is_dropped_while_a_thread_is_at_it_comes_before_the_next() {
    forbidding(OPENING, libc::EACCES, || {
        let (reader, writer) = pipe();
        run(nursery(async |n| {
            let mut output = Output::new(&writer)?;
            drop(writer);
            const ROOM: usize = 1 << 16;
            output.write_all(&[b'a'; ROOM]).await?;
            // There is no room, so a thread waits for some.
            {
                let mut write = pin!(output.write(b"bb"));
                for _ in 0..10 {
                    assert!(poll_once(write.as_mut()).await.is_none());
                    yield_now().await?;
                }
            }
            let read = n.spawn(to_thread(move || {
                let mut text = String::new();
                File::from(reader).read_to_string(&mut text).map(|_| text)
            }));
            output.write_all(b"cc").await?;
            drop(output);
            let text = read.await??;
            assert_eq!(text.trim_start_matches('a'), "bbcc");
            Ok(())
        }))
        .unwrap();
    });
}

/// There, nothing tells whether it is the same write. If it has the same bytes, it is.
#[test]
#[cfg(target_os = "linux")]
fn w05_a_write_through_a_foreign_trait_that_is_given_up_and_taken_up_again_happens_once() {
    forbidding(OPENING, libc::EACCES, || {
        let (reader, writer) = pipe();
        run(nursery(async |n| {
            let mut output = Output::new(&writer)?;
            drop(writer);
            AsyncWriteExt::write_all(&mut output, &[b'a'; 1 << 16]).await?;
            assert!(poll_once(AsyncWriteExt::write(&mut output, b"bb")).await.is_none());
            let read = n.spawn(to_thread(move || {
                let mut text = String::new();
                File::from(reader).read_to_string(&mut text).map(|_| text)
            }));
            assert_eq!(AsyncWriteExt::write(&mut output, b"bb").await?, 2);
            assert_eq!(AsyncWriteExt::write(&mut output, b"cc").await?, 2);
            output.flush().await?;
            drop(output);
            assert_eq!(read.await??.trim_start_matches('a'), "bbcc");
            Ok(())
        }))
        .unwrap();
    });
}

fn hangs_up((program, person): Ends) {
    run(async {
        let (mut input, mut output) = (Input::new(&program)?, Output::new(&program)?);
        output.write_all(b"Who are you? ").await?;
        assert!(poll_once(input.next_line()).await.is_none());
        drop(person);
        // The system says that this is the end, or that it has failed.
        assert!(!matches!(input.next_line().await, Ok(Some(_))));
        let error = output.write_all(b"Are you there?").await.unwrap_err();
        let number = error.downcast_ref().and_then(io::Error::raw_os_error);
        assert_eq!(number, Some(libc::EIO));
        Ok(())
    })
    .unwrap();
}

#[test]
fn w05_a_terminal_that_hangs_up_ends_a_read_that_waits() {
    hangs_up(terminal());
}

#[test]
#[cfg(target_os = "linux")]
fn w05_a_terminal_that_hangs_up_ends_a_read_that_a_thread_waits_in() {
    let ends = terminal();
    forbidding(OPENING, libc::EACCES, || hangs_up(ends));
}
