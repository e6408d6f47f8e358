//! Running futures: on a virtual clock, shielded, cancelled, once, or up to a panic.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, CancelScope, Error, Result, cancel_scope};

/// Runs on a virtual clock, and fails where it would hang.
pub fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    builder().run(main)
}

pub fn builder() -> Builder {
    builder_on(&VirtualClock::new())
}

pub fn run_on<T>(clock: &VirtualClock, main: impl Future<Output = Result<T>>) -> Result<T> {
    builder_on(clock).run(main)
}

fn builder_on(clock: &VirtualClock) -> Builder {
    Builder::new().clock(clock).detect_deadlock(true)
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs `future` shielded, as clean-up that has to wait does.
pub async fn shielded<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let scope = CancelScope::new().with_shield();
    let value = scope.enter(async |_| future.await).await?;
    Ok(value.expect("nobody cancels this scope"))
}

/// Runs `future` in a scope that is cancelled already.
pub async fn cancelled<T>(future: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    cancel_scope(async |scope| {
        scope.cancel();
        future.await
    })
    .await
}

/// Polls once.
pub async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// The future's outcome, or the text of its panic.
pub async fn catching<T>(future: impl Future<Output = T>) -> std::result::Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(payload) => Poll::Ready(Err(panic_text(payload))),
    })
    .await
}

/// The text of the panic of `f`, which has to panic.
pub fn panics<T: Debug>(f: impl FnOnce() -> T) -> String {
    panic_text(catch_unwind(AssertUnwindSafe(f)).expect_err("it was to panic"))
}

fn panic_text(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => resume_unwind(payload),
        },
    }
}

pub fn is_cancelled<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(Error::is_cancelled)
}

/// The texts of the failures, groups in brackets.
pub fn shape(error: &Error) -> String {
    match error.as_group() {
        Some(group) => format!("[{}]", group.errors().map(shape).collect::<Vec<_>>().join(" ")),
        None if error.is_cancelled() => "Cancelled".into(),
        None => error.to_string(),
    }
}
