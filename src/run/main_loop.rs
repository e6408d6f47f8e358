//! The loop: polls the main future while it is ready, looks around when a turn is over, and sleeps
//! when there is nothing to do.
//!
//! It is a future, which for a guest is pending while its host sleeps or runs others. For `run`,
//! which does that itself, it is ready at its first poll.

use std::future::Future;
use std::mem;
use std::panic::resume_unwind;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::error::panic::{FirstPanic, catch_panic, discard, quietly, report};
use crate::error::{Deadlock, Interrupted, Reason, Result};
use crate::generator::finalize::{abandon_all, finalize_all};
use crate::nursery::core::{Body, Core, Guard, Runs};
use crate::platform::clock::{self, Nanos};
use crate::run::Run;
use crate::run::blocked::Watched;
use crate::run::stuck::{Idle, text_of_dump};
use crate::schedule::current::THREAD;
use crate::schedule::order::Others;
use crate::schedule::remote::inbox::Asleep;
use crate::schedule::rounds::{Length, Visit};
use crate::schedule::seen::onlookers;
use crate::schedule::waker;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{
    self,
    tree::{Level, Scope},
};

impl Run {
    /// Polls the main future to its end, and then everything it leaves behind.
    ///
    /// Everything runs in one nursery, the system's. Its body is the main future, followed by the
    /// closing of generators that are left. Its children close generators that were dropped.
    pub(super) async fn run_main<T>(
        &self,
        scope: ScopeRef,
        main: impl Future<Output = Result<T>>,
        interrupted: &dyn Fn(),
    ) -> Result<T> {
        let system = Guard::new(self.system.core().clone(), Runs::Body)?;
        #[cfg(feature = "console")]
        self.console.look();
        system.tell_begun();
        let mut outcome = None;
        let mut panic = FirstPanic::new();
        let driven = {
            let mut body = Box::pin(async {
                let _ended = system.tell_when_ended();
                outcome =
                    Some(catch_panic(scope::enter(scope.clone(), "the main scope", main)).await);
                self.end().await;
            });
            let mut poll_body = |cx: &mut Context<'_>| body.as_mut().poll(cx).map(Ok);
            let driven = catch_panic(self.drive_system(&system, interrupted, &mut poll_body)).await;
            if !matches!(driven, Ok(Ok(()))) {
                panic.catch(|| abandon_all(&self.generators));
            }
            panic.catch(|| drop(body));
            driven
        };
        match driven {
            Ok(Ok(())) => self.end_well(&scope, system, outcome.expect("the body has run"), panic),
            Ok(Err(error)) => {
                self.break_down(system, &mut panic).await;
                panic.resume();
                Err(error)
            }
            Err(payload) => {
                self.break_down(system, &mut panic).await;
                if let Some(further) = panic.take() {
                    discard(further);
                }
                resume_unwind(payload)
            }
        }
    }

