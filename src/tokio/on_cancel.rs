//! Undoing a call that was cancelled.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use crate::error::Result;
use crate::error::panic::report;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{self, CancelScope};
use crate::tokio::call::Call;

/// How long it may take, as to end a process.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Awaits the call. If it is cancelled after its future has been polled, runs `clean_up`.
pub(super) async fn undo<F: Future>(
    call: Call<F>,
    limit: Duration,
    clean_up: impl AsyncFnOnce() -> Result<()>,
) -> Result<F::Output> {
    let place = call.place();
    // If it is cancelled already, the future is not polled at all.
    let begins = !scope::is_cancelled();
    let mut dropped = Dropped { place, tells: begins };
    let outcome = {
        let mut call = pin!(call);
        poll_fn(|cx| call.as_mut().poll_output(cx)).await
    };
    if begins && outcome.as_ref().is_err_and(|error| error.is_cancelled()) {
        run(place, limit, clean_up).await;
    }
    dropped.tells = false;
    outcome
}

async fn run(
    place: &'static Location<'static>,
    limit: Duration,
    clean_up: impl AsyncFnOnce() -> Result<()>,
) {
    let scope = CancelScope::of(ScopeRef::new(place)).with_timeout(limit).with_shield();
    match scope.enter(async |_| clean_up().await).await {
        Ok(Some(())) => {}
        Ok(None) => report!(
            warn,
            call = %place,
            ?limit,
            "what was to undo a cancelled call was not done in time, and was cancelled as well"
        ),
        Err(error) => {
            report!(warn, call = %place, %error, "what was to undo a cancelled call has failed");
        }
    }
}

/// Tells if it is dropped before the call has ended.
struct Dropped {
    place: &'static Location<'static>,
    tells: bool,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        if self.tells && !std::thread::panicking() {
            let call = self.place;
            report!(
                warn,
                %call,
                "a call was dropped before it had ended, so what was to undo it could not run; let it \
                 be cancelled by a scope, and await it"
            );
        }
    }
}
