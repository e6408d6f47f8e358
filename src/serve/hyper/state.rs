//! What is known of a connection while hyper drives it.
//!
//! hyper asks its stream for bytes and calls its service; it tells nobody what it waits for. So
//! the two ends leave here what they see: [`Io`](super::Io) what is read and written, and whether
//! that waits; whoever runs the requests how many are under way. [`Drive`](super::drive) polls
//! hyper, and decides by it.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Waker};

use hyper::rt::ReadBufCursor;
use slab::Slab;

use crate::Error;
use crate::error::{Cancelled, Reason};
use crate::scope::current::in_scope;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::ahead::Ahead;
use crate::serve::hyper::message::Message;
use crate::serve::hyper::pace::{Awaited, Quiet};
use crate::serve::hyper::wire::Wire;
use crate::world::reactor::registration::{Readiness, Side};

/// How much is known of the requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// hyper was set up by somebody else. In HTTP/1 it runs the handler itself, and nothing tells
    /// whether one is under way; in HTTP/2 a [`NurseryExecutor`](super::NurseryExecutor) does.
    ByHand,
    /// By [`serve_connection`](super::serve_connection()): each request is a task.
    Served,
}

/// What the first bytes tell of the version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// So many were those of HTTP/2.
    Undecided(usize),
    Http1,
    Http2,
}

/// What only HTTP/2 begins with.
const OPENING: &[u8] = b"PRI";

pub(super) struct State {
    pub(super) kind: Kind,
    place: &'static Location<'static>,
    /// Requests that are handled, or whose answers' bodies are being made.
    under_way: Cell<u32>,
    /// Requests that there have been.
    requests: Cell<u64>,
    /// Bytes.
    read: Cell<u64>,
    written: Cell<u64>,
    /// How many had been read when some were written last.
    read_before_write: Cell<u64>,
    /// The last read, or write, would have blocked: hyper waits for the client.
    reads: Cell<bool>,
    writes: Cell<bool>,
    /// The first bytes, as far as they are those of HTTP/2; what is different shows which it is.
    opening: Cell<Opening>,
    /// What has passed, in HTTP/2.
    wire: RefCell<Option<Wire>>,
    /// What has come in, in HTTP/1 by hand.
    message: RefCell<Option<Box<Message>>>,
    /// Of what is under way, what hyper does with answers: no handler runs for it.
    answers: Cell<u32>,
    /// What is under way has been cancelled.
    winds_up: Cell<bool>,
    /// Bodies of answers of which hyper has a piece that it cannot get rid of yet.
    held: Cell<u32>,
    /// The stream itself has met its end, or an error.
    met_end: Cell<bool>,
    failure: RefCell<Option<io::Error>>,
    /// Operations of the stream fail with this from now on.
    stop: RefCell<Option<Cancelled>>,
    /// Some handler is cancelled, and waits for something that does not heed that.
    stuck: Cell<bool>,
    /// hyper has it no more.
    over: Cell<bool>,
    /// What the kernel says of the other end, where the stream is one of this crate's.
    peer: OnceCell<Rc<Readiness>>,
    /// Of other streams, what was read while hyper did not.
    ahead: RefCell<Option<Ahead>>,
    bound: Cell<bool>,
    /// Who is to look again.
    driver: RefCell<Option<Waker>>,
    /// The scopes of what hyper has spawned.
    streams: RefCell<Slab<ScopeRef>>,
    /// What has failed outside of any handler, still to be reported.
    failures: RefCell<Vec<Error>>,
    /// Where the stream is polled: nothing cancels it, as hyper would drop the handlers with it.
    calm: ScopeRef,
}

thread_local! {
    /// The connection that is being polled.
    static CURRENT: RefCell<Option<Rc<State>>> = const { RefCell::new(None) };
}

