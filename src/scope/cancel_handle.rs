//! Cancelling a scope from any thread.

use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::Location;
use std::time::Duration;

use slab::Slab;

use crate::error::Reason;
use crate::platform::clock;
use crate::platform::part::part;
use crate::platform::{Arc, Mutex};
use crate::schedule::current;
use crate::schedule::ids::RunId;
use crate::schedule::remote::away;
use crate::schedule::remote::registry;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;

/// A handle that cancels a scope from any thread, made by
/// [`CancelScope::cancel_handle`](crate::CancelScope).
///
/// Its clones are handles to the same scope, and may outlive the scope and the run. A scope may be
/// cancelled before it is entered. Once it has been left, or its run has ended, cancelling it has
/// no effect.
///
/// The code in the scope learns of it when its thread next checks for requests from other threads,
/// which happens at least once in 256 steps of its tasks.
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
    /// How far the requested cancellations go.
    asked: Level,
    /// The requests that the scope has not been told about.
    requests: Vec<Request>,
}

enum Stage {
    /// The scope has not been entered. It will look when it is.
    Outside,
    /// The scope was entered in this run, and has this key in [`HANDLED`].
    Inside(RunId, usize),
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

    /// Does the same as [`CancelScope::cancel`](crate::CancelScope::cancel).
    #[track_caller]
    pub fn cancel(&self) {
        self.ask(Level::Full, Reason::Requested(None), None, Some(Location::caller()));
    }

    /// Does the same as [`CancelScope::cancel_with`](crate::CancelScope::cancel_with).
    #[track_caller]
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) {
        let reason = Reason::Requested(Some(reason.into()));
        self.ask(Level::Full, reason, None, Some(Location::caller()));
    }

    /// Does the same as [`CancelScope::cancel_gracefully`](crate::CancelScope::cancel_gracefully).
    /// The grace begins when the scope's thread learns of it.
    #[track_caller]
    pub fn cancel_gracefully(&self, grace: Duration) {
        self.ask(Level::Graceful, Reason::Requested(None), Some(grace), Some(Location::caller()));
    }

    /// Cancels the scope because of something that happened on another thread.
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
        // This may be called any number of times: the first request of each level counts.
        if link.asked >= level || matches!(link.stage, Stage::Left) {
            return;
        }
        link.asked = level;
        link.requests.push(Request { level, reason, by, grace });
        if let Stage::Inside(run, key) = link.stage {
            let shared = self.0.clone();
            // If the run is gone, the scope has been left, or never will be.
            let _ = registry::call(run, Box::new(move || deliver(&shared, key)));
        }
    }
}

impl std::fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelHandle").finish_non_exhaustive()
    }
}

/// Passes the requests on to a scope, on its own thread.
fn deliver(shared: &Shared, key: usize) {
    let requests = {
        let mut link = shared.lock();
        match link.stage {
            Stage::Inside(..) => std::mem::take(&mut link.requests),
            Stage::Outside | Stage::Left => return,
        }
    };
    let scope = HANDLED.with(|handled| handled?.borrow().get(key).cloned());
    // The scope exists unless it has been left in the meantime.
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

/// Whether a handle was used to cancel the scope.
pub(crate) fn was_asked(shared: &Shared) -> bool {
    shared.lock().asked != Level::None
}

/// Called when the scope is being entered, or gets its first handle while it is open: from now on
/// it is told about requests.
pub(crate) fn enter(shared: &Shared, scope: &ScopeRef) {
    let requests = HANDLED.with(|handled| {
        let Some(handled) = handled else { return Vec::new() };
        let key = handled.borrow_mut().insert(scope.clone());
        let mut link = shared.lock();
        link.stage = Stage::Inside(current::current_run(), key);
        std::mem::take(&mut link.requests)
    });
    apply(requests, scope);
}

/// Called when the scope is being left, and no longer needs to be told.
pub(crate) fn leave(shared: &Shared) {
    let (stage, requests) = {
        let mut link = shared.lock();
        (std::mem::replace(&mut link.stage, Stage::Left), std::mem::take(&mut link.requests))
    };
    drop(requests);
    if let Stage::Inside(run, key) = stage {
        away::in_run(run, || {
            HANDLED.with(|handled| {
                // The scope may be dropped in a later run, or outside any.
                if let Some(handled) = handled.filter(|_| current::current_run() == run) {
                    let gone = handled.borrow_mut().try_remove(key);
                    drop(gone);
                }
            });
        });
    }
}
