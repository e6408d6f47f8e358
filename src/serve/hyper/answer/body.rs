//! The body that a handler gives its answer.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

use crate::error::{Error, Result};
use crate::generator::{Generator, aclosing};
use crate::serve::hyper::answer::frames::{Frames, Sender, Taker};

pub(crate) type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// The body of an answer: either complete, or made piece by piece while the client reads it.
///
/// The code given to [`stream`](Self::stream) or [`generator`](Self::generator) is part of the
/// request: it runs in a task, and may borrow whatever the handler may. When the client goes away,
/// or the server is cancelled, it sees a [`Cancelled`](crate::Cancelled) at its `await` and cleans
/// up, as the handler does. If it fails, the answer is cut off in a way that the client can tell:
/// in HTTP/1 the connection is closed, in HTTP/2 the stream is reset.
///
/// A handler may return any other [`Body`](hyper::body::Body) instead, such as those of the crate
/// `http-body-util`. hyper polls and drops such a body: it disappears with the client, without a
/// `Cancelled`, and without awaiting anything. [`new`](Self::new) turns one into this type.
///
/// ```
/// use hyper::{Request, Response, body::Incoming};
/// use seedbed::hyper::Body;
/// use seedbed::{Result, sleep};
/// use std::time::Duration;
///
/// async fn answer<'a>(
///     request: Request<Incoming>,
///     names: &'a [String],
/// ) -> Result<Response<Body<'a>>> {
///     Ok(Response::new(match request.uri().path() {
///         "/" => Body::from("see /names\n"),
///         _ => Body::stream(async move |sender| {
///             for name in names {
///                 sender.send(format!("{name}\n")).await?;
///                 sleep(Duration::from_secs(1)).await?; // cancelled when the client has gone
///             }
///             Ok(())
///         }),
///     }))
/// }
/// ```
pub struct Body<'a>(Repr<'a>);

enum Repr<'a> {
    Whole(Bytes),
    Made { frames: Frames, making: Boxed<'a> },
    Foreign(ForeignBody),
    Upgrade(Boxed<'a>),
}

type ForeignBody = Pin<Box<dyn HttpBody<Data = Bytes, Error = Error>>>;

impl<'a> Body<'a> {
    /// No body.
    #[must_use]
    pub fn empty() -> Body<'a> {
        Body::from(Bytes::new())
    }

    /// A body that `make` sends, in a task. The task is first polled once hyper has the answer's
    /// head, and never if the client wants no body, as for `HEAD`.
    ///
    /// See the [type](Self) for an example.
    pub fn stream<F>(make: F) -> Body<'a>
    where
        F: AsyncFnOnce(Sender) -> Result<()> + 'a,
    {
        let frames = Frames::new();
        let sender = Sender::new(frames.clone());
        Body(Repr::Made { frames, making: Box::pin(async move { make(sender).await }) })
    }

    /// A body made of a generator's values. The generator is closed when the last value has been
    /// sent or the client has gone, within the request's scope: its clean-up may await.
    ///
    /// A [`generator`](crate::generator()) borrows nothing. To borrow the application's state, use
    /// [`Nursery::generator`](crate::Nursery::generator) of a nursery opened around the server, or
    /// [`stream`](Self::stream).
    ///
    /// ```
    /// use seedbed::hyper::Body;
    /// use seedbed::{Yielder, generator};
    ///
    /// let body = Body::generator(generator(async |y: Yielder<String>| {
    ///     for n in 1..=3 {
    ///         y.yield_(format!("{n}\n")).await?;
    ///     }
    ///     Ok(())
    /// }));
    /// ```
    pub fn generator<T: Into<Bytes> + 'a>(generator: Generator<'a, T>) -> Body<'a> {
        Body::stream(async move |sender: Sender| {
            aclosing(generator, async |generator| {
                while let Some(item) = generator.anext().await? {
                    sender.send(item).await?;
                }
                Ok(())
            })
            .await
        })
    }

    /// Any body, in a box. The remarks at [`Body`] about bodies of other libraries apply to it.
    pub fn new<B>(body: B) -> Body<'a>
    where
        B: HttpBody<Data = Bytes> + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        Body(Repr::Foreign(Box::pin(Converted { body: Box::pin(body) })))
    }

    /// No body; `upgrade` runs in a task once hyper has the answer's head.
    pub(super) fn upgrade(upgrade: Boxed<'a>) -> Body<'a> {
        Body(Repr::Upgrade(upgrade))
    }
}

