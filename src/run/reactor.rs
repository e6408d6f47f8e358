//! The reactor: sleeps until the kernel has news of a source, and wakes what waits for it.
//!
//! Sources are registered edge-triggered, for both directions, once. What the kernel said is kept
//! in a [`Readiness`] until an operation finds it to be over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;
use std::{io, mem};

use mio::event::{Event, Source};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::Error;
use crate::coop::Watch;

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
    woken: RefCell<Vec<Waiter>>,
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
        let mut woken = {
            let mut events = self.events.borrow_mut();
            match self.poll.borrow_mut().poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                other => other?,
            }
            // No waker is woken before the last event has been looked at: what it runs may
            // deregister a source and register another under the same key, and an event of the
            // former would be taken for one of the latter. The kernel keeps none for a source that
            // has gone.
            let mut woken = self.woken.take();
            let sources = self.sources.borrow();
            for event in &*events {
                if let Some(readiness) = sources.get(event.token().0) {
                    readiness.tell(event, &mut woken);
                }
            }
            woken
        };
        woken.drain(..).for_each(Waiter::wake);
        self.woken.replace(woken);
        Ok(())
    }

    /// Whether there is any source that could have news.
    pub(crate) fn has_sources(&self) -> bool {
        self.sources() > 0
    }

    /// How many there are.
    pub(crate) fn sources(&self) -> usize {
        self.sources.borrow().len() - usize::from(self.quiet.get().is_some())
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
    fn tell(&self, event: &Event, woken: &mut Vec<Waiter>) {
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
    /// Nearly always none or one.
    waiting: RefCell<Slab<Waiter>>,
    next: Cell<u64>,
}

struct Waiter {
    waker: Waker,
    watch: Watch,
    /// Whose it is, if somebody is going to look at it and to take it out.
    ticket: Option<u64>,
}

/// An operation's place among those who wait for a direction. Numbers are not used again.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    key: usize,
    number: u64,
}

/// What has become of one who waits.
pub(crate) enum Look {
    Waiting,
    /// There was news, and the place is gone.
    Told,
    /// Before there was any; the place is still there.
    Cancelled(Error),
}

impl Default for Direction {
    fn default() -> Self {
        // A new source is worth a try: the kernel tells only what changes.
        Direction {
            ready: Cell::new(true),
            lasting: Cell::new(false),
            waiting: RefCell::new(Slab::new()),
            next: Cell::new(0),
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

    /// Joins those who wait.
    pub(crate) fn join(&self, cx: &Context<'_>) -> Ticket {
        let number = self.next.get();
        self.next.set(number + 1);
        let waiter =
            Waiter { waker: cx.waker().clone(), watch: Watch::armed(cx), ticket: Some(number) };
        let key = self.waiting.borrow_mut().insert(waiter);
        Ticket { key, number }
    }

    /// Looks what has become of one who waits, and makes sure that this waker is the one that is
    /// woken when something does.
    pub(crate) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Look {
        // Foreign code runs only while nothing is borrowed.
        let new = cx.waker().clone();
        let Some((old, mut watch)) = self.with(ticket, |waiter| {
            (mem::replace(&mut waiter.waker, new), mem::replace(&mut waiter.watch, Watch::new()))
        }) else {
            return Look::Told;
        };
        drop(old);
        watch.arm(cx);
        let cancelled = watch.check();
        self.with(ticket, |waiter| waiter.watch = watch);
        cancelled.map_or_else(Look::Cancelled, |()| Look::Waiting)
    }

    /// Gives a place up, if it is still there.
    pub(crate) fn leave(&self, ticket: Ticket) {
        if self.with(ticket, |_| ()).is_some() {
            let waiter = self.waiting.borrow_mut().remove(ticket.key);
            drop(waiter); // foreign code
        }
    }

    fn with<R>(&self, ticket: Ticket, f: impl FnOnce(&mut Waiter) -> R) -> Option<R> {
        let mut waiting = self.waiting.borrow_mut();
        let waiter = waiting.get_mut(ticket.key)?;
        (waiter.ticket == Some(ticket.number)).then(|| f(waiter))
    }

    /// Waits without a place of one's own, for `poll` functions of foreign traits: nobody is told
    /// when such an operation is given up, so their wakers stay until there is news.
    pub(crate) fn wait_unowned(&self, waker: &Waker) {
        /// How many may stay. They are woken when there are more, and those that are still of
        /// use come again: wakers that are not cannot pile up.
        const MOST: usize = 16;
        let mut unowned = 0;
        for (_, waiter) in &*self.waiting.borrow() {
            if waiter.ticket.is_none() {
                unowned += 1;
                if waiter.waker.will_wake(waker) {
                    return;
                }
            }
        }
        let mut woken = Vec::new();
        if unowned >= MOST {
            self.take_waiting(&mut woken, |waiter| waiter.ticket.is_none());
        }
        let waiter = Waiter { waker: waker.clone(), watch: Watch::new(), ticket: None };
        self.waiting.borrow_mut().insert(waiter);
        woken.into_iter().for_each(Waiter::wake);
    }

    /// Forgets what was known, and who waited: the source is going to another reactor.
    pub(crate) fn reset(&self) {
        self.ready.set(true);
        self.lasting.set(false);
        let mut forgotten = Vec::new();
        self.take_waiting(&mut forgotten, |_| true);
        drop(forgotten); // foreign code
    }

    fn set_ready(&self, lasting: bool, woken: &mut Vec<Waiter>) {
        self.ready.set(true);
        self.lasting.set(self.lasting.get() || lasting);
        // Who was cancelled before has been woken for that.
        self.take_waiting(woken, |waiter| !waiter.watch.is_cancelled());
    }

    fn take_waiting(&self, taken: &mut Vec<Waiter>, which: impl Fn(&Waiter) -> bool) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.iter().all(|(_, waiter)| which(waiter)) {
            taken.extend(waiting.drain());
        } else {
            let keys: Vec<_> = waiting.iter().filter(|(_, w)| which(w)).map(|(k, _)| k).collect();
            taken.extend(keys.into_iter().map(|key| waiting.remove(key)));
        }
    }
}

impl Waiter {
    fn wake(self) {
        self.watch.handed();
        self.waker.wake();
    }
}
