//! Those who look on while a run goes on, and are told what happens in it: what counts, what warns,
//! and what programs add themselves. Nearly always there is nobody.
//!
//! # How to look on
//!
//! Implement [`Onlooker`], of which every function does nothing by default, and [`add`] it to the
//! present run, before its main future is polled or at any time later. Polls that have begun by
//! then may end without having been announced.
//!
//! * A unit that is polled polls the nurseries in it, so **polls are nested**: between
//!   [`before_poll`](Onlooker::before_poll) and [`after_poll`](Onlooker::after_poll) of one there
//!   are those of others. The time of these is not its own.
//! * The units are a nursery's body and its children: `nursery::core::Core::is_child` tells them
//!   apart. The body belongs to the task that has opened the nursery. [`Occasion`] says whether a
//!   unit is polled for its own sake.
//! * **Foreign code** (a program's functions, subscribers of `tracing`) may run only where the
//!   function says so. Elsewhere the caller is in the middle of something. Keep what there is to
//!   tell, and tell it next time: nothing is polled before.
//! * None of the functions may unwind.
//!
//! # What it costs when nobody looks on
//!
//! Nothing in a poll, a wake or a spawn. Whether somebody does is a bit in words that are looked at
//! anyway: in [`Attention`], where a unit becomes ready, and in [`Ahead`](crate::schedule::ahead),
//! where a nursery begins to poll. From there a nursery is polled by a copy of the same code that
//! tells of each poll. If somebody begins to look on while a nursery is being polled, the present
//! turn is looked at after the poll, and the nursery goes on in the copy
//! ([`Turn::look_soon`](crate::schedule::turn::Turn::look_soon)). What happens seldom asks
//! [`is_looked_on`].

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::error::Reason;
use crate::error::panic::quietly;
use crate::platform::part::part;
use crate::schedule::current::THREAD;
use crate::schedule::rounds::{SCHEDULER, Scheduler};
use crate::schedule::seen::attention::{Attention, By};
use crate::schedule::seen::counted::Counted;
use crate::schedule::seen::tally::Tally;
use crate::schedule::units::unit::Unit;

/// Somebody who looks on. See [the module](self).
pub(crate) trait Onlooker {
    /// A child has been spawned, or the run's body is about to be polled for the first time. It is
    /// [woken](Self::woken) as well. No foreign code may run.
    fn spawned(&self, unit: &Unit) {
        let _ = unit;
    }

    /// A unit has become ready which was not, because something has woken it. One that wakes itself
    /// is already ready when its poll is over. No foreign code may run.
    fn woken(&self, unit: &Unit) {
        let _ = unit;
    }

    /// Something else has happened. No foreign code may run.
    fn happened(&self, what: &Happening<'_>) {
        let _ = what;
    }

    /// A unit is about to be polled. Foreign code may run.
    fn before_poll(&self, unit: &Unit, occasion: Occasion) {
        let _ = (unit, occasion);
    }

    /// The poll of a unit is over, with a panic perhaps. Foreign code may run.
    fn after_poll(&self, unit: &Unit) {
        let _ = unit;
    }

    /// A child has ended, or the run's body: in the poll that is about to be
    /// [over](Self::after_poll), or because it is about to be dropped. It is still attached to its
    /// nursery. No foreign code may run.
    fn ended(&self, unit: &Unit) {
        let _ = unit;
    }

    /// A nursery that was polled returns to the unit that polls it. By default only one that has
    /// ended counts, because then the unit [goes on](Self::goes_on). Foreign code may run.
    fn after_nursery(&self, driven: Poll<()>) {
        if driven.is_ready() {
            self.goes_on();
        }
    }

    /// The unit that is being polled goes on by itself, because a nursery that it polls has ended.
    /// Foreign code may run.
    fn goes_on(&self) {}

    /// Something was [woken](Self::woken), and foreign code may run. This is told only with the
    /// feature `console`, which wants the time of a wake.
    fn after_wake(&self) {}

    /// The run is about to sleep, for so long at most. Foreign code may run. If something is ready
    /// afterwards, the run does not sleep.
    fn before_sleep(&self, longest: Option<Duration>) {
        let _ = longest;
    }

    /// The run has slept, or its virtual clock has jumped. Foreign code may run.
    fn after_sleep(&self) {}

    /// The run is over, and everything in it has ended or been dropped. Foreign code may run.
    fn over(&self) {}
}

/// Why a unit is polled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occasion {
    /// It was woken, or is new.
    Woken,
    /// It is a nursery's body, and the nursery has just been opened: this is part of the poll of
    /// the unit around it.
    Opened,
    /// Only nurseries that it polls have something ready.
    Nurseries,
}

