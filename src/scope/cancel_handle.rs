//! Cancels a scope from any thread.

use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::Location;
use std::time::Duration;

use slab::Slab;

use crate::error::Reason;
use crate::platform::clock;
use crate::platform::part::part;
use crate::platform::{Arc, Mutex};
use crate::schedule::remote::registry::Address;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;

/// Cancels a scope from any thread. [`CancelScope::cancel_handle`](crate::CancelScope) makes it.
///
/// Its clones are handles to the same scope, and may be kept for longer than the scope or the run.
/// A scope may be cancelled before it is entered; after it was left, or when its run has ended,
/// that has no effect.
///
/// What runs in the scope notices when its thread looks next at what other threads want, which it
/// does at least once in 256 steps of its tasks.
///
/// ```
/// use seedbed::{cancel_scope, sleep_forever};
/// use std::thread;
///
/// seedbed::run(async {
///     let none: Option<()> = cancel_scope(async |scope| {
///         let handle = scope.cancel_handle();
///         thread::spawn(move || handle.cancel());
///         sleep_forever().await
///     })
///     .await?;
///     assert_eq!(none, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone)]
pub struct CancelHandle(Shared);

part! {
    /// The scopes of the present run that other threads have handles to.
    pub(crate) const HANDLED: RefCell<Slab<ScopeRef>>;
}

/// What a scope shares with its handles.
pub(crate) type Shared = Arc<Mutex<Link>>;

pub(crate) struct Link {
    stage: Stage,
    /// How far the cancellations went that were asked for.
    asked: Level,
    /// Those of them that the scope has not heard of.
    requests: Vec<Request>,
}

enum Stage {
    /// Not entered yet: it looks when it is.
    Outside,
    /// Entered in this run, with this key.
    Inside(Address, usize),
    Left,
}

struct Request {
    level: Level,
    reason: Reason,
    by: Option<&'static Location<'static>>,
    grace: Option<Duration>,
}

impl CancelHandle {
    pub(crate) fn new(shared: Shared) -> Self {
        CancelHandle(shared)
    }

    /// As [`CancelScope::cancel`](crate::CancelScope::cancel).
    #[track_caller]
    pub fn cancel(&self) {
        self.ask(Level::Full, Reason::Requested(None), None, Some(Location::caller()));
    }

    /// As [`CancelScope::cancel_with`](crate::CancelScope::cancel_with).
    #[track_caller]
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) {
        let reason = Reason::Requested(Some(reason.into()));
        self.ask(Level::Full, reason, None, Some(Location::caller()));
    }

    /// As [`CancelScope::cancel_gracefully`](crate::CancelScope::cancel_gracefully). The grace
    /// begins when the scope's thread hears of it.
    #[track_caller]
    pub fn cancel_gracefully(&self, grace: Duration) {
        self.ask(Level::Graceful, Reason::Requested(None), Some(grace), Some(Location::caller()));
    }

    /// Cancels it because of what has happened on another thread.
    #[cfg(not(loom))]
    pub(crate) fn cancel_because(&self, reason: Reason, by: Option<&'static Location<'static>>) {
        self.ask(Level::Full, reason, None, by);
    }

    fn ask(
        &self,
        level: Level,
        reason: Reason,
        grace: Option<Duration>,
        by: Option<&'static Location<'static>>,
    ) {
        let mut link = self.0.lock();
        // As often as it likes: the first one of a level is what counts.
        if link.asked >= level || matches!(link.stage, Stage::Left) {
            return;
        }
        link.asked = level;
        link.requests.push(Request { level, reason, by, grace });
        if let Stage::Inside(run, key) = link.stage {
            let shared = self.0.clone();
            // Where the run has gone, the scope has been left, or never will be.
            let _ = run.call(Box::new(move || deliver(&shared, key)));
        }
    }
}

impl std::fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelHandle").finish_non_exhaustive()
    }
}

/// Tells a scope, on its own thread, what was asked of it.
fn deliver(shared: &Shared, key: usize) {
    let requests = {
        let mut link = shared.lock();
        match link.stage {
            Stage::Inside(..) => std::mem::take(&mut link.requests),
            Stage::Outside | Stage::Left => return,
        }
    };
    let scope = HANDLED.with(|handled| handled?.borrow().get(key).cloned());
    // It is there, as it has not been left.
    if let Some(scope) = scope {
        apply(requests, &scope);
    }
}

fn apply(requests: Vec<Request>, scope: &ScopeRef) {
    for Request { level, reason, by, grace } in requests {
        scope.cancel(level, reason, by);
        if let Some(grace) = grace {
            scope.limit_grace(clock::nanos(grace));
        }
    }
}

impl Link {
    pub(crate) fn new() -> Shared {
        Arc::new(Mutex::new(Link { stage: Stage::Outside, asked: Level::None, requests: vec![] }))
    }
}

/// Whether a handle was used.
pub(crate) fn was_asked(shared: &Shared) -> bool {
    shared.lock().asked != Level::None
}

/// The scope is entered, or was when it got its handle: from now on it is told.
pub(crate) fn enter(shared: &Shared, scope: &ScopeRef) {
    let requests = HANDLED.with(|handled| {
        let (Some(handled), Some(run)) = (handled, Address::here()) else { return Vec::new() };
        let key = handled.borrow_mut().insert(scope.clone());
        let mut link = shared.lock();
        link.stage = Stage::Inside(run, key);
        std::mem::take(&mut link.requests)
    });
    apply(requests, scope);
}

/// The scope is left: nobody need tell it any more.
pub(crate) fn leave(shared: &Shared) {
    let (stage, requests) = {
        let mut link = shared.lock();
        (std::mem::replace(&mut link.stage, Stage::Left), std::mem::take(&mut link.requests))
    };
    drop(requests);
    if let Stage::Inside(run, key) = stage {
        HANDLED.with(|handled| {
            // It may be dropped in a later run, or in none.
            if let Some(handled) = handled.filter(|_| Address::here() == Some(run)) {
                let gone = handled.borrow_mut().try_remove(key);
                drop(gone);
            }
        });
    }
}