    /// To be called when everything has ended. Returns the outcome, or resumes the first panic.
    fn end_well<T>(
        &self,
        scope: &Scope,
        system: Guard,
        outcome: std::thread::Result<Result<Option<T>>>,
        mut panic: FirstPanic,
    ) -> Result<T> {
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
            (Ok(outcome), None) => Self::outcome_of(scope, outcome),
        }
    }

    /// Drops everything left of a run that fails as a whole, or in whose loop a foreign waker has
    /// panicked.
    async fn break_down(&self, system: Guard, panic: &mut FirstPanic) {
        panic.catch(|| drop(system));
        if let Err(payload) = catch_panic(self.end_in_failure()).await {
            panic.add(payload);
        }
    }

    /// Ends everything that belongs to the run. To be called when the main future has ended.
    async fn end(&self) {
        self.system.begin_to_end();
        if !self.system.is_empty() {
            // This cancels tasks that other threads have spawned; the closing of generators is
            // shielded.
            self.system.core().scope().cancel(Level::Full, Reason::Shutdown, None);
        }
        self.finalize().await;
        // Calls that were accepted are made, even if they came at the last moment.
        self.remote.inbox.refuse_calls();
        self.let_in();
        self.finalize().await;
    }

    /// Closes the generators that are left, and waits for the jobs that other threads do for the
    /// run, again and again until there are none of either.
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

    /// Waits for the jobs that other threads do for a run that has failed as a whole. Anything that
    /// these may be waiting for has been dropped.
    async fn end_in_failure(&self) {
        self.system.begin_to_end();
        self.remote.inbox.refuse_calls();
        loop {
            self.let_in();
            if !self.jobs.is_any_awaited() {
                return;
            }
            if let Some(asleep) = self.remote.inbox.fall_asleep() {
                let overdue = self.look_for_overdue().filter(|_| !self.clock.is_virtual());
                let time = overdue.map(|at| Duration::from_nanos(at.saturating_sub(self.now())));
                let slept = self.park(time, None).await;
                drop(asleep);
                if slept.is_err() {
                    return; // the reactor itself has failed
                }
            }
        }
    }

    /// The result of `run` for an outcome of the main scope.
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

    async fn drive_system(
        &self,
        system: &Guard,
        interrupted: &dyn Fn(),
        body: &mut Body<'_>,
    ) -> Result<()> {
        self.scheduler.begin_run(&self.clock);
        let (mut visit, mut wait) = (Visit::First, Wait::default());
        let mut at = At::Turn;
        loop {
            match self.go_on(system, interrupted, body, &mut visit, &mut wait, at)? {
                Step::Ended => return Ok(()),
                Step::LetHostRun => {
                    self.let_host_run().await;
                    at = At::Look;
                }
                Step::Park { asleep, time, next } => {
                    let slept = self.park(time, next).await;
                    drop(asleep);
                    onlookers::slept();
                    slept?;
                    at = At::LookOn;
                }
            }
        }
    }

    /// Goes on until everything has ended, or the run has to wait for its host. It has none in
    /// `run`, which sleeps right here.
    fn go_on(
        &self,
        system: &Guard,
        interrupted: &dyn Fn(),
        body: &mut Body<'_>,
        visit: &mut Visit,
        wait: &mut Wait,
        mut at: At,
    ) -> Result<Step<'_>> {
        // Nothing polls the system's nursery except this loop, which checks by itself.
        let nobody = waker::of_nobody();
        let mut cx = Context::from_waker(&nobody);
        let core = system.core();
        loop {
            if at == At::Turn {
                let driven = self.scheduler.run_turn(self.turn_length(), core.roster(), || {
                    let visit = mem::replace(visit, Visit::Later);
                    system.drive(&self.scheduler, &mut cx, visit, body)
                });
                if driven.is_ready() {
                    return Ok(Step::Ended);
                }
                if self.guest.is_some() && !core.is_idle() {
                    return Ok(Step::LetHostRun);
                }
                at = At::Look;
            }
            if let Some(step) = self.look_around(core, interrupted, wait, at)? {
                return Ok(step);
            }
            at = At::Turn;
        }
    }

    /// How long the loop may go on before it looks around. Timers that were passed over may fire in
    /// any round.
    fn turn_length(&self) -> Length {
        let are_passed_over = self.scheduler.order.is_decided()
            && self.timers.timers.borrow().next_deadline().is_some_and(|next| next <= self.now());
        if are_passed_over { Length::OneRound } else { Length::Whole }
    }

    /// Lets in whatever comes from outside, and waits for it if nothing can run without it. Returns
    /// when there is something to run, or with what a guest has to wait for.
    #[inline(always)]
    fn look_around(
        &self,
        system: &Core,
        interrupted: &dyn Fn(),
        wait: &mut Wait,
        at: At,
    ) -> Result<Option<Step<'_>>> {
        let mut listing = None;
        if at == At::Look {
            *wait = Wait::default();
            self.history.note(&self.clock);
            #[cfg(feature = "console")]
            self.console.look();
            self.scheduler.check_rounds()?;
            self.scheduler.have_loop();
            if let Some(payload) = self.panicked.take() {
                resume_unwind(payload);
            }
            // If nothing is ready, there is nothing to go ahead of.
            listing = (!system.is_idle()).then(|| self.scheduler.list_ready());
            if !system.is_idle() {
                self.ask_reactor(wait)?;
            }
        }
        let _listing = listing;
        loop {
            match system.is_idle() {
                true => {
                    let (began, millisecond) =
                        THREAD.with(|thread| (thread.turn.began(), thread.turn.millisecond()));
                    self.flood.pause_and_look(began, millisecond, || self.let_in());
                }
                false => drop(self.let_in()),
            }
            self.fire_timers(match system.is_idle() {
                true => Others::Wait,
                false => Others::AreReady,
            });
            self.notice_interrupt();
            if self.interrupted.take() {
                interrupted();
            }
            if !system.is_idle() {
                // Timers that are always due must not keep the network waiting.
                if !wait.has_asked {
                    self.ask_reactor(wait)?;
                }
                self.look_for_withheld();
                self.look_for_overdue();
                return Ok(None);
            }
            if self.clock.is_virtual() {
                // Whatever has already arrived comes before the clock moves.
                self.ask_reactor(wait)?;
                if !system.is_idle() {
                    return Ok(None);
                }
            }
            if let Some(asleep) = self.remote.inbox.fall_asleep()
                && let Some(step) = self.sleep(asleep, wait)?
            {
                return Ok(Some(step));
            }
        }
    }

    /// Takes the reactor's events, without waiting.
    fn ask_reactor(&self, wait: &mut Wait) -> Result<()> {
        if self.reactor.has_sources() {
            self.reactor.poll(Some(Duration::ZERO))?;
            wait.has_asked = true;
        }
        Ok(())
    }

    /// Sleeps until something comes from outside, or a timer is due. The inbox knows about the
    /// sleep. A guest has to park for it.
    fn sleep<'a>(&self, asleep: Asleep<'a>, wait: &mut Wait) -> Result<Option<Step<'a>>> {
        self.without_checkpoint.clear();
        self.scheduler.ahead.forget();
        let Some((clock::Idle::Sleep(time), next)) = self.idle(wait)? else { return Ok(None) };
        wait.has_asked = true;
        if onlookers::is_looked_on() && self.announce_sleep(time) == Something::IsReady {
            return Ok(None);
        }
        if self.guest.is_some() {
            return Ok(Some(Step::Park { asleep, time, next }));
        }
        let slept = {
            let _sleeps = self.watched.as_ref().map(Watched::sleeps);
            self.reactor.poll(time)
        };
        drop(asleep);
        onlookers::slept();
        slept?;
        Ok(None)
    }

    /// Tells those who look on that the run is about to sleep, or its clock to jump. They may make
    /// something ready, or set an earlier deadline: then it does not.
    #[cold]
    fn announce_sleep(&self, longest: Option<Duration>) -> Something {
        let next = || self.timers.timers.borrow().next_deadline();
        let before = next();
        onlookers::about_to_sleep(longest);
        let is_as_before = next().is_none_or(|next| before.is_some_and(|before| before <= next));
        if is_as_before && self.system.core().is_idle() {
            return Something::IsAwaited;
        }
        onlookers::slept();
        Something::IsReady
    }

    /// Has a clock jump, if it is one that does. `None` if there is something to do instead.
    fn jump(&self, next: Option<Nanos>) -> Option<clock::Idle> {
        let jumps = next.filter(|_| self.clock.is_virtual() && onlookers::is_looked_on());
        let Some(next) = jumps else { return Some(self.clock.idle(next)) };
        let time = Duration::from_nanos(next.saturating_sub(self.now()));
        if self.announce_sleep(Some(time)) == Something::IsReady {
            return None;
        }
        let idle = self.clock.idle(Some(next));
        onlookers::slept();
        Some(idle)
    }

    /// Decides what to do when nothing can run, and until when: nothing, if something was found to
    /// be stuck, because reporting that may have made anything ready.
    ///
    /// # Errors
    ///
    /// [`Stuck`](crate::Stuck) or [`Deadlock`], if the run is set to fail with that.
    fn idle(&self, wait: &mut Wait) -> Result<Option<(clock::Idle, Option<Nanos>)>> {
        let next = self.timers.timers.borrow().next_deadline();
        let outside = self.outside();
        let nothing_comes = next.is_none() && outside.is_silent;
        let Idle::Until(stuck) = self.look_for_stuck(outside.at_work, nothing_comes)? else {
            return Ok(None);
        };
        if self.detect_deadlock && nothing_comes {
            let asks = self.jobs.asking().pop().map(|(_, asks)| asks);
            return Err(Deadlock::new(asks, text_of_dump()).into());
        }
        let passed_over = self.look_for_withheld();
        let looks = stuck.into_iter().chain(passed_over).chain(self.look_for_overdue()).min();
        // A virtual clock does not move just for a look.
        let looks = looks.filter(|_| next.is_some() || !self.clock.is_virtual());
        // Work outside takes real time, and a virtual clock must not run ahead of it.
        let stands_still = self.clock.is_virtual() && outside.at_work;
        let next = next.into_iter().chain(looks).min().filter(|_| !stands_still);
        Ok(match next.and_then(|_| self.wait_for_io(wait)) {
            Some(time) => Some((clock::Idle::Sleep(Some(time)), None)),
            None => self.jump(next).map(|idle| (idle, next)),
        })
    }

    /// How long a virtual clock that is about to jump first waits for input.
    fn wait_for_io(&self, wait: &mut Wait) -> Option<Duration> {
        if !self.clock.is_virtual() || !self.reactor.awaits_news() {
            return None;
        }
        self.clock.wait_for_io(|| *wait.idle_since.get_or_insert_with(Instant::now))
    }
}

/// Where the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// It runs a turn.
    Turn,
    /// It looks around.
    Look,
    /// It looks around once more, after a sleep.
    LookOn,
}

/// Whether a run that was about to sleep has something to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Something {
    IsReady,
    IsAwaited,
}

/// Why the loop does not go on by itself.
enum Step<'a> {
    /// Everything has ended.
    Ended,
    /// The run is a guest, and has more to do, but it is the host's turn.
    LetHostRun,
    /// The run is a guest and sleeps, for so long at most, and until then on its clock. The inbox
    /// knows about it.
    Park { asleep: Asleep<'a>, time: Option<Duration>, next: Option<Nanos> },
}

/// What the loop has done since it began to look around.
#[derive(Default)]
struct Wait {
    /// Whether the reactor has been asked for news.
    has_asked: bool,
    /// Since when a virtual clock has been about to jump.
    idle_since: Option<Instant>,
}
