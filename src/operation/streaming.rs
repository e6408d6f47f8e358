//! Operations that are polled as a stream or a sink: what an end of a channel remembers of them
//! between two polls.
//!
//! The operation itself is made anew for each poll, from parts of the end; only its steps stay.

use std::mem;
use std::panic::Location;
use std::task::{Context, Poll, ready};

use crate::error::{Error, Result};
use crate::operation::skeleton::{Operation, Steps};
use crate::operation::sync::channel::Closed;

/// What a receiver remembers between two polls as a stream.
pub(crate) struct Streaming<W, G> {
    steps: Steps<W, G>,
    next: Next,
}

/// What the stream does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Receives,
    /// It was cancelled, so it ends: whoever skips errors would otherwise never come to an end.
    Ends,
}

impl<W, G> Streaming<W, G> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Streaming { steps: Steps::new(), next: Next::Receives }
    }

    /// Continues the operation, or begins the next one. Dropping whoever polls this loses nothing,
    /// as the wait stays here.
    #[inline]
    pub(crate) fn poll_one<O>(&mut self, work: &mut O, cx: &mut Context<'_>) -> Poll<Result<G>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        let outcome = ready!(self.steps.poll(work, cx));
        self.steps = Steps::new();
        Poll::Ready(outcome)
    }

    /// The same for a stream: after one error there is nothing more.
    #[inline]
    pub(crate) fn poll_next<O>(
        &mut self,
        work: &mut O,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<G>>>
    where
        O: Operation<Wait = W, Got = G>,
    {
        if self.next == Next::Ends {
            return Poll::Ready(None);
        }
        let outcome = ready!(self.poll_one(work, cx));
        if outcome.is_err() {
            self.next = Next::Ends;
        }
        Poll::Ready(Some(outcome))
    }

    /// To be called when the receiver is dropped.
    #[inline]
    pub(crate) fn stop<O: Operation<Wait = W, Got = G>>(&mut self, work: &mut O) {
        self.steps.drop(work);
    }
}

/// What a sender remembers between two polls as a sink: the operation reserves a place for a
/// message.
pub(crate) struct Sinking<W> {
    steps: Steps<W, Result<(), Closed>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    /// It waits for a place.
    Reserving,
    /// It has a place for the next message.
    Reserved,
    /// It no longer counts as a sender.
    Closed,
}

impl<W> Sinking<W> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Sinking { steps: Steps::new(), stage: Stage::Idle }
    }

    /// Reserves a place, if there is none yet.
    pub(crate) fn poll_ready<O>(&mut self, work: &mut O, cx: &mut Context<'_>) -> Poll<Result<()>>
    where
        O: Operation<Wait = W, Got = Result<(), Closed>>,
    {
        match self.stage {
            Stage::Idle | Stage::Reserving => {}
            Stage::Reserved => return Poll::Ready(Ok(())),
            Stage::Closed => return Poll::Ready(Err(Error::from(Closed).at(work.place()))),
        }
        self.stage = Stage::Reserving;
        let reserved = ready!(self.steps.poll(work, cx));
        *self = Sinking::new();
        match reserved? {
            Ok(()) => self.stage = Stage::Reserved,
            Err(closed) => return Poll::Ready(Err(Error::from(closed).at(work.place()))),
        }
        Poll::Ready(Ok(()))
    }

    /// Passes the place on to whoever is about to send a message to it.
    pub(crate) fn use_place(&mut self, place: &'static Location<'static>) -> Result<()> {
        match self.stage {
            Stage::Reserved => self.stage = Stage::Idle,
            Stage::Closed => return Err(Error::from(Closed).at(place)),
            Stage::Idle | Stage::Reserving => {
                panic!("a message was given to a sink that had not said it was ready")
            }
        }
        Ok(())
    }

    /// From now on it is closed. Returns what it was before, unless it was closed.
    #[inline]
    pub(crate) fn close(&mut self) -> Option<Stage> {
        let stage = mem::replace(&mut self.stage, Stage::Closed);
        (stage != Stage::Closed).then_some(stage)
    }

    /// Gives up what it had, or waited for, before it was closed. This runs foreign code.
    #[cold]
    pub(crate) fn give_up<O>(&mut self, before: Stage, work: &mut O)
    where
        O: Operation<Wait = W, Got = Result<(), Closed>>,
    {
        match before {
            Stage::Reserving => mem::replace(&mut self.steps, Steps::new()).drop(work),
            Stage::Reserved => work.give_back(Ok(())),
            Stage::Idle | Stage::Closed => {}
        }
    }
}
