//! Looks at the world: the network, other threads, the clock and Ctrl-C.
//!
//! The loop looks when a turn is over. If a turn ends deep in the tree, the nursery that is being
//! polled there looks (see [`schedule`](crate::schedule)).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::error::panic::{FirstPanic, Payload, discard};
use crate::error::{Result, Spawned};
use crate::platform::part::part;
use crate::run::Run;
use crate::run::flood::Found;
use crate::schedule::order::Others;
use crate::schedule::remote::calls::Call;
use crate::schedule::remote::wakes::Generation;
use crate::schedule::rounds::{Seen, World};
use crate::schedule::seen::onlookers::{self, Happening};
use crate::schedule::wake::{Which, wake_here};
use crate::scope::tree::pool::ScopeRef;
use crate::world::signal::Interrupt;

part! {
    /// The run itself, which only this module looks up.
    pub(super) const RUN: Run;
}

/// The world, as the scheduler of this thread's run looks at it.
pub(super) struct Outlook;

impl World for Outlook {
    fn look(&self) -> Seen {
        RUN.with(|run| run.map_or(Seen::All, Run::look_from_inside))
    }
}

impl Run {
    /// Looks between two polls, while nurseries are being polled.
    fn look_from_inside(&self) -> Seen {
        let looked = catch_unwind(AssertUnwindSafe(|| {
            self.look()?;
            // While a nursery is being polled, it cannot be found out which operations were passed
            // over.
            Ok(if self.withheld_is_due() { Seen::LeftToLoop } else { Seen::All })
        }));
        match looked {
            Ok(Ok(seen)) => seen,
            Ok(Err::<_, io::Error>(_)) => Seen::LeftToLoop, // the loop gets the same error
            Err(payload) => {
                // It is a foreign waker's panic, for which the unit being polled is not to blame.
                self.end_in(payload);
                Seen::LeftToLoop
            }
        }
    }

    fn look(&self) -> io::Result<()> {
        let _listing = self.scheduler.list_ready();
        if self.reactor.has_sources() {
            self.reactor.poll(Some(Duration::ZERO))?;
        }
        self.let_in();
        self.fire_timers(Others::AreReady);
        self.notice_interrupt();
        Ok(())
    }

    /// Keeps a panic as the run's, if it is the first. Others are reported.
    fn end_in(&self, payload: Payload) {
        match self.panicked.take() {
            None => self.panicked.set(Some(payload)),
            Some(first) => {
                self.panicked.set(Some(first));
                discard(payload);
            }
        }
    }

    /// Cancels the main scope, if Ctrl-C was pressed.
    pub(super) fn notice_interrupt(&self) {
        let interrupt = self.interrupt.borrow();
        if let Some((interrupt, scope)) = &*interrupt
            && interrupt.cancel_if_pressed(scope)
        {
            self.interrupted.set(true);
            self.scheduler.want_loop();
        }
    }

    /// Lets in the wakes and calls that other threads have left.
    #[inline]
    pub(super) fn let_in(&self) -> Found {
        if !self.remote.inbox.may_have_news() {
            return Found::Nothing;
        }
        self.let_in_all();
        Found::Something
    }

    #[cold]
    fn let_in_all(&self) {
        let mut batch = self.batch.take();
        let mut panic = FirstPanic::new();
        self.remote.inbox.take(&mut batch);
        onlookers::happened(Happening::WokenFromOutside(batch.woken.len()));
        // Calls that were taken are made, even if a foreign waker panics.
        panic.catch_each(&mut batch.woken.iter(), |woken| {
            wake_here(match woken.generation {
                Generation::Own => Which::Unit(woken.id),
                Generation::Any => Which::Place(woken.id.index()),
            });
        });
        batch.woken.clear();
        if !batch.calls.is_empty() {
            self.make(&mut batch.calls);
        }
        self.batch.set(batch);
        panic.resume();
    }

    /// Makes calls that other threads have left.
    #[inline(never)]
    fn make(&self, calls: &mut Vec<Call>) {
        for call in calls.drain(..) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                self.system.core().panicked(payload, Spawned::At(self.system.place()));
            }
        }
    }

    /// Fires the timers that are due.
    pub(super) fn fire_timers(&self, others: Others) {
        if self.timers.timers.borrow().is_empty() {
            return;
        }
        let now = self.now();
        let mut choice = self.scheduler.order.due_timers(others);
        loop {
            let fired = match &mut choice {
                None => self.timers.timers.borrow_mut().pop_expired(now),
                Some(choice) => {
                    self.timers.timers.borrow_mut().pop_expired_nth(now, |due| choice.next(due))
                }
            };
            match fired {
                Some(target) => target.fire(),
                None => return,
            }
        }
    }
}

/// As long as this lives, Ctrl-C cancels a run's main scope.
pub(super) struct Interruptible<'a>(&'a Run);

impl<'a> Interruptible<'a> {
    pub(super) fn new(run: &'a Run, scope: &ScopeRef) -> Result<Self> {
        let interrupt = Interrupt::install()?;
        *run.interrupt.borrow_mut() = interrupt.map(|interrupt| (interrupt, scope.clone()));
        Ok(Interruptible(run))
    }
}

impl Drop for Interruptible<'_> {
    fn drop(&mut self) {
        let interrupt = self.0.interrupt.take();
        drop(interrupt); // foreign code
    }
}
