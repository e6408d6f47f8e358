//! Locks and semaphores are permits that are given out in the order in which they were asked for.
//! The first byte says which of them it is; each further byte is a step.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use seedbed::Result;
use seedbed::sync::{Mutex, RwLock, Semaphore, SemaphorePermit};

use super::{OPERATIONS, Operation};

/// As many as a writer takes, in the model.
const ALL: usize = 1000;

type Begun<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Guard + 'a>>> + 'a>>;

trait Guard {
    fn forget(self: Box<Self>);
}

impl<T> Guard for seedbed::sync::MutexGuard<'_, T> {
    fn forget(self: Box<Self>) {}
}

impl<T> Guard for seedbed::sync::RwLockReadGuard<'_, T> {
    fn forget(self: Box<Self>) {}
}

impl<T> Guard for seedbed::sync::RwLockWriteGuard<'_, T> {
    fn forget(self: Box<Self>) {}
}

impl Guard for SemaphorePermit<'_> {
    fn forget(self: Box<Self>) {
        (*self).forget();
    }
}

/// Which of them it is.
#[derive(Default)]
struct Kinds {
    mutex: Mutex<u32>,
    rwlock: RwLock<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mutex,
    RwLock,
    Semaphore,
}

struct Subject {
    kind: Kind,
    locks: Kinds,
    semaphore: Semaphore,
}

impl Subject {
    fn needs(&self, random: usize) -> usize {
        match self.kind {
            Kind::Mutex => 1,
            Kind::RwLock => [1, 1, ALL][random % 3],
            Kind::Semaphore => random % 5,
        }
    }

    fn begin(&self, needs: usize) -> Begun<'_> {
        match self.kind {
            Kind::Mutex => Box::pin(async {
                let mut guard = self.locks.mutex.lock().await?;
                *guard += 1;
                Ok(Box::new(guard) as Box<dyn Guard>)
            }),
            Kind::RwLock if needs == ALL => Box::pin(async {
                let mut guard = self.locks.rwlock.write().await?;
                *guard += 1;
                Ok(Box::new(guard) as Box<dyn Guard>)
            }),
            Kind::RwLock => {
                Box::pin(async { Ok(Box::new(self.locks.rwlock.read().await?) as Box<dyn Guard>) })
            }
            Kind::Semaphore => Box::pin(async move {
                Ok(Box::new(self.semaphore.acquire_many(needs).await?) as Box<dyn Guard>)
            }),
        }
    }

    fn try_begin(&self, needs: usize) -> Option<Box<dyn Guard + '_>> {
        match self.kind {
            Kind::Mutex => Some(Box::new(self.locks.mutex.try_lock()?)),
            Kind::RwLock if needs == ALL => Some(Box::new(self.locks.rwlock.try_write()?)),
            Kind::RwLock => Some(Box::new(self.locks.rwlock.try_read()?)),
            Kind::Semaphore => Some(Box::new(self.semaphore.try_acquire_many(needs).ok()?)),
        }
    }
}

enum Place<'a> {
    Empty,
    Waits { operation: Operation<'a, Box<dyn Guard + 'a>>, needs: usize, served: bool },
    Holds { guard: Box<dyn Guard + 'a>, count: usize },
}

struct Model<'a> {
    subject: &'a Subject,
    places: Vec<Place<'a>>,
    queue: VecDeque<usize>,
    available: usize,
}

impl<'a> Model<'a> {
    /// The one whose turn it is. Those that were cancelled are passed over.
    fn first(&mut self) -> Option<usize> {
        while let Some(at) = self.queue.front() {
            match &self.places[*at] {
                Place::Waits { operation, .. } if !operation.is_cancelled() => return Some(*at),
                _ => self.queue.pop_front(),
            };
        }
        None
    }

    /// Permits have come back, or somebody has left the queue.
    fn serve(&mut self) {
        while let Some(at) = self.first() {
            let Place::Waits { needs, served, .. } = &mut self.places[at] else { unreachable!() };
            let Some(left) = self.available.checked_sub(*needs) else { return };
            (self.available, *served) = (left, true);
            self.queue.pop_front();
        }
    }

    fn give(&mut self, count: usize) {
        self.available += count;
        self.serve();
    }

    fn take(&mut self, needs: usize) -> bool {
        let can = self.first().is_none() && needs <= self.available;
        if can {
            self.available -= needs;
        }
        can
    }

