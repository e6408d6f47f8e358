//! Context managers made from a generator body: set up, yield once, clean up.
//!
//! Unlike a generator, a context manager may yield inside scopes: at its yield only the body of the
//! [`with`] that entered it runs, so a scope that it has open is around exactly that. Meanwhile its
//! holds count in the frame of the `with` too (PEP 789).

use std::future::{Future, poll_fn};
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::panic::{Payload, catch_panic, in_destructor, quietly, report};
use crate::error::{BodyPanicked, ContextManagerMisused, Error, NoValue, Result, Yields};
use crate::generator::entered::{Listed, Stage};
use crate::generator::link::{Body, Link, Resume, Step, Yielder};
use crate::generator::state::Kind;
use crate::schedule::current;
use crate::scope::aside::Aside;
use crate::scope::current::{in_scope, with_frame};
use crate::scope::frame::Hold;
use crate::scope::tree::pool::ScopeRef;

/// A context manager, to be entered with [`with`].
#[must_use = "a context manager does nothing until it is entered with `with`"]
pub struct ContextManager<'a, R> {
    link: Rc<Link<R, ()>>,
    body: Body<'a>,
    place: &'static Location<'static>,
}

/// Makes a context manager out of a body that sets up, yields the resource once, and cleans up.
///
/// An error of the [`with`]'s body is raised at the yield, even if it is a cancellation. If the
/// manager handles it, it goes no further. This is Python's `contextlib.asynccontextmanager`.
///
/// ```
/// use seedbed::{Yielder, context_manager, fail_after, with};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let greeting = String::from("hello");
///     let polite = context_manager(async |y: Yielder<&str>| {
///         // The yield is inside a timeout, which a generator could not do.
///         fail_after(Duration::from_secs(5), async { y.yield_(&greeting).await.map(drop) }).await
///     });
///     let length = with(polite, async |greeting| Ok(greeting.len())).await?;
///     assert_eq!(length, 5);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn context_manager<'a, R, F>(body: F) -> ContextManager<'a, R>
where
    F: AsyncFnOnce(Yielder<R>) -> Result<()> + 'a,
    R: 'a,
{
    let link = Link::shared(Kind::ContextManager);
    let yielder = Yielder::new(Link::memory(&link));
    ContextManager { link, body: Box::pin(body(yielder)), place: Location::caller() }
}

