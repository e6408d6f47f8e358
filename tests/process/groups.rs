//! Processes with a group of their own.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use seedbed::nursery;
use seedbed::pipe::Receiver;
use seedbed::process::ExitStatus;

use crate::{LONG, ready, rest, shell};

/// How a script ends that is cancelled when it is ready, and what it and those that it has started
/// wrote then. The end comes when none of them is left.
fn ended(script: &str, grace: Duration) -> (ExitStatus, String) {
    seedbed::run(async {
        let mut left: Option<(seedbed::process::Child, Receiver)> = None;
        nursery(async |n| {
            left = Some(ready(n, shell(script).own_group().grace(grace)).await?);
            n.cancel();
            Ok(())
        })
        .await?;
        let (child, stdout) = left.unwrap();
        Ok((child.try_wait()?.unwrap(), rest(&stdout).await?))
    })
    .unwrap()
}

#[test]
fn w03_what_a_shell_has_started_ends_with_it() {
    let script = "sleep 1000 & sleep 1000 | sleep 1000 & echo ready; wait";
    let (status, wrote) = ended(script, LONG);
    assert_eq!((status.signal(), &wrote[..]), (Some(libc::SIGTERM), ""));
}

#[test]
fn w03_a_group_that_ignores_sigterm_is_killed() {
    let script = "trap '' TERM; sleep 1000 & echo ready; wait";
    let (status, _) = ended(script, Duration::from_millis(20));
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}

/// The shell itself ends at once. Others may clean up, and are waited for.
#[cfg(target_os = "linux")]
#[test]
fn w03_all_of_a_group_have_the_grace() {
    let script =
        "(trap 'sleep 0.05; echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done) &
        wait";
    let (status, wrote) = ended(script, LONG);
    assert_eq!((status.signal(), &wrote[..]), (Some(libc::SIGTERM), "bye\n"));
}

/// Its leader has ended before the cancellation, and is not reaped before the group is signalled.
#[test]
fn w03_what_its_leader_has_left_behind_is_signalled_too() {
    seedbed::run(async {
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        let stderr = seedbed::net::UnixStream::from_std(reader)?;
        let mut command = shell("sleep 1000 & echo x >&2");
        command.own_group().stderr(std::os::fd::OwnedFd::from(writer));
        seedbed::cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(command.output());
                stderr.read_exact(&mut [0; 2]).await?;
                scope.cancel();
                Ok(())
            })
            .await
        })
        .await?;
        drop(command); // it has the other end
        // The end comes when the `sleep` has gone.
        assert_eq!(stderr.read_to_end(&mut Vec::new()).await?, 0);
        Ok(())
    })
    .unwrap();
}
