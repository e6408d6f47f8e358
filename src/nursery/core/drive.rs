//! How a nursery polls its body and its children, and deals with those that have ended. The invariants
//! are those of `nursery::core`.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::panic::{FirstPanic, Payload};
use crate::nursery::child::{Child, Owned};
use crate::nursery::core::Core;
use crate::nursery::core::left_behind::Rest;
use crate::run::Runtime;
use crate::schedule::budget;
use crate::schedule::current::{self, CONTEXT, Host};
use crate::schedule::foreign::wake_all;
use crate::schedule::roster::Roster;
use crate::schedule::unit::Unit;
use crate::schedule::wake::{self, Again};
use crate::scope::current::in_scope;
use crate::scope::tree::Entered;
use crate::scope::without_checkpoint;
use crate::{Error, Result};

/// A nursery's body.
pub(crate) type Body<'a> = dyn FnMut(&mut Context<'_>) -> Poll<Result<()>> + 'a;

impl Core {
    /// Polls a child. What is current is put back by `host`.
    #[inline]
    fn poll_child(&self, host: &Host, unit: NonNull<Unit>) {
        // SAFETY: a node is alive while it is attached, and by invariant 4 it stays attached.
        let waker = unsafe { host.poll(unit.as_ptr(), true) };
        host.hide_frame();
        // SAFETY: a child that is attached is not done; invariants 3 and 4.
        let polled = unsafe { Child::poll(unit.cast(), &mut Context::from_waker(&waker)) };
        host.polled();
        if self.is_moving.get() {
            host.show_frame();
            return self.after_poll(unit, Ok(polled));
        }
        // First of all the child is taken out: what follows is foreign code in large part.
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                host.show_frame();
                self.end_with_value(unit);
            }
            Poll::Ready(Err(error)) => {
                host.show_frame();
                self.end_with_error(unit, error);
            }
        }
    }

    /// Deals with a child that has ended with a value.
    #[inline]
    fn end_with_value(&self, unit: NonNull<Unit>) {
        let child = self.release(unit);
        let place = child.place();
        if let Err(child) = child.free_at_once() {
            self.drop_child(child, place);
        }
        if self.live.get() == 0
            && let Some(foreign) = self.finish_if_empty()
        {
            foreign.wake();
        }
    }

    /// Gives up a child that has ended. What its value does when it is dropped is foreign code, and
    /// so may be the waker of who waits for it.
    fn drop_child(&self, child: Owned, place: &'static Location<'static>) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(child))) {
            self.panicked(payload, place);
        }
    }

    /// Deals with a child that has panicked, or that was handed to another nursery.
    #[cold]
    fn after_poll(&self, unit: NonNull<Unit>, outcome: std::thread::Result<Poll<Result<()>>>) {
        if !self.is_moving.replace(false) {
            return self.end_child(unit, outcome);
        }
        match self.moving_to.take() {
            Some(to) if to.is_open() => {
                let foreign = self.move_child(unit, &to);
                let mut panic = FirstPanic::new();
                if !matches!(outcome, Ok(Poll::Pending)) {
                    panic.catch(|| to.end_child(unit, outcome));
                }
                panic.catch(|| wake_all(foreign));
                panic.resume();
            }
            // The other nursery was dropped in the meantime, and so are its children.
            _ => self.end_child(unit, outcome),
        }
    }

    /// Deals with a child that has failed.
    #[inline(never)]
    fn end_with_error(&self, unit: NonNull<Unit>, error: Error) {
        let child = self.release(unit);
        self.fail(error, Some(child.place()));
        self.end_without_value(child, true);
    }

    /// Deals with a child that has ended, whatever way. One that has not is dropped.
    #[cold]
    fn end_child(&self, unit: NonNull<Unit>, outcome: std::thread::Result<Poll<Result<()>>>) {
        match outcome {
            Ok(Poll::Ready(Ok(()))) => self.end_with_value(unit),
            Ok(Poll::Ready(Err(error))) => self.end_with_error(unit, error),
            Ok(Poll::Pending) => self.end_without_value(self.release(unit), false),
            Err(payload) => {
                let child = self.release(unit);
                self.panicked(payload, child.place());
                self.end_without_value(child, true);
            }
        }
    }

    /// Drops the future of a child, and the child.
    #[inline]
    fn end_without_value(&self, child: Owned, failed: bool) {
        let place = child.place();
        let why = if failed && child.is_wanted() { self.scope.why() } else { None };
        // What the child's future does when it is dropped is foreign code.
        // SAFETY: its poll is over.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { child.fail(why) }));
        if let Err(payload) = dropped {
            self.panicked(payload, place);
        }
        self.drop_child(child, place);
        if let Some(foreign) = self.finish_if_empty() {
            foreign.wake();
        }
    }

    /// Polls the body and the children that are ready. `Ready` when all have ended.
    ///
    /// # Safety
    ///
    /// Called from the nursery's own future only, while that is polled.
    pub(crate) unsafe fn drive(
        self: &Rc<Self>,
        entered: &Entered,
        runtime: &Runtime,
        cx: &mut Context<'_>,
        first: bool,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        struct Drained<'a>(&'a Roster);
        impl Drop for Drained<'_> {
            fn drop(&mut self) {
                self.0.stop_draining();
            }
        }
        entered.touch();
        self.roster.set_host(cx.waker());
        self.roster.start_draining();
        let drained = Drained(&self.roster);
        let finished = in_scope(&self.scope, || {
            let host = Host::new();
            let mut first = first;
            loop {
                // One for all that are polled: who panicked is the unit that is current.
                match catch_unwind(AssertUnwindSafe(|| self.drain(&host, runtime, first, body))) {
                    Ok(finished) => return finished,
                    Err(payload) => {
                        if self.end_in_panic(&host, first, payload)
                            && self.close_left_behind() == Rest::Nothing
                        {
                            return true;
                        }
                    }
                }
                first = false;
            }
        });
        drop(drained);
        if finished {
            self.open.set(false);
            return Poll::Ready(());
        }
        if !self.roster.is_idle() {
            let was_cut = runtime.ahead.is_cutting();
            let why = if was_cut { Again::WasCut } else { Again::ForNursery };
            wake::poll_again(cx.waker(), why);
        }
        Poll::Pending
    }

    /// Polls what is ready, until nothing is that has to be polled from here. True if all have
    /// ended.
    fn drain(
        self: &Rc<Self>,
        host: &Host,
        runtime: &Runtime,
        first: bool,
        body: &mut Body<'_>,
    ) -> bool {
        let looks = first.then(|| CONTEXT.with(|context| context.looks.get()));
        if first {
            let ended = self.poll_body(host, true, body);
            CONTEXT.with(|context| context.turn.end_poll());
            if ended && self.close_left_behind() == Rest::Nothing {
                return true;
            }
        }
        if runtime.ahead.is_on_the_way() {
            return self.drain_ahead(host, runtime, body);
        }
        if runtime.ahead.is_cutting() {
            return false;
        }
        loop {
            while let Some(unit) = self.roster.pop(&runtime.order) {
                if !ptr::eq(unit.as_ptr(), self.roster.body()) {
                    self.poll_child(host, unit);
                } else if self.body_running.get() {
                    if self.poll_body(host, false, body)
                        && self.close_left_behind() == Rest::Nothing
                    {
                        return true;
                    }
                } else if self.live.get() == 0 && self.close_left_behind() == Rest::Nothing {
                    CONTEXT.with(|context| context.turn.end_poll());
                    return true;
                }
                if CONTEXT.with(|context| context.turn.end_poll()) && runtime.end_turn(&self.roster)
                {
                    return false;
                }
            }
            if self.roster.is_idle() || !runtime.next_round(&self.roster, host.is_uncalled(), looks)
            {
                return false;
            }
        }
    }

    /// Polls the one that goes ahead, or is on the way to it. True if all have ended.
    #[cold]
    fn drain_ahead(self: &Rc<Self>, host: &Host, runtime: &Runtime, body: &mut Body<'_>) -> bool {
        let Some(unit) = runtime.ahead.step(&self.roster) else { return false };
        let ended = if !ptr::eq(unit.as_ptr(), self.roster.body()) {
            self.poll_child(host, unit);
            false
        } else if self.body_running.get() {
            self.poll_body(host, false, body)
        } else {
            self.live.get() == 0
        };
        ended && self.close_left_behind() == Rest::Nothing
    }

    /// Polls the body. True if it has ended and there is nothing to wait for.
    ///
    /// The first time it is polled by its host there and then, and shares the host's budget: a
    /// loop that opens nurseries must let others run, too.
    fn poll_body(&self, host: &Host, first: bool, body: &mut Body<'_>) -> bool {
        // SAFETY: the guard keeps it, which is not dropped while the nursery is being polled.
        let waker = unsafe { host.poll(self.roster.body(), !first) };
        host.show_frame();
        let outcome = body(&mut Context::from_waker(&waker));
        // Leaving a nursery costs as much as an operation that could finish at once.
        let yields = outcome.is_ready() && self.live.get() == 0 && budget::spend();
        if first {
            host.share_budget();
        }
        host.polled();
        match outcome {
            Poll::Pending => false,
            Poll::Ready(outcome) if yields => {
                self.end_body(Ok(outcome.and_then(|()| without_checkpoint::look())), true)
            }
            Poll::Ready(outcome) => self.end_body(Ok(outcome), false),
        }
    }

    /// Deals with the end of the body. True if there is nothing to wait for.
    fn end_body(&self, outcome: std::thread::Result<Result<()>>, yields: bool) -> bool {
        self.body_running.set(false);
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.fail(error, None);
            }
            Err(payload) => self.panicked(payload, self.place),
        }
        if yields {
            if let Some(foreign) = self.finish_if_empty() {
                foreign.wake();
            }
            return false;
        }
        self.live.get() == 0
    }

    /// Deals with a panic of what was being polled. True if there is nothing left to wait for.
    #[cold]
    fn end_in_panic(&self, host: &Host, first: bool, payload: Payload) -> bool {
        let unit = current::polled_unit();
        if ptr::eq(unit, self.roster.body()) {
            if first {
                host.share_budget();
            }
            host.polled();
            return self.end_body(Err(payload), false);
        }
        let Some(unit) = NonNull::new(unit.cast_mut()) else {
            resume_unwind(payload) // it was none of them
        };
        host.polled();
        host.show_frame();
        self.after_poll(unit, Err(payload));
        false
    }
}
