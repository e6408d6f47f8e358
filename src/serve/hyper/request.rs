//! A request: a task that runs its handler, and what hyper has of it, which is only a receiver
//! of the answer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::Extensions;
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode, Version};
use pin_project_lite::pin_project;

use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{self, Enter};
use crate::serve::HandlerPanicked;
use crate::serve::hyper::answer::sealed::Sealed;
use crate::serve::hyper::answer::{CutOff, Outgoing, Rest};
use crate::serve::hyper::drive::STUCK_AFTER;
use crate::serve::hyper::frames::Frames;
use crate::serve::hyper::state::{State, UnderWay, departed};
use crate::{Error, Nursery, Result, Task};

/// What becomes of what goes wrong in requests.
pub(super) struct Failures<'a> {
    pub(super) report: &'a dyn Fn(Error),
    pub(super) resume_panics: bool,
}

impl Failures<'_> {
    /// Reports what has gone wrong on this connection outside of any handler.
    pub(super) fn report_those_of(&self, state: &State) {
        for error in state.take_failures() {
            (self.report)(error);
        }
    }
}

/// What hyper calls for each request of a connection.
pub(super) struct Requests<'scope, 'env, H> {
    pub(super) nursery: &'scope Nursery<'scope, 'env>,
    pub(super) handler: &'env H,
    pub(super) failures: &'env Failures<'env>,
    /// Says in a request where it comes from, if that is wanted.
    pub(super) mark: Option<&'env dyn Fn(&mut Extensions)>,
    pub(super) state: Rc<State>,
}

impl<'scope, 'env, H, B, E> Service<Request<Incoming>> for Requests<'scope, 'env, H>
where
    H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
    B: Sealed + 'scope,
    E: Into<Error> + 'scope,
{
    type Response = Response<Outgoing<B::Given>>;
    type Error = CutOff;
    type Future = Answering<'scope, 'env, B>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(mark) = self.mark {
            mark(request.extensions_mut());
        }
        self.state.count_request();
        let scope = ScopeRef::new(self.state.place());
        let wants = Wants {
            no_body: request.method() == Method::HEAD,
            says_end: request.version() <= Version::HTTP_11,
        };
        let handler = self.handler;
        // The call is part of the task, should it panic.
        let handling = async move { handler(request).await };
        let task = self.nursery.spawn(Handle {
            job: Job::new(handling, scope.clone(), self.state.begin(), self.failures),
        });
        Answering {
            task,
            scope: Some(scope),
            wants,
            nursery: self.nursery,
            failures: self.failures,
            state: self.state.clone(),
        }
    }
}

/// What is to be known of a request when it is answered.
#[derive(Clone, Copy)]
struct Wants {
    no_body: bool,
    /// The connection's end is told in a header.
    says_end: bool,
}

/// What a handler has come to.
enum Answer<B> {
    Given(Response<B>),
    /// It has failed.
    Failed,
    /// It was cancelled, and nobody waits for an answer.
    None,
}

/// What hyper polls for the answer. Dropped before it has come, it cancels the handler: the
/// client has gone, or has reset the stream.
pub(super) struct Answering<'scope, 'env, B> {
    task: Task<'scope, Answer<B>>,
    /// The handler's, until it has ended.
    scope: Option<ScopeRef>,
    wants: Wants,
    nursery: &'scope Nursery<'scope, 'env>,
    failures: &'env Failures<'env>,
    state: Rc<State>,
}

impl<'scope, B: Sealed + 'scope> Future for Answering<'scope, '_, B> {
    type Output = Result<Response<Outgoing<B::Given>>, CutOff>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // A cancellation is the handler's affair: what it answers may still get through.
        let answer = ready!(this.state.calmly(|| Pin::new(&mut this.task).poll(cx)));
        this.scope = None;
        let under_way = this.state.begin();
        let resume_panics = this.failures.resume_panics;
        let mut answer = match answer {
            Ok(Answer::Given(answer)) => {
                let (head, body) = answer.into_parts();
                let (body, rest) = body.give();
                this.go_on(rest);
                Response::from_parts(head, Outgoing::new(Some(body), under_way, resume_panics))
            }
            Ok(Answer::Failed) => {
                let mut answer = Response::new(Outgoing::new(None, under_way, resume_panics));
                *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                answer
            }
            // The nursery is panicking, or is being dropped.
            Ok(Answer::None) | Err(_) => return Poll::Ready(Err(CutOff)),
        };
        if this.wants.says_end && scope::is_ending() && !is_upgrade(&answer) {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(answer))
    }
}

fn is_upgrade<B>(answer: &Response<B>) -> bool {
    answer.status() == StatusCode::SWITCHING_PROTOCOLS
}

impl<'scope, B> Answering<'scope, '_, B> {
    /// Has a task make the rest of the answer.
    fn go_on(&self, rest: Rest<'scope>) {
        match rest {
            Rest::Nothing => {}
            // Its future is dropped: it has not begun.
            Rest::Made(frames, _) if self.wants.no_body => frames.end(false),
            Rest::Made(frames, making) => {
                let scope = ScopeRef::new(self.state.place());
                frames.set_scope(scope.clone());
                let job = Job::new(making, scope, self.state.begin(), self.failures);
                drop(self.nursery.spawn(Make { job, frames: Some(frames) }));
            }
            Rest::Upgrade(upgrade) => {
                let scope = ScopeRef::new(self.state.place());
                let job = Job::new(upgrade, scope, self.state.begin(), self.failures);
                drop(self.nursery.spawn(Make { job, frames: None }));
            }
        }
    }
}

