//! What is known about a connection while hyper drives it.
//!
//! hyper asks its stream for bytes and calls its service, but tells nobody what it is waiting for.
//! So both ends record here what they see: [`Io`](crate::serve::hyper::Io) records what is read and
//! written, and whether that blocks, and whoever runs the requests records how many are under way.
//! The [driver](super::drive) polls hyper, and bases its decisions on these records.
//!
//! | file | concept |
//! |---|---|
//! | `kind` | who set hyper up |
//! | `counts` | how much is under way |
//! | `traffic` | what has passed through the stream, and what is awaited next |
//! | `message` | whether requests of HTTP/1 have arrived in full, if otherwise only hyper knows |
//! | `wire` | what the frames of HTTP/2 tell as they pass |
//! | `client` | whether the client is still there |
//! | `ahead` | finding out whether it is, by reading while hyper does not |

pub(crate) mod ahead;
pub(crate) mod client;
mod counts;
pub(crate) mod kind;
mod message;
pub(crate) mod traffic;
mod wire;

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::rt::ReadBufCursor;
use slab::Slab;

use crate::error::{Cancelled, Error};
use crate::scope::current::in_scope;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::cancellation::{self, departed};
use crate::serve::hyper::connection::state::client::{Client, Found};
use crate::serve::hyper::connection::state::counts::Counts;
use crate::serve::hyper::connection::state::kind::Kind;
use crate::serve::hyper::connection::state::traffic::{Awaited, Traffic};

pub(crate) struct State {
    pub(crate) kind: Kind,
    pub(crate) traffic: Traffic,
    pub(crate) client: Client,
    pub(crate) counts: Counts,
    /// Where the connection was set up.
    place: &'static Location<'static>,
    /// If set, operations of the stream fail with this.
    stop: RefCell<Option<Cancelled>>,
    /// Whether a handler is cancelled but waits for something that does not respond to that.
    stuck: Cell<bool>,
    /// Whether everything under way has been cancelled.
    winds_up: Cell<bool>,
    /// Whether hyper no longer has the stream.
    over: Cell<bool>,
    /// Whether a stream belongs to this connection.
    bound: Cell<bool>,
    /// The task that drives the connection, to be woken when it has to look again.
    driver: RefCell<Option<Waker>>,
    /// The scopes of what hyper has spawned.
    streams: RefCell<Slab<ScopeRef>>,
    /// Failures outside any handler that have yet to be reported.
    failures: RefCell<Vec<Error>>,
    /// The scope in which the stream is polled: nothing cancels it, because hyper would then drop
    /// the handlers.
    calm: ScopeRef,
}

thread_local! {
    /// The connection that is being polled.
    static CURRENT: RefCell<Option<Rc<State>>> = const { RefCell::new(None) };
}

impl State {
    pub(crate) fn new(kind: Kind, place: &'static Location<'static>) -> Rc<State> {
        cancellation::recognise();
        let calm = ScopeRef::new(place);
        calm.set_shield(true);
        Rc::new(State {
            kind,
            traffic: Traffic::new(kind),
            client: Client::default(),
            counts: Counts::default(),
            place,
            stop: RefCell::new(None),
            stuck: Cell::new(false),
            winds_up: Cell::new(false),
            over: Cell::new(false),
            bound: Cell::new(false),
            driver: RefCell::new(None),
            streams: RefCell::new(Slab::new()),
            failures: RefCell::new(Vec::new()),
            calm,
        })
    }

