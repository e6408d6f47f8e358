//! The loop: poll the main future while it is ready; look at the network, at other threads and
//! at the clock now and then; sleep when there is nothing to do.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Context;
use std::time::{Duration, Instant};

use crate::Result;
use crate::error::panic::{FirstPanic, Payload, catch_panic, discard, quietly, report};
use crate::error::{Deadlock, Interrupted, Reason};
use crate::generator::finalize::{abandon_all, finalize_all};
use crate::nursery::core::{Body, Core, Guard, Runs};
use crate::platform::clock;
use crate::run::Runtime;
use crate::run::stuck::Idle;
use crate::schedule::current;
use crate::schedule::current::CONTEXT;
use crate::schedule::memory::table::UnitId;
use crate::schedule::order::Others;
use crate::schedule::roster::{Host, Roster};
use crate::schedule::turn::TURN;
use crate::schedule::wake::{Which, wake_here};
use crate::schedule::waker;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{
    self,
    tree::{Level, Scope},
};
use crate::world::signal::Interrupt;

/// How often the world is looked at from inside of a nursery that is polled round after round, as
/// nothing outside of it is ready, before the loop does it itself.
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
        let _interruptible = Interruptible::new(self, ctrl_c, &scope)?;
        let system = Guard::new(self.system.core().clone(), Runs::Body)?;
        let mut outcome = None;
        let mut panic = FirstPanic::new();
        let driven = {
            let mut body = Box::pin(async {
                outcome =
                    Some(catch_panic(scope::enter(scope.clone(), "the main scope", main)).await);
                self.end().await;
            });
            let driven = catch_unwind(AssertUnwindSafe(|| {
                self.drive_system(&system, interrupted, &mut |cx| body.as_mut().poll(cx).map(Ok))
            }));
            if !matches!(driven, Ok(Ok(()))) {
                panic.catch(|| abandon_all(&self.generators));
            }
            panic.catch(|| drop(body));
            driven
        };
        // What a run that fails as a whole, or in whose loop a foreign waker panics, leaves behind
        // ends as well.
        match driven {
            Ok(Ok(())) => {}
            failed => {
                panic.catch(|| drop(system));
                panic.catch(|| self.end_in_failure());
                return match failed {
                    Err(payload) => {
                        if let Some(further) = panic.take() {
                            discard(further);
                        }
                        resume_unwind(payload)
                    }
                    Ok(failure) => {
                        panic.resume();
                        Err(failure.expect_err("it was looked at"))
                    }
                };
            }
        }
        let outcome = outcome.expect("the body has run");
        if let Some(payload) = self.panicked.take() {
            panic.add(payload);
        }
        panic.catch(|| system.core().resume_panic());
        let later = panic.take();
        system.leave(Ok(()))?;
        match (outcome, later) {
            (Err(payload), later) => {
                if let Some(later) = later {
                    report!(
                        error,
                        "a finalizer panicked after the main future had: only the first is passed on"
                    );
                    quietly(|| drop(later));
                }
                resume_unwind(payload)
            }
            (Ok(_), Some(payload)) => resume_unwind(payload),
            (Ok(outcome), None) => Self::outcome_of(&scope, outcome),
        }
    }

    /// Ends what belongs to the runtime, when the main future has ended.
    async fn end(&self) {
        self.system.begin_to_end();
        if !self.system.is_empty() {
            // What other threads have spawned; the closing of generators is shielded.
            self.system.core().scope().cancel(Level::Full, Reason::Shutdown, None);
        }
        self.finalize().await;
        // What was taken is called, also if it came at the last moment.
        self.remote.inbox.refuse_calls();
        self.let_in();
        self.finalize().await;
    }

    /// Closes the generators that are left, and waits for what other threads do for the run, again
    /// until there is none of either.
    async fn finalize(&self) {
        let mut panic = FirstPanic::new();
        loop {
            finalize_all(&self.system, &self.generators, &mut panic).await;
            if !self.jobs.is_any_awaited() {
                break;
            }
            self.jobs.none_awaited().await;
        }
        panic.resume();
    }

    /// Waits for what other threads do for a run that has failed as a whole. What they may be
    /// waiting for has been dropped.
    fn end_in_failure(&self) {
        self.system.begin_to_end();
        self.remote.inbox.woke_up(); // it may have failed when it was about to sleep
        self.remote.inbox.refuse_calls();
        loop {
            self.let_in();
            if !self.jobs.is_any_awaited() {
                return;
            }
            if self.remote.inbox.fall_asleep() {
                let overdue = self.look_for_overdue().filter(|_| !self.clock.is_virtual());
                let time = overdue.map(|at| Duration::from_nanos(at.saturating_sub(self.now())));
                let slept = self.reactor.poll(time);
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
        interrupted: &dyn Fn(),
        body: &mut Body<'_>,
    ) -> Result<()> {
        // Nobody polls the system's nursery but this loop, which looks for itself.
        let nobody = waker::of_nobody();
        let mut cx = Context::from_waker(&nobody);
        let mut first = true;
        CONTEXT.with(|context| context.turn.begin_run(self.budget, &self.order, &self.clock));
        loop {
            CONTEXT.with(|context| {
                context.turn.begin(self.turn());
                context.looks.set(LOOKS);
            });
            loop {
                CONTEXT.with(|context| {
                    context.tick.set(context.tick.get().wrapping_add(1));
                    context.went_up.set(UnitId::NONE);
                });
                let core = system.core();
                // SAFETY: this stands for the nursery's own future.
                let polled = unsafe { core.drive(system.entered(), self, &mut cx, first, body) };
                first = false;
                if polled.is_ready() {
                    return Ok(());
                }
                if self.ahead.was_cut() && self.let_ahead(system, &mut cx, body) {
                    return Ok(());
                }
                let over =
                    CONTEXT.with(|context| context.turn.is_done() || context.looks.get() == 0);
                if over || self.calls_up.get() || core.is_idle() {
                    break;
                }
            }
            self.look_around(system.core(), interrupted)?;
        }
    }

    /// Lets those go ahead that have waited for too long. Afterwards the round that was cut goes on.
    /// True if all have ended.
    #[cold]
    fn let_ahead(&self, system: &Guard, cx: &mut Context<'_>, body: &mut Body<'_>) -> bool {
        let core = system.core();
        let began = CONTEXT.with(|context| context.turn.time());
        while core.finds_way(&self.ahead) {
            let ended = CONTEXT.with(|context| {
                context.turn.begin(TURN);
                context.notes.set(true);
                // SAFETY: this stands for the nursery's own future.
                let polled = unsafe { core.drive(system.entered(), self, cx, false, body) };
                context.notes.set(false);
                polled.is_ready()
            });
            self.ahead.was_cut(); // by one of them: others have their turn anyway
            if ended {
                return true;
            }
            if CONTEXT.with(|context| context.turn.has_lasted(began)) {
                break;
            }
        }
        self.ahead.is_over(began);
        CONTEXT.with(|context| {
            context.turn.begin(TURN);
            // What comes next belongs to the round that was cut.
            context.tick.set(context.tick.get().wrapping_sub(1));
        });
        false
    }

    /// How much work there may be before the loop looks around. Timers that were passed over may fire
    /// in any round.
    fn turn(&self) -> i32 {
        let passed_over = self.order.is_decided()
            && self.timers.timers.borrow().next_deadline().is_some_and(|next| next <= self.now());
        if passed_over { 0 } else { TURN }
    }

    /// Begins the scheduler's next round from inside a nursery, if the loop would come straight
    /// back there: if nothing is ready outside of it. So the depth of the tree costs nothing
    /// while one nursery is busy.
    ///
    /// What is polled beside the nursery, by the same hosts, may have something to do, too, in this
    /// round, unless nothing has woken these hosts: then they are `uncalled`. (Who is polled by an
    /// executor of his own in between is not seen, and waits for as many turns as there are looks.)
    /// Where it goes up for that, the nursery above it may begin the round, if nothing but these two
    /// has anything ready: each level of nurseries that are opened one in the other would otherwise
    /// cost one way from the root. A new nursery does not: what is behind it has not been polled.
    ///
    /// What is polled behind a new nursery has not had its first poll: it waits for one turn at the
    /// most. `first` is how many looks were left when the nursery was polled first, in that poll.
    pub(crate) fn next_round(&self, roster: &Roster, uncalled: bool, first: Option<u32>) -> bool {
        CONTEXT.with(|context| {
            let went_up = context.went_up.replace(UnitId::NONE);
            let goes_on = || match context.ready_queues.get() {
                1 => true,
                2 => first.is_none() && roster.has_ready(went_up),
                _ => false,
            };
            let looked = first.is_some_and(|looks| looks != context.looks.get());
            if !uncalled && context.ready_queues.get() == 1 {
                if let Host::Unit(host) = roster.host() {
                    context.went_up.set(host);
                }
                return false;
            }
            if !uncalled
                || looked
                || !goes_on()
                || context.looks.get() == 0
                || self.calls_up.get()
                || context.turn.is_done() && !(self.has_looked(roster) && goes_on())
            {
                return false;
            }
            context.tick.set(context.tick.get().wrapping_add(1));
            true
        })
    }

    /// Sees to it that somebody has looked at the world in this turn. False if the loop has to.
    #[cold]
    fn has_looked(&self, roster: &Roster) -> bool {
        CONTEXT.with(|context| {
            if context.turn.is_done() && self.order.is_first_in_first_out() {
                self.look_from_inside(roster);
            }
            !context.turn.is_done() && !self.calls_up.get()
        })
    }

    /// Looks at the world between two polls, if the turn is over, whatever is being polled around
    /// them. True if everybody is to return to the loop, which cuts the round.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_turn(&self, roster: &Roster) -> bool {
        if self.ahead.is_cutting() {
            return true;
        }
        CONTEXT.with(|context| {
            if !context.turn.is_over() {
                return false;
            }
            self.look_from_inside(roster);
            if context.turn.is_timed() {
                self.ahead.cut_if_due();
            }
            let cuts = self.ahead.is_cutting();
            if cuts {
                context.turn.end_now();
            }
            cuts
        })
    }

    /// Looks at the world from inside of a nursery, and begins a turn. There may be something that
    /// only the loop can see to: then no round begins before it has.
    fn look_from_inside(&self, roster: &Roster) {
        // Nothing of the nursery is being polled meanwhile. It needs not be told of units that become
        // ready, if it has some.
        roster.stop_draining();
        let looked = current::outside(|| catch_unwind(AssertUnwindSafe(|| self.look())));
        roster.start_draining();
        match looked {
            Ok(Ok(())) => {}
            Ok(Err(_)) => self.calls_up.set(true), // the loop gets the same error
            Err(payload) => {
                // A foreign waker's, which is no fault of this nursery.
                self.ends_in(payload);
                self.calls_up.set(true);
            }
        }
        if self.passed_over_is_due() {
            self.calls_up.set(true);
        }
        CONTEXT.with(|context| {
            context.looks.set(context.looks.get().saturating_sub(1));
            context.turn.begin(TURN);
        });
    }

    /// Looks at the network, other threads, the clock and Ctrl-C.
    fn look(&self) -> io::Result<()> {
        let _notes = self.notes();
        if self.reactor.has_sources() {
            self.reactor.poll(Some(Duration::ZERO))?;
        }
        self.let_in();
        self.fire_timers(Others::AreReady);
        self.heed_interrupt();
        Ok(())
    }

    /// While the answer lives, what becomes ready is noted, as it may go ahead of others.
    fn notes(&self) -> impl Drop + use<> {
        struct Notes(bool);
        impl Drop for Notes {
            fn drop(&mut self) {
                CONTEXT.with(|context| context.notes.set(self.0));
            }
        }
        CONTEXT.with(|context| {
            self.ahead.tidy(context.tick.get());
            Notes(context.notes.replace(context.turn.is_timed()))
        })
    }

    /// Cancels the main scope, if Ctrl-C was pressed.
    fn heed_interrupt(&self) {
        let interrupt = self.interrupt.borrow();
        if let Some((interrupt, scope)) = &*interrupt
            && interrupt.heed(scope)
        {
            self.interrupted.set(true);
            self.calls_up.set(true);
        }
    }

    /// Keeps a panic that is the run's: the first, and reports the others.
    fn ends_in(&self, payload: Payload) {
        match self.panicked.take() {
            None => self.panicked.set(Some(payload)),
            Some(first) => {
                self.panicked.set(Some(first));
                discard(payload);
            }
        }
    }

    /// Lets in what comes from outside, and waits for it where nothing can run without. Returns
    /// when there is something to run.
    fn look_around(&self, system: &Core, interrupted: &dyn Fn()) -> Result<()> {
        self.order.check_rounds()?;
        self.calls_up.set(false);
        if let Some(payload) = self.panicked.take() {
            resume_unwind(payload);
        }
        // Where nothing is ready there is nobody to go ahead of.
        let _notes = (!system.is_idle()).then(|| self.notes());
        let mut asked = false;
        let mut idle_since = None;
        if !system.is_idle() && self.reactor.has_sources() {
            self.reactor.poll(Some(Duration::ZERO))?;
            asked = true;
        }
        loop {
            self.let_in();
            self.fire_timers(match system.is_idle() {
                true => Others::Wait,
                false => Others::AreReady,
            });
            self.heed_interrupt();
            if self.interrupted.take() {
                interrupted();
            }
            if !system.is_idle() {
                // Timers that are always due must not keep the network waiting.
                if !asked && self.reactor.has_sources() {
                    self.reactor.poll(Some(Duration::ZERO))?;
                }
                self.look_for_passed_over();
                self.look_for_overdue();
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
            let next = self.timers.timers.borrow().next_deadline();
            if self.remote.inbox.fall_asleep() {
                self.without_checkpoint.clear();
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
                let passed_over = self.look_for_passed_over();
                let looks =
                    stuck.into_iter().chain(passed_over).chain(self.look_for_overdue()).min();
                // A virtual clock does not move just to be looked at.
                let looks = looks.filter(|_| next.is_some() || !self.clock.is_virtual());
                let next = next.into_iter().chain(looks).min().filter(|_| !stands_still);
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
        let mut panic = FirstPanic::new();
        if self.remote.inbox.take(&mut batch) {
            // What was taken is called, also if a foreign waker panics.
            panic.catch_each(&mut batch.woken.drain(..), |woken| {
                wake_here(match woken.any_generation {
                    false => Which::Unit(woken.id),
                    true => Which::Place(woken.id.index()),
                });
            });
            for call in batch.calls.drain(..) {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                    self.system.core().panicked(payload, self.system.place());
                }
            }
        }
        self.batch.set(batch);
        panic.resume();
    }

    fn fire_timers(&self, others: Others) {
        if self.timers.timers.borrow().is_empty() {
            return;
        }
        let now = self.now();
        let mut choice = self.order.due_timers(others);
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

/// While it lives, Ctrl-C cancels a run's main scope.
struct Interruptible<'a>(&'a Runtime);

impl<'a> Interruptible<'a> {
    fn new(runtime: &'a Runtime, ctrl_c: bool, scope: &ScopeRef) -> Result<Self> {
        let interrupt = if ctrl_c { Interrupt::install()? } else { None };
        *runtime.interrupt.borrow_mut() = interrupt.map(|interrupt| (interrupt, scope.clone()));
        Ok(Interruptible(runtime))
    }
}

impl Drop for Interruptible<'_> {
    fn drop(&mut self) {
        let interrupt = self.0.interrupt.take();
        drop(interrupt); // foreign code
    }
}
