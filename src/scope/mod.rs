//! Cancel scopes: code that is cancelled together, by a call or by a deadline.
//!
//! | file | concept |
//! |---|---|
//! | `tree` | the tree of scopes: how a cancellation travels down it, how a scope is entered and left |
//! | `current` | the scope and the frame that are being polled |
//! | `frame` | the bodies of generators, in which open scopes are counted |
//! | `local` | values that hold for all that runs below |
//! | `deadline` | when a scope is cancelled by the clock |
//! | `timers` | the timers of a run |
//! | `timeout` | scopes around one future, with a time limit |
//! | `cancel_handle` | cancelling a scope from any thread |
//! | `graceful/` | graceful cancellation: the grace, sections that finish, what is idle |
//! | `watch` | how a waiting operation learns that it was cancelled |
//! | `aside` | operations that are not checkpoints, but let others run |
//! | `without_checkpoint` | cancelled tasks that never reach a checkpoint |
//! | `uncancellable` | operations that ignore a cancellation |

pub(crate) mod aside;
pub(crate) mod cancel_handle;
pub(crate) mod current;
mod deadline;
pub(crate) mod frame;
pub(crate) mod graceful;
pub(crate) mod local;
mod timeout;
pub(crate) mod timers;
pub(crate) mod tree;
mod uncancellable;
pub(crate) mod watch;
pub(crate) mod without_checkpoint;

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

pub use cancel_handle::CancelHandle;
pub use graceful::{finishing, idle};
pub(crate) use timeout::within;
pub use timeout::{fail_after, fail_at, move_on_after, move_on_at};
pub(crate) use uncancellable::Uncancellable;

use crate::error::{Error, NotRunning, Reason, Result};
use crate::platform::clock::{self, CLOCK, NEVER};
use crate::schedule::budget;
use crate::schedule::remote::away;
use crate::scope::current::{in_scope, with_scope};
use crate::scope::deadline::Deadline;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Entered, Level, Scope};

/// A cancel scope: code that can be cancelled as a whole, by a deadline or by a call.
///
/// Inside a cancelled scope every checkpoint fails with [`Cancelled`](crate::Cancelled), again and
/// again. `?` carries the error out to the scope, which absorbs it. Clean-up on the way can use a
/// [shield](Self::set_shield). This is Trio's `CancelScope`.
///
/// Clones are handles to the same scope and can be kept anywhere on the thread. A scope may be
/// cancelled before it is entered; once it has been left, cancelling it has no effect. It can be
/// entered only once. The scope stays on its own thread, but a [handle](Self::cancel_handle)
/// cancels it from others:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<seedbed::CancelScope>();
/// ```
///
/// ```
/// use seedbed::{CancelScope, nursery, sleep_forever, yield_now};
///
/// seedbed::run(async {
///     let scope = CancelScope::new();
///     nursery(async |n| {
///         let task = n.spawn(scope.enter(async |_| sleep_forever().await));
///         yield_now().await?;
///         scope.cancel();
///         assert_eq!(task.await?, None); // interrupted: there is no value
///         Ok(())
///     })
///     .await?;
///     assert!(scope.cancelled_caught());
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone)]
pub struct CancelScope {
    scope: ScopeRef,
}

/// Runs `body` in a new [`CancelScope`]. This is short for `CancelScope::new().enter(body)`.
///
/// # Errors
///
/// The same as for [`CancelScope::enter`].
///
/// ```
/// use seedbed::{cancel_scope, checkpoint};
///
/// seedbed::run(async {
///     let value = cancel_scope(async |scope| {
///         scope.cancel();
///         checkpoint().await?; // fails: the scope is cancelled
///         Ok("not reached")
///     })
///     .await?;
///     assert_eq!(value, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn cancel_scope<F, T>(body: F) -> impl Future<Output = Result<Option<T>>>
where
    F: AsyncFnOnce(&CancelScope) -> Result<T>,
{
    run_in(CancelScope::new(), body)
}

async fn run_in<F, T>(scope: CancelScope, body: F) -> Result<Option<T>>
where
    F: AsyncFnOnce(&CancelScope) -> Result<T>,
{
    enter(scope.scope.clone(), "a cancel scope", body(&scope)).await
}

impl CancelScope {
    /// Makes a scope that has no deadline and no shield and has not been entered.
    #[must_use]
    #[track_caller]
    #[inline]
    pub fn new() -> Self {
        CancelScope { scope: ScopeRef::new(Location::caller()) }
    }

    pub(crate) fn of(scope: ScopeRef) -> Self {
        CancelScope { scope }
    }

    /// Calls `f` in the run that the scope was entered in, if that goes on.
    #[inline]
    fn in_its_run<R>(&self, f: impl FnOnce(&ScopeRef) -> R) -> R {
        away::in_run_of(self.scope.host(), || f(&self.scope))
    }

