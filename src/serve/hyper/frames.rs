//! The frames of a body, from the task that makes them to hyper.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Bytes, Frame};
use hyper::header::HeaderMap;

use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::answer::CutOff;
use crate::serve::hyper::state::departed;
use crate::{Error, Event, Result, checkpoint};

/// One frame at a time, as hyper has a buffer of its own.
#[derive(Clone)]
pub(super) struct Frames(Rc<Shared>);

struct Shared {
    frame: RefCell<Option<Frame<Bytes>>>,
    end: Cell<End>,
    /// hyper waits for a frame.
    taker: RefCell<Option<Waker>>,
    /// Set when a frame has been taken. All who want to send wait for the same.
    taken: RefCell<Option<Rc<Event>>>,
    /// Of the task that makes them.
    scope: RefCell<Option<ScopeRef>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// There will be no more.
    Ended,
    /// There would be more.
    Failed,
    /// Nobody takes them any more.
    Unwanted,
}

impl Frames {
    pub(super) fn new() -> Frames {
        Frames(Rc::new(Shared {
            frame: RefCell::new(None),
            end: Cell::new(End::Open),
            taker: RefCell::new(None),
            taken: RefCell::new(None),
            scope: RefCell::new(None),
        }))
    }

    /// The scope that is cancelled when nobody takes them any more.
    pub(super) fn set_scope(&self, scope: ScopeRef) {
        if self.0.end.get() == End::Unwanted {
            scope.cancel(Level::Full, departed(), None);
        }
        let _former = self.0.scope.replace(Some(scope));
    }

    /// Says that there will be no more.
    pub(super) fn end(&self, failed: bool) {
        if self.0.end.get() == End::Open {
            self.0.end.set(if failed { End::Failed } else { End::Ended });
        }
        drop(self.0.scope.take());
        self.wake_taker();
    }

    fn wake_taker(&self) {
        let waker = self.0.taker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake_senders(&self) {
        let taken = self.0.taken.take();
        if let Some(taken) = taken {
            taken.set();
        }
    }
}

/// What a body [made by a task](super::Body::stream) sends with.
///
/// Dropping it changes nothing: the body ends when its task does.
pub struct Sender {
    frames: Frames,
}

impl Sender {
    pub(super) fn new(frames: Frames) -> Sender {
        Sender { frames }
    }

    /// Sends some of the body, when what was sent before has been taken. A client that does not
    /// read makes this wait.
    ///
    /// It is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), when the client has gone for one; nothing has been sent
    /// then. Behind a shield, where there is none, an [`io::Error`] of the kind
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
    pub async fn send(&self, data: impl Into<Bytes>) -> Result<()> {
        self.send_frame(|| Frame::data(data.into())).await
    }

    /// Sends headers behind the body. In HTTP/1 hyper passes on those that a header `trailer` has
    /// announced, if the client has said that it takes them.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_trailers(&self, trailers: HeaderMap) -> Result<()> {
        self.send_frame(|| Frame::trailers(trailers)).await
    }

    async fn send_frame(&self, frame: impl FnOnce() -> Frame<Bytes>) -> Result<()> {
        checkpoint().await?;
        let shared = &*self.frames.0;
        loop {
            if shared.end.get() != End::Open {
                checkpoint().await?; // it was cancelled while this waited
                return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
            }
            if shared.frame.borrow().is_none() {
                break;
            }
            let taken = shared.taken.borrow_mut().get_or_insert_default().clone();
            taken.wait().await?;
        }
        let frame = frame();
        shared.frame.replace(Some(frame));
        self.frames.wake_taker();
        Ok(())
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The end that hyper has.
pub(super) struct Taker(Frames);

impl Taker {
    pub(super) fn new(frames: Frames) -> Taker {
        Taker(frames)
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let shared = &*self.0.0;
        let frame = shared.frame.take();
        match (frame, shared.end.get()) {
            (Some(frame), _) => {
                self.0.wake_senders();
                Poll::Ready(Some(Ok(frame)))
            }
            (None, End::Failed) => Poll::Ready(Some(Err(Error::from(CutOff)))),
            (None, End::Ended | End::Unwanted) => Poll::Ready(None),
            (None, End::Open) => {
                let waker = cx.waker().clone();
                let _former = shared.taker.replace(Some(waker));
                Poll::Pending
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.0.end.get() == End::Ended && self.0.0.frame.borrow().is_none()
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let shared = &*self.0.0;
        if shared.end.get() == End::Open {
            shared.end.set(End::Unwanted);
            let scope = shared.scope.take();
            if let Some(scope) = scope {
                scope.cancel(Level::Full, departed(), None);
            }
            self.0.wake_senders();
        }
    }
}