impl From<Bytes> for Body<'_> {
    fn from(bytes: Bytes) -> Self {
        Body(Repr::Whole(bytes))
    }
}

impl From<String> for Body<'_> {
    fn from(text: String) -> Self {
        Body::from(Bytes::from(text))
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Body::from(Bytes::from(bytes))
    }
}

impl From<&'static str> for Body<'_> {
    fn from(text: &'static str) -> Self {
        Body::from(Bytes::from_static(text.as_bytes()))
    }
}

impl From<&'static [u8]> for Body<'_> {
    fn from(bytes: &'static [u8]) -> Self {
        Body::from(Bytes::from_static(bytes))
    }
}

impl Default for Body<'_> {
    fn default() -> Self {
        Body::empty()
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Repr::Whole(_) => "Body(whole)",
            Repr::Made { .. } => "Body(made by a task)",
            Repr::Foreign(_) => "Body(of another library)",
            Repr::Upgrade(_) => "Body(upgrade)",
        })
    }
}

/// A body of another library whose errors are converted into ours.
struct Converted<B> {
    body: Pin<Box<B>>,
}

impl<B> HttpBody for Converted<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        polled.map(|item| Some(item?.map_err(|error| Error::from_boxed(error.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A type that a handler may return as the body of an answer: a [`Body`], or any
/// [`Body`](hyper::body::Body) of another library that borrows nothing.
pub trait IntoBody: sealed::Sealed {}

impl<B: sealed::Sealed> IntoBody for B {}

/// The work left to do for an answer once hyper has its head.
pub(crate) enum Rest<'a> {
    Nothing,
    /// The future sends the body through these frames.
    Made(Frames, Boxed<'a>),
    /// The future talks another protocol.
    Task(Boxed<'a>),
}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed {
        /// The body that hyper is given.
        type Given: HttpBody<Error: Into<Box<dyn StdError + Send + Sync>>> + 'static;

        /// What a service has left behind, to be done whether or not somebody waits for the answer.
        #[doc(hidden)]
        fn take_left(&mut self) -> Vec<Boxed<'static>> {
            Vec::new()
        }

        #[doc(hidden)]
        #[expect(private_interfaces, reason = "nobody else calls it")]
        fn give<'a>(self) -> (Self::Given, Rest<'a>)
        where
            Self: 'a;
    }

    impl<B> Sealed for B
    where
        B: HttpBody<Error: Into<Box<dyn StdError + Send + Sync>>> + 'static,
    {
        type Given = B;

        #[expect(private_interfaces, reason = "nobody else calls it")]
        fn give<'a>(self) -> (B, Rest<'a>) {
            (self, Rest::Nothing)
        }
    }

    impl Sealed for Body<'_> {
        type Given = Given;

        #[expect(private_interfaces, reason = "nobody else calls it")]
        fn give<'a>(self) -> (Given, Rest<'a>)
        where
            Self: 'a,
        {
            match self.0 {
                Repr::Whole(bytes) => (Given(Kind::Whole(Some(bytes))), Rest::Nothing),
                Repr::Made { frames, making } => {
                    let given = Given(Kind::Made(Taker::new(frames.clone())));
                    (given, Rest::Made(frames, making))
                }
                Repr::Foreign(body) => (Given(Kind::Foreign(body)), Rest::Nothing),
                Repr::Upgrade(upgrade) => (Given(Kind::Whole(None)), Rest::Task(upgrade)),
            }
        }
    }
}

/// The part of a [`Body`] that hyper is given.
pub struct Given(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Made(Taker),
    Foreign(ForeignBody),
}

impl HttpBody for Given {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Made(taker) => taker.poll_frame(cx),
            Kind::Foreign(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Made(taker) => taker.has_ended(),
            Kind::Foreign(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Made(_) => SizeHint::default(),
            Kind::Foreign(body) => body.size_hint(),
        }
    }
}
