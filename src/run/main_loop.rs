//! The loop: poll the main future while it is ready; look at the network, at other threads and
//! at the clock now and then; sleep when there is nothing to do.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::context::CONTEXT;
use crate::error::{Deadlock, Interrupted, Reason};
use crate::generator::finalize::{abandon_all, finalize_all};
use crate::nursery::core::{Body, Core, Guard};
use crate::run::Runtime;
use crate::run::order::DueTimers;
use crate::run::stuck::Idle;
use crate::scope::pool::ScopeRef;
use crate::scope::{
    self,
    tree::{Level, Scope},
};
use crate::signal::Interrupt;
use crate::time::clock;
use crate::wake::roster::Roster;
use crate::wake::waker::wake_from_elsewhere;
use crate::{Result, coop};

/// How many wakes may happen before the loop looks at the network and the clock again.
const TURN: i32 = 256;

/// How often this is done from inside of a nursery, while nothing outside of it is ready, before
/// the loop does it itself.
const LOOKS: u32 = 32;

impl Runtime {
    /// Polls the main future to its end, and what it leaves behind.
    ///
    /// Everything runs in a nursery, the system's: its body is the main future, and then the
    /// finalization of generators; its children close generators that were dropped.
    pub(super) fn run_main<T>(
        &self,
        scope: ScopeRef,
        main: impl Future<Output = Result<T>>,
        ctrl_c: bool,
        interrupted: &dyn Fn(),
    ) -> Result<T> {
        let interrupt = if ctrl_c { Interrupt::install()? } else { None };
        let system = Guard::new(self.system.clone(), true)?;
        let mut outcome = None;
        let driven = {
            let mut body = pin!(async {
                outcome =
                    Some(catch_panic(scope::enter(scope.clone(), "the main scope", main)).await);
                self.end().await;
            });
            let heed = || {
                if let Some(interrupt) = &interrupt
                    && interrupt.heed(&scope)
                {
                    interrupted();
                }
            };
            let driven =
                self.drive_system(&system, &heed, &mut |cx| body.as_mut().poll(cx).map(Ok));
            driven.inspect_err(|_| abandon_all(self))
        };
        if let Err(error) = driven {
            drop(system);
            self.end_in_failure();
            return Err(error);
        }
        let outcome = outcome.expect("the body has run");
        let later = catch_unwind(AssertUnwindSafe(|| system.core().resume_panic()));
        system.leave(Ok(()))?;
        match (outcome, later) {
            (Err(payload), later) => {
                if later.is_err() {
                    tracing::error!(
                        "a finalizer panicked after the main future had: only the first is passed on"
                    );
                }
                resume_unwind(payload)
            }
            (Ok(_), Err(payload)) => resume_unwind(payload),
            (Ok(outcome), Ok(())) => Self::outcome_of(&scope, outcome),
        }
    }

    /// Ends what belongs to the runtime, when the main future has ended.
    async fn end(&self) {
        self.ending.set(true);
        if !self.system.is_empty() {
            // What other threads have spawned; the closing of generators is shielded.
            self.system.scope().cancel(Level::Full, Reason::Shutdown, None);
        }
        finalize_all(self).await;
        // What was taken is called, also if it came at the last moment.
        self.remote.inbox.refuse_calls();
        self.let_in();
        finalize_all(self).await;
    }

    /// Waits for what other threads do for a run that has failed as a whole. What they may be
    /// waiting for has been dropped.
    fn end_in_failure(&self) {
        self.ending.set(true);
        self.remote.inbox.woke_up(); // it may have failed when it was about to sleep
        self.remote.inbox.refuse_calls();
        loop {
            self.let_in();
            if !self.jobs.is_any_awaited() {
                return;
            }
            if self.remote.inbox.fall_asleep() {
                let slept = self.reactor.poll(None);
                self.remote.inbox.woke_up();
                if slept.is_err() {
                    return; // the reactor itself has failed
                }
            }
        }
    }

    /// What `run` returns for the outcome of the main scope.
    fn outcome_of<T>(scope: &Scope, outcome: Result<Option<T>>) -> Result<T> {
        match outcome {
            Err(error) => Err(error),
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(match scope.why() {
                Some(why) if matches!(why.reason(), Reason::Interrupted) => Interrupted.into(),
                Some(why) => why.into(),
                None => unreachable!("a scope that was not cancelled absorbs nothing"),
            }),
        }
    }

    fn drive_system(
        &self,
        system: &Guard,
        heed_interrupt: &impl Fn(),
        body: &mut Body<'_>,
    ) -> Result<()> {
        // Nobody polls the system's nursery but this loop, which looks for itself.
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = true;
        coop::begin(self.budget, &self.order);
        loop {
            CONTEXT.with(|context| {
                context.turn.set(self.turn());
                context.looks.set(LOOKS);
            });
            loop {
                CONTEXT.with(|context| context.tick.set(context.tick.get().wrapping_add(1)));
                let core = system.core();
                // SAFETY: this stands for the nursery's own future.
                let polled = unsafe { core.drive(system.entered(), self, &mut cx, first, body) };
                first = false;
                if polled.is_ready() {
                    return Ok(());
                }
                let over = CONTEXT.with(|context| context.turn.get() <= 0);
                if over || core.is_idle() {
                    break;
                }
            }
            self.look_around(system.core(), heed_interrupt)?;
        }
    }

    /// How many wakes may happen before the loop looks around. Timers that were passed over may fire
    /// in any round.
    fn turn(&self) -> i32 {
        let passed_over = self.order.decided().is_some()
            && self.timers.borrow().next_deadline().is_some_and(|next| next <= self.now());
        if passed_over { 0 } else { TURN }
    }