/// Enters a context manager, runs `body` with what it yields, and leaves it.
///
/// Scopes that the manager has open at its yield are around the body; a nursery's children go on
/// beside it. Entering and leaving are not checkpoints: only the manager's own awaits are.
///
/// # Errors
///
/// The manager's: [`ContextManagerMisused`] if it yields twice or not at all. The body's, as the
/// manager passes it on. If the manager has handled an error of the body, there is no value. That
/// is fine if the value is `()`, and the error [`NoValue`] otherwise. A body that loops forever has
/// to say that its value is `()`, like that of a
/// [`nursery`](crate::nursery()#a-body-that-loops-forever):
///
/// ```compile_fail,E0080
/// # use seedbed::{Yielder, context_manager, move_on_after, sleep, with};
/// # use std::time::Duration;
/// # seedbed::run(async {
/// let limited = context_manager(async |y: Yielder<()>| {
///     move_on_after(Duration::from_secs(5), async { y.yield_(()).await.map(drop) }).await.map(drop)
/// });
/// // `with::<_, (), _>(…)` instead
/// with(limited, async |()| loop { sleep(Duration::from_secs(1)).await? }).await?;
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Dropping
///
/// If the future is dropped before the manager has ended, the manager and its body are dropped
/// without cleaning up. This is reported through `tracing`.
///
/// # Panics
///
/// If the body panics, with the same payload, when the manager has cleaned up: [`BodyPanicked`] is
/// raised at its yield.
#[track_caller]
pub fn with<'a, R, T, F>(manager: ContextManager<'a, R>, body: F) -> impl Future<Output = Result<T>>
where
    F: AsyncFnOnce(R) -> Result<T>,
{
    const {
        assert!(
            crate::nursery::has_values::<T>(),
            "the body of this `with` is an endless loop, so it has no value to return when the \
             context manager ends it: write `with::<_, (), _>(…)`, or make the body end with `()`"
        );
    }
    let place = Location::caller();
    async move {
        Aside::new().await?;
        let mut open = Open::new(manager, place);
        let resource = poll_fn(|cx| open.poll_set_up(cx)).await?;
        let entered = Entered { place, made_at: open.place };
        let outcome = {
            let around = open.around();
            let mut body = pin!(catch_panic(async { body(resource).await }));
            poll_fn(|cx| open.poll_around(&around, body.as_mut(), cx)).await
        };
        let (value, resume, panic) = match outcome {
            Ok(Ok(value)) => (Some(value), Resume::Next, None),
            Ok(Err(error)) => (None, Resume::Raise(error), None),
            Err(Left::Panicked(payload)) => {
                (None, Resume::Raise(BodyPanicked.into()), Some(payload))
            }
            Err(Left::Early(Some(Step::Ended(Err(error))))) => {
                std::mem::forget(entered); // the manager has ended
                return Err(error);
            }
            Err(Left::Early(_)) => return Err(open.misused(Yields::WithoutWaiting)),
        };
        open.link.resume(resume);
        let left = catch_panic(poll_fn(|cx| open.poll_clean_up(cx))).await;
        std::mem::forget(entered); // and its scope was left
        let made_at = open.place;
        let left = open.end(left);
        let outcome = match panic {
            Some(payload) => leave_in_panic(left, payload, made_at),
            None => left.unwrap_or_else(|payload| resume_unwind(payload)),
        };
        match outcome {
            Step::Ended(outcome) => outcome?,
            Step::Yielded(_) => {
                return Err(ContextManagerMisused::new(Yields::Twice, made_at).into());
            }
            Step::Ignored(_) => unreachable!("a context manager is not closed"),
        }
        let value = value.or_else(crate::nursery::unit);
        value.ok_or_else(|| NoValue::handled(place).into())
    }
}

/// A context manager that is being entered, or was entered.
struct Open<'a, R> {
    body: Body<'a>,
    link: Rc<Link<R, ()>>,
    place: &'static Location<'static>,
    entered_at: &'static Location<'static>,
    listed: Listed,
}

/// The scopes that a context manager has open at its yield.
struct Around {
    scope: Option<ScopeRef>,
    children: Children,
    /// While the body of the `with` runs, these count in the frame of the `with`.
    _holds: Option<Vec<Hold>>,
}

/// Whether children may go on in it.
enum Children {
    Perhaps,
    None,
}

impl<'a, R> Open<'a, R> {
    #[inline]
    fn new(manager: ContextManager<'a, R>, entered_at: &'static Location<'static>) -> Self {
        let ContextManager { link, body, place } = manager;
        link.state.begin();
        Open { body, link, place, entered_at, listed: Listed::NOT_YET }
    }

