//! Spawning, for hyper.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::Executor;
use pin_project_lite::pin_project;

use crate::error::{Result, panic};
use crate::nursery::Nursery;
use crate::scope::current::in_scope;
use crate::scope::tree::Entered;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::HandlerPanicked;
use crate::serve::hyper::cancellation;
use crate::serve::hyper::connection::giving_up::Rounds;
use crate::serve::hyper::connection::state::kind::Kind;
use crate::serve::hyper::connection::state::{State, UnderWay, Work};

/// Spawns into a nursery whatever hyper wants to run beside a connection: in HTTP/2, the answering
/// of each request.
///
/// The futures need not be `'static`, so handlers may borrow anything that lives outside the
/// nursery. Open a nursery for each connection: it ends when the connection and all its answers
/// have. A panic is reported through `tracing`, and only resets its own stream.
///
/// ```
/// use hyper::server::conn::http2;
/// use hyper::service::service_fn;
/// use hyper::{Request, Response, body::Incoming};
/// use seedbed::hyper::{Io, NurseryExecutor, Timer, gracefully};
/// use seedbed::{Result, net::TcpStream, nursery};
/// use std::cell::Cell;
///
/// async fn serve_http2(stream: TcpStream, hits: &Cell<u64>) -> Result<()> {
///     let answer = async |_: Request<Incoming>| {
///         hits.set(hits.get() + 1);
///         Ok::<_, seedbed::Error>(Response::new(format!("hit {}\n", hits.get())))
///     };
///     nursery(async |n| {
///         let connection = http2::Builder::new(NurseryExecutor::new(n))
///             .timer(Timer)
///             .serve_connection(Io::new(stream), service_fn(&answer));
///         gracefully(connection, http2::Connection::graceful_shutdown).await
///     })
///     .await
/// }
/// ```
pub struct NurseryExecutor<'scope, 'env>(&'scope Nursery<'scope, 'env>);

impl<'scope, 'env> NurseryExecutor<'scope, 'env> {
    /// An executor that spawns into this nursery.
    #[must_use]
    pub fn new(nursery: &'scope Nursery<'scope, 'env>) -> Self {
        cancellation::recognise();
        NurseryExecutor(nursery)
    }
}

impl Clone for NurseryExecutor<'_, '_> {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for NurseryExecutor<'_, '_> {}

impl<'scope, F> Executor<F> for NurseryExecutor<'scope, '_>
where
    F: Future<Output = ()> + 'scope,
{
    #[track_caller]
    fn execute(&self, future: F) {
        let place = Location::caller();
        let stream = State::current().map(|state| {
            let scope = ScopeRef::new(place);
            let key = state.join(scope.clone());
            let work = match state.kind {
                Kind::ByHand => {
                    state.counts.count_request();
                    Work::Task
                }
                Kind::Served => Work::Answer, // the handler is a task of its own
            };
            Stream { under_way: state.begin(work), key, scope, rounds: Rounds::default() }
        });
        let entered = stream.as_ref().map(|stream| stream.scope.clone());
        let spawned = Spawned { future: Some(future), entered: None, scope: entered, stream };
        drop(self.0.spawn(spawned));
    }
}

/// A driven connection's record of something that hyper has spawned.
struct Stream {
    under_way: UnderWay,
    key: usize,
    scope: ScopeRef,
    /// The rounds that it has had in a cancelled scope.
    rounds: Rounds,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.under_way.state().leave(self.key);
    }
}

pin_project! {
    /// Something that hyper has spawned. If it panics it is dropped, which resets its stream; the
    /// other streams and the connection go on.
    struct Spawned<F> {
        #[pin]
        future: Option<F>,
        entered: Option<Entered>,
        scope: Option<ScopeRef>,
        stream: Option<Stream>,
    }
}

impl<F: Future<Output = ()>> Future for Spawned<F> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut this = self.project();
        match (this.entered.as_mut(), this.scope.take()) {
            (Some(entered), _) => entered.touch(),
            (None, Some(scope)) => *this.entered = Some(Entered::new(scope, "a stream of HTTP/2")?),
            (None, None) => {}
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a stream was polled after it was ready")
        };
        let poll = AssertUnwindSafe(|| match this.entered {
            Some(entered) => in_scope(entered.scope(), || future.poll(cx)),
            None => future.poll(cx),
        });
        match catch_unwind(poll) {
            Ok(Poll::Pending) => {
                if let Some(stream) = this.stream {
                    stream.waits(cx);
                }
                return Poll::Pending;
            }
            Ok(Poll::Ready(())) => {}
            Err(payload) => {
                let error = HandlerPanicked::caught(payload);
                panic::quietly(|| tracing::error!(%error, "a stream of HTTP/2 was reset"));
            }
        }
        this.future.set(None);
        Poll::Ready(Ok(()))
    }
}

impl Stream {
    fn waits(&mut self, cx: &Context<'_>) {
        // On a served connection, it waits for the task of a request, which does this itself.
        if self.under_way.state().kind == Kind::ByHand {
            self.rounds.waits(&self.scope, &self.under_way, cx);
        }
    }
}

impl std::fmt::Debug for NurseryExecutor<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NurseryExecutor").field(self.0).finish()
    }
}
