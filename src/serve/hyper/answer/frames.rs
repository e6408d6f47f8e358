//! The frames of a body, from the task that makes them to hyper.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Bytes, Frame};
use hyper::header::HeaderMap;

use crate::error::{Error, Result};
use crate::operation::checkpoint::checkpoint;
use crate::operation::sync::event::Event;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::answer::cut_off::CutOff;
use crate::serve::hyper::cancellation::departed;

/// Passes on one frame at a time, because hyper has a buffer of its own.
#[derive(Clone)]
pub(crate) struct Frames(Rc<Shared>);

struct Shared {
    frame: RefCell<Option<Frame<Bytes>>>,
    stage: Cell<Stage>,
    /// Woken when there is a frame: present while hyper is waiting for one.
    taker: RefCell<Option<Waker>>,
    /// Set when a frame has been taken. Everybody who wants to send waits for the same one.
    taken: RefCell<Option<Rc<Event>>>,
    /// The scope of the task that makes the frames.
    scope: RefCell<Option<ScopeRef>>,
}

/// How far the body has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The task has ended.
    Ended(End),
    /// Nobody takes the frames any more.
    Unwanted,
}

/// How a body has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    /// There would have been more.
    CutOff,
}

impl Frames {
    pub(super) fn new() -> Frames {
        Frames(Rc::new(Shared {
            frame: RefCell::new(None),
            stage: Cell::new(Stage::Open),
            taker: RefCell::new(None),
            taken: RefCell::new(None),
            scope: RefCell::new(None),
        }))
    }

    /// Sets the scope that is cancelled when nobody takes the frames any more.
    pub(crate) fn set_scope(&self, scope: ScopeRef) {
        if self.0.stage.get() == Stage::Unwanted {
            scope.cancel(Level::Full, departed(), None);
        }
        let _former = self.0.scope.replace(Some(scope));
    }

    /// To be called when there will be no more frames.
    pub(crate) fn end(&self, end: End) {
        if self.0.stage.get() == Stage::Open {
            self.0.stage.set(Stage::Ended(end));
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

/// Sends the frames of a body that is [made by a task](super::body::Body::stream).
///
/// Dropping it changes nothing: the body ends when its task does.
pub struct Sender {
    frames: Frames,
}

impl Sender {
    pub(super) fn new(frames: Frames) -> Sender {
        Sender { frames }
    }

    /// Sends a piece of the body, once the previous one has been taken. So it waits for a client
    /// that does not read.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), for example because the client has gone; in that case
    /// nothing has been sent. Behind a shield, which keeps this out, an [`io::Error`] of the kind
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
    pub async fn send(&self, data: impl Into<Bytes>) -> Result<()> {
        self.send_frame(|| Frame::data(data.into())).await
    }

    /// Sends headers after the body. In HTTP/1 hyper passes on those that were announced in a
    /// `trailer` header, and only if the client has said that it accepts trailers.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`send`](Self::send).
    pub async fn send_trailers(&self, trailers: HeaderMap) -> Result<()> {
        self.send_frame(|| Frame::trailers(trailers)).await
    }

    async fn send_frame(&self, frame: impl FnOnce() -> Frame<Bytes>) -> Result<()> {
        checkpoint().await?;
        let shared = &*self.frames.0;
        loop {
            if shared.stage.get() != Stage::Open {
                checkpoint().await?; // this may have been cancelled while it waited
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

/// Hyper's end.
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
        match (frame, shared.stage.get()) {
            (Some(frame), _) => {
                self.0.wake_senders();
                Poll::Ready(Some(Ok(frame)))
            }
            (None, Stage::Ended(End::CutOff)) => Poll::Ready(Some(Err(Error::from(CutOff)))),
            (None, Stage::Ended(End::Complete) | Stage::Unwanted) => Poll::Ready(None),
            (None, Stage::Open) => {
                let waker = cx.waker().clone();
                let _former = shared.taker.replace(Some(waker));
                Poll::Pending
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.0.stage.get() == Stage::Ended(End::Complete) && self.0.0.frame.borrow().is_none()
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let shared = &*self.0.0;
        if shared.stage.get() == Stage::Open {
            shared.stage.set(Stage::Unwanted);
            let scope = shared.scope.take();
            if let Some(scope) = scope {
                scope.cancel(Level::Full, departed(), None);
            }
            self.0.wake_senders();
        }
    }
}
