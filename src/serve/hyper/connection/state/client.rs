//! Whether the client of a connection is still there.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::task::Context;

use hyper::rt::ReadBufCursor;

use crate::serve::hyper::connection::state::ahead::Ahead;
use crate::world::reactor::chunks::ReadinessRef;
use crate::world::reactor::readiness::Side;

/// The news of the client from the stream and the kernel.
#[derive(Default)]
pub(crate) struct Client {
    /// The kernel's reports about the other end, if the stream is one of this crate's.
    peer: OnceCell<ReadinessRef>,
    /// The bytes read from any other stream while hyper was not reading.
    ahead: RefCell<Option<Ahead>>,
    /// Whether hyper has read the stream to its end.
    met_end: Cell<bool>,
    /// The error of a read or a write that has failed.
    failure: RefCell<Option<io::Error>>,
}

/// Whether looking ahead has found something for hyper.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Something,
    Nothing,
}

impl Client {
    pub(crate) fn set_peer(&self, peer: ReadinessRef) {
        let _ = self.peer.set(peer);
    }

    /// From now on, looks ahead with this, unless the kernel tells whether the client is still
    /// there.
    pub(crate) fn set_ahead(&self, ahead: impl FnOnce() -> Ahead) {
        if self.peer.get().is_none() {
            self.ahead.replace(Some(ahead()));
        }
    }

    /// Reads ahead, if only that tells whether the client is still there.
    pub(super) fn look_ahead(&self, cx: &mut Context<'_>) -> Found {
        // Taken out to be polled, because it is foreign code.
        let Some(mut ahead) = self.ahead.take() else { return Found::Nothing };
        let polled = ahead.poll(cx);
        let has_more = ahead.has_more();
        self.ahead.replace(Some(ahead));
        match polled {
            Ok(()) if has_more => Found::Something,
            Ok(()) => Found::Nothing,
            Err(error) => {
                self.fail(error);
                Found::Nothing
            }
        }
    }

    /// Gives hyper what was read ahead, if anything was, and returns it.
    pub(super) fn read_ahead(&self, buffer: &mut ReadBufCursor<'_>) -> Option<Vec<u8>> {
        self.ahead.borrow_mut().as_mut()?.read(buffer)
    }

    /// Stops reading ahead.
    pub(super) fn stop_looking(&self) {
        let stream = self.ahead.borrow_mut().as_mut().and_then(Ahead::stop);
        drop(stream);
    }

    pub(super) fn meet_end(&self) {
        self.met_end.set(true);
    }

    pub(crate) fn has_met_end(&self) -> bool {
        self.met_end.get()
    }

    /// To be called when a read or a write has failed. hyper is not told, because it would drop the
    /// handlers.
    pub(crate) fn fail(&self, error: io::Error) {
        if !self.has_failed() {
            self.failure.replace(Some(error));
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Whether the client will send no more. It may still read.
    pub(crate) fn has_input_ended(&self) -> bool {
        self.met_end.get()
            || self.ahead.borrow().as_ref().is_some_and(Ahead::has_ended)
            || self.peer.get().is_some_and(|peer| peer.has_input_ended())
    }

    /// Whether the client has gone.
    pub(crate) fn has_departed(&self) -> bool {
        self.has_failed() || self.peer.get().is_some_and(|peer| peer.has_hung_up())
    }

    /// Has `cx` woken when the kernel has news of the client.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        if let Some(peer) = self.peer.get() {
            peer.leave_waker(Side::Read, cx.waker());
        }
    }
}
