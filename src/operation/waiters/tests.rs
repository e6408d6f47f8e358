//! The queue compared with a `VecDeque` of the waiters.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Wake;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::*;
use crate::error::Reason;
use crate::run::run;
use crate::scope::current::in_scope;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Entered, Level};

impl Given for u64 {
    const NOTHING: u64 = 0;
    type Taker = Taker;
}

/// A step performed on a queue, by or to one of a few waiters.
#[derive(Clone, Copy, Debug)]
enum Step {
    Join(usize),
    Serve,
    Cancel(usize),
    /// Looks, in the scope that it joined in.
    Look(usize),
    /// Looks, having been moved out of that scope.
    LookOutside(usize),
    Leave(usize),
}

const WAITERS: usize = 6;
/// A waiter is given what it brought, plus this.
const GIVEN: u64 = 1 << 32;

#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waiter, which may not be waiting at present.
struct Waiter {
    scope: Entered,
    wakes: Arc<Wakes>,
    ticket: Option<Ticket>,
    /// The value that it brought.
    value: u64,
    served: bool,
    /// Whether its last look was outside the reach of its scope.
    outside: bool,
}

impl Waiter {
    fn new() -> Waiter {
        let scope = ScopeRef::new(Location::caller());
        Waiter {
            scope: Entered::new(scope, "a test").expect("a run is on"),
            wakes: Arc::default(),
            ticket: None,
            value: 0,
            served: false,
            outside: false,
        }
    }

    fn is_cancelled(&self) -> bool {
        !self.outside && self.scope.scope().is_cancelled()
    }

    fn wakes(&self) -> u64 {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

/// A queue and its model.
struct Pair {
    queue: Waiters<u64>,
    waiters: Vec<Waiter>,
    /// The candidates for being served next, in order.
    model: VecDeque<usize>,
    joined: u64,
}

impl Pair {
    fn step(&mut self, step: Step) {
        match step {
            Step::Join(who) => self.join(who),
            Step::Serve => self.serve(),
            Step::Cancel(who) => self.cancel(who),
            Step::Look(who) => self.look(who, false),
            Step::LookOutside(who) => self.look(who, true),
            Step::Leave(who) => self.leave(who),
        }
    }

    fn join(&mut self, who: usize) {
        let waiter = &mut self.waiters[who];
        if waiter.ticket.is_some() {
            return;
        }
        if waiter.scope.scope().is_cancelled() {
            *waiter = Waiter::new();
        }
        self.joined += 1;
        (waiter.value, waiter.served, waiter.outside) = (self.joined, false, false);
        let waker = waiter.wakes.clone().into();
        let (cx, mut kept) = (Context::from_waker(&waker), Kept::default());
        let join = || {
            // The first time the waker is kept, for a second look.
            let mut value = self.joined;
            let first = self.queue.bring(&mut value, &cx, &mut kept);
            assert!(matches!(first, Registered::LooksAgain));
            match self.queue.bring(&mut value, &cx, &mut kept) {
                Registered::Waits(ticket) => Some(ticket),
                _ => None,
            }
        };
        waiter.ticket = in_scope(waiter.scope.scope(), join);
        self.model.push_back(who);
    }

    fn serve(&mut self) {
        let expected = loop {
            match self.model.pop_front() {
                Some(who) if self.waiters[who].is_cancelled() => {} // passed over
                other => break other,
            }
        };
        let mut served = self.queue.next();
        assert_eq!(
            served.as_mut().map(|served| *served.value()),
            expected.map(|who| self.waiters[who].value)
        );
        if let (Some(who), Some(mut served)) = (expected, served) {
            *served.value() += GIVEN;
            let waker = served.serve();
            let waiter = &mut self.waiters[who];
            waiter.served = true;
            let before = waiter.wakes();
            waker.wake();
            assert_eq!(waiter.wakes(), before + 1, "its own waker");
        }
    }

    fn cancel(&mut self, who: usize) {
        let waiter = &self.waiters[who];
        let waits = waiter.ticket.is_some() && !waiter.served && !waiter.is_cancelled();
        let before = waiter.wakes();
        waiter.scope.scope().cancel(Level::Full, Reason::Requested(None), None);
        assert!(!waits || waiter.outside || waiter.wakes() > before, "it is woken to look");
    }

    fn look(&mut self, who: usize, outside: bool) {
        let queued = self.model.contains(&who);
        let waiter = &mut self.waiters[who];
        let Some(ticket) = waiter.ticket else { return };
        let waker = waiter.wakes.clone().into();
        let look = || self.queue.look(ticket, &Context::from_waker(&waker));
        let outcome = match outside {
            true => look(),
            false => in_scope(waiter.scope.scope(), look),
        };
        if !waiter.served {
            waiter.outside = outside;
        }
        let cancelled = waiter.is_cancelled();
        match outcome {
            Outcome::Handed(value) => assert!(waiter.served && value == waiter.value + GIVEN),
            Outcome::Cancelled(value, ..) => {
                assert!(!waiter.served && cancelled && value == waiter.value);
            }
            Outcome::PassedOver(value, _) => {
                assert!(!waiter.served && !cancelled && !queued && value == waiter.value);
            }
            Outcome::Waiting => {
                assert!(!waiter.served && !cancelled && queued);
                return;
            }
        }
        waiter.ticket = None;
        self.model.retain(|other| *other != who);
    }

    fn leave(&mut self, who: usize) {
        let waiter = &mut self.waiters[who];
        let Some(ticket) = waiter.ticket.take() else { return };
        let given = if waiter.served { GIVEN } else { 0 };
        let (value, fate, _) = self.queue.leave(ticket);
        assert_eq!((value, fate == Fate::Handed), (waiter.value + given, waiter.served));
        self.model.retain(|other| *other != who);
    }
}

/// First come, first served; cancelled waiters are not served; none is lost or served twice,
/// whatever happens in between.
#[test]
fn agrees_with_a_deque() {
    let who = 0..WAITERS;
    let step = prop_oneof![
        4 => who.clone().prop_map(Step::Join),
        3 => Just(Step::Serve),
        2 => who.clone().prop_map(Step::Cancel),
        2 => who.clone().prop_map(Step::Look),
        1 => who.clone().prop_map(Step::LookOutside),
        1 => who.prop_map(Step::Leave),
    ];
    let config =
        Config { rng_seed: RngSeed::Fixed(0), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(step, 1..200), |steps| {
        let all = async {
            let waiters = (0..WAITERS).map(|_| Waiter::new()).collect();
            let mut pair =
                Pair { queue: Waiters::new(), waiters, model: VecDeque::new(), joined: 0 };
            for step in steps {
                pair.step(step);
            }
            (0..WAITERS).for_each(|who| pair.leave(who));
            pair.serve();
            let places = pair.queue.places.borrow();
            assert!(places.count() <= WAITERS, "places are used again");
            assert_eq!(places.head(), NONE);
            Ok(())
        };
        run(all).expect("it does not fail");
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
