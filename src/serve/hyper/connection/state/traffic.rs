//! What has passed through a connection's stream, and what is awaited next.

use std::cell::{Cell, RefCell};
use std::task::Poll;

use crate::serve::hyper::connection::state::counts::Counts;
use crate::serve::hyper::connection::state::kind::Kind;
use crate::serve::hyper::connection::state::message::Message;
use crate::serve::hyper::connection::state::wire::Wire;

/// The beginning that only HTTP/2 has.
const OPENING: &[u8] = b"PRI";

/// What the first bytes say about the version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// There were this many, and they match HTTP/2.
    Undecided(usize),
    Http1,
    Http2,
}

pub(crate) struct Traffic {
    kind: Kind,
    /// The number of bytes read.
    read: Cell<u64>,
    written: Cell<u64>,
    /// How many had been read when some were last written.
    read_before_write: Cell<u64>,
    /// Whether the last read, or write, would have blocked: hyper is waiting for the client.
    read_blocks: Cell<bool>,
    write_blocks: Cell<bool>,
    opening: Cell<Opening>,
    /// The frames that have passed, in HTTP/2.
    wire: RefCell<Option<Wire>>,
    /// How much has arrived, in HTTP/1 set up by hand.
    message: RefCell<Option<Box<Message>>>,
}

/// The lull of a connection without a request under way: what it is waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lull {
    /// The beginning of a request.
    Idle,
    /// The rest of a request's head, or of whatever has to come before a request.
    Head,
}

/// Whose turn it is, before more of a body can pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    Client,
    /// A handler, which is not taking what has arrived.
    Handler,
}

/// The things that are awaited while hyper has nothing to do.
#[derive(Clone, Copy)]
pub(crate) struct Awaited {
    pub(crate) lull: Option<Lull>,
    /// If the client may have more to send: whose turn it is, and the bytes so far.
    pub(crate) input: Option<(Turn, u64)>,
    /// If the client has more to receive: the bytes so far.
    pub(crate) output: Option<u64>,
}

impl Awaited {
    /// Whether the client has to do something before anything else can happen.
    pub(crate) fn is_clients_turn(&self) -> bool {
        let sends = self.input.is_some_and(|(turn, _)| turn == Turn::Client);
        sends || self.lull.is_some() || self.output.is_some()
    }
}

impl Traffic {
    pub(super) fn new(kind: Kind) -> Traffic {
        Traffic {
            kind,
            read: Cell::new(0),
            written: Cell::new(0),
            read_before_write: Cell::new(0),
            read_blocks: Cell::new(false),
            write_blocks: Cell::new(false),
            opening: Cell::new(Opening::Undecided(0)),
            wire: RefCell::new(None),
            message: RefCell::new(None),
        }
    }

    pub(super) fn read_polled(&self, polled: Poll<usize>) {
        self.read_blocks.set(polled.is_pending());
        self.read.set(self.read.get() + bytes(polled));
    }

    /// To be called when hyper has polled the stream to write or to flush.
    pub(crate) fn write_polled(&self, polled: Poll<usize>) {
        self.write_blocks.set(polled.is_pending());
        if bytes(polled) > 0 {
            self.read_before_write.set(self.read.get());
        }
        self.written.set(self.written.get() + bytes(polled));
    }

    /// Whether hyper's last read would have blocked.
    pub(super) fn read_blocks(&self) -> bool {
        self.read_blocks.get()
    }

    /// How many bytes have been read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    /// Whether the client has sent nothing since it was last sent something.
    pub(crate) fn is_silent(&self) -> bool {
        self.read.get() == self.read_before_write.get()
    }

    /// Whether [`input`](Self::input) needs to see the bytes themselves.
    pub(crate) fn looks_at_bytes(&self) -> bool {
        self.opening.get() != Opening::Http1 || self.kind == Kind::ByHand
    }

    /// To be called with the bytes that the client has sent: with all of them, from the first on,
    /// for as long as they [are looked at](Self::looks_at_bytes).
    pub(crate) fn input(&self, bytes: &[u8]) {
        if let Opening::Undecided(known) = self.opening.get()
            && !bytes.is_empty()
        {
            self.opening.set(self.open(known, bytes));
        }
        if let Some(message) = &mut *self.message.borrow_mut() {
            message.read(bytes);
        }
        if let Some(wire) = &mut *self.wire.borrow_mut() {
            wire.read(bytes);
        }
    }

