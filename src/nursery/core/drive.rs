//! How a nursery polls its body and its children. What becomes of those that have ended is in
//! `ended`. The invariants are those of `nursery::core`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::nursery::child::Child;
use crate::nursery::core::Core;
use crate::nursery::core::left_behind::Rest;
use crate::nursery::core::watched::Watched;
use crate::nursery::system;
use crate::schedule::budget::{self, Share};
use crate::schedule::current::{BudgetOf, Host, THREAD};
use crate::schedule::rounds::{Onward, Passage, Scheduler, Visit};
use crate::schedule::seen::onlookers::{self, Ended, Looks, Nobody, Occasion, Somebody};
use crate::schedule::units::roster::Roster;
use crate::schedule::units::unit::Unit;
use crate::schedule::wake::{self, Again};
use crate::schedule::waker;
use crate::scope::current::in_scope;
use crate::scope::tree::Entered;
use crate::scope::without_checkpoint;

/// Whether a nursery has something left to wait for, as far as this poll can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    /// No: its body and its children have ended.
    Nothing,
    /// Yes: the body or a child, or else others have to run before the nursery ends.
    Something,
}

/// Why a unit is polled whose nursery was polled before.
fn occasion(unit: &Unit) -> Occasion {
    if unit.is_woken() { Occasion::Woken } else { Occasion::Nurseries }
}

/// A nursery's body.
pub(crate) type Body<'a> = dyn FnMut(&mut Context<'_>) -> Poll<Result<()>> + 'a;

