//! Looking names up in the program's own way.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Result;

/// What a program looks names up with: see [`Builder::resolver`](crate::Builder::resolver).
pub(crate) type Resolver = Arc<dyn Resolve>;

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>>> + 'a>>;

/// A function that looks names up, and whose type does not matter.
pub(crate) trait Resolve: Send + Sync {
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Answer<'a>;
}

impl<F> Resolve for F
where
    F: AsyncFn(&str, u16) -> Result<Vec<SocketAddr>> + Send + Sync,
{
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Answer<'a> {
        Box::pin(self(host, port))
    }
}

/// Asks a resolver.
pub(super) async fn ask(resolver: &dyn Resolve, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    if IS_ASKED.get() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the function given to `Builder::resolver` asks itself; within it, use \
             `net::system_lookup` for names",
        )
        .into());
    }
    Asking(asked(|| resolver.look_up(host, port))).await
}

thread_local! {
    /// Whether a resolver is being polled. This finds the mistake of asking it from within, unless
    /// that happens in a task that it has spawned.
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Runs foreign code, a resolver's.
fn asked<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_ASKED.set(self.0);
        }
    }
    let _restore = Restore(IS_ASKED.replace(true));
    f()
}

struct Asking<'a>(Answer<'a>);

impl Future for Asking<'_> {
    type Output = Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        asked(|| self.0.as_mut().poll(cx))
    }
}
