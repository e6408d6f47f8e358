//! The loop: poll the main future while it is ready; look at the network, at other threads and
//! at the clock now and then; sleep when there is nothing to do.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::Duration;

use crate::context::{self, CONTEXT};
use crate::error::{Deadlock, Interrupted, Reason};
use crate::run::Runtime;
use crate::run::timer::Target;
use crate::scope::tree::{Entered, Level, Scope};
use crate::signal::Interrupt;
use crate::time::clock::Idle;
use crate::wake::unit::{ReadyQueue, Unit};
use crate::wake::waker::{self, wake_unit};
use crate::{Error, Result};

/// How many polls may happen before the loop looks at the network and the clock again.
const TURN: u32 = 128;

/// How many wakes from other threads are let in at a time. They may come faster than one looks
/// at them, and the timers and what is ready already have to have their turn.
const WAKES: usize = 1024;

impl Runtime {
    /// Polls the main future to its end.
    pub(super) fn run_main<T>(
        &self,
        main: impl Future<Output = Result<T>>,
        ctrl_c: bool,
    ) -> Result<T> {
        let interrupt = if ctrl_c { Interrupt::install(self)? } else { None };
        let queue = ReadyQueue::new();
        let scope = Rc::new(Scope::new(self.place));
        let entered = Entered::new(scope.clone())?;
        let unit = Unit::new();
        // SAFETY: `unit` is not moved below, and it is declared, so dropped, after what it is
        // attached to.
        unsafe { Unit::attach(&unit, &queue, &scope.members) };
        let outcome = {
            let mut main = pin!(main);
            let waker = waker::waker(unit.id());
            let mut cx = task::Context::from_waker(&waker);
            // SAFETY: the unit is alive. The root's queue has no host to be told.
            let _ = unsafe { Unit::make_ready(&unit) };
            self.poll_until_ready(&queue, || {
                if let Some(interrupt) = &interrupt
                    && interrupt.poll(&mut cx)
                {
                    scope.cancel(Level::Full, Reason::Interrupted, None);
                }
                context::in_unit(unit.id(), self.budget, || {
                    context::in_scope(&scope, || main.as_mut().poll(&mut cx))
                })
            })?
        };
        let why = scope.why();
        match entered.leave(outcome)? {
            Some(value) => Ok(value),
            None if matches!(why.as_ref().map(|why| why.reason()), Some(Reason::Interrupted)) => {
                Err(Interrupted.into())
            }
            // The main scope is cancelled by nothing else.
            None => {
                Err(why.map_or_else(|| Error::msg("the main scope was cancelled"), Error::from))
            }
        }
    }

    fn poll_until_ready<R>(
        &self,
        queue: &ReadyQueue,
        mut poll: impl FnMut() -> Poll<R>,
    ) -> Result<R> {
        loop {
            CONTEXT.with(|context| context.turn.set(TURN));
            loop {
                CONTEXT.with(|context| context.tick.set(context.tick.get().wrapping_add(1)));
                if queue.pop(None).is_none() {
                    break;
                }
                if let Poll::Ready(outcome) = poll() {
                    return Ok(outcome);
                }
                let over = CONTEXT.with(|context| {
                    context.turn.set(context.turn.get().saturating_sub(1));
                    context.turn.get() == 0
                });
                if over {
                    break;
                }
            }
            self.look_around(queue)?;
        }
    }

    /// Lets in what comes from outside, and waits for it where nothing can run without. Returns
    /// when there is something to run.
    fn look_around(&self, queue: &ReadyQueue) -> Result<()> {
        if !queue.is_empty() && self.reactor.has_sources() {
            self.reactor.poll(Some(Duration::ZERO))?;
        }
        loop {
            for _ in 0..WAKES {
                let Some(unit) = self.remote.next() else { break };
                wake_unit(unit);
            }
            self.fire_timers();
            if !queue.is_empty() {
                return Ok(());
            }
            if self.clock.is_virtual() && self.reactor.has_sources() {
                // What is there already comes before the clock moves.
                self.reactor.poll(Some(Duration::ZERO))?;
                if !queue.is_empty() {
                    return Ok(());
                }
            }
            let next = self.timers.borrow().next_deadline();
            if self.remote.fall_asleep() {
                if self.detect_deadlock && next.is_none() && !self.reactor.has_sources() {
                    return Err(Deadlock.into());
                }
                let slept = match self.clock.idle(next) {
                    Idle::Sleep(time) => self.reactor.poll(time),
                    Idle::Jumped => Ok(()),
                };
                self.remote.woke_up();
                slept?;
            }
        }
    }

    fn fire_timers(&self) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = self.now();
        loop {
            let fired = self.timers.borrow_mut().pop_expired(now);
            match fired {
                Some((_, Target::Wake(waker))) => waker.wake(),
                Some((_, Target::Expire(scope))) => scope.expire(),
                None => return,
            }
        }
    }
}