impl Core {
    /// Polls the body and the children that are ready. `Ready` when all have ended.
    ///
    /// # Safety
    ///
    /// This is called only by the nursery's own future, while that is being polled.
    pub(super) unsafe fn drive(
        self: &Rc<Self>,
        entered: &Entered,
        scheduler: &Scheduler,
        cx: &mut Context<'_>,
        visit: Visit,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        struct Drained<'a>(&'a Roster);
        impl Drop for Drained<'_> {
            fn drop(&mut self) {
                self.0.stop_draining();
            }
        }
        entered.touch();
        self.roster.set_host(waker::unit_of(cx.waker()), cx.waker());
        self.roster.start_draining();
        let drained = Drained(&self.roster);
        let driven = in_scope(&self.scope, || {
            let host = Host::new();
            let mut visit = visit;
            loop {
                // One catch is enough for everything that is polled: the unit that panicked is the
                // current one.
                match catch_unwind(AssertUnwindSafe(|| self.drain(&host, scheduler, visit, body))) {
                    Ok(driven) => return driven,
                    Err(payload) => {
                        let left = self.end_in_panic(&host, visit, payload);
                        if self.end_if(left).is_ready() {
                            return Poll::Ready(());
                        }
                    }
                }
                visit = Visit::Later;
            }
        });
        drop(drained);
        if driven.is_ready() {
            self.open.set(false);
        } else if !self.roster.queue.is_idle() {
            let was_cut = scheduler.ahead.is_cutting();
            let why = if was_cut { Again::WasCut } else { Again::ForNursery };
            wake::poll_again(cx.waker(), why);
        }
        driven
    }

    /// Polls ready units until none is left that has to be polled from here. `Ready` when all have
    /// ended.
    fn drain(
        self: &Rc<Self>,
        host: &Host,
        scheduler: &Scheduler,
        visit: Visit,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        let passage = Passage::begin(visit, host.polled_for());
        if visit == Visit::First {
            if scheduler.ahead.is_looked_on() {
                return self.drain_first_looked_on(host, scheduler, passage, body);
            }
            if self.poll_body_first::<Nobody>(host, body).is_ready() {
                return Poll::Ready(());
            }
        }
        if !scheduler.ahead.is_as_usual() {
            return self.drain_unusually(host, scheduler, passage, body);
        }
        self.drain_ready::<Nobody>(host, scheduler, passage, body)
    }

    /// Does the same as [`drain`](Self::drain) for a nursery that was just opened, and somebody looks
    /// on.
    #[cold]
    fn drain_first_looked_on(
        self: &Rc<Self>,
        host: &Host,
        scheduler: &Scheduler,
        passage: Passage,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        match self.poll_body_first::<Somebody>(host, body) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.drain_unusually(host, scheduler, passage, body),
        }
    }

    /// Does the same as [`drain_ready`](Self::drain_ready) if a unit goes ahead, the round is cut,
    /// somebody looks on, or the run is watched.
    #[cold]
    fn drain_unusually(
        self: &Rc<Self>,
        host: &Host,
        scheduler: &Scheduler,
        passage: Passage,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        if scheduler.ahead.is_on_the_way() {
            self.drain_ahead(host, scheduler, body)
        } else if scheduler.ahead.is_cutting() {
            Poll::Pending
        } else if scheduler.ahead.is_looked_on() {
            self.drain_looked_on(host, scheduler, passage, body)
        } else {
            self.drain_watched(host, scheduler, passage, body)
        }
    }

    #[inline(never)]
    fn drain_watched(
        self: &Rc<Self>,
        host: &Host,
        scheduler: &Scheduler,
        passage: Passage,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        self.drain_ready::<Watched>(host, scheduler, passage, body)
    }

    #[cold]
    #[inline(never)]
    fn drain_looked_on(
        self: &Rc<Self>,
        host: &Host,
        scheduler: &Scheduler,
        passage: Passage,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        let driven = self.drain_ready::<(Somebody, Watched)>(host, scheduler, passage, body);
        // Nurseries around this one may have begun to poll when nobody looked on.
        THREAD.with(|thread| thread.turn.look_soon());
        self.tell_returned(driven)
    }

    /// Tells that the nursery returns to whatever polls it. Foreign code may run.
    fn tell_returned(&self, driven: Poll<()>) -> Poll<()> {
        if driven.is_ready() {
            self.open.set(false); // it takes no children any more
        }
        onlookers::after_nursery(driven)
    }

    /// Polls the body of a nursery that was just opened. `Ready` when all have ended.
    #[inline(always)]
    fn poll_body_first<L: Looks>(self: &Rc<Self>, host: &Host, body: &mut Body<'_>) -> Poll<()> {
        let left = self.poll_body::<L>(host, Visit::First, body);
        THREAD.with(|thread| thread.turn.end_poll());
        self.end_if(left)
    }

    #[inline(always)]
    fn drain_ready<L: Looks>(
        self: &Rc<Self>,
        host: &Host,
        scheduler: &Scheduler,
        passage: Passage,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        loop {
            while let Some(unit) = self.roster.queue.pop(&scheduler.order) {
                let left = self.poll_unit::<L>(host, unit, body);
                let ended = self.end_if(left);
                let may_be_over = THREAD.with(|thread| thread.turn.end_poll());
                if ended.is_ready() {
                    return Poll::Ready(());
                }
                if may_be_over {
                    host.polled();
                    if scheduler.end_turn(&self.roster) == Onward::Up {
                        return Poll::Pending;
                    }
                    if L::is_joined(scheduler) {
                        return self.drain_looked_on(host, scheduler, passage, body);
                    }
                }
            }
            host.polled();
            if self.roster.queue.is_idle()
                || scheduler.next_round(&self.roster, passage) == Onward::Up
            {
                return Poll::Pending;
            }
        }
    }

    /// Polls the unit that goes ahead, or the one on the path to it. `Ready` when all have ended.
    #[cold]
    fn drain_ahead(
        self: &Rc<Self>,
        host: &Host,
        scheduler: &Scheduler,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        let Some(unit) = scheduler.ahead.step(&self.roster) else { return Poll::Pending };
        // Perhaps it is nobody, in this case.
        self.tell_returned(self.end_if(self.poll_unit::<(Somebody, Watched)>(host, unit, body)))
    }

    /// Polls a child, or the body. Once the body has ended, its unit is made ready when there is
    /// nothing left to wait for.
    #[inline(always)]
    fn poll_unit<L: Looks>(&self, host: &Host, unit: NonNull<Unit>, body: &mut Body<'_>) -> Left {
        if !ptr::eq(unit.as_ptr(), self.roster.body()) {
            self.poll_child::<L>(host, unit);
            Left::Something
        } else if self.body_running.get() {
            self.poll_body::<L>(host, Visit::Later, body)
        } else {
            self.left()
        }
    }

    /// Polls a child. `host` restores what was being polled before.
    #[inline]
    fn poll_child<L: Looks>(&self, host: &Host, unit: NonNull<Unit>) {
        // SAFETY: an attached child is alive; invariant 4.
        let seen = L::before_poll(unsafe { unit.as_ref() }, || occasion(unsafe { unit.as_ref() }));
        // SAFETY: a node is alive while it is attached, and by invariant 4 only this nursery takes
        // the child out, when the poll is over. If the child has not ended, it stays the current
        // unit until the next one is polled or `drain` looks elsewhere; nothing foreign runs before.
        let waker = waker::waker(unsafe { host.poll(unit.as_ptr(), BudgetOf::Unit) });
        host.hide_frame();
        // SAFETY: an attached child has not ended; invariants 3 and 4.
        let polled = unsafe { Child::poll(unit.cast(), &mut Context::from_waker(&waker)) };
        let ended = if polled.is_ready() { Ended::Yes } else { Ended::No };
        // SAFETY: it is still attached.
        L::after_poll(seen, unsafe { unit.as_ref() }, ended);
        if self.is_moving.get() {
            host.polled();
            host.show_frame();
            return self.after_poll(unit, Ok(polled));
        }
        // The child is taken out first, because much of what follows is foreign code.
        match polled {
            // SAFETY: as above.
            Poll::Pending => host.waits(unsafe { unit.as_ref() }),
            Poll::Ready(Ok(())) => {
                host.polled();
                host.show_frame();
                self.end_with_value(unit);
            }
            Poll::Ready(Err(error)) => {
                host.polled();
                host.show_frame();
                self.end_with_error(unit, error);
            }
        }
    }

    /// Polls the body.
    ///
    /// In the first poll of the nursery, the body is polled right away and shares the host's
    /// budget: a loop that opens nurseries must let others run too.
    fn poll_body<L: Looks>(&self, host: &Host, visit: Visit, body: &mut Body<'_>) -> Left {
        // SAFETY: the guard keeps it alive, and is not dropped while the nursery is being polled.
        let unit = unsafe { &*self.roster.body() };
        let seen = L::before_poll(unit, || match visit {
            Visit::First if !system::is_of_run(self) => Occasion::Opened,
            Visit::First => Occasion::Woken,
            Visit::Later => occasion(unit),
        });
        let budget = match visit {
            Visit::First => BudgetOf::Host,
            Visit::Later => BudgetOf::Unit,
        };
        // SAFETY: as above.
        let waker = waker::waker(unsafe { host.poll(unit, budget) });
        host.show_frame();
        let outcome = body(&mut Context::from_waker(&waker));
        L::after_poll(seen, unit, Ended::No); // the body of the run tells by itself
        if outcome.is_pending() {
            host.waits(unit);
        }
        // Leaving a nursery costs as much as an operation that could finish at once.
        let yields = outcome.is_ready() && self.live.get() == 0 && budget::spend() == Share::UsedUp;
        if visit == Visit::First {
            host.share_budget();
        }
        host.polled();
        match outcome {
            Poll::Pending => Left::Something,
            Poll::Ready(outcome) if yields => {
                self.end_body(Ok(outcome.and_then(|()| without_checkpoint::look())));
                if let Some(foreign) = self.finish_if_empty() {
                    foreign.wake();
                }
                Left::Something
            }
            Poll::Ready(outcome) => {
                self.end_body(Ok(outcome));
                self.left()
            }
        }
    }

    /// Ends the nursery, if nothing is left to wait for, and neither a generator that was left behind
    /// in it nor a service has to be closed.
    #[inline(always)]
    fn end_if(self: &Rc<Self>, left: Left) -> Poll<()> {
        match left {
            Left::Nothing if self.close_left_behind() == Rest::Nothing => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// To be called when the unit that was being polled has panicked.
    #[cold]
    pub(super) fn tell_of_panic(&self, unit: &Unit) {
        if onlookers::is_looked_on() {
            let ended = if ptr::eq(unit, self.roster.body()) { Ended::No } else { Ended::Yes };
            Somebody::after_poll(false, unit, ended);
        }
    }

    /// What the nursery still waits for when its body has ended.
    pub(super) fn left(&self) -> Left {
        if self.live.get() == 0 { Left::Nothing } else { Left::Something }
    }
}