/// Something that happens seldom enough for whatever does it to ask whether somebody looks on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening<'a> {
    /// Other threads have woken so many units.
    WokenFromOutside(usize),
    /// The system has reported so many events.
    Events(usize),
    /// A scope, which this address distinguishes from others, was cancelled, or was further than
    /// before.
    Cancelled { scope: *const (), why: &'a Reason, ends: Ends },
    /// A scope that was cancelled has been left.
    Left { scope: *const () },
    /// A generator was dropped while it was suspended.
    GeneratorAbandoned,
    /// A generator was closed by the run or its nursery.
    GeneratorFinalized,
}

/// How a scope that was cancelled is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ends {
    /// It may finish its work. It is open.
    Gracefully,
    AtOnce,
}

part! {
    /// Those who look on in the present run.
    pub(crate) const ONLOOKERS: Onlookers;
}

/// Those who look on in a run.
#[derive(Default)]
pub(crate) struct Onlookers {
    all: RefCell<Rc<[Rc<dyn Onlooker>]>>,
    /// The one that counts.
    tally: RefCell<Option<Rc<Tally>>>,
    /// Whether the unit that is being polled has been woken in this poll, and that was told.
    has_woken_itself: Cell<bool>,
}

/// From now on, this looks on in the present run. Does nothing if there is none.
pub(crate) fn add(onlooker: Rc<dyn Onlooker>) {
    change(|all| all.push(onlooker));
}

/// From now on, this no longer looks on. It may be told of what is just being told to others.
pub(crate) fn remove(onlooker: &Rc<dyn Onlooker>) {
    change(|all| all.retain(|other| !ptr::addr_eq(Rc::as_ptr(other), Rc::as_ptr(onlooker))));
}

/// Makes somebody who looks on in a run that is about to begin.
pub(crate) type Attend = Rc<dyn Fn() -> Rc<dyn Onlooker>>;

/// Begins to count in the present run, unless something does already.
pub(crate) fn count() {
    ONLOOKERS.with(|onlookers| {
        if let Some(onlookers) = onlookers
            && onlookers.tally.borrow().is_none()
        {
            let tally = Rc::new(Tally::new());
            *onlookers.tally.borrow_mut() = Some(tally.clone());
            add(tally);
        }
    });
}

/// What has been counted in the present run, if anything counts.
pub(crate) fn counted() -> Option<Counted> {
    let tally = ONLOOKERS.with(|onlookers| onlookers?.tally.borrow().clone());
    Some(tally?.counted())
}

fn change(f: impl FnOnce(&mut Vec<Rc<dyn Onlooker>>)) {
    ONLOOKERS.with(|onlookers| {
        let Some(onlookers) = onlookers else { return };
        let mut all = onlookers.all.borrow().to_vec();
        f(&mut all);
        let by = if all.is_empty() { By::Nobody } else { By::Somebody };
        let former = onlookers.all.replace(all.into());
        SCHEDULER.with(|scheduler| {
            if let Some(scheduler) = scheduler {
                scheduler.ahead.set_looked_on(by);
            }
        });
        THREAD.with(|thread| {
            let attention = thread.rounds.attention.get();
            thread.rounds.attention.set(match by {
                By::Somebody => attention.with(Attention::TELL),
                By::Nobody => attention.without(Attention::TELL),
            });
            thread.turn.look_soon();
        });
        drop(former); // may be foreign code
    });
}

/// Whether somebody looks on in the present run.
#[inline]
pub(crate) fn is_looked_on() -> bool {
    THREAD.with(|thread| thread.rounds.attention.get().has(Attention::TELL))
}

/// Tells all who look on.
#[cold]
#[inline(never)]
pub(crate) fn tell(tell: &dyn Fn(&dyn Onlooker)) {
    ONLOOKERS.with(|onlookers| {
        if let Some(onlookers) = onlookers {
            // They may change while they are being told.
            let all = onlookers.all.borrow().clone();
            all.iter().for_each(|onlooker| tell(&**onlooker));
            quietly(|| drop(all)); // foreign code, if one was removed meanwhile
        }
    });
}

/// Tells of something that happens seldom, if somebody looks on.
#[inline]
pub(crate) fn happened(what: Happening<'_>) {
    if is_looked_on() {
        tell(&|onlooker| onlooker.happened(&what));
    }
}

/// Tells that the body of the run is about to be polled for the first time.
pub(crate) fn begun(body: &Unit) {
    if is_looked_on() {
        woken(body, Is::New);
    }
}

/// Tells that a child has ended in no poll, or the body of the run.
pub(crate) fn ended(unit: &Unit) {
    if is_looked_on() {
        tell(&|onlooker| onlooker.ended(unit));
    }
}

/// Tells that a nursery returns to whatever polls it. Foreign code may run.
pub(crate) fn after_nursery(driven: Poll<()>) -> Poll<()> {
    tell(&|onlooker| onlooker.after_nursery(driven));
    driven
}

