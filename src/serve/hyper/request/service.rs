//! The service that hyper calls for each request, and the future that it polls for the answer. This
//! is only a receiver, because the handler runs in a task.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::http::Extensions;
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode, Version};

use crate::error::{Error, Result};
use crate::nursery::{Nursery, Task};
use crate::scope;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::answer::body::Rest;
use crate::serve::hyper::answer::body::sealed::Sealed;
use crate::serve::hyper::answer::cut_off::CutOff;
use crate::serve::hyper::answer::frames::End;
use crate::serve::hyper::answer::outgoing::Outgoing;
use crate::serve::hyper::closing::say_end;
use crate::serve::hyper::connection::state::{State, Work};
use crate::serve::hyper::request::failures::{self, Failures};
use crate::serve::hyper::request::job::{Answer, Handle, Job, Tasks};

/// The service that hyper calls for each request of a connection.
pub(crate) struct Requests<'scope, 'env, H> {
    pub(crate) nursery: &'scope Nursery<'scope, 'env>,
    pub(crate) handler: &'env H,
    pub(crate) failures: &'env Failures<'env>,
    /// Records in a request where it comes from, if this is wanted.
    pub(crate) mark: Option<&'env dyn Fn(&mut Extensions)>,
    pub(crate) state: Rc<State>,
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
        self.state.counts.count_request();
        let scope = ScopeRef::new(self.state.place());
        let wants = Wants {
            no_body: request.method() == Method::HEAD,
            says_end: request.version() <= Version::HTTP_11,
        };
        let handler = self.handler;
        // The call is part of the task, in case it panics.
        let handling = async move { handler(request).await };
        let under_way = self.state.begin(Work::Task);
        let tasks =
            Tasks { nursery: self.nursery, failures: self.failures, state: self.state.clone() };
        let handle = Handle {
            job: Job::new(handling, scope.clone(), under_way, self.failures),
            tasks: tasks.clone(),
        };
        let task = self.nursery.spawn_at(self.state.place(), handle);
        Answering { task, scope: Some(scope), wants, tasks }
    }
}

/// The properties of a request that the answer depends on.
#[derive(Clone, Copy)]
struct Wants {
    no_body: bool,
    /// Whether the end of the connection is announced in a header.
    says_end: bool,
}

/// The future that hyper polls for the answer. If it is dropped before the answer has come, it
/// cancels the handler: the client has gone, or has reset the stream.
pub(crate) struct Answering<'scope, 'env, B> {
    task: Task<'scope, Answer<B>>,
    /// The handler's scope, until the handler has ended.
    scope: Option<ScopeRef>,
    wants: Wants,
    tasks: Tasks<'scope, 'env>,
}

impl<'scope, B: Sealed + 'scope> Future for Answering<'scope, '_, B> {
    type Output = Result<Response<Outgoing<B::Given>>, CutOff>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // A cancellation is the handler's business: its answer may still get through.
        let Tasks { state, failures, .. } = &this.tasks;
        let answer = ready!(state.calmly(|| Pin::new(&mut this.task).poll(cx)));
        this.scope = None;
        let outgoing = |body| Outgoing::new(body, state.begin(Work::Answer), failures.on_panic);
        let mut answer = match answer {
            Ok(Answer::Given(answer)) => {
                let (head, body) = answer.into_parts();
                let (body, rest) = body.give();
                this.go_on(rest);
                Response::from_parts(head, outgoing(Some(body)))
            }
            Ok(Answer::Failed) => failures::answer(outgoing(None)),
            // The nursery is panicking, or is being dropped.
            Ok(Answer::None) | Err(_) => return Poll::Ready(Err(CutOff)),
        };
        if this.wants.says_end && scope::is_ending() && !is_upgrade(&answer) {
            say_end(&mut answer);
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
            // The future is dropped before it has begun.
            Rest::Made(frames, _) if self.wants.no_body => frames.end(End::Complete),
            Rest::Made(frames, making) => self.tasks.spawn(making, Some(frames)),
            Rest::Task(task) => self.tasks.spawn(task, None),
        }
    }
}

impl<B> Drop for Answering<'_, '_, B> {
    fn drop(&mut self) {
        // If it is already cancelled, then hyper was given up because of that, and not because the
        // client has gone.
        if let Some(scope) = self.scope.take()
            && !scope.is_cancelled()
        {
            self.tasks.state.cancel(&scope);
        }
    }
}
