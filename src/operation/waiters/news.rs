//! News for several waiters at once, each of which is told only what concerns it. Used for sockets.

use std::mem;
use std::task::Waker;

use crate::error::panic::FirstPanic;
use crate::operation::waiters::places::{NONE, Slot, State};
use crate::operation::waiters::waiting::Waiting;
use crate::operation::waiters::{Given, Waiters};
use crate::schedule::ids::UnitId;
use crate::schedule::wake::KeptWaker;

impl<T: Given> Waiters<T> {
    pub(crate) fn swap(&self, other: &Self) {
        self.places.swap(&other.places);
    }

    /// Serves all waiters that this concerns, except cancelled ones, with what they brought. Adds
    /// their wakers to `woken`, to be woken when nothing is borrowed.
    pub(crate) fn serve_those(&self, woken: &mut Vec<KeptWaker>, is_for: impl Fn(&T) -> bool) {
        let is_for = |slot: &Slot<T>| is_for(&slot.value) && !slot.waiting.is_cancelled();
        self.take_out(is_for, |waiting| woken.push(waiting.hand()));
    }

    /// Shows what each of the waiters has brought, and which unit waits, if it has a waker of its
    /// own. Shows nothing if the queue is just being changed.
    pub(crate) fn see(&self, mut see: impl FnMut(&T, Option<UnitId>)) {
        let Ok(mut places) = self.places.try_borrow_mut() else { return };
        let mut place = places.head();
        while place != NONE {
            let slot = places.slot(place);
            see(&slot.value, slot.waiting.unit());
            place = places.after(place);
        }
    }

    /// Forgets all the waiters that are left, without waking them. Dropping the returned value runs
    /// foreign code.
    #[must_use]
    pub(crate) fn forget_all(&self) -> impl Drop + use<T> {
        struct Forgotten(Vec<Waiting>);
        impl Drop for Forgotten {
            fn drop(&mut self) {
                let mut panic = FirstPanic::new();
                panic.catch_each(&mut self.0.drain(..), drop);
                panic.resume();
            }
        }
        let mut forgotten = Vec::new();
        self.take_out(|_| true, |waiting| forgotten.push(waiting));
        Forgotten(forgotten)
    }

    /// Removes some waiters and serves them with what they brought.
    #[inline]
    fn take_out(&self, which: impl Fn(&Slot<T>) -> bool, mut out: impl FnMut(Waiting)) {
        let mut places = self.places.borrow_mut();
        let mut next = places.head();
        while next != NONE {
            let place = next;
            next = places.after(place);
            let slot = places.slot(place);
            if !which(slot) {
                continue;
            }
            out(mem::take(&mut slot.waiting));
            let state = mem::replace(&mut slot.state, State::Handed);
            places.unlink(place);
            if state == State::Abandoned {
                places.release(place);
            }
        }
    }

    /// Adds a waiter that no operation stands behind, so nothing looks at it or makes it leave: its
    /// waker stays until it is served. If an equal value is already waiting with an equal waker,
    /// nothing is added.
    pub(crate) fn leave_waker(&self, value: T, waker: &Waker)
    where
        T: PartialEq,
    {
        /// How many may stay. If there are more, all of them are woken. Those still in use come
        /// back, so the others cannot pile up.
        const MOST: usize = 16;
        let is_alike = |slot: &Slot<T>| slot.state == State::Abandoned && slot.value == value;
        let mut alike = 0;
        let mut places = self.places.borrow_mut();
        let mut place = places.head();
        while place != NONE {
            let slot = places.slot(place);
            if is_alike(slot) {
                alike += 1;
                if slot.waiting.will_wake(waker) {
                    return;
                }
            }
            place = places.after(place);
        }
        drop(places);
        let waiting = Waiting::unwatched(waker); // foreign code, and so is waking them
        let mut woken = Vec::new();
        if alike >= MOST {
            self.take_out(is_alike, |waiting| woken.push(waiting.hand()));
        }
        let ticket = self.take_place(|place| *place = value, None, || waiting);
        self.places.borrow_mut().slot(ticket.0).state = State::Abandoned;
        let mut panic = FirstPanic::new();
        panic.catch_each(&mut woken.into_iter(), KeptWaker::wake);
        panic.resume();
    }
}
