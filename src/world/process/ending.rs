//! How a process that is not wanted any more is put to an end: it is asked to end, killed when the
//! grace is over, and reaped.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;

use crate::error::panic::report;
use crate::error::{Error, Result};
use crate::operation::time::sleep;
use crate::platform::clock::{CLOCK, Clock};
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{CancelScope, within};
use crate::world::process::failure::Stopped;
use crate::world::process::group;
use crate::world::process::running::{Process, Reach};

/// How long a process that was killed may take to end before that is reported.
const OVERDUE: Duration = Duration::from_secs(5);

impl Process {
    /// Waits until the process has ended, however that may be, and reaps it. If it has to stop
    /// waiting, it puts the process to an end first.
    pub(super) async fn see_to_its_end(&self) -> Result<()> {
        match self.exited().await {
            Ok(()) => {
                let _ = self.reap(); // the outcome is kept
                Ok(())
            }
            Err(error) => Err(self.stop_because(error).await),
        }
    }

    /// Puts the process to an end because of this error, which afterwards says, if it is a
    /// cancellation, how the process has ended.
    pub(super) async fn stop_because(&self, error: Error) -> Error {
        let shield = CancelScope::of(ScopeRef::new(self.place)).with_shield();
        match shield.enter(async |_| self.put_to_end().await).await {
            Ok(Some(status)) => error.having_stopped(Stopped::new(self, status)),
            // It is the owner who kills it then.
            Ok(None) | Err(_) => error,
        }
    }

    async fn put_to_end(&self) -> Result<ExitStatus> {
        if !self.grace.is_zero() {
            // If this is forbidden, so is the next signal, and that is reported.
            let _ = self.signal(Signal::TERM);
            // A stopped process would not hear of it.
            let _ = self.signal(Signal::CONT);
            let ended = within(self.place, self.grace, self.is_gone()).await?;
            if ended.is_some() && self.reach == Reach::Itself {
                return self.reap();
            }
        }
        let killed = self.signal(Signal::KILL);
        if within(self.place, OVERDUE, self.exited()).await?.is_none() {
            self.report_overdue(&killed);
            self.exited().await?;
        }
        self.reap()
    }

    #[cold]
    fn report_overdue(&self, killed: &io::Result<()>) {
        let why = match killed {
            // On a virtual clock no time has passed for the process.
            Ok(()) if CLOCK.with(|clock| clock.is_some_and(Clock::is_virtual)) => return,
            Ok(()) => String::from("the system, or a debugger, does not let it go yet"),
            Err(error) => format!("it cannot be killed: {error}"),
        };
        let (program, id, started) = (&self.program, self.id, self.place);
        report!(
            warn,
            %program,
            %started,
            "`{program}` (process {id}), started at {started}, has not ended {} s after it was to be \
             killed, and is waited for: {why}",
            OVERDUE.as_secs(),
        );
    }

    /// Waits until the process has ended, and all others of its group, if they are to be ended too.
    async fn is_gone(&self) -> Result<()> {
        /// A group is looked at again after twice as long, up to the second of these.
        const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(100)];
        self.exited().await?;
        let [mut pause, longest] = PAUSES;
        while self.reach == Reach::Group && group::has_others(self.id).await? {
            sleep(pause).await?;
            pause = longest.min(2 * pause);
        }
        Ok(())
    }
}