impl<B> Drop for Answering<'_, '_, B> {
    fn drop(&mut self) {
        // Where it is cancelled already hyper was given up for that, and the client has not gone.
        if let Some(scope) = self.scope.take()
            && !scope.is_cancelled()
        {
            scope.cancel(Level::Full, departed(), Some(self.state.place()));
        }
    }
}

pin_project! {
    /// Code of the user's that runs for a request: in a scope of its own, its panics and failures
    /// reported.
    struct Job<'env, F> {
        #[pin]
        future: Option<Enter<F>>,
        scope: ScopeRef,
        under_way: Option<UnderWay>,
        rounds: u8,
        failures: &'env Failures<'env>,
    }
}

/// How a job has ended.
enum Done<T> {
    Value(T),
    Failed,
    Cancelled,
}

impl<'env, T, E, F> Job<'env, AsOurs<F>>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
{
    fn new(
        future: F,
        scope: ScopeRef,
        under_way: UnderWay,
        failures: &'env Failures<'env>,
    ) -> Self {
        let future = scope::enter(scope.clone(), "a request", AsOurs { future });
        Job { future: Some(future), scope, under_way: Some(under_way), rounds: 0, failures }
    }
}

impl<T, F: Future<Output = Result<T>>> Job<'_, F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done<T>> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a request was polled after it was ready")
        };
        let outcome = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => {
                if let Some(under_way) = this.under_way {
                    waits(this.scope, under_way, this.rounds, cx);
                }
                return Poll::Pending;
            }
            Ok(Poll::Ready(outcome)) => outcome,
            Err(payload) if this.failures.resume_panics => {
                drop(this.under_way.take());
                resume_unwind(payload)
            }
            Err(payload) => {
                let error = HandlerPanicked::new(&*payload);
                crate::error::panic::quietly(|| drop(payload));
                Err(error.into())
            }
        };
        this.future.set(None);
        let done = match outcome {
            Ok(Some(value)) => Done::Value(value),
            Ok(None) => Done::Cancelled, // its client has gone
            Err(error) => match rest(error, this.scope) {
                Some(error) => {
                    (this.failures.report)(error);
                    Done::Failed
                }
                None => Done::Cancelled,
            },
        };
        drop(this.under_way.take());
        Poll::Ready(done)
    }
}

/// What of an error is worth a report, where a cancellation may have come to its scope, which has
/// been left.
fn rest(error: Error, scope: &ScopeRef) -> Option<Error> {
    let has_gone = scope.cancel_called();
    if !has_gone && !scope::is_ending() {
        return Some(error);
    }
    // A request whose client has gone may see that first in its body.
    if error.is::<hyper::Error>() && (has_gone || scope::is_cancelled()) {
        tracing::debug!(%error, "a request was given up");
        return None;
    }
    error.absorb_cancelled().1
}

/// What runs in this scope waits: a job, or what hyper has spawned. If it has been cancelled, and has
/// no scope open, what it waits for does not heed that, such as the rest of a request.
pub(super) fn waits(scope: &ScopeRef, under_way: &UnderWay, rounds: &mut u8, cx: &Context<'_>) {
    if !scope.is_cancelled() || !scope.is_innermost() {
        *rounds = 0;
    } else if *rounds < STUCK_AFTER {
        *rounds += 1;
        cx.waker().wake_by_ref();
    } else {
        under_way.state().note_stuck();
    }
}

pin_project! {
    /// Has our error.
    struct AsOurs<F> {
        #[pin]
        future: F,
    }
}

impl<T, E: Into<Error>, F: Future<Output = Result<T, E>>> Future for AsOurs<F> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        self.project().future.poll(cx).map_err(Into::into)
    }
}

pin_project! {
    /// The task of a handler.
    struct Handle<'env, F> {
        #[pin]
        job: Job<'env, F>,
    }
}

impl<B, F: Future<Output = Result<Response<B>>>> Future for Handle<'_, F> {
    type Output = Result<Answer<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Answer<B>>> {
        Poll::Ready(Ok(match ready!(self.project().job.poll(cx)) {
            Done::Value(answer) => Answer::Given(answer),
            Done::Failed => Answer::Failed,
            Done::Cancelled => Answer::None,
        }))
    }
}

pin_project! {
    /// The task that makes the body of an answer.
    struct Make<'env, F> {
        #[pin]
        job: Job<'env, F>,
        frames: Option<Frames>,
    }
}

impl<F: Future<Output = Result<()>>> Future for Make<'_, F> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        let done = ready!(this.job.poll(cx));
        if let Some(frames) = this.frames.take() {
            frames.end(!matches!(done, Done::Value(())));
        }
        Poll::Ready(Ok(()))
    }
}
