//! A process that was started: waiting for its end, signals, reaping.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::ops::Deref;
use std::panic::Location;
use std::process::{Child, ExitStatus};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Result;
use crate::operation::sync::event::Event;
use crate::platform::spawn_thread;
use crate::threads::job;
use crate::world::process::exit::{Exit, Presence, presence};
use crate::world::process::failure::Unknown;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;

/// Whom signals reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    Itself,
    /// Its process group, of which it is the leader.
    Group,
}

/// A process that was started, and what has become of it.
pub(super) struct Process {
    pub(super) program: String,
    pub(super) id: Pid,
    pub(super) reach: Reach,
    pub(super) grace: Duration,
    /// Where it was started.
    pub(super) place: &'static Location<'static>,
    exit: Registration<Exit>,
    /// Until it is reaped.
    child: RefCell<Option<Child>>,
    outcome: OnceCell<std::result::Result<ExitStatus, Unknown>>,
    /// Set with the outcome.
    over: Event,
}

/// Whoever sees to it that a process ends and is reaped. There is one for each.
///
/// If it is dropped before that, the process is killed, and reaped by a thread.
pub(super) struct Owner(Rc<Process>);

impl Owner {
    /// # Errors
    ///
    /// The system's. Then the process has been killed, and a thread reaps it.
    pub(super) fn new(
        child: Child,
        program: String,
        reach: Reach,
        grace: Duration,
        place: &'static Location<'static>,
    ) -> io::Result<Owner> {
        let id = Pid::from_child(&child);
        let exit = match Exit::of(id) {
            Ok(exit) => Registration::new(exit),
            Err(error) => {
                let mut child = child;
                let _ = child.kill();
                reap_on_a_thread(child, place);
                return Err(error);
            }
        };
        Ok(Owner(Rc::new(Process {
            program,
            id,
            reach,
            grace,
            place,
            exit,
            child: RefCell::new(Some(child)),
            outcome: OnceCell::new(),
            over: Event::new(),
        })))
    }

    pub(super) fn share(&self) -> Rc<Process> {
        self.0.clone()
    }
}

impl Deref for Owner {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.child.borrow().is_some() {
            self.abandon();
        }
    }
}

impl Process {
    /// Waits until the process has ended, and can be reaped. It is not.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); that of a system call.
    pub(super) fn exited(&self) -> impl Future<Output = Result<()>> {
        self.exit.operate(verb::WaitForProcess, |exit| exit.source().has_come())
    }

    /// Its number, as the standard library has it.
    pub(super) fn number(&self) -> u32 {
        self.id.as_raw_pid().unsigned_abs()
    }

    /// Waits until it is known how the process has ended.
    pub(super) async fn over(&self) -> Result<ExitStatus> {
        self.over.wait().await?;
        self.outcome().expect("it is set before the event")
    }

    /// How the process has ended, if it has been reaped.
    pub(super) fn outcome(&self) -> Option<Result<ExitStatus>> {
        let outcome = self.outcome.get()?;
        Some(outcome.map_err(|unknown| unknown.of(&self.program).into()))
    }

    /// Reaps the process, which has ended.
    pub(super) fn reap(&self) -> Result<ExitStatus> {
        let child = self.child.take();
        if let Some(mut child) = child {
            // It can be reaped, so this does not block. (No debugger can begin to hold it now.)
            self.end(child.wait().map_err(|_| Unknown::ReapedElsewhere));
        }
        self.outcome().expect("it has just been reaped")
    }

    fn end(&self, outcome: std::result::Result<ExitStatus, Unknown>) {
        let _ = self.outcome.set(outcome);
        self.over.set(); // foreign code
    }

    /// Sends a signal to the process, or to its group. If it has been reaped, nothing happens.
    ///
    /// # Errors
    ///
    /// The system's: a program with another user's rights may not be signalled.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.child.borrow().is_none() {
            return Ok(()); // the number may mean another process
        }
        let sent = match self.reach {
            Reach::Itself => self.exit.source().signal(self.id, signal),
            Reach::Group => self.signal_group(signal),
        };
        match sent {
            // It has ended, or somebody else has reaped it.
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(()),
            sent => sent,
        }
    }

    /// While nobody has reaped its leader, the number means this group.
    fn signal_group(&self, signal: Signal) -> io::Result<()> {
        match presence(self.id) {
            Presence::Here => Ok(kill_process_group(self.id, signal)?),
            Presence::Gone => Err(Errno::SRCH.into()),
        }
    }

    /// Kills the process, and leaves it to a thread to reap it.
    fn abandon(&self) {
        let _ = self.signal(Signal::KILL);
        let child = self.child.take();
        if let Some(child) = child {
            reap_on_a_thread(child, self.place);
        }
        self.end(Err(Unknown::Abandoned));
    }
}

/// Has a thread reap a process that was killed. The present run waits for this before it ends.
fn reap_on_a_thread(child: Child, place: &'static Location<'static>) {
    let child = Arc::new(Mutex::new(Some(child)));
    let reap = {
        let child = child.clone();
        move || {
            let child = child.lock().take();
            if let Some(mut child) = child {
                // This fails only if somebody else has reaped it.
                let _ = child.wait();
            }
        }
    };
    if job::leave_behind(reap.clone(), place).is_err()
        && spawn_thread("seedbed reaper", reap.clone()).is_err()
    {
        reap(); // there are no threads left; what was killed ends soon
    }
}
