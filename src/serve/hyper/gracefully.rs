//! Driving a connection that was set up by hand.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::error::placed;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::drive::{Drive, End};
use crate::serve::hyper::limits::Limits;
use crate::serve::hyper::pace::Pace;
use crate::serve::hyper::state::{Kind, State};
use crate::{Error, Result};

/// Drives a connection of hyper's to its end, as [`serve`](super::serve()) does: to be used where
/// hyper itself has to be set up by hand.
///
/// **A cancellation** reaches the handler at its `await`, and hyper goes on until the handler has
/// cleaned up. The connection fails with the [`Cancelled`](crate::Cancelled) then. The same happens
/// where the client has gone: it has reset the connection, or hung up.
///
/// **A client that only ends its side** is still answered, for as long as
/// [`Limits::HALF_CLOSED`] says; then it is taken to have gone.
///
/// **A [graceful cancellation](crate::CancelScope::cancel_gracefully)**, such as the shutdown of a
/// [server](crate::Server), ends it as HTTP has it: between two requests. The connection is
/// [finishing](crate::finishing()) its work. A graceful cancellation waits for a
/// tenth of a second, for requests that are on their way already, and for half a second where the
/// connection has had no request yet. Then hyper is told by `shutdown`:
/// a connection that waits for its next request is closed at once, others are when what they have
/// begun is answered, in HTTP/1 with `connection: close`. A service that is [`closing`] closes with
/// the first answer, also in that time, and makes sure that no client sends a request which
/// nobody reads. A connection of HTTP/2 with nothing under way ends after another tenth of a
/// second, whether its client acknowledges that or not. When the grace is over everything fails
/// that still waits.
///
/// **A slow or silent client** is bounded by the defaults of [`Limits`], as what passes through
/// [`Io`](super::Io) tells. Only that an HTTP/1 connection is idle, and no handler running, nothing
/// tells: that is left to the limit that hyper has for heads, which counts from the end of the
/// last answer, 30 seconds if it has been given a [`Timer`](super::Timer). The end of an idle
/// connection is no error.
///
/// [`closing`]: super::closing()
///
/// `shutdown` is the connection's own method: of `http1::Connection`,
/// `http1::UpgradeableConnection` or `http2::Connection` the `graceful_shutdown`.
///
/// What remains hyper's way: handlers of HTTP/2 whose stream is reset are dropped, and so are
/// the bodies of answers. Where they should clean up, [`serve_connection`](super::serve_connection())
/// runs each as a task.
///
/// See the [module](crate::hyper) for an example.
///
/// # Errors
///
/// The connection's; a [`Cancelled`](crate::Cancelled) if it was cancelled
/// otherwise, or the grace was over; an [`io::Error`] if the client has gone while something was
/// under way, of the kind [`TimedOut`](io::ErrorKind::TimedOut) if it was too slow.
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
