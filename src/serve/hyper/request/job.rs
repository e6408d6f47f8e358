//! The task of a request: its handler, or the code that makes the body of its answer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::Response;
use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::nursery::Nursery;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{self, Enter};
use crate::serve::HandlerPanicked;
use crate::serve::hyper::answer::body::{Boxed, sealed::Sealed};
use crate::serve::hyper::answer::frames::{End, Frames};
use crate::serve::hyper::connection::giving_up::Rounds;
use crate::serve::hyper::connection::state::{State, UnderWay, Work};
use crate::serve::hyper::request::failures::Failures;
use crate::serve::panicked::OnPanic;

/// The outcome of a handler.
pub(super) enum Answer<B> {
    /// The handler has answered.
    Given(Response<B>),
    /// The handler has failed.
    Failed,
    /// The handler was cancelled, and nobody waits for an answer.
    None,
}

pin_project! {
    /// The program's code that runs for a request, in a scope of its own. Its panics and failures
    /// are reported.
    pub(super) struct Job<'env, F> {
        #[pin]
        future: Option<Enter<F>>,
        scope: ScopeRef,
        under_way: Option<UnderWay>,
        rounds: Rounds,
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
    pub(super) fn new(
        future: F,
        scope: ScopeRef,
        under_way: UnderWay,
        failures: &'env Failures<'env>,
    ) -> Self {
        let future = scope::enter(scope.clone(), "a request", AsOurs { future });
        Job {
            future: Some(future),
            scope,
            under_way: Some(under_way),
            rounds: Rounds::default(),
            failures,
        }
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
                    this.rounds.waits(this.scope, under_way, cx);
                }
                return Poll::Pending;
            }
            Ok(Poll::Ready(outcome)) => outcome,
            Err(payload) if this.failures.on_panic == OnPanic::Resume => {
                drop(this.under_way.take());
                resume_unwind(payload)
            }
            Err(payload) => Err(HandlerPanicked::caught(payload).into()),
        };
        this.future.set(None);
        let done = match outcome {
            Ok(Some(value)) => Done::Value(value),
            Ok(None) => Done::Cancelled, // the client has gone
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

/// The part of an error that is worth a report. The job's scope, which has been left, may have been
/// cancelled.
fn rest(error: Error, scope: &ScopeRef) -> Option<Error> {
    let has_gone = scope.cancel_called();
    if !has_gone && !scope::is_ending() {
        return Some(error);
    }
    // A request whose client has gone may learn of that first from its body.
    if error.is::<hyper::Error>() && (has_gone || scope::is_cancelled()) {
        tracing::debug!(%error, "a request was abandoned");
        return None;
    }
    error.absorb_cancelled().rest()
}

pin_project! {
    /// A future whose error is converted into ours.
    pub(super) struct AsOurs<F> {
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
    pub(super) struct Handle<'scope, 'env, F> {
        #[pin]
        pub(super) job: Job<'env, F>,
        pub(super) tasks: Tasks<'scope, 'env>,
    }
}

impl<B: Sealed, F: Future<Output = Result<Response<B>>>> Future for Handle<'_, '_, F> {
    type Output = Result<Answer<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Answer<B>>> {
        let this = self.project();
        Poll::Ready(Ok(match ready!(this.job.poll(cx)) {
            Done::Value(mut answer) => {
                // At once: it may be that nobody waits for the answer any more.
                for left in answer.body_mut().take_left() {
                    this.tasks.spawn(left, None);
                }
                Answer::Given(answer)
            }
            Done::Failed => Answer::Failed,
            Done::Cancelled => Answer::None,
        }))
    }
}

/// Where the tasks of a request run.
#[derive(Clone)]
pub(super) struct Tasks<'scope, 'env> {
    pub(super) nursery: &'scope Nursery<'scope, 'env>,
    pub(super) failures: &'env Failures<'env>,
    pub(super) state: Rc<State>,
}

impl<'scope, 'env> Tasks<'scope, 'env> {
    /// Spawns work that is left to do for a request, in a scope of its own. If it makes the body of
    /// the answer, it does so through these frames.
    pub(super) fn spawn(&self, work: Boxed<'scope>, frames: Option<Frames>) {
        let scope = ScopeRef::new(self.state.place());
        if let Some(frames) = &frames {
            frames.set_scope(scope.clone());
        }
        let job = Job::new(work, scope, self.state.begin(Work::Task), self.failures);
        drop(self.nursery.spawn_at(self.state.place(), Make { job, frames }));
    }
}

pin_project! {
    /// The task that makes the body of an answer, or does other work for it.
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
            frames.end(match done {
                Done::Value(()) => End::Complete,
                Done::Failed | Done::Cancelled => End::CutOff,
            });
        }
        Poll::Ready(Ok(()))
    }
}
