//! Memory for what is known about sources. It lies side by side in chunks, because there is one
//! such piece for every connection, and the kernel's news finds it by number.
//!
//! A chunk belongs to the reactor in whose run it was made. One from elsewhere (the source was made
//! outside a run, or in an earlier one) is adopted when a source in it is registered.

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

use crate::schedule::current;
use crate::schedule::ids::RunId;
use crate::schedule::remote::away;
use crate::world::reactor::REACTOR;
use crate::world::reactor::numbers::Numbers;
use crate::world::reactor::readiness::{Key, Readiness};

/// How many sources a chunk is for.
const PLACES: usize = 16;

pub(super) struct Chunk {
    places: [Readiness; PLACES],
    /// A bit for each place, set while nobody has it.
    unused: Cell<u16>,
    /// The run whose reactor it belongs to, and its number there.
    run: Cell<RunId>,
    number: Cell<u32>,
}

impl Chunk {
    fn new() -> Rc<Chunk> {
        Rc::new(Chunk {
            places: [const { Readiness::new() }; PLACES],
            unused: Cell::new(u16::MAX),
            run: Cell::new(RunId::NONE),
            number: Cell::new(0),
        })
    }

    #[inline(always)]
    pub(super) fn place(&self, nth: usize) -> &Readiness {
        // The remainder tells the compiler that there is such a place.
        &self.places[nth % PLACES]
    }

    fn key(&self, nth: u8) -> Key {
        self.number.get() * PLACES as u32 + u32::from(nth)
    }

    fn is_of_current_run(&self) -> bool {
        !self.run.get().is_none() && self.run.get() == current::current_run()
    }

    fn is_full(&self) -> bool {
        self.unused.get() == 0
    }

    fn is_empty(&self) -> bool {
        self.unused.get() == u16::MAX
    }

    /// Takes an unused place, of which there is one.
    fn take<B>(self: Rc<Chunk>, beside: B) -> ReadinessRef<B> {
        let nth = self.unused.get().trailing_zeros() as u8;
        self.unused.set(self.unused.get() & !(1 << nth));
        self.place(nth.into()).owners.set(1);
        ReadinessRef { chunk: self, nth, beside }
    }
}

/// A counted reference to what is known about a source. `beside` is something small for which it
/// has room.
pub(crate) struct ReadinessRef<B = ()> {
    chunk: Rc<Chunk>,
    pub(super) beside: B,
    nth: u8,
}

impl<B> ReadinessRef<B> {
    /// What is known about a new source.
    pub(super) fn new(beside: B) -> ReadinessRef<B> {
        REACTOR.with(|reactor| match reactor {
            Some(reactor) if current::is_running() => reactor.chunks.borrow_mut().take(beside),
            _ => Chunk::new().take(beside),
        })
    }

    /// Another reference.
    pub(super) fn share<C>(&self, beside: C) -> ReadinessRef<C> {
        let owners = self.owners.get().checked_add(1).expect("few look at one connection");
        self.owners.set(owners);
        ReadinessRef { chunk: self.chunk.clone(), nth: self.nth, beside }
    }

    /// Its number in the reactor of the present run.
    pub(super) fn key(&self) -> Key {
        debug_assert!(self.chunk.is_of_current_run());
        self.chunk.key(self.nth)
    }
}

impl<B> Deref for ReadinessRef<B> {
    type Target = Readiness;

    #[inline(always)]
    fn deref(&self) -> &Readiness {
        self.chunk.place(self.nth.into())
    }
}

impl<B> Drop for ReadinessRef<B> {
    #[inline]
    fn drop(&mut self) {
        let owners = self.owners.get() - 1;
        self.owners.set(owners);
        if owners == 0 {
            give_back(&self.chunk, self.nth);
        }
    }
}

/// Gives back a place that nobody has any more.
fn give_back(chunk: &Rc<Chunk>, nth: u8) {
    let left = chunk.place(nth.into()).clear();
    let was_full = chunk.is_full();
    chunk.unused.set(chunk.unused.get() | 1 << nth);
    if was_full || chunk.is_empty() {
        away::in_run(chunk.run.get(), || {
            if !chunk.is_of_current_run() {
                return;
            }
            REACTOR.with(|reactor| {
                if let Some(reactor) = reactor {
                    reactor.chunks.borrow_mut().put_back(chunk);
                }
            });
        });
    }
    drop(left); // foreign code
}

