//! Driving a connection of hyper's that was set up by hand.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::error::{Error, Result, placed};
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::connection::drive::Drive;
use crate::serve::hyper::connection::pace::Pace;
use crate::serve::hyper::connection::state::State;
use crate::serve::hyper::connection::state::kind::Kind;
use crate::serve::hyper::connection::steps::End;
use crate::serve::hyper::limits::Limits;

/// Drives a connection of hyper's to its end, as [`serve`](super::serve()) does. This is for
/// programs that have to set hyper up by hand.
///
/// `shutdown` is the connection's own method: the `graceful_shutdown` of `http1::Connection`,
/// `http1::UpgradeableConnection` or `http2::Connection`.
///
/// **A cancellation** reaches the handler at its `await`, and hyper goes on until the handler has
/// cleaned up. Then this fails with the [`Cancelled`](crate::Cancelled). The same happens when the
/// client has gone: when it has reset the connection, or hung up.
///
/// **A client that has only ended its side** is still answered, for as long as
/// [`Limits::HALF_CLOSED`] allows; after that it is taken to have gone.
///
/// **A [graceful cancellation](crate::CancelScope::cancel_gracefully)**, such as the shutdown of a
/// [server](crate::Server), ends the connection as HTTP intends: between two requests. The handlers
/// are [finishing](crate::finishing()) their work. First there is a delay for requests that are
/// already on their way: a tenth of a second, or half a second if the connection has had no request
/// yet. Then hyper is told by `shutdown`. It closes a connection that is waiting for its next
/// request at once, and any other when everything that has begun is answered, in HTTP/1 with
/// `connection: close`. A service that is [`closing`] closes the connection with the first answer,
/// even during the delay, so that no client sends a request that nobody reads. A connection of
/// HTTP/2 with nothing under way ends after another tenth of a second, whether its client
/// acknowledges that or not. When the grace is over, whatever is still waiting fails.
///
/// **A slow or silent client** is bounded by the defaults of [`Limits`], as far as this can be told
/// from what passes through [`Io`](super::Io). The exception is an idle HTTP/1 connection, because
/// nothing shows that no handler is running. That is left to hyper's own limit for heads, which
/// counts from the end of the last answer, and is 30 seconds if hyper has been given a
/// [`Timer`](super::Timer). The end of an idle connection is not an error.
///
/// **Dropping remains hyper's way** for handlers of HTTP/2 whose stream is reset, and for the
/// bodies of answers. If these should clean up, use
/// [`serve_connection`](super::serve_connection()), which runs each in a task.
///
/// See [`NurseryExecutor`](super::NurseryExecutor) for an example.
///
/// [`closing`]: super::closing()
///
/// # Errors
///
/// Those of the connection; [`Cancelled`](crate::Cancelled) if a cancellation was not graceful, or
/// the grace was over; an [`io::Error`] if the client went away while something was under way, of
/// the kind [`TimedOut`](io::ErrorKind::TimedOut) if it was too slow.
#[track_caller]
pub fn gracefully<C, E>(
    connection: C,
    shutdown: impl FnOnce(Pin<&mut C>),
) -> impl Future<Output = Result<()>>
where
    C: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let place = Location::caller();
    let state = State::new(Kind::ByHand, place);
    let scope = ScopeRef::new(place);
    placed(Gracefully {
        drive: Drive::new(connection, shutdown, scope, state, &DEFAULTS, Pace::default()),
    })
}

static DEFAULTS: Limits = Limits::new();

pin_project! {
    struct Gracefully<C, F> {
        #[pin]
        drive: Drive<'static, C, F>,
    }
}

impl<C, F, E> Future for Gracefully<C, F>
where
    C: Future<Output = Result<(), E>>,
    F: FnOnce(Pin<&mut C>),
    E: Into<Error>,
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(match ready!(self.project().drive.poll(cx))? {
            End::Over => Ok(()),
            End::Cancelled(why) => Err(why.into()),
            End::Departed(error) => {
                Err(error.unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into()).into())
            }
            End::Failed(error) => Err(error),
        })
    }
}