    /// The connection that is being polled, if there is one.
    pub(crate) fn current() -> Option<Rc<State>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `f` with this connection as the one that is being polled.
    pub(crate) fn polled<R>(self: &Rc<State>, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Rc<State>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let _ours = CURRENT.replace(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(self.clone())));
        f()
    }

    /// Where the connection was set up.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    // Called by the stream.

    /// Returns the connection that is being polled, if no stream belongs to it yet. From now on one
    /// does.
    pub(crate) fn bind() -> Option<Rc<State>> {
        State::current().filter(|state| !state.bound.replace(true))
    }

    pub(crate) fn set_bound(&self) {
        self.bound.set(true);
    }

    /// To be called when hyper has polled the stream for bytes.
    pub(crate) fn read_polled(&self, polled: Poll<usize>) {
        self.traffic.read_polled(polled);
        if polled == Poll::Ready(0) {
            self.client.meet_end();
        }
    }

    /// Gives hyper the bytes that were read ahead, and returns how many.
    pub(crate) fn read_ahead(&self, buffer: &mut ReadBufCursor<'_>) -> Option<usize> {
        let read = self.client.read_ahead(buffer)?;
        if self.traffic.looks_at_bytes() {
            self.traffic.input(&read);
        }
        Some(read.len())
    }

    /// Finds out whether the client is still there, if only a read tells. Returns whether this
    /// found anything for hyper, which is waiting for bytes.
    pub(crate) fn look_ahead(&self, cx: &mut Context<'_>) -> Found {
        if self.counts.is_idle() || !self.traffic.is_http1() || self.client.has_failed() {
            return Found::Nothing; // hyper is reading
        }
        match self.calmly(|| self.client.look_ahead(cx)) {
            Found::Something if self.traffic.read_blocks() => Found::Something,
            _ => Found::Nothing,
        }
    }

    /// Polls the stream where nothing cancels it.
    pub(crate) fn calmly<R>(&self, f: impl FnOnce() -> R) -> R {
        in_scope(&self.calm, f)
    }

    /// Whether the end of the client's input has to be kept from hyper now, because it would drop
    /// the handlers.
    ///
    /// In HTTP/1 hyper can be told to continue regardless, and is if it was set up here. Otherwise
    /// it learns of the end by being [shut down](crate::serve::hyper::gracefully).
    pub(crate) fn keeps_end_back(&self) -> bool {
        match (self.traffic.is_http2(), self.kind) {
            (true, _) => !self.counts.is_idle(),
            (false, Kind::ByHand) => true,
            (false, Kind::Served) => false,
        }
    }

    // Called by requests.

    /// Counts something as under way until what is returned is dropped.
    pub(crate) fn begin(self: &Rc<State>, work: Work) -> UnderWay {
        self.counts.begin();
        if work == Work::Answer {
            self.counts.begin_answer();
        }
        UnderWay { state: self.clone(), work }
    }

    /// Adds the scope of something that hyper has spawned.
    pub(crate) fn join(&self, scope: ScopeRef) -> usize {
        self.streams.borrow_mut().insert(scope)
    }

    pub(crate) fn leave(&self, key: usize) {
        let _scope = self.streams.borrow_mut().try_remove(key);
    }

    /// To be called when a handler is cancelled but waits for something that does not respond to
    /// that.
    pub(crate) fn set_stuck(&self) {
        self.stuck.set(true);
        self.wake();
    }

    /// To be called when something has failed outside any handler.
    pub(crate) fn fail(&self, error: Error) {
        self.failures.borrow_mut().push(error);
        self.wake();
    }

    pub(crate) fn take_failures(&self) -> Vec<Error> {
        self.failures.take()
    }

    // Called by the driver.

    /// Whether a request has already come, or has begun to, as far as is known.
    pub(crate) fn has_had_request(&self) -> bool {
        self.kind == Kind::ByHand && self.traffic.is_http1() || self.counts.requests() > 0
    }

    /// Whether nothing is under way in HTTP/2 and no answer is on its way, whatever hyper is
    /// waiting for.
    pub(crate) fn is_http2_idle(&self) -> bool {
        self.traffic.is_http2_idle() && self.counts.is_idle()
    }

    /// What is awaited now, while hyper has nothing to do. `read` is how many bytes had been read
    /// when the last request began.
    pub(crate) fn awaited(&self, read: u64) -> Awaited {
        self.traffic.awaited(&self.counts, read)
    }

    /// To be called when everything under way has been cancelled. The driver is woken when only
    /// hyper still works on it.
    pub(crate) fn wind_up(&self) {
        self.winds_up.set(true);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.get()
    }

    /// Has `cx` woken when there is news of the client, even while hyper does not read.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        self.client.watch(cx);
        let waker = cx.waker().clone();
        let _former = self.driver.replace(Some(waker));
    }

    /// Has the driver look again.
    fn wake(&self) {
        let waker = self.driver.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Makes operations of the stream fail from now on.
    pub(crate) fn stop(&self, why: Cancelled) {
        self.stop.borrow_mut().get_or_insert(why);
    }

    pub(crate) fn stopped(&self) -> Option<Cancelled> {
        self.stop.borrow().clone()
    }

    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.client.take_failure()
    }

    /// To be called when hyper no longer has the stream: it is an ordinary one
    /// again.
    pub(crate) fn set_over(&self) {
        self.over.set(true);
        self.client.stop_looking();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Cancels everything that hyper has spawned, because the client has gone.
    pub(crate) fn cancel_streams(&self) {
        let scopes: Vec<_> = self.streams.borrow().iter().map(|(_, scope)| scope.clone()).collect();
        for scope in scopes {
            self.cancel(&scope);
        }
    }

    /// Cancels a scope, because the client has gone.
    pub(crate) fn cancel(&self, scope: &ScopeRef) {
        scope.cancel(Level::Full, departed(), Some(self.place));
    }
}

/// The kinds of things that are under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A task, or a handler that hyper runs.
    Task,
    /// An answer in hyper's hands, for which no handler is running.
    Answer,
}

/// Something that is under way on a connection.
pub(crate) struct UnderWay {
    state: Rc<State>,
    work: Work,
}

impl UnderWay {
    pub(crate) fn state(&self) -> &Rc<State> {
        &self.state
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let state = &*self.state;
        if self.work == Work::Answer {
            state.counts.end_answer();
        }
        state.counts.end();
        if state.counts.is_idle() || state.winds_up.get() && state.counts.has_only_answers() {
            state.wake();
        }
    }
}