/// The chunks of a reactor.
pub(super) struct Chunks {
    /// By number.
    all: Vec<Option<Rc<Chunk>>>,
    /// The numbers of none of them.
    free_numbers: Numbers,
    /// The numbers of those with unused places. The lowest is used first, so that the others may
    /// become empty.
    vacant: Numbers,
    /// The number of the one that is empty. It is kept only while there is no other with unused
    /// places.
    empty: Option<u32>,
}

impl Chunks {
    pub(super) const fn new() -> Chunks {
        Chunks {
            all: Vec::new(),
            free_numbers: Numbers::new(),
            vacant: Numbers::new(),
            empty: None,
        }
    }

    /// What is known about the source with this number.
    #[inline]
    pub(super) fn find(&self, key: usize) -> Option<&Readiness> {
        Some(self.all.get(key / PLACES)?.as_ref()?.place(key % PLACES))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Readiness> {
        self.all().map(|(_, readiness)| readiness)
    }

    /// All places, with the keys of those that are in use.
    pub(super) fn all(&self) -> impl Iterator<Item = (Key, &Readiness)> {
        self.all.iter().flatten().flat_map(|chunk| {
            let places = (0..).zip(&chunk.places);
            places.map(|(nth, readiness)| (chunk.key(nth), readiness))
        })
    }

    fn take<B>(&mut self, beside: B) -> ReadinessRef<B> {
        let first = self.vacant.lowest().and_then(|number| self.all[number as usize].clone());
        let chunk = first.unwrap_or_else(|| {
            let chunk = Chunk::new();
            self.add(&chunk);
            chunk
        });
        self.empty = None; // there is no other
        let taken = chunk.take(beside);
        if taken.chunk.is_full() {
            self.vacant.remove(taken.chunk.number.get());
        }
        taken
    }

    /// Adopts the chunk of a source that is about to be registered, unless it is one of these.
    pub(super) fn adopt<B>(&mut self, readiness: &ReadinessRef<B>) {
        if !readiness.chunk.is_of_current_run() {
            self.add(&readiness.chunk);
        }
    }

    fn add(&mut self, chunk: &Rc<Chunk>) {
        let number = self.free_numbers.lowest().unwrap_or_else(|| {
            self.all.push(None);
            u32::try_from(self.all.len() - 1).expect("there are fewer descriptors")
        });
        self.free_numbers.remove(number);
        self.all[number as usize] = Some(chunk.clone());
        chunk.number.set(number);
        chunk.run.set(current::current_run());
        if !chunk.is_full() {
            self.free_empty();
            self.vacant.insert(number);
        }
    }

    /// Called when a chunk is no longer full, or has become empty.
    fn put_back(&mut self, chunk: &Chunk) {
        self.free_empty();
        let number = chunk.number.get();
        self.vacant.insert(number);
        if chunk.is_empty() {
            self.empty = Some(number);
            if self.vacant.count() > 1 {
                self.free_empty();
            }
        }
    }

    /// Frees the empty chunk, because there is another one with unused places. Nothing in it is
    /// foreign.
    fn free_empty(&mut self) {
        if let Some(number) = self.empty.take() {
            self.vacant.remove(number);
            self.free_numbers.insert(number);
            self.all[number as usize] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::world::reactor::registration::Registration;

    fn chunks() -> usize {
        REACTOR.with(|reactor| {
            let chunks = reactor.expect("a run").chunks.borrow();
            chunks.all.iter().flatten().count()
        })
    }

    #[test]
    fn places_are_used_again_and_empty_chunks_are_freed() {
        let source = || Registration::new(UnixStream::pair().expect("there are descriptors").0);
        crate::run(async {
            let before = chunks();
            for _ in 0..3 {
                let mut sources: Vec<_> = (0..10 * PLACES).map(|_| source()).collect();
                let most = chunks();
                assert!(most >= 10);
                sources.drain(PLACES..9 * PLACES);
                let fewer = chunks();
                assert!(fewer <= before + 3, "{before}, {most} and then {fewer}");
                sources.extend((0..PLACES).map(|_| source()));
                assert!(chunks() <= fewer + 1);
            }
            assert!(chunks() <= before + 1);
            Ok(())
        })
        .unwrap();
    }
}
