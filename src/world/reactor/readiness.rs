//! What is known about a source, and the operations that wait for news of it.

use std::cell::Cell;
use std::mem;
use std::task::{Context, Waker};

use crate::error::panic::FirstPanic;
use crate::operation::handed::Anybody;
use crate::operation::skeleton::{Look, Registered};
use crate::operation::waiters::{Given, Kept, Outcome, Ticket, Waiters};
use crate::schedule::ids::RunId;
use crate::schedule::wake::KeptWaker;
use crate::scope::watch::Watch;
use crate::world::reactor::news::News;
use crate::world::reactor::verb::Wanted;
use crate::world::seen::Waits;

/// What is known about a source, and the operations that wait for news of it. There is one for each
/// connection, so it is small.
pub(crate) struct Readiness {
    /// The run whose reactor the source is registered with, if any.
    pub(super) run: Cell<RunId>,
    /// How many [references](crate::world::reactor::chunks::ReadinessRef) there are.
    pub(super) owners: Cell<u16>,
    pub(super) kind: Cell<Kind>,
    /// What the kernel has reported about the other end.
    other_end: Cell<OtherEnd>,
    read: Direction,
    write: Direction,
    /// For such operations that wait with a waker which is not their unit's own. For all others the
    /// tree of scopes finds the unit.
    watches: Cell<Option<Box<[Watch; 2]>>>,
    waiters: Waiters<Wanted>,
}

/// A source's number in a reactor.
pub(crate) type Key = u32;

/// The kinds of sources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something for which it is normal that nothing comes.
    Listener,
    /// A connection that a listener accepted. A socket from elsewhere is treated like one of these.
    Accepted,
    Other,
}

/// How much of the other end is left. It never becomes more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum OtherEnd {
    Open,
    /// It sends no more, but may still take something.
    InputEnded,
    /// It neither sends nor takes anything any more.
    HungUp,
}

/// One direction of a source.
pub(crate) struct Direction {
    ready: Cell<Ready>,
    /// For foreign traits, whose `poll` functions have no state of their own: whether the present
    /// operation in this direction has been paid for, because its task had budget left or has let
    /// others run.
    pub(crate) paid: Cell<bool>,
}

/// Whether a direction is ready, and until which event it counts as ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ready {
    No,
    /// Until an operation gets less than it asked for.
    UntilShort,
    /// Until an operation would block. There is more to come than one short read or write shows:
    /// the end, an error, or something after urgent data.
    UntilBlocked,
}

impl Ready {
    fn until_blocked_if(lasts: bool) -> Ready {
        if lasts { Ready::UntilBlocked } else { Ready::UntilShort }
    }
}

/// The direction of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    Write,
}

/// Many may wait for the same news.
impl Given for Wanted {
    const NOTHING: Wanted = Wanted::by_foreign_trait(Side::Read);
    type Taker = Anybody;
}

impl Direction {
    const fn new() -> Direction {
        // A new source is worth a try, because the kernel reports only changes.
        Direction { ready: Cell::new(Ready::UntilShort), paid: Cell::new(false) }
    }

    /// Whether an operation is worth a try.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get() != Ready::No
    }

    /// To be called when an operation would have blocked. Operations then wait for the kernel to
    /// report otherwise.
    #[inline]
    pub(crate) fn clear_ready(&self) {
        self.ready.set(Ready::No);
    }

    /// To be called when an operation got less than it asked for, so that the next one would block.
    /// The kernel will report when that changes. This has no effect if the kernel has reported
    /// something that it will not report again.
    #[inline]
    pub(crate) fn exhausted(&self) {
        if self.ready.get() != Ready::UntilBlocked {
            self.ready.set(Ready::No);
        }
    }

    #[inline]
    fn set_ready(&self, ready: Ready) {
        self.ready.set(self.ready.get().max(ready));
    }

    fn reset(&self) {
        self.ready.set(Ready::UntilShort);
    }

    fn swap(&self, other: &Direction) {
        self.ready.swap(&other.ready);
        self.paid.swap(&other.paid);
    }
}

impl Readiness {
    pub(super) const fn new() -> Readiness {
        Readiness {
            run: Cell::new(RunId::NONE),
            owners: Cell::new(0),
            kind: Cell::new(Kind::Other),
            other_end: Cell::new(OtherEnd::Open),
            read: Direction::new(),
            write: Direction::new(),
            watches: Cell::new(None),
            waiters: Waiters::new(),
        }
    }

