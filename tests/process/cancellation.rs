//! Processes whose scope is cancelled.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use seedbed::process::{Command, Stdio, Stopped};
use seedbed::{Error, cancel_scope, finishing, nursery, run, sleep, yield_now};

use crate::support::{cancelled, recording, run_on, shielded};
use crate::{LONG, is_reaped, line, ready, rest, shell};

/// How a process has ended whose nursery was cancelled when it was ready, and what it wrote then.
fn ended(command: &mut Command) -> (seedbed::process::ExitStatus, String) {
    run(async {
        let mut left = None;
        nursery(async |n| {
            left = Some(ready(n, command).await?);
            n.cancel();
            Ok(())
        })
        .await?;
        let (child, stdout) = left.unwrap();
        assert!(is_reaped(child.id()));
        Ok((child.try_wait()?.unwrap(), rest(&stdout).await?))
    })
    .unwrap()
}

#[test]
fn w03_a_cancelled_process_is_asked_to_end_and_is_reaped() {
    let (status, wrote) = ended(&mut shell("echo ready; exec sleep 1000"));
    assert_eq!((status.signal(), &wrote[..]), (Some(libc::SIGTERM), ""));
}

#[test]
fn w03_a_cancelled_process_may_clean_up() {
    let script = "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.01; done";
    let (status, wrote) = ended(shell(script).grace(LONG));
    assert_eq!((status.code(), &wrote[..]), (Some(4), "bye\n"));
}

#[test]
fn w03_one_that_ignores_sigterm_is_killed_after_the_grace() {
    let script = "trap '' TERM; echo ready; exec sleep 1000";
    let (status, _) = ended(shell(script).grace(Duration::from_millis(20)));
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}

#[test]
fn w03_with_a_grace_of_zero_it_is_killed_at_once() {
    let script = "trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done";
    let (status, _) = ended(shell(script).grace(Duration::ZERO));
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}

#[test]
fn w03_a_stopped_process_ends_too() {
    let (status, _) = ended(shell("echo ready; kill -STOP $$").grace(LONG));
    assert_eq!(status.signal(), Some(libc::SIGTERM));
}

/// On a virtual clock 5 seconds are over at once. Those that are given to the system to let the
/// process end are, too, which is no reason for a warning.
#[test]
fn w03_the_grace_is_five_seconds() {
    let clock = seedbed::testing::VirtualClock::new();
    let ((), records) = recording(|| {
        run_on(&clock, async {
            nursery(async |n| {
                ready(n, &mut shell("trap '' TERM; echo ready; exec sleep 1000")).await?;
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
    });
    assert!(clock.elapsed() >= Duration::from_secs(5), "{:?}", clock.elapsed());
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn w03_the_cancellation_says_how_the_process_ended() {
    run(cancel_scope(async |scope| {
        nursery(async |n| {
            let task = n.spawn(async {
                let error = shell("exec sleep 1000").status().await.unwrap_err();
                let stopped = error.find::<Stopped>().expect("it was stopped");
                assert_eq!(stopped.program(), "sh");
                assert_eq!(stopped.status().signal(), Some(libc::SIGTERM));
                assert!(is_reaped(stopped.id()));
                let text = error.to_string();
                assert!(
                    text.ends_with("was stopped, and ended with signal: 15 (SIGTERM)"),
                    "{text}"
                );
                Err::<(), _>(error)
            });
            // The process is started when the task has passed a checkpoint.
            for _ in 0..3 {
                yield_now().await?;
            }
            scope.cancel();
            task.await
        })
        .await
    }))
    .unwrap();
}

#[test]
fn w03_in_a_cancelled_scope_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut touch = Command::new("touch");
        touch.arg(folder.path().join("file"));
        assert!(cancelled(touch.status()).await?.is_none());
        assert!(cancelled(touch.output()).await?.is_none());
        assert!(cancelled(touch.run()).await?.is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

/// It could not end, if nobody read on.
#[test]
fn w03_what_a_process_writes_while_it_ends_is_read() {
    run(async {
        let script = "trap 'head -c 1000000 /dev/zero; exit 4' TERM
            echo ready >&2; while :; do sleep 0.01; done";
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        let stderr = seedbed::net::UnixStream::from_std(reader)?;
        let mut command = shell(script);
        command.grace(LONG).stderr(Stdio::from(std::os::fd::OwnedFd::from(writer)));
        cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(async {
                    let error = command.output().await.unwrap_err();
                    let status = error.find::<Stopped>().unwrap().status();
                    assert_eq!(status.code(), Some(4));
                    Err::<(), Error>(error)
                });
                stderr.read_exact(&mut [0; 6]).await?;
                scope.cancel();
                Ok(())
            })
            .await
        })
        .await
        .map(drop)
    })
    .unwrap();
}

#[test]
fn w03_a_graceful_cancellation_signals_nothing_in_a_section_that_finishes() {
    run(cancel_scope(async |scope| {
        nursery(async |n| {
            let mut task = None;
            let finished = finishing(nursery(async |inner| {
                let mut script = shell("echo ready; read line; echo $line");
                let (child, stdout) = ready(inner, script.stdin(Stdio::piped())).await?;
                scope.cancel_gracefully(LONG);
                task = Some(n.spawn(sleep(LONG)));
                child.stdin.as_ref().unwrap().write_all(b"goes on\n").await?;
                assert_eq!(line(&stdout).await?, "goes on");
                Ok(())
            }));
            finished.await?;
            assert!(task.unwrap().await.is_err(), "outside of it everything is cancelled");
            Ok(())
        })
        .await
    }))
    .unwrap();
}

#[test]
fn w03_elsewhere_a_graceful_cancellation_ends_a_process() {
    run(cancel_scope(async |scope| {
        nursery(async |n| {
            let (mut child, _) = ready(n, &mut shell("echo ready; exec sleep 1000")).await?;
            scope.cancel_gracefully(LONG);
            let status = shielded(child.wait()).await?;
            assert_eq!(status.signal(), Some(libc::SIGTERM));
            Ok(())
        })
        .await
    }))
    .unwrap();
}

/// A grandchild has the pipe, and is in no group of its own.
#[test]
fn w03_a_grandchild_that_keeps_a_pipe_open_ends_reading_when_the_scope_does() {
    let mut grandchild = None;
    run(async {
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        let stderr = seedbed::net::UnixStream::from_std(reader)?;
        let mut command = shell("sleep 1000 & echo $! >&2");
        command.stderr(Stdio::from(std::os::fd::OwnedFd::from(writer)));
        cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(command.output());
                let mut number = Vec::new();
                while number.last() != Some(&b'\n') {
                    let mut byte = [0];
                    stderr.read_exact(&mut byte).await?;
                    number.push(byte[0]);
                }
                grandchild =
                    Some(String::from_utf8(number).unwrap().trim().parse::<i32>().unwrap());
                scope.cancel();
                Ok(())
            })
            .await
        })
        .await
        .map(drop)
    })
    .unwrap();
    // SAFETY: it is the process of this test.
    unsafe { libc::kill(grandchild.unwrap(), libc::SIGKILL) };
}
