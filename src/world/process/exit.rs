//! A descriptor that becomes readable when a process ends, and can be reaped.
//!
//! On Linux it is a pidfd. Where there is none (before Linux 5.3, in a sandbox that forbids it, on
//! other systems) a thread waits for the process, and closes the other end of a socket when it has
//! ended. Neither reaps it: while nobody has, the number still means this process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};

use crate::platform::spawn_thread;

#[derive(Debug)]
pub(super) enum Exit {
    #[cfg(target_os = "linux")]
    Pidfd(OwnedFd),
    Thread(OwnedFd),
}

/// What has become of a child process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// It runs, or has ended and can be reaped.
    Here,
    /// Somebody else has reaped it, and its number may mean another process.
    Gone,
}

impl Exit {
    /// The descriptor for a child of this process that has not been reaped.
    pub(super) fn of(process: Pid) -> io::Result<Exit> {
        #[cfg(target_os = "linux")]
        match rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()) {
            Ok(descriptor) => return Ok(Exit::Pidfd(descriptor)),
            // There is no such call, or it is forbidden, or somebody else has reaped the process.
            Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        Exit::by_thread(process)
    }

    fn by_thread(process: Pid) -> io::Result<Exit> {
        let (ours, theirs) = UnixStream::pair()?;
        spawn_thread("seedbed child", move || {
            wait_without_reaping(process);
            drop(theirs);
        })?;
        Ok(Exit::Thread(ours.into()))
    }

    /// Fails with [`WouldBlock`](io::ErrorKind::WouldBlock) until the process has ended and can be
    /// reaped.
    ///
    /// One that a debugger holds has ended, and its descriptor is readable, but only the debugger
    /// can see how it has ended. When that lets go, the descriptor has news once more.
    pub(super) fn has_come(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Exit::Pidfd(descriptor) = self {
            match look(WaitId::PidFd(descriptor.as_fd())) {
                Ok(None) => return Err(io::ErrorKind::WouldBlock.into()),
                // If there is no child, somebody else has reaped it.
                Ok(Some(_)) | Err(Errno::CHILD) => return Ok(()),
                Err(_) => {} // Linux 5.3 cannot wait for a descriptor
            }
        }
        self.is_readable()
    }

    fn is_readable(&self) -> io::Result<()> {
        let mut readable = [PollFd::new(self, PollFlags::IN)];
        match rustix::event::poll(&mut readable, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    /// Signals the process, of which this is the descriptor. It must not have been reaped by this
    /// crate.
    pub(super) fn signal(&self, process: Pid, signal: Signal) -> io::Result<()> {
        match self {
            // This means the process itself, even if somebody else has reaped it.
            #[cfg(target_os = "linux")]
            Exit::Pidfd(descriptor) => Ok(rustix::process::pidfd_send_signal(descriptor, signal)?),
            Exit::Thread(_) => match presence(process) {
                Presence::Here => Ok(rustix::process::kill_process(process, signal)?),
                Presence::Gone => Err(Errno::SRCH.into()),
            },
        }
    }
}

impl AsFd for Exit {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            #[cfg(target_os = "linux")]
            Exit::Pidfd(descriptor) => descriptor.as_fd(),
            Exit::Thread(descriptor) => descriptor.as_fd(),
        }
    }
}

/// Whether the process can still be reaped.
pub(super) fn presence(process: Pid) -> Presence {
    match look(WaitId::Pid(process)) {
        Err(Errno::CHILD) => Presence::Gone,
        _ => Presence::Here,
    }
}

/// How a child has ended, if it can be reaped. It is not.
fn look(child: WaitId<'_>) -> rustix::io::Result<Option<WaitIdStatus>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    rustix::process::waitid(child, options)
}

fn wait_without_reaping(process: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(Errno::INTR) = rustix::process::waitid(WaitId::Pid(process), options) {}
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn wait_for(exit: &Exit) {
        rustix::event::poll(&mut [PollFd::new(exit, PollFlags::IN)], None).unwrap();
    }

    fn tells_when_it_ends(open: fn(Pid) -> io::Result<Exit>) {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Pid::from_child(&child);
        let exit = open(process).unwrap();
        assert_eq!(exit.has_come().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        exit.signal(process, Signal::KILL).unwrap();
        wait_for(&exit);
        exit.has_come().unwrap();
        assert_eq!(presence(process), Presence::Here, "nobody has reaped it");
        child.wait().unwrap();
    }

    #[test]
    fn w03_a_descriptor_tells_when_a_process_ends() {
        tells_when_it_ends(Exit::of);
    }

    #[test]
    fn w03_where_there_is_no_pidfd_a_thread_waits() {
        tells_when_it_ends(Exit::by_thread);
    }

    #[test]
    fn w03_a_process_that_somebody_else_has_reaped_counts_as_ended() {
        let mut child = Command::new("true").spawn().unwrap();
        let process = Pid::from_child(&child);
        child.wait().unwrap();
        let exit = Exit::by_thread(process).unwrap();
        wait_for(&exit);
        assert!(exit.signal(process, Signal::TERM).is_err());
    }
}
