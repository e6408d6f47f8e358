//! The reactor: sleeps until the kernel has news of a source, and wakes what waits for it.
//!
//! Sources are registered edge-triggered, for both directions, once. What the kernel said is kept
//! in a [`Readiness`] until an operation finds it to be over.

mod news;
#[cfg(unix)]
pub(crate) mod registration;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;
use std::{io, mem};

use mio::event::Source;
use mio::{Interest, Poll, Registry, Token};
use slab::Slab;

use crate::Error;
use crate::error::panic::FirstPanic;
use crate::platform::part::part;
use crate::schedule::ids::RunId;
use crate::scope::watch::Watch;
use crate::world::reactor::news::{News, Queue};

/// The token of the waker by which other threads interrupt a sleep.
const REMOTE: Token = Token(usize::MAX);

part! {
    /// The reactor of the present run.
    pub(crate) const REACTOR: Reactor;
}

pub(crate) struct Reactor {
    queue: RefCell<Queue>,
    registry: Registry,
    sources: RefCell<Slab<Rc<Readiness>>>,
    /// The source that is only there to interrupt a sleep.
    quiet: Cell<Option<Key>>,
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
            queue: RefCell::new(Queue::new(poll)),
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
        let waited = self.queue.borrow_mut().wait(timeout, |key, news| {
            if let Some(readiness) = self.sources.borrow().get(key) {
                readiness.tell(news, &mut woken);
            }
        });
        let mut panic = FirstPanic::new();
        panic.catch_each(&mut woken.drain(..), Waiter::wake);
        self.woken.replace(woken);
        panic.resume();
        match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// Whether there is any source that could have news.
    pub(crate) fn has_sources(&self) -> bool {
        self.sources() > 0
    }

    /// How many there are.
    pub(crate) fn sources(&self) -> usize {
        self.sources.borrow().len() - usize::from(self.quiet.get().is_some())
    }

    /// Whether an operation waits for news that is to be expected: none of listeners.
    pub(crate) fn awaits_news(&self) -> bool {
        let awaits = |readiness: &Readiness| {
            !readiness.is_listener.get() && !readiness.waiting.borrow().is_empty()
        };
        self.sources.borrow().iter().any(|(_, readiness)| awaits(readiness))
    }

    /// Says that this source is only there to interrupt a sleep: while there is something to run,
    /// the kernel need not be asked for its news.
    pub(crate) fn set_quiet(&self, key: Key) {
        self.quiet.set(Some(key));
    }

    /// Registers a source, whose news is put into `readiness`, and returns its key. What the
    /// kernel knows of it already is the first news.
    pub(crate) fn register(
        &self,
        source: &mut impl Source,
        readiness: &Rc<Readiness>,
    ) -> io::Result<Key> {
        let key = self.sources.borrow_mut().insert(readiness.clone());
        let interest = Interest::READABLE | Interest::WRITABLE;
        // Tells of urgent data, after which a short read does not mean that nothing is left.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | Interest::PRIORITY;
        if let Err(error) = self.registry.register(source, Token(key), interest) {
            self.sources.borrow_mut().remove(key);
            return Err(error);
        }
        Ok(Key::try_from(key).expect("there are fewer descriptors"))
    }

    pub(crate) fn deregister(&self, key: Key, source: &mut impl Source) {
        // It fails only where the kernel has dropped the source already, as wanted.
        let _ = self.registry.deregister(source);
        if self.quiet.get() == Some(key) {
            self.quiet.set(None);
        }
        let readiness = self.sources.borrow_mut().remove(key as usize);
        drop(readiness); // wakers are foreign code: dropped when nothing is borrowed any more
    }
}

/// What is known of a source, and who waits for news of it.
pub(crate) struct Readiness {
    pub(crate) place: Place,
    /// Whether it is no news that none comes.
    pub(crate) is_listener: Cell<bool>,
    read: Direction,
    write: Direction,
    /// Of such an operation that waits with a waker which is not its unit's own. For the others
    /// the tree of scopes finds the unit.
    watches: [Cell<Option<Box<Watch>>>; 2],
    /// What the kernel has said of the other end, which nothing takes back.
    input_ended: Cell<bool>,
    hung_up: Cell<bool>,
    waiting: RefCell<Waiting>,
}

/// Where a source is registered.
pub(crate) struct Place {
    /// The run whose reactor it is, if there is one.
    pub(crate) run: Cell<RunId>,
    pub(crate) key: Cell<Key>,
}

