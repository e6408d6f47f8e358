//! The generators that were iterated and have not ended, and how a run closes them in the end.

use std::cell::RefCell;
use std::rc::Weak;

use slab::Slab;

use crate::error::Reason;
use crate::error::panic::{FirstPanic, catch_panic};
use crate::generator::Deregistered;
use crate::generator::finalize::{Closable, Unfinished, close_quietly, give_up};
use crate::nursery::system::System;
use crate::platform::part::part;
use crate::schedule::current;
use crate::schedule::ids::RunId;
use crate::schedule::remote::away;
use crate::scope::frame::Seen;

/// The generators of a run that were iterated and have not ended.
#[derive(Default)]
pub(crate) struct Generators(RefCell<Slab<Weak<dyn Closable>>>);

impl Generators {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// What there is to see of them, if they can be looked at.
    pub(crate) fn seen(&self) -> Option<Vec<Seen>> {
        let all = self.0.try_borrow().ok()?;
        // None of them is dropped here, as all have another owner.
        Some(all.iter().filter_map(|(_, weak)| weak.upgrade()?.seen()).collect())
    }
}

part! {
    /// The generators of the present run.
    pub(crate) const GENERATORS: Generators;
}

/// A generator's place in the list of its run.
#[derive(Clone, Copy)]
pub(in crate::generator) struct Registration {
    run: RunId,
    key: usize,
}

impl Registration {
    /// Adds a generator to the list of the present run, if there is one.
    pub(super) fn new(generator: Weak<dyn Closable>) -> Option<Registration> {
        GENERATORS.with(|generators| {
            let key = generators?.0.borrow_mut().insert(generator);
            Some(Registration { run: current::current_run(), key })
        })
    }

    pub(in crate::generator) fn remove(&self) {
        away::in_run(self.run, || {
            if self.run == current::current_run() {
                let gone = GENERATORS.with(|all| all?.0.borrow_mut().try_remove(self.key));
                drop(gone);
            }
        });
    }

    /// The run that has the generator on its list.
    pub(in crate::generator) fn run(&self) -> RunId {
        self.run
    }
}

/// Closes the generators that are still alive, one at a time, until none is left, and waits for
/// those that are already being closed. If one panics, the others are closed all the same, and the
/// panic is left to the caller.
pub(crate) async fn finalize_all(system: &System, generators: &Generators, panic: &mut FirstPanic) {
    loop {
        let alive: Vec<_> = generators.0.borrow().iter().map(|(_, weak)| weak.clone()).collect();
        let mut found = false;
        for generator in alive.iter().filter_map(Weak::upgrade) {
            // A running generator may be driven by the clean-up of another one, in a task that
            // belongs to the run. It has to wait until no such task is left.
            if generator.is_running() && !system.is_empty()
                || generator.deregister() == Deregistered::Before
            {
                continue;
            }
            found = true;
            let closed =
                catch_panic(close_quietly(Unfinished::left(generator), Reason::Shutdown)).await;
            if let Err(payload) = closed {
                panic.add(payload);
            }
        }
        match () {
            () if found => {}
            () if !system.is_empty() => system.empty().await,
            () => break,
        }
    }
}

/// Drops the bodies of the generators that are still alive. To be called when a run fails as a
/// whole.
pub(crate) fn abandon_all(generators: &Generators) {
    let mut panic = FirstPanic::new();
    loop {
        let next = generators.0.borrow().iter().find_map(|(_, weak)| weak.upgrade());
        let Some(generator) = next else { break };
        panic.catch(|| give_up(&*generator, "the run has failed with a generator left"));
        panic.catch(|| drop(generator));
    }
    panic.resume();
}
