//! Processes that a debugger holds: they have ended, but only the debugger can see that, until it
//! lets go.
//!
//! The debugger is this program, started again.

use std::io::{self, Read};

use seedbed::process::{Child, Command, Stdio};
use seedbed::{Result, nursery, run, yield_now};

use crate::support::forbidden::forbidding;
use crate::support::poll_once;
use crate::{line, ready, shell};

/// The number of the process that the debugger is to hold.
const HELD: &str = "SEEDBED_TEST_HELD";

/// Holds a process until the standard input ends.
fn debug(process: i32) {
    // SAFETY: these are system calls on numbers. If nobody lets the debugger go, it ends by a signal.
    unsafe {
        libc::alarm(60);
        let none = std::ptr::null_mut::<libc::c_void>();
        assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, process, none, none), 0);
    }
    eprintln!("holds it");
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Whether the process has ended and has not been reaped.
fn is_zombie(child: &Child) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z')
}

/// Plays the debugger, or the program to whose child it is attached, whichever this process is.
fn a_debugger_holds_an_ended_process(test: &str) {
    if let Ok(process) = std::env::var(HELD) {
        return debug(process.parse().unwrap());
    }
    let outcome: Result<()> = run(nursery(async |n| {
        let mut script = shell("echo ready; read line; exit 3");
        let (mut held, _out) = ready(n, script.stdin(Stdio::piped())).await?;
        let mut again = Command::new(std::env::current_exe()?);
        again.args(["--exact", &format!("debuggers::{test}"), "--nocapture"]);
        again.env(HELD, held.id().to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut debugger = again.stderr(Stdio::piped()).spawn(n)?;
        assert_eq!(line(debugger.stderr.as_ref().unwrap()).await?, "holds it");
        held.stdin = None;
        while !is_zombie(&held) {
            yield_now().await?;
        }
        // The run learns of its end by then, and goes on.
        for _ in 0..2000 {
            yield_now().await?;
        }
        assert!(poll_once(held.wait()).await.is_none());
        assert!(is_zombie(&held));
        assert!(debugger.wait().await?.success());
        assert_eq!(held.wait().await?.code(), Some(3));
        Ok(())
    }));
    outcome.unwrap();
}

#[test]
fn w03_a_debugger_that_holds_an_ended_process_does_not_hold_the_run() {
    a_debugger_holds_an_ended_process(
        "w03_a_debugger_that_holds_an_ended_process_does_not_hold_the_run",
    );
}

#[test]
fn w03_nor_does_it_where_there_are_no_pidfds() {
    forbidding(&[libc::SYS_pidfd_open], libc::ENOSYS, || {
        a_debugger_holds_an_ended_process("w03_nor_does_it_where_there_are_no_pidfds");
    });
}