    /// Sets the deadline of the scope.
    #[must_use]
    pub fn with_deadline(self, deadline: Instant) -> Self {
        self.scope.set_deadline(Deadline::Instant(deadline));
        self
    }

    /// Sets the deadline to this long after the scope is entered.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.scope.set_deadline(Deadline::AfterEntry(clock::nanos(timeout)));
        self
    }

    /// Raises the shield, which hides cancellations of the scopes around this one.
    #[must_use]
    pub fn with_shield(self) -> Self {
        self.scope.set_shield(true);
        self
    }

    /// Enters the scope, runs `body` in it, and leaves it.
    ///
    /// `Ok(None)` means that the body was cancelled by this scope. A `Cancelled` is absorbed only
    /// if this scope was cancelled and no cancellation from outside is visible through its shield.
    /// Those inside a [`Group`](crate::Group) are taken out of it, and the rest of the group comes
    /// out in its shape.
    ///
    /// # Errors
    ///
    /// The body's own, except what is absorbed; [`ScopeReused`](crate::ScopeReused) if the scope
    /// has been entered before; [`NotRunning`](crate::NotRunning) outside [`run`](crate::run).
    pub fn enter<F, T>(&self, body: F) -> impl Future<Output = Result<Option<T>>> + use<F, T>
    where
        F: AsyncFnOnce(&CancelScope) -> Result<T>,
    {
        run_in(self.clone(), body)
    }

    /// Cancels the scope: from now on every checkpoint in it fails.
    ///
    /// After a [graceful cancellation](Self::cancel_gracefully) this ends the grace at once: the
    /// sections that were [`finishing`] their work are cancelled too, and from then on each
    /// [`Cancelled`](crate::Cancelled) names this call. It has no effect if the scope is already
    /// fully cancelled or has been left.
    #[track_caller]
    pub fn cancel(&self) {
        let by = Some(Location::caller());
        self.in_its_run(|scope| scope.cancel(Level::Full, Reason::Requested(None), by));
    }

    /// Does the same as [`cancel`](Self::cancel), and says why: each
    /// [`Cancelled`](crate::Cancelled) has the text.
    #[track_caller]
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) {
        let (reason, by) = (Reason::Requested(Some(reason.into())), Some(Location::caller()));
        self.in_its_run(|scope| scope.cancel(Level::Full, reason, by));
    }

    /// Cancels everything in the scope at once, except sections marked as [`finishing`] their work,
    /// which are cancelled when the grace is over. A deadline later than that is moved to the end
    /// of the grace. If the scope has not been entered yet, the grace begins when it is.
    ///
    /// ```
    /// use seedbed::{cancel_scope, finishing, sleep, sleep_forever};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// cancel_scope(async |scope| {
    ///     scope.cancel_gracefully(Duration::from_secs(5));
    ///     finishing(sleep(Duration::from_secs(1))).await?; // goes on
    ///     sleep_forever().await // fails at once
    /// })
    /// .await?;
    /// # assert_eq!(clock.elapsed(), Duration::from_secs(1));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn cancel_gracefully(&self, grace: Duration) {
        let by = Some(Location::caller());
        self.in_its_run(|scope| {
            scope.cancel(Level::Graceful, Reason::Requested(None), by);
            scope.limit_grace(clock::nanos(grace));
        });
    }

    /// Does the same as [`cancel_gracefully`](Self::cancel_gracefully), with a reason and on behalf
    /// of `by`.
    pub(crate) fn end_gracefully(
        &self,
        reason: &'static str,
        by: &'static Location<'static>,
        grace: Duration,
    ) {
        let reason = Reason::Requested(Some(reason.into()));
        self.scope.cancel(Level::Graceful, reason, Some(by));
        self.scope.limit_grace(clock::nanos(grace));
    }

    /// Does the same as [`cancel_with`](Self::cancel_with), on behalf of `by`.
    pub(crate) fn end_at_once(&self, reason: Cow<'static, str>, by: &'static Location<'static>) {
        self.scope.cancel(Level::Full, Reason::Requested(Some(reason)), Some(by));
    }

    /// Returns a handle that cancels the scope from any thread. All handles of a scope cancel the
    /// same scope; they have no effect once it has been left.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle::new(self.scope.shared())
    }

    /// Whether the scope was cancelled, by a call or by its deadline. A call to a
    /// [handle](Self::cancel_handle) counts at once, even if checkpoints do not fail yet.
    #[must_use]
    pub fn cancel_called(&self) -> bool {
        self.scope.cancel_called() || self.scope.cancel_asked()
    }

    /// Whether the scope absorbed a cancellation when it was left.
    #[must_use]
    pub fn cancelled_caught(&self) -> bool {
        self.scope.cancelled_caught()
    }

    /// The deadline. It is `None` if there is none, if it counts from an entry that has not
    /// happened yet, or if the scope was left before anything in it waited or asked for the
    /// deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.in_its_run(|scope| scope.deadline_instant())
    }

    /// Moves the deadline, or removes it. A deadline that has passed cancels an open scope at once.
    /// This has no effect once the scope has been left.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        let deadline = deadline.map_or(Deadline::Never, Deadline::Instant);
        self.in_its_run(|scope| scope.set_deadline(deadline));
    }

    /// Moves the deadline to this long from now, or, if the scope has not been entered yet, to this
    /// long after it is.
    pub fn set_timeout(&self, timeout: Duration) {
        self.in_its_run(|scope| scope.set_deadline(Deadline::AfterEntry(clock::nanos(timeout))));
    }

    /// Whether cancellations from outside are hidden.
    #[must_use]
    pub fn shield(&self) -> bool {
        self.scope.shield()
    }

    /// Raises or lowers the shield. Lowering it lets in a cancellation from outside that it had
    /// hidden.
    pub fn set_shield(&self, shield: bool) {
        self.in_its_run(|scope| scope.set_shield(shield));
    }
}