/// A source's number in a reactor.
pub(crate) type Key = u32;

/// One direction of a source.
pub(crate) struct Direction {
    ready: Cell<bool>,
    /// There is more to come than one short read or write shows: the end, an error, what follows
    /// urgent data.
    lasting: Cell<bool>,
    /// The present operation that goes this way through foreign traits, whose `poll` functions have
    /// no state of their own, has let others run, or its task had not used up its budget.
    pub(crate) paid: Cell<bool>,
}

/// Which way an operation goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    Write,
}

/// Those who wait, in the order in which they came: nearly always none or one, which has its
/// place here.
struct Waiting {
    first: Option<Waiter>,
    /// Those who came while there was somebody else.
    #[expect(clippy::box_collection, reason = "most are empty, and each connection has one")]
    more: Option<Box<Vec<Waiter>>>,
    next: u64,
}

struct Waiter {
    ticket: Ticket,
    side: Side,
    /// Somebody is going to look at it and to take it out.
    owned: bool,
    waker: Waker,
    watch: Watch,
}

/// An operation's place among those who wait. Numbers are not used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// What has become of one who waits.
pub(crate) enum Look {
    Waiting,
    /// There was news, and the place is gone.
    Told,
    /// Before there was any; the place is still there.
    Cancelled(Error),
}

impl Default for Readiness {
    fn default() -> Self {
        let waiting = Waiting { first: None, more: None, next: 0 };
        Readiness {
            place: Place { run: Cell::new(RunId::NONE), key: Cell::new(0) },
            is_listener: Cell::new(false),
            read: Direction::default(),
            write: Direction::default(),
            watches: [const { Cell::new(None) }; 2],
            input_ended: Cell::new(false),
            hung_up: Cell::new(false),
            waiting: RefCell::new(waiting),
        }
    }
}

impl Default for Direction {
    fn default() -> Self {
        // A new source is worth a try: the kernel tells only what changes.
        Direction { ready: Cell::new(true), lasting: Cell::new(false), paid: Cell::new(false) }
    }
}

impl Direction {
    /// Whether an operation is worth a try.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// An operation would have blocked: wait for the kernel to say otherwise.
    #[inline]
    pub(crate) fn clear_ready(&self) {
        self.ready.set(false);
        self.lasting.set(false);
    }

    /// An operation got less than it asked for, so the next one would block: the kernel will tell
    /// when it does not any more. Not so if it has told of something that no later news will be
    /// of.
    #[inline]
    pub(crate) fn exhausted(&self) {
        if !self.lasting.get() {
            self.ready.set(false);
        }
    }

    #[inline]
    fn set_ready(&self, lasting: bool) {
        self.ready.set(true);
        self.lasting.set(self.lasting.get() || lasting);
    }

    fn reset(&self) {
        self.ready.set(true);
        self.lasting.set(false);
    }
}

