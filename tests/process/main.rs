//! Child processes: W3.
//!
//! Where a test needs a process that has come to some point, the process writes a line, and the
//! test reads it: nothing sleeps to let something happen.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod alone;
mod background;
mod cancellation;
#[cfg(target_os = "linux")]
mod debuggers;
mod dropped;
mod errors;
mod foreign_traits;
mod groups;
#[cfg(target_os = "linux")]
mod sandboxes;
mod whole;

use std::io;
use std::time::Duration;

use seedbed::pipe::Receiver;
use seedbed::process::{Child, Command, Stdio};
use seedbed::{Nursery, Result};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

/// Starts a script, and waits until it has written `ready`.
async fn ready<'scope>(
    n: &'scope Nursery<'scope, '_>,
    command: &mut Command,
) -> Result<(Child, Receiver)> {
    let mut child = command.stdout(Stdio::piped()).spawn(n)?;
    let stdout = child.stdout.take().unwrap();
    assert_eq!(line(&stdout).await?, "ready");
    Ok((child, stdout))
}

async fn line(output: &Receiver) -> Result<String> {
    let mut line = String::new();
    let mut byte = [0];
    while output.read(&mut byte).await? == 1 && byte != [b'\n'] {
        line.push(byte[0].into());
    }
    Ok(line)
}

async fn rest(output: &Receiver) -> Result<String> {
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).await?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// Whether a child of this process has ended and has been reaped: a zombie is still there.
fn is_reaped(process: u32) -> bool {
    // SAFETY: signal 0 only asks.
    let sent = unsafe { libc::kill(process.cast_signed(), 0) };
    sent == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}
