//! What every operation of this crate does besides its work: look for cancellation, be reachable
//! by one while it waits, and let others run now and then.

use std::cell::Cell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::Result;
use crate::error::{Error, NotRunning};
use crate::schedule::current::{self, CONTEXT};
use crate::schedule::foreign::Foreign;
use crate::schedule::memory::table::UnitId;
use crate::schedule::waker;
use crate::scope::tree::Scope;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::unheeded;

/// Looks for cancellation.
#[inline]
pub(crate) fn check() -> Result<()> {
    current::with_scope(|scope| match scope {
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

/// Counts an operation that finishes at once and looks for cancellation, where neither has a
/// consequence. Otherwise it does nothing, and is false.
#[inline(always)]
pub(crate) fn pass() -> bool {
    CONTEXT.with(|context| {
        context.scope().is_some_and(|scope| !scope.is_cancelled()) && context.turn.pass()
    })
}

/// Counts an operation that finishes at once. True if the task has had its share and must let
/// others run before it goes on.
#[inline]
pub(crate) fn spend() -> bool {
    CONTEXT.with(|context| context.turn.spend())
}

/// Counts what is done without waiting by a function that is not asynchronous: the next operation
/// that is lets others run, if that is due.
#[inline]
pub(crate) fn count() {
    CONTEXT.with(|context| context.turn.pass_aside());
}

/// Runs what must not let others run in between, as nobody would poll it again.
#[inline]
pub(crate) fn uninterrupted<R>(f: impl FnOnce() -> R) -> R {
    CONTEXT.with(|context| context.turn.with_budget(u32::MAX, f))
}

/// As well, for a whole budget at the most.
pub(crate) fn with_whole_budget<R>(f: impl FnOnce() -> R) -> R {
    let budget =
        current::with_runtime(|runtime| runtime.map_or(u32::MAX, |runtime| runtime.budget));
    CONTEXT.with(|context| context.turn.with_budget(budget, f))
}

/// Whether what is no checkpoint has let others run, where that was due.
#[derive(Debug, Default)]
pub(crate) struct Aside(Cell<bool>);

impl Aside {
    #[inline]
    pub(crate) const fn new() -> Self {
        Aside(Cell::new(false))
    }

    /// Counts something that finishes at once and is no checkpoint. `Pending` if the task has had its
    /// share: it lets others run, does not look for cancellation, and goes on then.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), if it has been [unheeded] for long.
    #[inline(always)]
    pub(crate) fn pay(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if !self.0.get() && CONTEXT.with(|context| context.turn.pass_aside()) {
            return Poll::Ready(Ok(()));
        }
        self.let_others_run(cx)
    }

    /// The same for what is counted at its end, as it may turn out to wait.
    ///
    /// # Errors
    ///
    /// As [`pay`](Self::pay).
    #[inline(always)]
    pub(crate) fn begin(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if !self.0.get() && CONTEXT.with(|context| context.turn.has_left()) {
            return Poll::Ready(Ok(()));
        }
        self.let_others_run(cx)
    }

    #[cold]
    #[inline(never)]
    fn let_others_run(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if current::current_run() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.0.replace(false) {
            return Poll::Ready(unheeded::look());
        }
        self.0.set(true);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Future for Aside {
    type Output = Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.pay(cx)
    }
}

/// How a waiting operation learns that it was cancelled.
///
/// What counts is whether a cancellation came while it waited, not whether its scope is cancelled
/// when it is polled at last: a shield may have been raised in between, or what it waited for may
/// have come a moment later.
///
/// If the operation is polled with its unit's own waker, the scope tree finds the unit, and there
/// is nothing more to do. Otherwise something is in between, `FuturesUnordered` for one, that
/// passes on only the wakes of what it made itself, and the waker has to be left with the scope.
pub(crate) struct Watch(Option<Armed>);

struct Armed {
    scope: ScopeRef,
    /// The scope's count of cancellations when the wait began.
    since: u32,
    /// The waker left with the scope, or `NOT_LEFT`.
    foreign: u32,
}

const NOT_LEFT: u32 = u32::MAX;

impl Watch {
    pub(crate) const fn new() -> Self {
        Watch(None)
    }

    /// A watch over a wait that begins now. Foreign code may run before that and after.
    #[inline]
    pub(crate) fn armed(cx: &Context<'_>) -> Self {
        // Where nothing points to it, it stays in registers until it is where it belongs.
        if waker::is_of_current_unit(cx.waker()) {
            Watch(Armed::in_current_scope())
        } else {
            Watch::armed_foreign(cx)
        }
    }

    #[cold]
    fn armed_foreign(cx: &Context<'_>) -> Self {
        let watch = Watch::armed_with(Foreign::keep(cx.waker()));
        // While the waker was cloned a cancellation may have come, which has not woken it.
        if watch.0.as_ref().is_some_and(|armed| armed.scope.is_cancelled()) {
            cx.waker().wake_by_ref();
        }
        watch
    }

    /// As well, with a foreign waker that is kept already.
    fn armed_with(foreign: Foreign) -> Self {
        let mut armed = Armed::in_current_scope();
        if let Some(armed) = &mut armed {
            armed.foreign = armed.scope.watch(foreign);
        }
        Watch(armed)
    }

    /// To be called whenever the operation goes on waiting. Foreign code may run before anything
    /// is changed, and afterwards.
    #[inline]
    pub(crate) fn arm(&mut self, cx: &Context<'_>) {
        if waker::is_of_current_unit(cx.waker()) {
            drop(self.arm_in_scope());
        } else {
            self.arm_foreign(cx);
        }
    }

    #[cold]
    fn arm_foreign(&mut self, cx: &Context<'_>) {
        let foreign = (!self.is_left(cx.waker())).then(|| Foreign::keep(cx.waker()));
        drop(self.arm_with(foreign));
    }

    /// Whether this foreign waker is left with the present scope.
    fn is_left(&self, waker: &Waker) -> bool {
        self.0.as_ref().is_some_and(|armed| {
            current::is_current_scope(&armed.scope)
                && armed.foreign != NOT_LEFT
                && armed.scope.watches(armed.foreign, waker)
        })
    }

    /// Watches the present scope. Returns what it was armed with, if that was another.
    #[inline]
    fn arm_in_scope(&mut self) -> Option<Armed> {
        match &self.0 {
            Some(armed) if current::is_current_scope(&armed.scope) => None,
            _ => mem::replace(&mut self.0, Armed::in_current_scope()),
        }
    }

    /// Watches the present scope, and leaves a foreign waker there, if there is one. To drop the
    /// answer is foreign code.
    fn arm_with(&mut self, foreign: Option<Foreign>) -> (Option<Armed>, Option<Foreign>) {
        let elsewhere = self.arm_in_scope();
        let former = match (&mut self.0, foreign) {
            (Some(armed), Some(foreign)) if armed.foreign == NOT_LEFT => {
                armed.foreign = armed.scope.watch(foreign);
                None
            }
            (Some(armed), Some(foreign)) => Some(armed.scope.update_watch(armed.foreign, foreign)),
            (_, foreign) => foreign,
        };
        (elsewhere, former)
    }

    /// Whether a cancellation has come since the wait began, and still has a cause.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|armed| {
            armed.scope.cancellations() != armed.since && armed.scope.cause().is_some()
        })
    }

    /// Fails if a cancellation has come since the wait began.
    #[inline]
    pub(crate) fn check(&mut self) -> Result<()> {
        match &mut self.0 {
            Some(armed) if armed.scope.cancellations() != armed.since => armed.fail(),
            _ => Ok(()),
        }
    }

    /// Says that what the operation waited for has come.
    #[inline]
    pub(crate) fn handed(&self) {
        if let Some(armed) = &self.0 {
            armed.scope.hand();
        }
    }

    #[inline]
    pub(crate) fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Armed {
    #[inline]
    fn in_current_scope() -> Option<Armed> {
        current::current_scope().map(|scope| {
            // An operation that was moved into a cancelled scope fails as well.
            let late = u32::from(scope.is_cancelled());
            let since = scope.cancellations().wrapping_sub(late);
            Armed { scope, since, foreign: NOT_LEFT }
        })
    }

    #[cold]
    fn take_back(&self) {
        drop(self.scope.unwatch(self.foreign)); // foreign code
    }

    #[cold]
    fn fail(&mut self) -> Result<()> {
        match self.scope.cause() {
            Some(why) => Err(why.into()),
            None => {
                // The scope was moved out of the one that was cancelled, which has gone.
                self.since = self.scope.cancellations();
                Ok(())
            }
        }
    }
}

impl Drop for Armed {
    #[inline]
    fn drop(&mut self) {
        if self.foreign != NOT_LEFT {
            self.take_back();
        }
    }
}

/// What an operation leaves with whoever has what it waits for. To drop it is foreign code.
pub(crate) struct Waiting {
    watch: Watch,
    waker: KeptWaker,
}

impl Waiting {
    /// For a wait of the unit that is being polled, which begins now.
    #[inline(always)]
    pub(crate) fn of_unit(unit: UnitId) -> Self {
        Waiting { waker: KeptWaker::Unit(unit), watch: Watch(Armed::in_current_scope()) }
    }

    /// For a wait with a foreign waker, which begins now.
    pub(crate) fn of_foreign(waker: Foreign) -> Self {
        Waiting { waker: KeptWaker::Foreign(waker.clone()), watch: Watch::armed_with(waker) }
    }

    /// Whether a foreign waker has to be kept before the operation [goes on](Self::go_on).
    pub(crate) fn is_new(&self, waker: &Waker) -> bool {
        let is_kept = matches!(&self.waker, KeptWaker::Foreign(kept) if kept.will_wake(waker));
        let is_known = waker::is_of_current_unit(waker) || is_kept && self.watch.is_left(waker);
        !is_known
    }

    /// To be called whenever the operation goes on waiting, with its waker, if that
    /// [is new](Self::is_new). To drop the answer is foreign code.
    #[must_use]
    pub(crate) fn go_on(&mut self, cx: &Context<'_>, new: Option<Foreign>) -> Stale {
        let waker = match (waker::current_unit(cx.waker()), &new) {
            (Some(unit), _) => Some(KeptWaker::Unit(unit)),
            (None, Some(new)) => Some(KeptWaker::Foreign(new.clone())),
            (None, None) => None,
        };
        let (elsewhere, former) = self.watch.arm_with(new);
        let waker = waker.map(|waker| mem::replace(&mut self.waker, waker));
        Stale { _parts: (elsewhere, former, waker) }
    }

    /// As [`Watch::is_cancelled`].
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.watch.is_cancelled()
    }

    /// As [`Watch::check`].
    pub(crate) fn check(&mut self) -> Result<()> {
        self.watch.check()
    }

    /// The unit that waits, if its waker is that unit's own.
    #[inline]
    pub(crate) fn unit(&self) -> Option<UnitId> {
        match self.waker {
            KeptWaker::Unit(unit) => Some(unit),
            KeptWaker::Foreign(_) => None,
        }
    }

    /// What it waited for has come. Returns the waker, to be woken.
    #[must_use]
    #[inline(always)]
    pub(crate) fn hand(self) -> KeptWaker {
        self.watch.handed();
        self.waker
    }
}

/// What an operation that goes on waiting has no use for any more.
pub(crate) struct Stale {
    _parts: (Option<Armed>, Option<Foreign>, Option<KeptWaker>),
}

/// Nobody waits.
impl Default for Waiting {
    #[inline]
    fn default() -> Self {
        Waiting { watch: Watch::new(), waker: KeptWaker::Unit(UnitId::NONE) }
    }
}

/// A waker that is kept: where it stands for a unit, as most do, the unit's number, which is woken
/// and dropped without asking what it is.
pub(crate) enum KeptWaker {
    Unit(UnitId),
    Foreign(Foreign),
}

impl KeptWaker {
    /// Foreign code may run.
    #[inline]
    pub(crate) fn wake(self) {
        match self {
            KeptWaker::Unit(unit) => waker::wake_unit(unit),
            KeptWaker::Foreign(waker) => waker.wake(),
        }
    }
}