    /// What these bytes say about the version, after the first `known` bytes of [`OPENING`].
    fn open(&self, known: usize, bytes: &[u8]) -> Opening {
        let (known_bytes, rest) = OPENING.split_at(known);
        let common = rest.len().min(bytes.len());
        if bytes[..common] != rest[..common] {
            if self.kind == Kind::ByHand {
                let mut message = Message::new();
                message.read(known_bytes);
                self.message.replace(Some(Box::new(message)));
            }
            return Opening::Http1;
        }
        if common < rest.len() {
            return Opening::Undecided(known + common);
        }
        let mut wire = Wire::new();
        wire.read(known_bytes);
        self.wire.replace(Some(wire));
        Opening::Http2
    }

    /// To be called with the bytes that the client has been sent.
    pub(crate) fn output(&self, bytes: &[u8]) {
        if let Some(wire) = &mut *self.wire.borrow_mut() {
            wire.written(bytes);
        }
    }

    /// Whether the first bytes were not those of HTTP/2.
    pub(super) fn is_http1(&self) -> bool {
        self.opening.get() == Opening::Http1
    }

    /// Whether the first bytes were those of HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.opening.get() == Opening::Http2
    }

    /// Whether no stream of HTTP/2 is open, as far as the frames tell.
    pub(super) fn is_http2_idle(&self) -> bool {
        match &*self.wire.borrow() {
            Some(wire) => !wire.has_begun() || wire.is_idle(),
            // hyper may have been set up for HTTP/2 by hand, with a client that has not said so
            // yet.
            None => matches!(self.opening.get(), Opening::Undecided(_)),
        }
    }

    /// What is awaited now. `read` is how many bytes had been read when the last request began.
    pub(super) fn awaited(&self, counts: &Counts, read: u64) -> Awaited {
        if let Some(wire) = &*self.wire.borrow() {
            return self.awaited_http2(wire, counts);
        }
        if let Some(message) = &*self.message.borrow() {
            return self.awaited_by_hand(message, counts);
        }
        let busy = !counts.is_idle();
        let lull = match self.opening.get() {
            Opening::Undecided(0) => Some(Lull::Idle),
            Opening::Undecided(_) => Some(Lull::Head),
            _ if busy || self.write_blocks.get() => None,
            _ if self.read.get() > read => Some(Lull::Head),
            _ => Some(Lull::Idle),
        };
        Awaited {
            lull,
            input: busy.then(|| (self.turn(), self.read.get())),
            output: self.has_output(counts).then(|| self.written.get()),
        }
    }

    fn awaited_http2(&self, wire: &Wire, counts: &Counts) -> Awaited {
        let busy = !counts.is_idle();
        let lull = match (wire.is_in_head(), wire.is_idle()) {
            (true, _) => Some(Lull::Head),
            (false, true) if !busy && !self.write_blocks.get() => Some(Lull::Idle),
            _ => None,
        };
        let sends = self.has_output(counts) || !busy && wire.sends() && !wire.is_in_head();
        Awaited {
            lull,
            input: wire.receives().then(|| (self.turn(), wire.received())),
            output: sends.then(|| wire.sent()),
        }
    }

    /// Here nothing tells whether a handler is running or hyper is waiting for the next request.
    /// hyper may have read the beginning of that request, and continue with it when the handler has
    /// ended.
    fn awaited_by_hand(&self, message: &Message, counts: &Counts) -> Awaited {
        Awaited {
            lull: (self.read_blocks.get() && message.is_in_head()).then_some(Lull::Head),
            input: message.receives().then(|| (self.turn(), self.read.get())),
            output: self.has_output(counts).then(|| self.written.get()),
        }
    }

    fn turn(&self) -> Turn {
        if self.read_blocks.get() { Turn::Client } else { Turn::Handler }
    }

    /// Whether there is something that hyper cannot get rid of.
    fn has_output(&self, counts: &Counts) -> bool {
        self.write_blocks.get() || counts.has_piece()
    }
}

fn bytes(polled: Poll<usize>) -> u64 {
    match polled {
        Poll::Ready(bytes) => bytes as u64,
        Poll::Pending => 0,
    }
}
