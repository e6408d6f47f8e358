//! Those that wait at one end of a channel, in the order in which they came.
//!
//! Whoever is served is given a value, and takes it when it runs. So a place has a value from the
//! beginning: what its waiter brought, and in exchange for that what it is given.

use std::collections::VecDeque;
use std::task::Waker;

use slab::Slab;

use crate::error::panic::{FirstPanic, discard};
use crate::platform::{Arc, Condvar};

/// Whom to wake when a waiter is served. Waking a task, and dropping what wakes it, is foreign
/// code, for which the channel's lock must not be held.
pub(super) enum Sleeper {
    Task(Waker),
    /// A thread that waits with the channel's lock.
    Thread(Arc<Condvar>),
}

/// Those that were served while the channel was locked, to be woken afterwards.
#[must_use = "they sleep until they are woken"]
pub(super) struct Wakes {
    first: Option<Sleeper>,
    /// Only where a channel ends is there more than one.
    others: Vec<Sleeper>,
}

impl Wakes {
    pub(super) const fn new() -> Self {
        Wakes { first: None, others: Vec::new() }
    }

    fn add(&mut self, sleeper: Option<Sleeper>) {
        if self.first.is_none() {
            self.first = sleeper;
        } else {
            self.others.extend(sleeper);
        }
    }

    /// Wakes them all. Whoever served them has done so in any case, so the panic of a foreign waker
    /// is only reported.
    pub(super) fn wake(self) {
        let Wakes { first, others } = self;
        match first {
            None => {}
            Some(Sleeper::Thread(thread)) if others.is_empty() => thread.notify_one(),
            Some(first) => wake_all(first, others),
        }
    }
}

fn wake_all(first: Sleeper, others: Vec<Sleeper>) {
    let wake = |sleeper| match sleeper {
        Sleeper::Task(waker) => waker.wake(), // foreign code
        Sleeper::Thread(thread) => thread.notify_one(),
    };
    let mut panic = FirstPanic::new();
    panic.catch(|| wake(first));
    panic.catch_each(&mut others.into_iter(), wake);
    if let Some(payload) = panic.take() {
        discard(payload);
    }
}

pub(super) struct Queue<V> {
    order: VecDeque<usize>,
    /// Those in the queue, and those that were served and have not fetched what they were given.
    places: Slab<Place<V>>,
}

struct Place<V> {
    value: V,
    /// `None` once it has been served.
    sleeper: Option<Sleeper>,
}

impl<V> Queue<V> {
    pub(super) const fn new() -> Self {
        Queue { order: VecDeque::new(), places: Slab::new() }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Joins the queue at its end, and returns the number of the place.
    pub(super) fn join(&mut self, brought: V, sleeper: Sleeper) -> usize {
        let key = self.places.insert(Place { value: brought, sleeper: Some(sleeper) });
        self.order.push_back(key);
        key
    }

    /// Gives the first in the queue this value, in exchange for the one that it brought. There has
    /// to be one.
    pub(super) fn serve(&mut self, given: V, wakes: &mut Wakes) -> V {
        let key = self.order.pop_front().expect("somebody waits");
        let place = &mut self.places[key];
        wakes.add(place.sleeper.take());
        std::mem::replace(&mut place.value, given)
    }

    /// Serves the first in the queue for whom `fits` says so of what it brought, which is to be
    /// exchanged for what it is given.
    pub(super) fn serve_like(
        &mut self,
        fits: impl Fn(&V) -> bool,
        wakes: &mut Wakes,
    ) -> Option<&mut V> {
        let first = self.order.iter().position(|&key| fits(&self.places[key].value))?;
        let place = &mut self.places[self.order.remove(first)?];
        wakes.add(place.sleeper.take());
        Some(&mut place.value)
    }

    /// Whether somebody waits for whom `fits` says so of what it brought.
    pub(super) fn has_like(&self, fits: impl Fn(&V) -> bool) -> bool {
        self.order.iter().any(|&key| fits(&self.places[key].value))
    }

    /// Serves all with what they brought.
    pub(super) fn serve_all(&mut self, wakes: &mut Wakes) {
        for key in self.order.drain(..) {
            wakes.add(self.places[key].sleeper.take());
        }
    }

    /// What a waiter was given, if it has been served. Then its place is gone.
    pub(super) fn fetch(&mut self, key: usize) -> Option<V> {
        let is_served = self.places[key].sleeper.is_none();
        is_served.then(|| self.places.remove(key).value)
    }

    /// A waiter that has not been served goes on waiting. Returns the former sleeper.
    pub(super) fn stay(&mut self, key: usize, sleeper: Sleeper) -> Option<Sleeper> {
        self.places[key].sleeper.replace(sleeper)
    }

    /// Gives up a place. Returns what its waiter brought or was given, and its sleeper if it has
    /// not been served.
    pub(super) fn leave(&mut self, key: usize) -> (V, Option<Sleeper>) {
        let Place { value, sleeper } = self.places.remove(key);
        if sleeper.is_some() {
            self.order.retain(|&other| other != key);
        }
        (value, sleeper)
    }
}