    fn begin(&mut self, at: usize, random: usize) {
        if !matches!(self.places[at], Place::Empty) {
            return;
        }
        let needs = self.subject.needs(random);
        let mut operation = Operation::new(self.subject.begin(needs));
        let outcome = operation.poll();
        assert_eq!(outcome.is_some(), self.take(needs), "it is done at once if nobody waits");
        self.places[at] = match outcome {
            Some(guard) => Place::Holds { guard: guard.expect("not cancelled"), count: needs },
            None => {
                self.queue.push_back(at);
                Place::Waits { operation, needs, served: false }
            }
        };
    }

    fn try_begin(&mut self, at: usize, random: usize) {
        if !matches!(self.places[at], Place::Empty) {
            return;
        }
        let needs = self.subject.needs(random);
        let guard = self.subject.try_begin(needs);
        assert_eq!(guard.is_some(), self.take(needs));
        if let Some(guard) = guard {
            self.places[at] = Place::Holds { guard, count: needs };
        }
    }

    fn cancel(&mut self, at: usize) {
        if let Place::Waits { operation, .. } = &self.places[at] {
            operation.scope.cancel();
        }
    }

    fn poll(&mut self, at: usize) {
        let Place::Waits { operation, needs, served } = &mut self.places[at] else { return };
        let (needs, served, cancelled) = (*needs, *served, operation.is_cancelled());
        match operation.poll() {
            None => assert!(!served && !cancelled),
            Some(Some(guard)) => {
                assert!(served, "whoever is given nothing has nothing");
                self.places[at] = Place::Holds { guard, count: needs };
            }
            Some(None) => {
                assert!(cancelled && !served, "whoever was served has it, cancelled or not");
                self.leave(at);
            }
        }
    }

    /// Somebody leaves the queue with nothing.
    fn leave(&mut self, at: usize) {
        self.places[at] = Place::Empty;
        self.queue.retain(|other| *other != at);
        self.serve();
    }

    fn drop(&mut self, at: usize, forget: bool) {
        match std::mem::replace(&mut self.places[at], Place::Empty) {
            Place::Empty => {}
            Place::Waits { operation, needs, served } => {
                drop(operation);
                match served {
                    true => self.give(needs),
                    false => self.leave(at),
                }
            }
            Place::Holds { guard, .. } if forget && self.subject.kind == Kind::Semaphore => {
                guard.forget();
            }
            Place::Holds { guard, count } => {
                drop(guard);
                // No permits that come back are no occasion to look who waits.
                if count > 0 {
                    self.give(count);
                }
            }
        }
    }

    fn add(&mut self, count: usize) {
        if self.subject.kind == Kind::Semaphore && self.available < ALL {
            self.subject.semaphore.add_permits(count);
            self.give(count);
        }
    }

    fn step(&mut self, step: u8) {
        let (at, rest) = (usize::from(step) % OPERATIONS, usize::from(step) / OPERATIONS);
        match rest % 14 {
            0..4 => self.begin(at, rest + at),
            4 => self.try_begin(at, rest + at),
            5 | 6 => self.cancel(at),
            7 | 8 => self.poll(at),
            9..12 => self.drop(at, false),
            12 => self.drop(at, true),
            _ => self.add(at % 3),
        }
        for place in &self.places {
            if let Place::Waits { operation, served, .. } = place {
                let due = *served || operation.is_cancelled();
                assert!(operation.is_woken() || !due, "who is served or cancelled is woken");
            }
        }
        if self.subject.kind == Kind::Semaphore {
            assert_eq!(self.subject.semaphore.available_permits(), self.available);
        }
    }
}

pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let (kind, available) = match kind % 3 {
        0 => (Kind::Mutex, 1),
        1 => (Kind::RwLock, ALL),
        _ => (Kind::Semaphore, usize::from(kind / 3) % 6),
    };
    let semaphore = Semaphore::new(available);
    let subject = Subject { kind, locks: Kinds::default(), semaphore };
    super::steps(|| {
        let places = (0..OPERATIONS).map(|_| Place::Empty).collect();
        let mut model = Model { subject: &subject, places, queue: VecDeque::new(), available };
        bytes.iter().for_each(|step| model.step(*step));
        (0..OPERATIONS).for_each(|at| model.drop(at, false));
        assert!(model.queue.is_empty());
        match kind {
            Kind::Mutex => assert!(subject.locks.mutex.try_lock().is_some(), "it is unlocked"),
            Kind::RwLock => assert!(subject.locks.rwlock.try_write().is_some(), "it is unlocked"),
            Kind::Semaphore => assert_eq!(subject.semaphore.available_permits(), model.available),
        }
    });
}
