//! A body on its way through hyper.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::serve::HandlerPanicked;
use crate::serve::hyper::answer::cut_off::CutOff;
use crate::serve::hyper::connection::state::UnderWay;
use crate::serve::panicked::OnPanic;

pin_project! {
    /// The body of an answer, as hyper sees it. There is none if the handler has failed.
    pub(crate) struct Outgoing<G> {
        #[pin]
        body: Option<G>,
        on_panic: OnPanic,
        counted: Counted,
    }
}

/// Counts the body as under way until hyper is done with it, and the piece of it that hyper has.
struct Counted {
    under_way: UnderWay,
    piece: Piece,
}

/// Whether hyper has a piece of the body. It asks for the next one when it has got rid of that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    None,
    WithHyper,
}

impl Counted {
    fn set(&mut self, piece: Piece) {
        let counts = &self.under_way.state().counts;
        match (self.piece, piece) {
            (Piece::None, Piece::WithHyper) => counts.give_piece(),
            (Piece::WithHyper, Piece::None) => counts.drop_piece(),
            _ => {}
        }
        self.piece = piece;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set(Piece::None);
    }
}

impl<G> Outgoing<G> {
    pub(crate) fn new(body: Option<G>, under_way: UnderWay, on_panic: OnPanic) -> Outgoing<G> {
        Outgoing { body, on_panic, counted: Counted { under_way, piece: Piece::None } }
    }
}

impl<G> HttpBody for Outgoing<G>
where
    G: HttpBody<Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    type Data = G::Data;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<G::Data>, CutOff>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let counted = this.counted;
        counted.set(Piece::None);
        let polled = match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
            Ok(polled) => polled,
            Err(payload) if *this.on_panic == OnPanic::Resume => resume_unwind(payload),
            Err(payload) => {
                counted.under_way.state().fail(HandlerPanicked::caught(payload).into());
                return Poll::Ready(Some(Err(CutOff)));
            }
        };
        polled.map(|item| {
            counted.set(match item {
                Some(Ok(_)) => Piece::WithHyper,
                _ => Piece::None,
            });
            Some(item?.map_err(|error| {
                let error = Error::from_boxed(error.into());
                // The task that makes a body reports its own failure, which may have come through
                // another library.
                if error.find::<CutOff>().is_none() && !error.is_cancelled() {
                    counted.under_way.state().fail(error);
                }
                CutOff
            }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(G::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), G::size_hint)
    }
}
