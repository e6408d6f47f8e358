//! C10 and W3 for processes: an operation that is cancelled at any moment has happened or has not;
//! no byte is lost, every process is reaped, and no descriptor is left.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use seedbed::pipe::Receiver;
use seedbed::process::{ChildStdin, Command, Stdio, Stopped};
use seedbed::testing::statistics;
use seedbed::{Error, Result, nursery};

use crate::cancelled_after;
use crate::support::alone::{alone, descriptors};

/// After how many rounds something is cancelled: first one more each time, then twice as many.
fn rounds() -> impl Iterator<Item = usize> {
    (0..8).chain((3..).map(|power| 1 << power))
}

fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let found = waitid(WaitId::All, options);
    found.inspect_err(|error| assert_eq!(*error, Errno::CHILD)).is_ok()
}

/// Descriptors that are open and were not.
fn further_than(before: &BTreeMap<u64, PathBuf>) -> Vec<(u64, PathBuf)> {
    descriptors().into_iter().filter(|(number, _)| !before.contains_key(number)).collect()
}

/// Cancels `op` at later and later moments, until it is done before that. Nothing is left each time.
fn leaves_nothing(name: &str, op: impl AsyncFn() -> Result<()>) {
    for rounds in rounds() {
        let done = seedbed::run(async {
            Command::new("true").status().await?; // the run has its own descriptors by now
            let before = (statistics()?, descriptors());
            let done = cancelled_after(rounds, op()).await?;
            assert!(!has_children(), "{name} after {rounds} rounds");
            assert_eq!(statistics()?, before.0, "{name} after {rounds} rounds");
            assert_eq!(further_than(&before.1), [], "{name} after {rounds} rounds");
            Ok(done)
        });
        if done.unwrap().is_some() {
            return assert!(rounds > 0, "{name} is a checkpoint");
        }
    }
}

/// The outcome, which says how the process has ended if it was cancelled after the start.
fn told<T>(outcome: Result<T>) -> Result<T> {
    let is_told = |error: &Error| match error.find::<Stopped>() {
        Some(stopped) => stopped.program() == "sh",
        None => error.is_cancelled(),
    };
    outcome.inspect_err(|error| assert!(is_told(error), "{error:?}"))
}

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

/// More than a pipe holds.
fn many_bytes() -> Vec<u8> {
    (0..200_000_u32).map(|number| (number % 251) as u8).collect()
}

#[test]
fn c10_a_process_is_reaped_whenever_it_is_cancelled() {
    alone("processes::c10_a_process_is_reaped_whenever_it_is_cancelled", || {
        leaves_nothing("status", async || {
            assert_eq!(told(shell("exit 3").status().await)?.code(), Some(3));
            Ok(())
        });
        leaves_nothing("output", async || {
            let input = many_bytes();
            let output = told(shell("cat").input(input.clone()).output().await)?;
            assert!(output.stdout == input && output.status.success());
            Ok(())
        });
        leaves_nothing("output of a group", async || {
            let input = many_bytes();
            let mut group = shell("cat | cat");
            let output = told(group.own_group().input(input.clone()).output().await)?;
            assert!(output.stdout == input && output.status.success());
            Ok(())
        });
        leaves_nothing("run, with a grace of 0", async || {
            told(shell("exec cat").grace(std::time::Duration::ZERO).input("word").run().await)?;
            Ok(())
        });
        leaves_nothing("spawn", async || {
            nursery(async |n| {
                let mut child = shell("cat; exit 3").stdin(Stdio::piped()).spawn(n)?;
                assert_eq!(child.wait().await?.code(), Some(3));
                Ok(())
            })
            .await
        });
        leaves_nothing("pipes", async || {
            nursery(async |n| {
                let mut cat = shell("exec cat");
                let cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(n)?;
                for _ in 0..10 {
                    cat.stdin.as_ref().unwrap().write_all(b"word").await?;
                    cat.stdout.as_ref().unwrap().read(&mut [0; 4]).await?;
                }
                Ok(())
            })
            .await
        });
    });
}

/// Passes bytes through a process. Each write and each read is cancelled after so many rounds, and
/// done again until it has not been.
async fn through_a_process(rounds: usize, input: &[u8]) -> Result<Vec<u8>> {
    let feed = async |stdin: ChildStdin| {
        let mut left = input;
        while !left.is_empty() {
            if let Some(n) = cancelled_after(rounds, stdin.write(left)).await? {
                left = &left[n..];
            }
        }
        Ok(())
    };
    let drain = async |stdout: Receiver| {
        let (mut read, mut buffer) = (Vec::new(), [0; 10_000]);
        loop {
            match cancelled_after(rounds, stdout.read(&mut buffer)).await? {
                Some(0) => return Ok(read),
                Some(n) => read.extend_from_slice(&buffer[..n]),
                None => {}
            }
        }
    };
    nursery(async |n| {
        let mut cat = shell("exec cat");
        let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(n)?;
        let (stdin, stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        n.spawn(feed(stdin));
        drain(stdout).await
    })
    .await
}

#[test]
fn c10_no_byte_is_lost_between_processes() {
    let input = many_bytes();
    for rounds in 1..6 {
        let output = seedbed::run(through_a_process(rounds, &input)).unwrap();
        assert!(output == input, "after {rounds} rounds");
    }
}

/// What was read is kept, and the end is not forgotten.
#[test]
fn c10_reading_to_the_end_goes_on_where_it_was_cancelled() {
    let input = many_bytes();
    for rounds in 1..6 {
        let mut read = Vec::new();
        seedbed::run(nursery(async |n| {
            let mut cat = shell("exec cat");
            let cat = cat.input(input.clone()).stdout(Stdio::piped()).spawn(n)?;
            let stdout = cat.stdout.unwrap();
            while cancelled_after(rounds, stdout.read_to_end(&mut read)).await?.is_none() {
                assert!(read[..] == input[..read.len()]);
            }
            Ok(())
        }))
        .unwrap();
        assert!(read == input, "after {rounds} rounds");
    }
}

/// It does not end the process, and tells the same again.
#[test]
fn c10_waiting_for_a_process_can_be_cancelled_and_done_again() {
    for rounds in 0..6 {
        seedbed::run(nursery(async |n| {
            let mut script = shell("read line; exit 3");
            let mut child = script.stdin(Stdio::piped()).spawn(n)?;
            let stdin = child.stdin.take();
            assert!(cancelled_after(rounds, child.wait()).await?.is_none());
            assert_eq!(child.try_wait()?, None);
            drop(stdin);
            assert_eq!(child.wait().await?.code(), Some(3));
            assert_eq!(child.try_wait()?.unwrap().code(), Some(3));
            Ok(())
        }))
        .unwrap();
    }
}