/// Tells that foreign code may run after a wake.
#[inline(always)]
pub(crate) fn after_wake() {
    if cfg!(feature = "console") && is_looked_on() {
        tell(&|onlooker| onlooker.after_wake());
    }
}

/// Tells that the run is about to sleep. Foreign code may run.
pub(crate) fn about_to_sleep(longest: Option<Duration>) {
    tell(&|onlooker| onlooker.before_sleep(longest));
}

/// Tells that the run is over when the returned value is dropped. Foreign code may run then.
pub(crate) fn tell_when_over() -> impl Drop {
    struct Tell;
    impl Drop for Tell {
        fn drop(&mut self) {
            if is_looked_on() {
                tell(&|onlooker| onlooker.over());
            }
        }
    }
    Tell
}

/// Tells that the run has slept. Foreign code may run.
pub(crate) fn slept() {
    if is_looked_on() {
        tell(&|onlooker| onlooker.after_sleep());
    }
}

/// Whether a unit that becomes ready is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::schedule) enum Is {
    New,
    Known,
}

/// Tells that a unit has been woken, and is about to be ready.
pub(in crate::schedule) fn woken(unit: &Unit, is: Is) {
    if ptr::eq(unit, THREAD.with(|thread| thread.polled.get())) {
        ONLOOKERS.with(|onlookers| {
            if let Some(onlookers) = onlookers {
                onlookers.has_woken_itself.set(true);
            }
        });
    }
    tell(&|onlooker| {
        if is == Is::New {
            onlooker.spawned(unit);
        }
        onlooker.woken(unit);
    });
}

/// Whether somebody looks on while a nursery is being polled, which the compiler knows.
pub(crate) trait Looks {
    /// What is to be remembered during a poll.
    type Poll;

    /// A unit is about to be polled. Foreign code may run.
    fn before_poll(unit: &Unit, occasion: impl FnOnce() -> Occasion) -> Self::Poll;

    /// The poll of a unit is over. Foreign code may run.
    fn after_poll(poll: Self::Poll, unit: &Unit, ended: Ended);

    /// Whether somebody has begun to look on.
    fn is_joined(scheduler: &Scheduler) -> bool;
}

/// Whether a child, or the body of the run, has ended in a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    No,
    Yes,
}

/// Nobody looks on.
pub(crate) struct Nobody;

impl Looks for Nobody {
    type Poll = ();

    #[inline(always)]
    fn before_poll(_: &Unit, _: impl FnOnce() -> Occasion) {}

    #[inline(always)]
    fn after_poll((): (), _: &Unit, _: Ended) {}

    #[inline(always)]
    fn is_joined(scheduler: &Scheduler) -> bool {
        scheduler.ahead.is_looked_on()
    }
}

/// Somebody looks on, or did until a moment ago.
pub(crate) struct Somebody;

impl Looks for Somebody {
    /// Whether the unit around has woken itself.
    type Poll = bool;

    fn before_poll(unit: &Unit, occasion: impl FnOnce() -> Occasion) -> bool {
        let occasion = occasion();
        tell(&|onlooker| onlooker.before_poll(unit, occasion));
        swap_has_woken_itself(false)
    }

    fn after_poll(around: bool, unit: &Unit, ended: Ended) {
        let has_told = swap_has_woken_itself(around);
        // An operation that yields puts the unit into its queue by itself.
        let has_yielded = unit.is_queued() && unit.is_woken() && !has_told;
        tell(&|onlooker| {
            if has_yielded {
                onlooker.woken(unit);
            }
            if ended == Ended::Yes {
                onlooker.ended(unit);
            }
            onlooker.after_poll(unit);
        });
    }

    fn is_joined(_: &Scheduler) -> bool {
        false
    }
}

/// Both do. The first is outside of the other.
impl<A: Looks, B: Looks> Looks for (A, B) {
    type Poll = (A::Poll, B::Poll);

    #[inline]
    fn before_poll(unit: &Unit, occasion: impl FnOnce() -> Occasion) -> Self::Poll {
        let occasion = occasion();
        (A::before_poll(unit, || occasion), B::before_poll(unit, || occasion))
    }

    #[inline]
    fn after_poll((a, b): Self::Poll, unit: &Unit, ended: Ended) {
        B::after_poll(b, unit, ended);
        A::after_poll(a, unit, ended);
    }

    #[inline]
    fn is_joined(scheduler: &Scheduler) -> bool {
        A::is_joined(scheduler) && B::is_joined(scheduler)
    }
}

fn swap_has_woken_itself(value: bool) -> bool {
    ONLOOKERS.with(|onlookers| {
        onlookers.is_some_and(|onlookers| onlookers.has_woken_itself.replace(value))
    })
}