    #[inline]
    pub(crate) fn direction(&self, side: Side) -> &Direction {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    /// Watches over an operation that waits in this direction with a waker which is not its unit's.
    /// This runs foreign code.
    #[cold]
    pub(super) fn watch(&self, side: Side, cx: &Context<'_>) {
        let mut watch = self.replace_watch(side, Watch::new());
        watch.arm(cx);
        drop(self.replace_watch(side, watch));
    }

    /// Ends such a watch, if there is one. This runs foreign code.
    #[inline]
    pub(super) fn unwatch(&self, side: Side) {
        if let Some(watches) = self.watches.take() {
            self.watches.set(Some(watches));
            drop(self.replace_watch(side, Watch::new()));
        }
    }

    #[cold]
    fn replace_watch(&self, side: Side, new: Watch) -> Watch {
        let watches = self.watches.take();
        let mut watches = watches.unwrap_or_else(|| Box::new([const { Watch::new() }; 2]));
        let former = mem::replace(&mut watches[side as usize], new);
        self.watches.set(Some(watches));
        former
    }

    pub(super) fn tell(&self, news: News, woken: &mut Vec<KeptWaker>) {
        // An error or a hang-up will be reported by the next read or write.
        let read = news.readable || news.read_closed || news.error;
        let write = news.writable || news.write_closed || news.error;
        if news.read_closed || news.error {
            let has_gone = news.error || news.write_closed;
            let left = if has_gone { OtherEnd::HungUp } else { OtherEnd::InputEnded };
            self.other_end.set(self.other_end.get().max(left));
        }
        if read {
            let lasts = news.read_closed || news.error || news.priority;
            self.read.set_ready(Ready::until_blocked_if(lasts));
        }
        if write {
            self.write.set_ready(Ready::until_blocked_if(news.write_closed || news.error));
        }
        // Operations that were cancelled earlier have already been woken for that.
        self.waiters.serve_those(woken, |wanted| match wanted.side {
            Side::Read => read,
            Side::Write => write,
        });
    }

    /// Whether the other end will send no more: its input has ended, or all of it.
    pub(crate) fn has_input_ended(&self) -> bool {
        self.other_end.get() >= OtherEnd::InputEnded
    }

    /// Whether the other end has gone: it neither sends nor takes anything any more.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.other_end.get() == OtherEnd::HungUp
    }

    /// Whether anybody waits for news.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// The operations that wait for news.
    pub(super) fn waits(&self) -> Vec<Waits> {
        let mut waits = Vec::new();
        self.waiters.see(|wanted, unit| waits.push(Waits { what: wanted.what, unit }));
        waits
    }

    /// Joins the queue.
    #[inline]
    pub(super) fn join(
        &self,
        mut wanted: Wanted,
        cx: &Context<'_>,
        kept: &mut Kept,
    ) -> Registered<Ticket> {
        self.waiters.bring(&mut wanted, cx, kept)
    }

    /// Finds out what has become of a waiting operation. If there was news, it tries again.
    pub(super) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Look<()> {
        match self.waiters.look(ticket, cx) {
            Outcome::Handed(_) => Look::Tries,
            outcome => outcome.look(|_| ()),
        }
    }

    /// Gives up a place in the queue.
    pub(super) fn leave(&self, ticket: Ticket) {
        drop(self.waiters.leave(ticket)); // foreign code
    }

    /// Waits without a place in the queue, for `poll` functions of foreign traits.
    pub(crate) fn leave_waker(&self, side: Side, waker: &Waker) {
        self.waiters.leave_waker(Wanted::by_foreign_trait(side), waker);
    }

    /// To be called when the source could not be registered: the kernel will not report when an
    /// operation would no longer block, so that the next one has to try.
    #[cold]
    pub(super) fn has_to_be_tried(&self) {
        self.read.reset();
        self.write.reset();
    }

    /// Forgets what was known, and what was waiting. To be called when the source moves to another
    /// reactor.
    pub(super) fn reset(&self) {
        self.read.reset();
        self.write.reset();
        self.other_end.set(OtherEnd::Open);
        let mut woken = Vec::new();
        self.waiters.serve_those(&mut woken, |_| true);
        let forgotten = self.waiters.forget_all();
        let mut panic = FirstPanic::new(); // foreign code
        panic.catch_each(&mut woken.into_iter(), KeptWaker::wake);
        panic.catch(|| drop(forgotten));
        panic.resume();
    }

    /// Makes this as good as new, when nobody has it any more. Dropping what is returned runs
    /// foreign code.
    #[must_use]
    pub(super) fn clear(&self) -> Readiness {
        let new = Readiness::new();
        self.run.swap(&new.run);
        self.kind.swap(&new.kind);
        self.other_end.swap(&new.other_end);
        self.read.swap(&new.read);
        self.write.swap(&new.write);
        self.watches.swap(&new.watches);
        self.waiters.swap(&new.waiters);
        new
    }
}
