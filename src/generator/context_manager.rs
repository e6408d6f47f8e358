//! Context managers made from a generator body: set up, yield once, clean up.
//!
//! Unlike a generator a context manager may yield inside scopes: what runs at its yield is the
//! body of the [`with`] that entered it, so a scope that it holds open is around just that. What
//! it holds counts meanwhile in the frame of the `with` (PEP 789).

use std::future::{Future, poll_fn};
use std::panic::{Location, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use crate::Result;
use crate::error::panic::{catch_panic, in_destructor, quietly, report};
use crate::error::{BodyPanicked, ContextManagerMisused, NoValue};
use crate::generator::link::{Body, Link, Resume, Step, Yielder};
use crate::generator::state::Kind;
use crate::schedule::current;
use crate::scope::aside::Aside;
use crate::scope::current::{current_frame, in_scope};

/// A context manager, to be entered with [`with`].
#[must_use = "a context manager does nothing until it is entered with `with`"]
pub struct ContextManager<'a, R> {
    link: Rc<Link<R, ()>>,
    body: Body<'a>,
    place: &'static Location<'static>,
}

/// Makes a context manager out of a body that sets up, yields the resource once, and cleans up.
///
/// An error of the [`with`]'s body, a cancellation too, is raised at the yield. If the manager
/// handles it, it is gone. It is Python's `contextlib.asynccontextmanager`.
///
/// ```
/// use seedbed::{Yielder, context_manager, fail_after, with};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let greeting = String::from("hello");
///     let polite = context_manager(async |y: Yielder<&str>| {
///         // The yield is inside of a timeout, which a generator could not do.
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
    let link = Link::new(Kind::ContextManager);
    let yielder = Yielder::new(link.clone());
    ContextManager { link, body: Box::pin(body(yielder)), place: Location::caller() }
}

/// Enters a context manager, runs `body` with what it yields, and leaves it.
///
/// Scopes that the manager holds open at its yield are around the body; a nursery's children go
/// on beside it. Entering and leaving are not checkpoints: only what the manager awaits is.
///
/// # Errors
///
/// The manager's: [`ContextManagerMisused`] if it yields twice or not at all. The body's, as the
/// manager passes it on. Where the manager has handled an error of the body, there is no value:
/// that is fine if it is `()`, and the error [`NoValue`](crate::NoValue) otherwise. A body that is a
/// loop without an end has to say that its value is `()`, as that of a
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
/// If the future is dropped before it has ended, the manager is dropped with its body, without
/// cleaning up, which is reported through `tracing`.
///
/// # Panics
///
/// With a panic of the body, when the manager has cleaned up: [`BodyPanicked`] is raised at its
/// yield.
#[track_caller]
pub fn with<'a, R, T, F>(manager: ContextManager<'a, R>, body: F) -> impl Future<Output = Result<T>>
where
    F: AsyncFnOnce(R) -> Result<T>,
{
    const {
        assert!(
            crate::nursery::has_values::<T>(),
            "the body of this `with` is a loop without an end, so it has no value to return when the \
             context manager ends it: write `with::<_, (), _>(…)`, or end the body in a value of `()`"
        );
    }
    let place = Location::caller();
    async move {
        Aside::new().await?;
        let ContextManager { link, body: mut manager, place: made_at } = manager;
        link.state.begin();
        // When it has yielded, the body is polled for the first time.
        let set_up = poll_fn(|cx| current::beside_others(|| link.poll(&mut manager, cx)));
        let resource = match set_up.await {
            Step::Yielded(resource) => resource,
            Step::Ignored(_) => unreachable!("a context manager is not closed"),
            Step::Ended(outcome) => {
                outcome?;
                return Err(ContextManagerMisused::new("did not yield", made_at).into());
            }
        };
        let entered = Entered { place, made_at };
        // While the body runs, what the manager has open counts here.
        let holds = current_frame().map(|frame| link.state.frame().count_in(&frame));
        let around = link.take_inner_scope();
        // What it has open may have children, which go on.
        let goes_on = link.state.frame().has_holds();
        let outcome = {
            let mut body = pin!(catch_panic(async { body(resource).await }));
            poll_fn(|cx| {
                if goes_on {
                    // If it does not wait at its yield, there was a `select` in it, for one.
                    match link.poll(&mut manager, cx) {
                        Poll::Ready(step) => return Poll::Ready(Err(Left::Early(Some(step)))),
                        Poll::Pending if link.suspended_at().is_none() => {
                            return Poll::Ready(Err(Left::Early(None)));
                        }
                        Poll::Pending => {}
                    }
                }
                let mut poll = || body.as_mut().poll(cx);
                let polled = match &around {
                    Some(scope) => {
                        // In a nursery, the manager is not polled down to its yield.
                        scope.polled();
                        in_scope(scope, poll)
                    }
                    None => poll(),
                };
                polled.map(|outcome| outcome.map_err(Left::Panicked))
            })
            .await
        };
        drop(holds);
        drop(around);
        let (value, resume, panic) = match outcome {
            Ok(Ok(value)) => (Some(value), Resume::Next, None),
            Ok(Err(error)) => (None, Resume::Raise(error), None),
            Err(Left::Panicked(payload)) => {
                (None, Resume::Raise(BodyPanicked.into()), Some(payload))
            }
            Err(Left::Early(Some(Step::Ended(Err(error))))) => {
                std::mem::forget(entered); // it has ended
                return Err(error);
            }
            Err(Left::Early(_)) => {
                return Err(ContextManagerMisused::new("did not wait at its yield", made_at).into());
            }
        };
        link.resume(resume);
        let left = catch_panic(poll_fn(|cx| link.poll(&mut manager, cx))).await;
        std::mem::forget(entered); // and left
        drop(manager);
        let left = match (left, panic.is_some()) {
            (Ok(left), _) => left,
            (Err(payload), false) => resume_unwind(payload),
            (Err(further), true) => {
                report!(
                    error,
                    manager = %made_at,
                    "a context manager panicked as well when its body had: only the first is passed on"
                );
                quietly(|| drop(further));
                Step::Ended(Ok(()))
            }
        };
        let left = match link.take_undelivered() {
            // It gave up its yield, and has not seen the body's error.
            Some(error) if matches!(left, Step::Ended(Ok(()))) => Step::Ended(Err(error)),
            _ => left,
        };
        match (left, panic) {
            (Step::Ended(outcome), Some(payload)) => {
                if let Err(error) = outcome
                    && !error.is::<BodyPanicked>()
                {
                    report!(error, %error, "a context manager failed while it was left after a panic");
                }
                resume_unwind(payload)
            }
            (Step::Ignored(_), _) => unreachable!("a context manager is not closed"),
            (Step::Yielded(_), Some(payload)) => resume_unwind(payload),
            (Step::Yielded(_), None) => {
                Err(ContextManagerMisused::new("yielded twice", made_at).into())
            }
            (Step::Ended(outcome), None) => {
                outcome?;
                let value = value.or_else(crate::nursery::unit);
                value.ok_or_else(|| NoValue::handled(place).into())
            }
        }
    }
}

/// A context manager that was entered and not left.
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
    Panicked(Box<dyn std::any::Any + Send>),
    Early(Option<Step<R>>),
}

impl<R> std::fmt::Debug for ContextManager<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContextManager").field("made_at", &self.place).finish_non_exhaustive()
    }
}