impl Readiness {
    #[inline]
    pub(crate) fn direction(&self, side: Side) -> &Direction {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    #[inline]
    pub(crate) fn watch(&self, side: Side) -> &Cell<Option<Box<Watch>>> {
        &self.watches[side as usize]
    }

    fn tell(&self, news: News, woken: &mut Vec<Waiter>) {
        // An error or a hang-up is something that the next read or write reports.
        let read = news.readable || news.read_closed || news.error;
        let write = news.writable || news.write_closed || news.error;
        if news.read_closed || news.error {
            self.input_ended.set(true);
            self.hung_up.set(self.hung_up.get() || news.error || news.write_closed);
        }
        if read {
            self.read.set_ready(news.read_closed || news.error || news.priority);
        }
        if write {
            self.write.set_ready(news.write_closed || news.error);
        }
        let is_news = |side| match side {
            Side::Read => read,
            Side::Write => write,
        };
        // Who was cancelled before has been woken for that.
        self.take_waiting(woken, |waiter| is_news(waiter.side) && !waiter.watch.is_cancelled());
    }

    /// Whether the other end will send no more: its input has ended, or all of it.
    #[cfg(feature = "hyper")]
    pub(crate) fn has_input_ended(&self) -> bool {
        self.input_ended.get()
    }

    /// Whether the other end has gone: it neither sends nor takes anything any more.
    #[cfg(feature = "hyper")]
    pub(crate) fn has_hung_up(&self) -> bool {
        self.hung_up.get()
    }

    /// Joins those who wait.
    #[inline]
    pub(crate) fn join(&self, side: Side, cx: &Context<'_>) -> Ticket {
        let (waker, watch) = (cx.waker().clone(), Watch::armed(cx));
        self.waiting.borrow_mut().join(side, true, waker, watch)
    }

    /// Looks what has become of one who waits, and makes sure that this waker is the one that is
    /// woken when something does.
    pub(crate) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Look {
        if self.waiting.borrow_mut().find(ticket).is_none() {
            return Look::Told;
        }
        // Foreign code runs only while nothing is borrowed.
        let new = cx.waker().clone();
        let Some((old, mut watch)) = self.with(ticket, |waiter| {
            (mem::replace(&mut waiter.waker, new), mem::replace(&mut waiter.watch, Watch::new()))
        }) else {
            return Look::Told;
        };
        watch.arm(cx);
        let cancelled = watch.check();
        self.with(ticket, |waiter| waiter.watch = watch);
        drop(old);
        cancelled.map_or_else(Look::Cancelled, |()| Look::Waiting)
    }

    /// Gives a place up, if it is still there.
    pub(crate) fn leave(&self, ticket: Ticket) {
        let waiter = self.waiting.borrow_mut().remove(ticket);
        drop(waiter); // foreign code
    }

    fn with<R>(&self, ticket: Ticket, f: impl FnOnce(&mut Waiter) -> R) -> Option<R> {
        self.waiting.borrow_mut().find(ticket).map(f)
    }

    /// Waits without a place of one's own, for `poll` functions of foreign traits: nobody is told
    /// when such an operation is given up, so their wakers stay until there is news.
    pub(crate) fn wait_unowned(&self, side: Side, waker: &Waker) {
        /// How many may stay. They are woken when there are more, and those that are still of
        /// use come again: wakers that are not cannot pile up.
        const MOST: usize = 16;
        let is_unowned = |waiter: &Waiter| waiter.side == side && !waiter.owned;
        let mut unowned = 0;
        for waiter in self.waiting.borrow().iter() {
            if is_unowned(waiter) {
                unowned += 1;
                if waiter.waker.will_wake(waker) {
                    return;
                }
            }
        }
        let waker = waker.clone(); // foreign code, as to wake them
        let mut woken = Vec::new();
        if unowned >= MOST {
            self.take_waiting(&mut woken, is_unowned);
        }
        self.waiting.borrow_mut().join(side, false, waker, Watch::new());
        let mut panic = FirstPanic::new();
        panic.catch_each(&mut woken.into_iter(), Waiter::wake);
        panic.resume();
    }

    /// Forgets what was known, and who waited: the source is going to another reactor.
    pub(crate) fn reset(&self) {
        self.read.reset();
        self.write.reset();
        self.input_ended.set(false);
        self.hung_up.set(false);
        let mut forgotten = Vec::new();
        self.take_waiting(&mut forgotten, |_| true);
        drop(forgotten); // foreign code
    }

    #[inline]
    fn take_waiting(&self, taken: &mut Vec<Waiter>, which: impl Fn(&Waiter) -> bool) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.first.as_ref().is_some_and(&which) {
            taken.extend(waiting.first.take());
        }
        if let Some(more) = &mut waiting.more {
            taken.extend(more.extract_if(.., |waiter| which(waiter)));
            if more.is_empty() {
                waiting.more = None;
            }
        }
    }
}

impl Waiting {
    #[inline]
    fn join(&mut self, side: Side, owned: bool, waker: Waker, watch: Watch) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        let waiter = Waiter { ticket, side, owned, waker, watch };
        match (&self.first, &self.more) {
            (None, None) => self.first = Some(waiter),
            _ => self.more.get_or_insert_default().push(waiter),
        }
        ticket
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_none()
    }

    fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.first.iter().chain(self.more.iter().flat_map(|more| more.iter()))
    }

    #[inline]
    fn find(&mut self, ticket: Ticket) -> Option<&mut Waiter> {
        match &mut self.first {
            Some(first) if first.ticket == ticket => Some(first),
            _ => {
                let more = self.more.as_mut()?;
                let index = more.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
                Some(&mut more[index])
            }
        }
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        if self.first.as_ref().is_some_and(|first| first.ticket == ticket) {
            return self.first.take();
        }
        let more = self.more.as_mut()?;
        let index = more.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
        let waiter = more.remove(index);
        if more.is_empty() {
            self.more = None;
        }
        Some(waiter)
    }
}

impl Waiter {
    #[inline]
    fn wake(self) {
        self.watch.handed();
        self.waker.wake();
    }
}
