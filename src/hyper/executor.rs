//! Spawning, for hyper.

use std::future::Future;

use hyper::rt::Executor;

use crate::Nursery;

/// Spawns what hyper wants to run beside a connection into a nursery: in HTTP/2, the answering of
/// each request.
///
/// The futures need not be `'static`, so handlers may borrow what lives outside the nursery. Open
/// one for each connection: when the connection has ended, and its answers with it, so has the
/// nursery; and a handler that panics takes the connection down, not the server.
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
    /// Spawns into this nursery.
    #[must_use]
    pub fn new(nursery: &'scope Nursery<'scope, 'env>) -> Self {
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
        drop(self.0.spawn(async {
            future.await;
            Ok(())
        }));
    }
}

impl std::fmt::Debug for NurseryExecutor<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NurseryExecutor").field(self.0).finish()
    }
}