impl Default for CancelScope {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for CancelScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelScope")
            .field("place", &self.scope.place())
            .field("deadline", &self.deadline())
            .field("shield", &self.shield())
            .field("cancel_called", &self.cancel_called())
            .field("cancelled_caught", &self.cancelled_caught())
            .finish()
    }
}

pin_project! {
    /// Polls `future` inside a scope, which is entered at the first poll. It is not an `async fn`,
    /// because that would cost the stack one more frame for each nested scope.
    pub(crate) struct Enter<F> {
        // This is dropped while the scope is still open.
        #[pin]
        future: Option<F>,
        entered: Entered,
        what: &'static str,
    }
}

/// Enters a scope around `future`. `what` names the kind of scope, for the error of a generator
/// that yields in it.
#[inline]
pub(crate) fn enter<T, F: Future<Output = Result<T>>>(
    scope: ScopeRef,
    what: &'static str,
    future: F,
) -> Enter<F> {
    Enter { future: Some(future), entered: Entered::outside(scope), what }
}

impl<T, F: Future<Output = Result<T>>> Future for Enter<F> {
    type Output = Result<Option<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("the future of a cancel scope was polled after it was ready")
        };
        if this.entered.is_inside() {
            this.entered.touch();
        } else if let Err(error) =
            ready!(this.entered.begin(cx)).and_then(|()| this.entered.enter(this.what))
        {
            this.future.set(None);
            return Poll::Ready(Err(error));
        }
        let scope = this.entered.scope();
        let Poll::Ready(outcome) = in_scope(scope, || future.poll(cx)) else {
            scope.arm_deadline();
            return Poll::Pending;
        };
        this.future.set(None);
        budget::count();
        Poll::Ready(this.entered.leave(outcome))
    }
}

/// Whether the present code is cancelled, or would be if it were not finishing its work.
#[inline]
pub(crate) fn is_ending() -> bool {
    with_scope(|scope| scope.is_some_and(Scope::is_ending))
}

/// Checks for cancellation.
#[inline]
pub(crate) fn check() -> Result<()> {
    with_scope(|scope| match scope {
        Some(scope) if !scope.is_cancelled() => Ok(()),
        scope => Err(failure(scope)),
    })
}

#[cold]
fn failure(scope: Option<&Scope>) -> Error {
    match scope.and_then(Scope::cause) {
        Some(why) => why.into(),
        None => NotRunning.into(),
    }
}

/// Whether a checkpoint would fail here.
pub(crate) fn is_cancelled() -> bool {
    with_scope(|scope| scope.is_some_and(Scope::is_cancelled))
}

/// When the scopes that are open here will cancel the present code: the earliest of their
/// deadlines, up to the nearest shield. If they are cancelled already, it is a time that has
/// passed; `None` means never.
///
/// ```
/// use seedbed::{current_effective_deadline, move_on_after, now};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     assert_eq!(current_effective_deadline(), None);
///     move_on_after(Duration::from_secs(5), async {
///         assert!(current_effective_deadline().unwrap() <= now() + Duration::from_secs(5));
///         Ok(())
///     })
///     .await?;
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use]
pub fn current_effective_deadline() -> Option<Instant> {
    match with_scope(|scope| scope.map(Scope::effective_deadline))? {
        NEVER => None,
        deadline => CLOCK.with(|clock| clock::instant_of(clock?, deadline)),
    }
}