    fn misused(&self, yields: Yields) -> Error {
        ContextManagerMisused::new(yields, self.place).into()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step<R>> {
        self.link.poll(self.body.as_mut(), cx)
    }

    /// Shows how far it has come, if something waits.
    #[inline]
    fn show<T>(&mut self, stage: Stage, polled: Poll<T>) -> Poll<T> {
        if polled.is_pending() {
            self.listed.waits(stage, [self.place, self.entered_at]);
        }
        polled
    }

    /// Polls the manager up to its yield.
    #[inline]
    fn poll_set_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<R>> {
        // When it has yielded, the body of the `with` will be polled for the first time.
        let polled = current::beside_others(|| self.poll(cx));
        self.show(Stage::SetsUp, polled).map(|step| match step {
            Step::Yielded(resource) => Ok(resource),
            Step::Ended(Ok(())) => Err(self.misused(Yields::Never)),
            Step::Ended(Err(error)) => Err(error),
            Step::Ignored(_) => unreachable!("a context manager is not closed"),
        })
    }

    #[inline]
    fn around(&self) -> Around {
        let frame = self.link.state.frame();
        let mut holds = None;
        with_frame(|current| holds = Some(frame.count_in(current)));
        Around {
            scope: self.link.take_inner_scope(),
            children: if frame.has_holds() { Children::Perhaps } else { Children::None },
            _holds: holds,
        }
    }

    /// Polls the body of the `with` inside what the manager has open.
    #[inline]
    fn poll_around<T>(
        &mut self,
        around: &Around,
        body: Pin<&mut impl Future<Output = Caught<Result<T>>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Result<T>, Left<R>>> {
        if let Children::Perhaps = around.children
            && let Some(left) = self.go_on(cx)
        {
            return Poll::Ready(Err(left));
        }
        let poll = || body.poll(cx);
        let polled = match &around.scope {
            Some(scope) => {
                // If the yield is inside a nursery, the manager is not polled down to it.
                scope.polled();
                in_scope(scope, poll)
            }
            None => poll(),
        };
        self.show(Stage::AroundBody, polled).map(|outcome| outcome.map_err(Left::Panicked))
    }

    /// Polls the manager to its end.
    fn poll_clean_up(&mut self, cx: &mut Context<'_>) -> Poll<Step<R>> {
        let polled = self.poll(cx);
        self.show(Stage::CleansUp, polled)
    }

    /// Polls whatever the manager has open beside the body. The manager must stay at its yield. It
    /// does not if the yield has lost a `select`, for example.
    fn go_on(&mut self, cx: &mut Context<'_>) -> Option<Left<R>> {
        match self.poll(cx) {
            Poll::Ready(step) => Some(Left::Early(Some(step))),
            Poll::Pending if self.link.suspended_at().is_none() => Some(Left::Early(None)),
            Poll::Pending => None,
        }
    }

    /// Drops the manager, after its last poll. Returns its outcome.
    #[inline]
    fn end(self, left: Caught<Step<R>>) -> Caught<Step<R>> {
        let Open { body, link, .. } = self;
        drop(body); // foreign code
        match link.take_undelivered() {
            // The manager has given up its yield, and has not seen the body's error.
            Some(error) if matches!(left, Ok(Step::Ended(Ok(())))) => Ok(Step::Ended(Err(error))),
            _ => left,
        }
    }
}

/// Resumes the panic of a body when its manager has been left. If the manager fails, that is
/// reported.
fn leave_in_panic<R>(
    left: Caught<Step<R>>,
    payload: Payload,
    made_at: &'static Location<'static>,
) -> ! {
    match left {
        Ok(Step::Ended(Err(error))) if !error.is::<BodyPanicked>() => {
            report!(error, %error, "a context manager failed while it was left after a panic");
        }
        Ok(_) => {}
        Err(further) => {
            report!(
                error,
                manager = %made_at,
                "a context manager panicked as well when its body had: only the first is passed on"
            );
            quietly(|| drop(further));
        }
    }
    resume_unwind(payload)
}

/// The outcome of something that may panic.
type Caught<T> = std::result::Result<T, Payload>;

/// A context manager that was entered and has not been left.
struct Entered {
    place: &'static Location<'static>,
    made_at: &'static Location<'static>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        in_destructor(|| {
            tracing::warn!(
                entered_at = %self.place,
                made_at = %self.made_at,
                "a context manager was dropped before it was left: it does not clean up"
            );
        });
    }
}

/// How a body was left, other than by its outcome.
enum Left<R> {
    Panicked(Payload),
    /// The manager has not stayed at its yield.
    Early(Option<Step<R>>),
}

impl<R> std::fmt::Debug for ContextManager<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContextManager").field("made_at", &self.place).finish_non_exhaustive()
    }
}
