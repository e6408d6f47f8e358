//! What is `Send` because it stays on its thread.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::error::panic::quietly;
use crate::serve::hyper::rt::thread_bound::ThreadBound;
use crate::serve::hyper::tower::left::leave;

/// Makes anything `Send` and `Sync`, and sees to it that it stays on its thread. With this the
/// handlers of an axum router, which have to be `Send` and `'static`, can await this crate, and
/// share its channels.
///
/// * A **future**, when it is awaited, has what `value` has, and is part of the request: it may use
///   everything of this crate. If the client goes away, or the server is cancelled, it sees a
///   [`Cancelled`](crate::Cancelled) at its `await`, and cleans up. If a layer drops it half-way,
///   because of a time limit for example, it is cancelled as well, and cleans up in a task of its
///   request.
/// * A **stream** ([`Stream`]) or a **body** ([`Body`](hyper::body::Body)) can be the body of an
///   answer. It is polled by hyper, which drops it when the client has gone. A
///   [generator](crate::generator()) is closed then; [`local_answer`](crate::hyper::local_answer()) is for
///   bodies that are made in a task.
/// * **Anything else** can be a router's state, and be used through [`Deref`].
///
/// The value moves into a box.
///
/// ```
/// use seedbed::hyper::{OnThread, local};
/// use seedbed::{Result, Sender, sleep};
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// fn is_send<T: Send>(value: T) -> T { value }
///
/// # seedbed::run(async {
/// let (jobs, queue) = seedbed::channel::<u32>(1);
/// let state: OnThread<Rc<Sender<u32>>> = local(Rc::new(jobs)); // an axum `State`
/// let handler = async move || -> Result<()> {
///     local(async move {
///         sleep(Duration::from_millis(1)).await?;
///         state.send(7).await
///             .map_err(Into::into)
///     })
///     .await
/// };
/// is_send(handler()).await?;
/// assert_eq!(queue.recv().await?, Some(7));
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use = "futures and streams do nothing unless polled"]
pub fn local<T>(value: T) -> OnThread<T> {
    OnThread { value: Some(ThreadBound::new(Box::pin(value))), leave: None }
}

/// A value that is `Send` and `Sync`, and can be used only on its thread: that on which it was given
/// to [`local`].
///
/// Every use looks which thread it is on. On another one it panics, except for `Debug`, which says
/// so, and for being dropped: there the value is leaked, with everything in it, which is reported
/// through `tracing` as an error.
///
/// # Panics
///
/// If it is used, cloned or polled on another thread.
pub struct OnThread<T> {
    /// `None` only while it is dropped.
    value: Option<ThreadBound<Pin<Box<T>>>>,
    /// What to do with a future that is dropped half-way.
    leave: Option<fn(Pin<Box<T>>)>,
}

impl<T> OnThread<T> {
    /// Returns what is in it.
    ///
    /// # Panics
    ///
    /// On another thread.
    #[track_caller]
    pub fn into_inner(mut self) -> T
    where
        T: Unpin,
    {
        let value = self.value.take().expect("it is being dropped");
        *Pin::into_inner(value.into_inner())
    }

    #[track_caller]
    fn pinned(&mut self) -> Pin<&mut T> {
        self.value.as_mut().expect("it is being dropped").get_mut().as_mut()
    }
}

impl<T> Drop for OnThread<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        if !value.is_here() {
            quietly(|| {
                let what = std::any::type_name::<T>();
                tracing::error!(what, "a value was dropped on a thread other than its own: leaked");
            });
        } else if let Some(leave) = self.leave {
            leave(value.into_inner());
        }
    }
}

impl<T> Deref for OnThread<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is being dropped").get()
    }
}

impl<T: Unpin> DerefMut for OnThread<T> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        self.pinned().get_mut()
    }
}

impl<T: Clone> Clone for OnThread<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        local(T::clone(self))
    }
}

impl<T: fmt::Debug> fmt::Debug for OnThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<F: Future + 'static> Future for OnThread<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.leave = None; // if it panics now it is over
        let polled = self.pinned().poll(cx);
        if polled.is_pending() {
            self.leave = Some(leave);
        }
        polled
    }
}

impl<S: Stream> Stream for OnThread<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.pinned().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }
}

impl<B: HttpBody> HttpBody for OnThread<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.pinned().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        (**self).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        (**self).size_hint()
    }
}