impl State {
    pub(super) fn new(kind: Kind, place: &'static Location<'static>) -> Rc<State> {
        let calm = ScopeRef::new(place);
        calm.set_shield(true);
        Rc::new(State {
            kind,
            place,
            under_way: Cell::new(0),
            requests: Cell::new(0),
            read: Cell::new(0),
            written: Cell::new(0),
            read_before_write: Cell::new(0),
            reads: Cell::new(false),
            writes: Cell::new(false),
            opening: Cell::new(Opening::Undecided(0)),
            wire: RefCell::new(None),
            message: RefCell::new(None),
            answers: Cell::new(0),
            winds_up: Cell::new(false),
            held: Cell::new(0),
            met_end: Cell::new(false),
            failure: RefCell::new(None),
            stop: RefCell::new(None),
            stuck: Cell::new(false),
            over: Cell::new(false),
            peer: OnceCell::new(),
            ahead: RefCell::new(None),
            bound: Cell::new(false),
            driver: RefCell::new(None),
            streams: RefCell::new(Slab::new()),
            failures: RefCell::new(Vec::new()),
            calm,
        })
    }

    /// The connection that is being polled, if there is one.
    pub(super) fn current() -> Option<Rc<State>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `f` with this connection as the one that is being polled.
    pub(super) fn polled<R>(self: &Rc<State>, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Rc<State>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let _ours = CURRENT.replace(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(self.clone())));
        f()
    }

    /// Where it was set up.
    pub(super) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    // What the stream tells.

    /// Makes the connection that is being polled this stream's, if it has none yet.
    pub(super) fn bind() -> Option<Rc<State>> {
        State::current().filter(|state| !state.bound.replace(true))
    }

    pub(super) fn set_bound(&self) {
        self.bound.set(true);
    }

    pub(super) fn set_peer(&self, peer: Rc<Readiness>) {
        let _ = self.peer.set(peer);
    }

    /// Of a stream that the kernel tells nothing of.
    pub(super) fn set_ahead(&self, ahead: impl FnOnce() -> Ahead) {
        if self.peer.get().is_none() {
            self.ahead.replace(Some(ahead()));
        }
    }

    /// Looks whether the client is still there, where only a read tells. True if hyper, which
    /// waits for bytes, would be given some.
    pub(super) fn look_ahead(&self, cx: &mut Context<'_>) -> bool {
        if self.is_idle() || self.opening.get() != Opening::Http1 || self.has_failed() {
            return false; // hyper reads
        }
        // Polled without being borrowed: it is foreign.
        let Some(mut ahead) = self.ahead.take() else { return false };
        let polled = self.calmly(|| ahead.poll(cx));
        let more = ahead.has_more() && self.reads.get();
        self.ahead.replace(Some(ahead));
        match polled {
            Ok(()) => more,
            Err(error) => {
                self.note_failure(error);
                false
            }
        }
    }

    /// Gives hyper what was read ahead.
    pub(super) fn read_ahead(&self, buffer: &mut ReadBufCursor<'_>) -> Option<usize> {
        let read = self.ahead.borrow_mut().as_mut()?.read(buffer)?;
        if self.looks_at_bytes() {
            self.note_input(&read);
        }
        Some(read.len())
    }

    /// Polls the stream where nothing cancels it.
    pub(super) fn calmly<R>(&self, f: impl FnOnce() -> R) -> R {
        in_scope(&self.calm, f)
    }

    pub(super) fn note_read(&self, bytes: Option<usize>) {
        self.reads.set(bytes.is_none());
        self.read.set(self.read.get() + bytes.unwrap_or(0) as u64);
        if bytes == Some(0) {
            self.met_end.set(true);
        }
    }

    pub(super) fn note_write(&self, bytes: Option<usize>) {
        self.writes.set(bytes.is_none());
        if bytes.is_some_and(|bytes| bytes > 0) {
            self.read_before_write.set(self.read.get());
        }
        self.written.set(self.written.get() + bytes.unwrap_or(0) as u64);
    }

    /// Whether the bytes themselves are of interest.
    pub(super) fn looks_at_bytes(&self) -> bool {
        self.opening.get() != Opening::Http1 || self.kind == Kind::ByHand
    }

    /// The client has sent this. All that comes is told, from the first byte on, for as long as it
    /// [is of interest](Self::looks_at_bytes).
    pub(super) fn note_input(&self, bytes: &[u8]) {
        if let Opening::Undecided(known) = self.opening.get()
            && !bytes.is_empty()
        {
            let rest = &OPENING[known..];
            let common = rest.len().min(bytes.len());
            let known_bytes = &OPENING[..known];
            self.opening.set(match bytes[..common] == rest[..common] {
                false => {
                    if self.kind == Kind::ByHand {
                        let mut message = Message::new();
                        message.read(known_bytes);
                        self.message.replace(Some(Box::new(message)));
                    }
                    Opening::Http1
                }
                true if common < rest.len() => {
                    return self.opening.set(Opening::Undecided(known + common));
                }
                true => {
                    let mut wire = Wire::new();
                    wire.read(known_bytes);
                    self.wire.replace(Some(wire));
                    Opening::Http2
                }
            });
        }
        if let Some(message) = &mut *self.message.borrow_mut() {
            message.read(bytes);
        }
        if let Some(wire) = &mut *self.wire.borrow_mut() {
            wire.read(bytes);
        }
    }

    /// It has been sent this.
    pub(super) fn note_output(&self, bytes: &[u8]) {
        if let Some(wire) = &mut *self.wire.borrow_mut() {
            wire.written(bytes);
        }
    }

    pub(super) fn has_met_end(&self) -> bool {
        self.met_end.get()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// What a read or a write has failed with. hyper is not told: it would drop the handlers.
    pub(super) fn note_failure(&self, error: io::Error) {
        if !self.has_failed() {
            self.failure.replace(Some(error));
        }
    }

    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    // What the requests tell.

    /// Counts something that is under way until what is returned is dropped.
    pub(super) fn begin(self: &Rc<State>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        UnderWay(self.clone())
    }

    pub(super) fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// The scope of something that hyper has spawned.
    pub(super) fn join(&self, scope: ScopeRef) -> usize {
        self.streams.borrow_mut().insert(scope)
    }

    pub(super) fn leave(&self, key: usize) {
        let _scope = self.streams.borrow_mut().try_remove(key);
    }

    /// See `stuck`.
    pub(super) fn note_stuck(&self) {
        self.stuck.set(true);
        self.wake();
    }

    pub(super) fn fail(&self, error: Error) {
        self.failures.borrow_mut().push(error);
        self.wake();
    }

    pub(super) fn take_failures(&self) -> Vec<Error> {
        self.failures.take()
    }

    // What the driver asks, and says.

    pub(super) fn under_way(&self) -> u32 {
        self.under_way.get()
    }

    /// Whether there is no request under way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.get() == 0
    }

    /// How many requests there have been, with those that are under way.
    pub(super) fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// How many bytes have been read.
    pub(super) fn read(&self) -> u64 {
        self.read.get()
    }

    /// Whether a request has come already, or has begun to, as far as is known.
    pub(super) fn has_had_request(&self) -> bool {
        match self.opening.get() {
            Opening::Http1 if self.kind == Kind::ByHand => true,
            _ => self.requests.get() > 0,
        }
    }

    /// Whether the client has sent nothing since it was sent something last.
    pub(super) fn is_silent(&self) -> bool {
        self.read.get() == self.read_before_write.get()
    }

    /// Whether nothing is under way in HTTP/2, and no answer on its way, whatever hyper waits for.
    pub(super) fn is_http2_idle(&self) -> bool {
        let wire = self.wire.borrow();
        let idle = match &*wire {
            Some(wire) => !wire.has_begun() || wire.is_idle(),
            // With hyper set up for HTTP/2 by hand, and a client that has not said so yet.
            None => matches!(self.opening.get(), Opening::Undecided(_)),
        };
        idle && self.is_idle()
    }

    /// What is waited for at present, hyper having nothing to do. `read` is how many bytes had been
    /// read when the last request began.
    pub(super) fn awaited(&self, read: u64) -> Awaited {
        let busy = self.under_way.get() > 0;
        let (reads, writes) = (self.reads.get(), self.writes.get());
        let held = writes || self.held.get() > 0;
        if let Some(wire) = &*self.wire.borrow() {
            let quiet = match (wire.is_in_head(), wire.is_idle()) {
                (true, _) => Some(Quiet::Head),
                (false, true) if !busy && !writes => Some(Quiet::Idle),
                _ => None,
            };
            return Awaited {
                quiet,
                input: wire.receives().then(|| (reads, wire.received())),
                output: (held || !busy && wire.sends() && !wire.is_in_head()).then(|| wire.sent()),
            };
        }
        if let Some(message) = &*self.message.borrow() {
            // Nothing tells whether a handler is running, or hyper waits for the next request. Of that
            // it may have read the beginning, and go on when the handler has ended.
            return Awaited {
                quiet: (reads && message.is_in_head()).then_some(Quiet::Head),
                input: message.receives().then(|| (reads, self.read.get())),
                output: held.then(|| self.written.get()),
            };
        }
        let quiet = match self.opening.get() {
            Opening::Undecided(0) => Some(Quiet::Idle),
            Opening::Undecided(_) => Some(Quiet::Head),
            _ if busy || writes => None,
            _ if self.read.get() > read => Some(Quiet::Head),
            _ => Some(Quiet::Idle),
        };
        Awaited {
            quiet,
            input: busy.then(|| (reads, self.read.get())),
            output: held.then(|| self.written.get()),
        }
    }

    /// What is under way has been cancelled: the driver is woken when only hyper still works on it.
    pub(super) fn wind_up(&self) {
        self.winds_up.set(true);
    }

    /// hyper begins something with an answer, or is done with it.
    pub(super) fn answer(&self, has_it: bool) {
        let answers = self.answers.get();
        self.answers.set(if has_it { answers + 1 } else { answers - 1 });
    }

    /// Whether all that is under way is answers that hyper has: no task runs for them any more.
    pub(super) fn has_only_answers(&self) -> bool {
        self.under_way.get() == self.answers.get()
    }

    /// hyper has a piece of a body, or has got rid of it.
    pub(super) fn hold(&self, holds: bool) {
        let held = self.held.get();
        self.held.set(if holds { held + 1 } else { held - 1 });
    }

    /// Whether the first bytes were those of HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.opening.get() == Opening::Http2
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.get()
    }

    /// Whether the client will send no more. It may still read.
    pub(super) fn has_input_ended(&self) -> bool {
        self.met_end.get()
            || self.ahead.borrow().as_ref().is_some_and(Ahead::has_ended)
            || self.peer.get().is_some_and(|peer| peer.has_input_ended())
    }

    /// Whether the client has gone.
    pub(super) fn has_departed(&self) -> bool {
        self.failure.borrow().is_some() || self.peer.get().is_some_and(|peer| peer.has_hung_up())
    }

    /// Has `cx` woken when there is news of the client, also while hyper does not read.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        if let Some(peer) = self.peer.get() {
            peer.wait_unowned(Side::Read, cx.waker());
        }
        let waker = cx.waker().clone();
        let _former = self.driver.replace(Some(waker));
    }

    /// Has the driver look again.
    pub(super) fn wake(&self) {
        let waker = self.driver.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the end of the client's input is kept from hyper at present, which would drop the
    /// handlers.
    ///
    /// In HTTP/1 hyper can be told to go on nevertheless, and is where it is ours. Where it is
    /// not, it finds out by being [shut down](super::gracefully).
    pub(super) fn keeps_end_back(&self) -> bool {
        match (self.is_http2(), self.kind) {
            (true, _) => self.under_way.get() > 0,
            (false, Kind::ByHand) => true,
            (false, Kind::Served) => false,
        }
    }

    /// Operations of the stream fail from now on.
    pub(super) fn stop(&self, why: Cancelled) {
        self.stop.borrow_mut().get_or_insert(why);
    }

    pub(super) fn stopped(&self) -> Option<Cancelled> {
        self.stop.borrow().clone()
    }

    /// hyper has the stream no more: it is an ordinary one again.
    pub(super) fn set_over(&self) {
        self.over.set(true);
        let stream = self.ahead.borrow_mut().as_mut().and_then(Ahead::stop);
        drop(stream);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Cancels what hyper has spawned, as the client has gone.
    pub(super) fn cancel_streams(&self) {
        let scopes: Vec<_> = self.streams.borrow().iter().map(|(_, scope)| scope.clone()).collect();
        for scope in scopes {
            self.cancel(&scope);
        }
    }

    /// Cancels a scope, as the client has gone.
    pub(super) fn cancel(&self, scope: &ScopeRef) {
        scope.cancel(Level::Full, departed(), Some(self.place));
    }
}

/// Why a handler is cancelled whose client has gone.
pub(super) fn departed() -> Reason {
    Reason::Requested(Some("the client has gone".into()))
}

/// Something that is under way on a connection.
pub(super) struct UnderWay(Rc<State>);

impl UnderWay {
    pub(super) fn state(&self) -> &Rc<State> {
        &self.0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        if self.0.under_way.get() == 0 || self.0.winds_up.get() && self.0.has_only_answers() {
            self.0.wake();
        }
    }
}
