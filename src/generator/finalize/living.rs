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

/// The generators of a run that were iterated and have not ended.
#[derive(Default)]
pub(crate) struct Generators(RefCell<Slab<Weak<dyn Closable>>>);

impl Generators {
    /// How many they are.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }
}

part! {
    /// Those of the present run.
    pub(crate) const GENERATORS: Generators;
}

/// A generator's place among the living ones of its run.
#[derive(Clone, Copy)]
pub(in crate::generator) struct Registration {
    run: RunId,
    key: usize,
}

impl Registration {
    /// Enters a generator in the list of the present run, if there is one.
    pub(super) fn new(generator: Weak<dyn Closable>) -> Option<Registration> {
        GENERATORS.with(|generators| {
            let key = generators?.0.borrow_mut().insert(generator);
            Some(Registration { run: current::current_run(), key })
        })
    }

    pub(in crate::generator) fn remove(&self) {
        if self.run == current::current_run() {
            let gone = GENERATORS.with(|all| all?.0.borrow_mut().try_remove(self.key));
            drop(gone);
        }
    }
}

/// Closes the generators that are still alive, one at a time, again until none is left, and waits
/// for those that are being closed already. If one panics, which is left to the caller, the others
/// are closed all the same.
pub(crate) async fn finalize_all(system: &System, generators: &Generators, panic: &mut FirstPanic) {
    loop {
        let alive: Vec<_> = generators.0.borrow().iter().map(|(_, weak)| weak.clone()).collect();
        let mut found = false;
        for generator in alive.iter().filter_map(Weak::upgrade) {
            // One that runs may be driven by the clean-up of another, in a task of the run's. It waits
            // until there is no such task left.
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

/// When a run fails as a whole: drops the bodies of the generators that are still alive.
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
