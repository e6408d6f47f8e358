//! The reactor: sleeps until the kernel has news of a source, and wakes what waits for it.
//!
//! Sources are registered edge-triggered, for both directions, once. What the kernel said is kept
//! in a [`Readiness`] until an operation finds it to be over.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use mio::event::{Event, Source};
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
    /// The source that is only there to interrupt a sleep.
    quiet: Cell<Option<usize>>,
    /// Empty, kept for its memory.
    woken: RefCell<Vec<Waker>>,
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
            quiet: Cell::new(None),
            woken: RefCell::new(Vec::new()),
        };
        Ok((reactor, waker))
    }

    /// Waits for events, for `timeout` at the most, and wakes what they are for.
    pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
        // No waker is woken before the last event has been looked at: what it runs may deregister
        // a source and register another under the same key, and an event of the former would be
        // taken for one of the latter. The kernel keeps none for a source that has gone.
        let mut woken = self.woken.take();
        {
            let mut events = self.events.borrow_mut();
            match self.poll.borrow_mut().poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                other => other?,
            }
            let sources = self.sources.borrow();
            for event in &*events {
                if let Some(readiness) = sources.get(event.token().0) {
                    readiness.tell(event, &mut woken);
                }
            }
        }
        for waker in woken.drain(..) {
            waker.wake();
        }
        self.woken.replace(woken);
        Ok(())
    }

    /// Whether there is any source that could have news.
    pub(crate) fn has_sources(&self) -> bool {
        self.sources.borrow().len() > usize::from(self.quiet.get().is_some())
    }

    /// Says that this source is only there to interrupt a sleep: while there is something to run,
    /// the kernel need not be asked for its news.
    pub(crate) fn set_quiet(&self, key: usize) {
        self.quiet.set(Some(key));
    }

    /// Registers a source, whose news is put into `readiness`, and returns its key. What the
    /// kernel knows of it already is the first news.
    pub(crate) fn register(
        &self,
        source: &mut impl Source,
        readiness: &Rc<Readiness>,
    ) -> io::Result<usize> {
        let key = self.sources.borrow_mut().insert(readiness.clone());
        let interest = Interest::READABLE | Interest::WRITABLE;
        // Tells of urgent data, after which a short read does not mean that nothing is left.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | Interest::PRIORITY;
        if let Err(error) = self.registry.register(source, Token(key), interest) {
            self.sources.borrow_mut().remove(key);
            return Err(error);
        }
        Ok(key)
    }

    pub(crate) fn deregister(&self, key: usize, source: &mut impl Source) {
        // It fails only where the kernel has dropped the source already, as wanted.
        let _ = self.registry.deregister(source);
        if self.quiet.get() == Some(key) {
            self.quiet.set(None);
        }
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

impl Readiness {
    fn tell(&self, event: &Event, woken: &mut Vec<Waker>) {
        // An error or a hang-up is something that the next read or write reports.
        let (closed, error) = (event.is_read_closed(), event.is_error());
        if event.is_readable() || closed || error {
            self.read.set_ready(closed || error || event.is_priority(), woken);
        }
        let closed = event.is_write_closed();
        if event.is_writable() || closed || error {
            self.write.set_ready(closed || error, woken);
        }
    }
}

/// One direction of a source.
pub(crate) struct Direction {
    ready: Cell<bool>,
    /// There is more to come than one short read or write shows: the end, an error, what follows
    /// urgent data.
    lasting: Cell<bool>,
    waiting: RefCell<Slab<Waiter>>,
    /// Goes up when those who wait are woken: what was joined before is no more.
    round: Cell<u32>,
}

struct Waiter {
    waker: Waker,
    /// Whether somebody has a [`Ticket`] for it and will take it out.
    owned: bool,
}

/// Somebody's place among those who wait for a direction.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    key: usize,
    round: u32,
}

impl Default for Direction {
    fn default() -> Self {
        // A new source is worth a try: the kernel tells only what changes.
        Direction {
            ready: Cell::new(true),
            lasting: Cell::new(false),
            waiting: RefCell::new(Slab::new()),
            round: Cell::new(0),
        }
    }
}

impl Direction {
    /// Whether an operation is worth a try.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// An operation would have blocked: wait for the kernel to say otherwise.
    pub(crate) fn clear_ready(&self) {
        self.ready.set(false);
        self.lasting.set(false);
    }

    /// An operation got less than it asked for, so the next one would block: the kernel will tell
    /// when it does not any more. Not so if it has told of something that no later news will be
    /// of.
    pub(crate) fn exhausted(&self) {
        if !self.lasting.get() {
            self.ready.set(false);
        }
    }

    /// Waits with a place of one's own, which has to be given up with [`leave`](Self::leave).
    pub(crate) fn wait(&self, ticket: &mut Option<Ticket>, waker: &Waker) {
        if let Some(Ticket { key, round }) = *ticket
            && round == self.round.get()
        {
            if !self.waiting.borrow()[key].waker.will_wake(waker) {
                let waker = waker.clone();
                let old = std::mem::replace(&mut self.waiting.borrow_mut()[key].waker, waker);
                drop(old); // foreign code
            }
            return;
        }
        let waker = waker.clone();
        let key = self.waiting.borrow_mut().insert(Waiter { waker, owned: true });
        *ticket = Some(Ticket { key, round: self.round.get() });
    }

    pub(crate) fn leave(&self, ticket: Ticket) {
        if ticket.round == self.round.get() {
            let waiter = self.waiting.borrow_mut().remove(ticket.key);
            drop(waiter); // foreign code
        }
    }

    /// Waits without a place of one's own, for `poll` functions of foreign traits: nobody is told
    /// when such an operation is given up, so their wakers stay until there is news.
    pub(crate) fn wait_unowned(&self, waker: &Waker) {
        /// How many may stay. They are woken when there are more, and those that are still of
        /// use come again: wakers that are not cannot pile up.
        const MOST: usize = 16;
        let mut unowned = 0;
        for (_, waiter) in &*self.waiting.borrow() {
            if !waiter.owned {
                unowned += 1;
                if waiter.waker.will_wake(waker) {
                    return;
                }
            }
        }
        let mut woken = Vec::new();
        if unowned >= MOST {
            self.take_waiting(&mut woken);
        }
        let waker = waker.clone();
        self.waiting.borrow_mut().insert(Waiter { waker, owned: false });
        for waker in woken {
            waker.wake();
        }
    }

    /// Forgets what was known, and who waited: the source is going to another reactor.
    pub(crate) fn reset(&self) {
        self.ready.set(true);
        self.lasting.set(false);
        let mut forgotten = Vec::new();
        self.take_waiting(&mut forgotten);
        drop(forgotten); // foreign code
    }

    fn set_ready(&self, lasting: bool, woken: &mut Vec<Waker>) {
        self.ready.set(true);
        self.lasting.set(self.lasting.get() || lasting);
        self.take_waiting(woken);
    }

    fn take_waiting(&self, woken: &mut Vec<Waker>) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.is_empty() {
            woken.extend(waiting.drain().map(|waiter| waiter.waker));
            self.round.set(self.round.get().wrapping_add(1));
        }
    }
}
