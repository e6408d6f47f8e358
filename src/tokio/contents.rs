//! What is inside a call: another library's future, with any output, polled in the context of any
//! runtime.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::runtime::Handle;
use pin_project_lite::pin_project;

pin_project! {
    /// A future whose output is taken for a value, whatever it is: see
    /// [`Call::output`](super::Call::output).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Output<F> {
        #[pin]
        future: F,
    }
}

impl<F> Output<F> {
    pub(super) fn new(future: F) -> Self {
        Output { future }
    }
}

impl<F: Future> Future for Output<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
    }
}

pin_project! {
    /// A future that is polled in the context of a runtime: see [`Call::on`](super::Call::on).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Within<F> {
        #[pin]
        future: F,
        handle: Handle,
    }
}

impl<F> Within<F> {
    pub(super) fn new(future: F, handle: Handle) -> Self {
        Within { future, handle }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Of two tasks that held such a guard across an await, one would leave before the other.
        let _entered = this.handle.enter();
        this.future.poll(cx)
    }
}
