//! The reactor: sleeps until the kernel has news of a source, and wakes whatever waits for it.
//!
//! Sources are registered edge-triggered, for both directions, once. The kernel's news is kept in a
//! [`Readiness`] until an operation finds that it is out of date.
//!
//! | file | concept |
//! |---|---|
//! | `chunks` | memory for what is known about sources |
//! | `news` | news of sources, as the kernel reports it |
//! | `numbers` | a set of small numbers, of which the lowest is wanted |
//! | `readiness` | what is known about a source, and the operations that wait for news of it |
//! | `registration` | a source of news, and the operations on it |
//! | `refused` | errors of registering that say what is the matter |
//! | `seen` | showing the sources that are registered |
//! | `verb` | what an operation on a source does: its name and its direction |
//! | `would_block` | asking whether an operation would block, without trying it |

pub(crate) mod chunks;
mod news;
mod numbers;
pub(crate) mod readiness;
#[cfg(unix)]
mod refused;
#[cfg(unix)]
pub(crate) mod registration;
mod seen;
pub(crate) mod verb;
#[cfg(unix)]
pub(crate) mod would_block;

use std::cell::{Cell, RefCell};
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Poll, Registry, Token};

use crate::error::panic::FirstPanic;
use crate::platform::part::part;
use crate::schedule::current;
use crate::schedule::ids::RunId;
use crate::schedule::seen::onlookers::{self, Happening};
use crate::schedule::wake::KeptWaker;
use crate::world::reactor::chunks::{Chunks, ReadinessRef};
use crate::world::reactor::news::Queue;
use crate::world::reactor::readiness::{Key, Kind, Readiness};

/// The token of the waker by which other threads interrupt a sleep.
const REMOTE: Token = Token(usize::MAX);

part! {
    /// The reactor of the present run.
    pub(crate) const REACTOR: Reactor;
}

pub(crate) struct Reactor {
    queue: RefCell<Queue>,
    registry: Registry,
    chunks: RefCell<Chunks>,
    /// How many sources are registered.
    sources: Cell<usize>,
    /// The source that serves only to interrupt a sleep.
    quiet: Cell<Option<Key>>,
    /// Empty, kept for its memory.
    woken: RefCell<Vec<KeptWaker>>,
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Reactor> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        Ok(Reactor {
            queue: RefCell::new(Queue::new(poll)),
            registry,
            chunks: RefCell::new(Chunks::new()),
            sources: Cell::new(0),
            quiet: Cell::new(None),
            woken: RefCell::new(Vec::new()),
        })
    }

    /// Makes what interrupts a sleep in the reactor.
    pub(crate) fn interrupter(&self) -> io::Result<mio::Waker> {
        mio::Waker::new(&self.registry, REMOTE)
    }

    /// A descriptor that is readable when the kernel has events.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.registry.as_fd().try_clone_to_owned()
    }

    /// Waits for events, for `timeout` at most, and wakes whatever they are for.
    pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
        // No waker is woken before the last event has been looked at: code that it runs may
        // deregister a source and register another under the same key, and an event of the former
        // would be taken for one of the latter. The kernel keeps no events for a source that is
        // gone.
        let mut woken = self.woken.take();
        let mut events = 0;
        let waited = self.queue.borrow_mut().wait(timeout, |key, news| {
            events += 1;
            if let Some(readiness) = self.chunks.borrow().find(key) {
                readiness.tell(news, &mut woken); // this runs no foreign code
            }
        });
        onlookers::happened(Happening::Events(events));
        let mut panic = FirstPanic::new();
        panic.catch_each(&mut woken.drain(..), KeptWaker::wake);
        self.woken.replace(woken);
        panic.resume();
        match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// Takes all events that there are, without waiting. Whoever waits for the descriptor hears of
    /// new events only if no older ones are left.
    pub(crate) fn poll_all(&self) -> io::Result<()> {
        loop {
            self.poll(Some(Duration::ZERO))?;
            if !self.may_have_more() {
                return Ok(());
            }
        }
    }

    /// Whether as many events came as are taken at once when they were last taken.
    pub(crate) fn may_have_more(&self) -> bool {
        self.queue.borrow().is_full()
    }

    /// Whether any source could have news.
    pub(crate) fn has_sources(&self) -> bool {
        self.sources() > 0
    }

    /// How many sources there are.
    pub(crate) fn sources(&self) -> usize {
        self.sources.get() - usize::from(self.quiet.get().is_some())
    }

    /// Whether an operation waits for news that is to be expected, which does not include
    /// listeners.
    pub(crate) fn awaits_news(&self) -> bool {
        let run = current::current_run();
        let awaits = |readiness: &Readiness| {
            let is_expected = readiness.kind.get() != Kind::Listener;
            readiness.run.get() == run && is_expected && readiness.is_awaited()
        };
        self.chunks.borrow().iter().any(awaits)
    }

    /// Marks this source as one that serves only to interrupt a sleep: while there is something to
    /// run, the kernel need not be asked for its news.
    pub(crate) fn set_quiet(&self, key: Key) {
        self.quiet.set(Some(key));
    }

    /// Registers a source, whose news will be put into `readiness`. Whatever the kernel already
    /// knows about it is the first news.
    pub(crate) fn register<B>(
        &self,
        source: &mut impl Source,
        readiness: &ReadinessRef<B>,
    ) -> io::Result<()> {
        self.chunks.borrow_mut().adopt(readiness);
        let interest = Interest::READABLE | Interest::WRITABLE;
        // This reports urgent data, after which a short read does not mean that nothing is left.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | Interest::PRIORITY;
        self.registry.register(source, Token(readiness.key() as usize), interest)?;
        readiness.run.set(current::current_run());
        self.sources.set(self.sources.get() + 1);
        Ok(())
    }

    pub(crate) fn deregister<B>(&self, source: &mut impl Source, readiness: &ReadinessRef<B>) {
        // This fails only if the kernel has already dropped the source, as intended.
        let _ = self.registry.deregister(source);
        if self.quiet.get() == Some(readiness.key()) {
            self.quiet.set(None);
        }
        readiness.run.set(RunId::NONE);
        self.sources.set(self.sources.get() - 1);
    }
}
