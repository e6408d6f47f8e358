//! Bodies of answers.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::error::panic;
use crate::generator::Generator;
use crate::serve::HandlerPanicked;
use crate::serve::hyper::frames::{Frames, Sender, Taker};
use crate::serve::hyper::state::UnderWay;
use crate::{Error, Result, aclosing};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// The body of an answer: some text, or made bit by bit while the client reads it.
///
/// What [`stream`](Self::stream) and [`generator`](Self::generator) run is a part of the request:
/// it may borrow what the handler may, and a task runs it. When the client goes away, or
/// the server is cancelled, it sees a [`Cancelled`](crate::Cancelled) at its `await` and cleans up,
/// as the handler does. If it fails the answer is cut off so that the client sees it: in HTTP/1 the
/// connection is closed, in HTTP/2 the stream is reset.
///
/// A handler may give any [`Body`](hyper::body::Body) in place of this one, such as those of the
/// crate `http-body-util`. hyper polls and drops it: it is gone when the client is, without a
/// `Cancelled`, and without awaiting anything. [`new`](Self::new) makes one into this type.
///
/// ```
/// use hyper::{Request, Response, body::Incoming};
/// use seedbed::hyper::Body;
/// use seedbed::{Result, sleep};
/// use std::time::Duration;
///
/// async fn answer<'a>(request: Request<Incoming>, names: &'a [String]) -> Result<Response<Body<'a>>> {
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

    /// A body that `make` sends, in a task. It is polled for the first time when the answer's head
    /// has been handed over, and not at all where the client wants no body, as for `HEAD`.
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

    /// A body made of a generator's values. It is closed when the last has been sent, or when the
    /// client has gone: within the request's scope, so its clean-up may await.
    ///
    /// [`generator`](crate::generator()) borrows nothing. To borrow the application's state, take
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

    /// Any body, in a box. What [`Body`] says of those of others holds for it.
    pub fn new<B>(body: B) -> Body<'a>
    where
        B: HttpBody<Data = Bytes> + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        Body(Repr::Foreign(Box::pin(Converted { body: Box::pin(body) })))
    }

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

/// What a handler may give as the body of an answer: a [`Body`], or any
/// [`Body`](hyper::body::Body) of another library that borrows nothing.
pub trait IntoBody: sealed::Sealed {}

impl<B: sealed::Sealed> IntoBody for B {}

/// What is left to do for an answer when its head has been handed over.
pub(super) enum Rest<'a> {
    Nothing,
    /// Its frames are taken here.
    Made(Frames, Boxed<'a>),
    Upgrade(Boxed<'a>),
}

pub(super) mod sealed {
    use super::*;

    pub trait Sealed {
        /// What hyper is given.
        type Given: HttpBody<Error: Into<Box<dyn StdError + Send + Sync>>> + 'static;

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
                Repr::Upgrade(upgrade) => (Given(Kind::Whole(None)), Rest::Upgrade(upgrade)),
            }
        }
    }
}

/// What hyper is given of a [`Body`].
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

pin_project! {
    /// The body of an answer on its way through hyper: none, if the handler has failed.
    pub(super) struct Outgoing<G> {
        #[pin]
        body: Option<G>,
        resume_panics: bool,
        held: Held,
    }
}

/// Counts the body among those under way until hyper is done with it, and among those held while
/// hyper has a piece of it: it asks for the next when it has got rid of that.
struct Held {
    under_way: UnderWay,
    is_held: bool,
}

impl Held {
    fn set(&mut self, is_held: bool) {
        if is_held != self.is_held {
            self.is_held = is_held;
            self.under_way.state().hold(is_held);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(false);
        self.under_way.state().answer(false);
    }
}

impl<G> Outgoing<G> {
    pub(super) fn new(body: Option<G>, under_way: UnderWay, resume_panics: bool) -> Outgoing<G> {
        under_way.state().answer(true);
        Outgoing { body, resume_panics, held: Held { under_way, is_held: false } }
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
        let held = this.held;
        held.set(false);
        let polled = match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
            Ok(polled) => polled,
            Err(payload) if *this.resume_panics => resume_unwind(payload),
            Err(payload) => {
                let error = HandlerPanicked::new(&*payload);
                panic::quietly(|| drop(payload));
                held.under_way.state().fail(error.into());
                return Poll::Ready(Some(Err(CutOff)));
            }
        };
        polled.map(|item| {
            held.set(matches!(item, Some(Ok(_))));
            Some(item?.map_err(|error| {
                let error = Error::from_boxed(error.into());
                // A task that makes a body has told of it.
                if !error.is::<CutOff>() && !error.is_cancelled() {
                    held.under_way.state().fail(error);
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

/// What hyper is told where an answer fails: it ends the connection or the stream. What has
/// failed, and why, is reported.
#[derive(Debug)]
pub(super) struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was given up")
    }
}

impl StdError for CutOff {}