    /// Begins the scheduler's next round from inside a nursery, if the loop would come straight
    /// back there: if nothing is ready outside of it. So the depth of the tree costs nothing
    /// while one nursery is busy.
    ///
    /// What is polled beside the nursery, by the same hosts, may have something to do, too, in this
    /// round, unless nothing has woken these hosts: then they are `uncalled`. (Who is polled by an
    /// executor of his own in between is not seen, and waits for as many turns as there are looks.)
    pub(crate) fn next_round(&self, roster: &Roster, uncalled: bool) -> bool {
        CONTEXT.with(|context| {
            let goes_on = || context.ready_queues.get() == 1;
            if !uncalled
                || !goes_on()
                || context.turn.get() <= 0 && !(self.look_from_inside(roster) && goes_on())
            {
                return false;
            }
            context.tick.set(context.tick.get().wrapping_add(1));
            true
        })
    }

    /// Looks at the network and the clock from where it is. False if the loop has to do that.
    #[cold]
    fn look_from_inside(&self, roster: &Roster) -> bool {
        let looks = CONTEXT.with(|context| context.looks.get());
        if looks == 0 || !self.order.is_first_in_first_out() || self.remote.inbox.may_have_news() {
            return false;
        }
        // Nothing of the nursery is being polled meanwhile. It needs not be told of units that become
        // ready: it has some.
        roster.set_draining(false);
        let looked = catch_unwind(AssertUnwindSafe(|| {
            if self.reactor.has_sources() {
                self.reactor.poll(Some(Duration::ZERO))?;
            }
            self.fire_timers(false);
            Ok::<_, io::Error>(())
        }));
        roster.set_draining(true);
        match looked {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return false, // the loop gets the same error
            Err(payload) => {
                // A foreign waker's, which is no fault of this nursery.
                self.panicked.set(Some(payload));
                return false;
            }
        }
        CONTEXT.with(|context| {
            context.looks.set(looks - 1);
            context.turn.set(TURN);
        });
        true
    }

    /// Lets in what comes from outside, and waits for it where nothing can run without. Returns
    /// when there is something to run.
    fn look_around(&self, system: &Core, heed_interrupt: &impl Fn()) -> Result<()> {
        self.order.check_rounds()?;
        if let Some(payload) = self.panicked.take() {
            resume_unwind(payload);
        }
        let mut asked = false;
        let mut idle_since = None;
        if !system.is_idle() && self.reactor.has_sources() {
            self.reactor.poll(Some(Duration::ZERO))?;
            asked = true;
        }
        loop {
            self.let_in();
            self.fire_timers(system.is_idle());
            heed_interrupt();
            if !system.is_idle() {
                // Timers that are always due must not keep the network waiting.
                if !asked && self.reactor.has_sources() {
                    self.reactor.poll(Some(Duration::ZERO))?;
                }
                return Ok(());
            }
            if self.clock.is_virtual() && self.reactor.has_sources() {
                // What is there already comes before the clock moves.
                self.reactor.poll(Some(Duration::ZERO))?;
                asked = true;
                if !system.is_idle() {
                    return Ok(());
                }
            }
            let next = self.timers.borrow().next_deadline();
            if self.remote.inbox.fall_asleep() {
                let outside = self.outside();
                let nothing_comes = next.is_none() && outside.is_silent;
                let Idle::Until(stuck) = self.look_for_stuck(outside.at_work, nothing_comes)?
                else {
                    self.remote.inbox.woke_up();
                    continue;
                };
                if self.detect_deadlock && nothing_comes {
                    let asks = self.jobs.asking().pop().map(|(_, asks)| asks);
                    return Err(Deadlock::new(asks).into());
                }
                // In real time a virtual clock would run away from what takes it.
                let stands_still = self.clock.is_virtual() && outside.at_work;
                let next = next.into_iter().chain(stuck).min().filter(|_| !stands_still);
                let idle = match self.wait_for_io(next.is_some(), &mut idle_since) {
                    Some(time) => clock::Idle::Sleep(Some(time)),
                    None => self.clock.idle(next),
                };
                let slept = match idle {
                    clock::Idle::Sleep(time) => {
                        asked = true;
                        self.reactor.poll(time)
                    }
                    clock::Idle::Jumped => Ok(()),
                };
                self.remote.inbox.woke_up();
                slept?;
            }
        }
    }

    /// For how long a virtual clock that is about to jump waits for input before that.
    fn wait_for_io(&self, jumps: bool, idle_since: &mut Option<Instant>) -> Option<Duration> {
        if !jumps || !self.clock.is_virtual() || !self.reactor.awaits_news() {
            return None;
        }
        self.clock.wait_for_io(|| *idle_since.get_or_insert_with(Instant::now))
    }

    /// Lets in what other threads have left.
    #[inline]
    fn let_in(&self) {
        if self.remote.inbox.may_have_news() {
            self.let_in_all();
        }
    }

    #[cold]
    fn let_in_all(&self) {
        let mut batch = self.batch.take();
        if self.remote.inbox.take(&mut batch) {
            batch.woken.drain(..).for_each(wake_from_elsewhere);
            for call in batch.calls.drain(..) {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                    self.system.panicked(payload, self.place);
                }
            }
        }
        self.batch.set(batch);
    }

    fn fire_timers(&self, idle: bool) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = self.now();
        let mut choice = self.order.decided().map(|decisions| DueTimers::new(decisions, idle));
        loop {
            let fired = match &mut choice {
                None => self.timers.borrow_mut().pop_expired(now),
                Some(choice) => {
                    self.timers.borrow_mut().pop_expired_nth(now, |due| choice.next(due))
                }
            };
            match fired {
                Some(target) => target.fire(),
                None => return,
            }
        }
    }
}

/// The future's outcome, or its panic.
pub(crate) async fn catch_panic<T>(
    future: impl Future<Output = T>,
) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}
