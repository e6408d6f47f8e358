//! A shell's job in the background: the system stops it when it reads from the terminal, and has it
//! go on when it is in the foreground.
//!
//! There are three processes: that of the person who types, which is the test; the shell's, which
//! the terminal belongs to; and the job's, in a process group of its own. The last two are this
//! program, started again.

use std::future::Future;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, ioctl_tiocsctty, kill_process_group, setsid, waitpid,
};
use seedbed::{Result, stdio};

use crate::terminal;

const ROLE: &str = "SEEDBED_TEST_ROLE";

/// This program, started again with this test alone, in a role.
fn again(name: &str, role: &str) -> Command {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", &format!("jobs::{name}"), "--nocapture", "--test-threads=1"]);
    again.env(ROLE, role);
    again
}

/// Plays the person, who has typed a line, or the shell, or the job, whichever this process is.
/// In the end the terminal shows this.
fn play(name: &str, shell: fn(Job), job: impl Future<Output = Result<()>>, shown: &str) {
    match std::env::var(ROLE).as_deref() {
        Ok("shell") => shell(Job::start(again(name, "job"))),
        Ok(_) => seedbed::run(job).unwrap(),
        Err(_) => assert_eq!(person(again(name, "shell")), shown),
    }
}

fn person(mut shell: Command) -> String {
    let (program, mut terminal) = terminal();
    terminal.write_all(b"typed\n").unwrap();
    // SAFETY: these are system calls that may be made after a fork.
    unsafe {
        shell.pre_exec(|| {
            setsid()?;
            Ok(ioctl_tiocsctty(io::stdin())?)
        });
    }
    let errors = shell.stdin(program).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = errors.spawn().unwrap().wait_with_output().unwrap();
    drop(shell); // it has the other end of the terminal
    let mut shown = Vec::new();
    // It ends by a failure: the other end has been closed.
    let _ = terminal.read_to_end(&mut shown);
    let shown = String::from_utf8(shown).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{shown}");
    shown
}

/// The job, as the shell sees it.
struct Job(Pid);

impl Job {
    /// Starts it in the background. Its output is the terminal.
    #[expect(clippy::zombie_processes, reason = "`news` waits for it")]
    fn start(mut again: Command) -> Job {
        let terminal = io::stdin().as_fd().try_clone_to_owned().unwrap();
        // Its first lines are the test harness's.
        let job = again.process_group(0).stdout(Stdio::null()).stderr(terminal).spawn().unwrap();
        Job(Pid::from_child(&job))
    }

    /// Waits until something has become of it.
    fn news(&self) -> WaitStatus {
        waitpid(Some(self.0), WaitOptions::UNTRACED).unwrap().expect("it was waited for").1
    }

    /// What a shell's `fg` does.
    fn to_the_foreground(&self) {
        // SAFETY: it is a system call on numbers.
        assert_eq!(unsafe { libc::tcsetpgrp(0, self.0.as_raw_pid()) }, 0);
        kill_process_group(self.0, Signal::CONT).unwrap();
    }
}

#[test]
fn w05_a_job_in_the_background_that_reads_is_stopped_and_goes_on_in_the_foreground() {
    let name = "w05_a_job_in_the_background_that_reads_is_stopped_and_goes_on_in_the_foreground";
    let shell = |job: Job| {
        assert_eq!(job.news().stopping_signal(), Some(libc::SIGTTIN));
        job.to_the_foreground();
        assert_eq!(job.news().exit_status(), Some(0));
    };
    let job = async {
        let line = stdio::stdin()?.next_line().await?;
        assert_eq!(line.as_deref(), Some("typed"));
        Ok(())
    };
    play(name, shell, job, "typed\r\n");
}

/// It is where the terminal is told to stop such jobs, as by `stty tostop`.
#[test]
fn w05_a_job_in_the_background_that_writes_is_stopped_where_that_is_asked_for() {
    let name = "w05_a_job_in_the_background_that_writes_is_stopped_where_that_is_asked_for";
    let shell = |job: Job| {
        assert_eq!(job.news().stopping_signal(), Some(libc::SIGTTOU));
        job.to_the_foreground();
        assert_eq!(job.news().exit_status(), Some(0));
    };
    let job = async {
        // SAFETY: the structure is written before it is read. The signal would stop this, too.
        unsafe {
            libc::signal(libc::SIGTTOU, libc::SIG_IGN);
            let mut terminal: libc::termios = std::mem::zeroed();
            assert_eq!(libc::tcgetattr(0, &raw mut terminal), 0);
            terminal.c_lflag |= libc::TOSTOP;
            assert_eq!(libc::tcsetattr(0, libc::TCSANOW, &raw const terminal), 0);
            libc::signal(libc::SIGTTOU, libc::SIG_DFL);
        }
        stdio::stderr()?.write_all(b"written\n").await
    };
    play(name, shell, job, "typed\r\nwritten\r\n");
}

/// A job whose shell has gone would stay stopped for ever. The same is true where the signal is
/// ignored. So the system lets the read fail.
#[test]
fn w05_a_job_that_cannot_be_stopped_is_told_that_it_may_not_read() {
    let name = "w05_a_job_that_cannot_be_stopped_is_told_that_it_may_not_read";
    let shell = |job: Job| assert_eq!(job.news().exit_status(), Some(0));
    let job = async {
        // SAFETY: it is this process's to decide.
        unsafe { libc::signal(libc::SIGTTIN, libc::SIG_IGN) };
        let error = stdio::stdin()?.next_line().await.unwrap_err();
        let error = error.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        Ok(())
    };
    play(name, shell, job, "typed\r\n");
}
