//! The reactor: sleeps until the kernel has news of a source, and wakes what waits for it.
//!
//! Sources are registered edge-triggered, for both directions, once. What the kernel said is kept
//! in a [`Readiness`] until an operation finds it to be over.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use mio::event::Source;
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

const EVENTS: usize = 1024;
/// The token of the waker by which other threads interrupt a sleep.
const REMOTE: Token = Token(usize::MAX);

pub(crate) struct Reactor {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    registry: Registry,
    sources: RefCell<Slab<Rc<Readiness>>>,
}

impl Reactor {
    /// A reactor, and what interrupts it.
    pub(crate) fn new() -> io::Result<(Reactor, mio::Waker)> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, REMOTE)?;
        let reactor = Reactor {
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(EVENTS)),
            registry,
            sources: RefCell::new(Slab::new()),
        };
        Ok((reactor, waker))
    }

    /// Waits for events, for `timeout` at the most, and wakes what they are for.
    pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut woken = Vec::new();
        {
            let mut events = self.events.borrow_mut();
            match self.poll.borrow_mut().poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                other => other?,
            }
            let sources = self.sources.borrow();
            for event in &*events {
                if let Some(readiness) = sources.get(event.token().0) {
                    // An error or a hang-up is something that the next read or write reports.
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        readiness.read.set_ready(&mut woken);
                    }
                    if event.is_writable() || event.is_write_closed() || event.is_error() {
                        readiness.write.set_ready(&mut woken);
                    }
                }
            }
        }
        for waker in woken {
            waker.wake();
        }
        Ok(())
    }

    /// Whether there is any source that could have news.
    pub(crate) fn has_sources(&self) -> bool {
        !self.sources.borrow().is_empty()
    }

    pub(crate) fn register(&self, source: &mut impl Source) -> io::Result<(usize, Rc<Readiness>)> {
        let readiness = Rc::new(Readiness::default());
        let key = self.sources.borrow_mut().insert(readiness.clone());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.registry.register(source, Token(key), interest) {
            self.sources.borrow_mut().remove(key);
            return Err(error);
        }
        Ok((key, readiness))
    }

    pub(crate) fn deregister(&self, key: usize, source: &mut impl Source) {
        // It fails only where the kernel has dropped the source already, as wanted.
        let _ = self.registry.deregister(source);
        let readiness = self.sources.borrow_mut().remove(key);
        drop(readiness); // wakers are foreign code: dropped when nothing is borrowed any more
    }
}

/// What is known of a source.
#[derive(Default)]
pub(crate) struct Readiness {
    pub(crate) read: Direction,
    pub(crate) write: Direction,
}

/// One direction of a source.
pub(crate) struct Direction {
    ready: Cell<bool>,
    /// Nearly always none or one; a borrowed stream may be read from two tasks.
    waiting: RefCell<Vec<Waker>>,
}

impl Default for Direction {
    fn default() -> Self {
        // A new source is worth a try: the kernel tells only what changes.
        Direction { ready: Cell::new(true), waiting: RefCell::new(Vec::new()) }
    }
}

impl Direction {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// An operation would have blocked: wait for the kernel to say otherwise.
    pub(crate) fn clear_ready(&self) {
        self.ready.set(false);
    }

    pub(crate) fn wait(&self, waker: &Waker) {
        if self.waiting.borrow().iter().any(|waiting| waiting.will_wake(waker)) {
            return;
        }
        let waker = waker.clone();
        self.waiting.borrow_mut().push(waker);
    }

    fn set_ready(&self, woken: &mut Vec<Waker>) {
        self.ready.set(true);
        woken.append(&mut self.waiting.borrow_mut());
    }
}
