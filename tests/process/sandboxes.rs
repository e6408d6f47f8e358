//! Where the system refuses something: pidfds, signals.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use libc::{SYS_kill, SYS_pidfd_open, SYS_pidfd_send_signal};
use seedbed::process::{Stdio, Stopped};
use seedbed::{move_on_after, nursery, run, sleep};
use tracing::Level;

use crate::support::forbidden::forbidding;
use crate::support::{self, recording, shielded};
use crate::{is_reaped, ready, shell};

/// Then a thread waits for the process, and its number is used.
#[test]
fn w03_it_works_where_there_are_no_pidfds() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        let stopped = forbidding(&[SYS_pidfd_open], errno, || {
            run(async {
                let output = shell("cat; exit 3").input("words").output().await?;
                assert_eq!((&output.stdout[..], output.status.code()), (&b"words"[..], Some(3)));
                let mut stopped = None;
                move_on_after(Duration::from_millis(1), async {
                    let error = shell("exec sleep 1000").status().await.unwrap_err();
                    stopped =
                        error.find::<Stopped>().map(|stopped| (stopped.id(), stopped.status()));
                    Err::<(), _>(error)
                })
                .await?;
                Ok(stopped.expect("it was running"))
            })
        });
        let (id, status) = stopped.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
        assert!(is_reaped(id));
    }
}

#[test]
fn w03_a_process_that_cannot_be_killed_is_waited_for_and_told_of_after_five_seconds() {
    let signals = [SYS_kill, SYS_pidfd_send_signal];
    let (ended, records) = forbidding(&signals, libc::EPERM, || {
        recording(|| {
            support::run(async {
                let mut ended = None;
                nursery(async |n| {
                    let mut script = shell("echo ready; read line; exit 4");
                    let (mut child, _out) = ready(n, script.stdin(Stdio::piped())).await?;
                    let stdin = child.stdin.take();
                    let begun = seedbed::now();
                    n.cancel();
                    n.spawn(shielded(async move {
                        // The grace, the five seconds, and a little.
                        sleep(Duration::from_millis(10_500)).await?;
                        drop(stdin);
                        Ok(())
                    }));
                    let status = shielded(child.wait()).await?;
                    ended = Some((child.id(), status, seedbed::now() - begun));
                    Ok(())
                })
                .await?;
                Ok(ended.unwrap())
            })
        })
    });
    let (id, status, after) = ended.unwrap();
    assert_eq!(status.code(), Some(4));
    assert!(after >= Duration::from_millis(10_500), "{after:?}");
    assert!(is_reaped(id));
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.level, record.field("program")), (Level::WARN, "sh"));
    let message = record.message();
    let begin = format!("`sh` (process {id}), started at tests/process/main.rs:");
    assert!(message.starts_with(&begin), "{message}");
    let end = "has not ended 5 s after it was to be killed, and is waited for: it cannot be \
               killed: Operation not permitted (os error 1)";
    assert!(message.ends_with(end), "{message}");
}
