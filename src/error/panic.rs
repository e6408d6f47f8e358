//! Panics that are caught.
//!
//! The payload of a panic is foreign: dropping it may panic, with another payload. So it is never
//! simply dropped, but either passed on or [discarded](discard).

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

pub(crate) type Payload = Box<dyn Any + Send>;

/// The text of a panic, or an empty one if the payload is not a string.
pub(crate) fn text(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("", String::as_str),
    }
}

/// Calls something whose panic nobody could handle, and swallows that panic. Used for subscribers
/// and payloads, which are foreign code.
pub(crate) fn quietly(f: impl FnOnce()) {
    let mut outcome = catch_unwind(AssertUnwindSafe(f));
    for _ in 0..3 {
        let Err(payload) = outcome else { return };
        outcome = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    }
    std::mem::forget(outcome); // it has to stop somewhere
}

/// Calls foreign code from a destructor. Its panic is passed on, unless the thread is already
/// unwinding.
pub(crate) fn in_destructor(f: impl FnOnce()) {
    let mut panic = FirstPanic::new();
    panic.catch(f);
    panic.resume();
}

/// Reports a panic that is not passed on.
pub(crate) fn discard(payload: Payload) {
    report!(error, panic = text(&*payload), "a further panic: only the first is passed on");
    quietly(|| drop(payload));
}

/// Tells a `tracing` subscriber, which is foreign code: it may call back, so nothing may be
/// borrowed or half changed, and if it panics, that must not affect the code that reports
/// something.
macro_rules! report {
    ($level:ident, $($event:tt)*) => {
        $crate::error::panic::quietly(|| tracing::$level!($($event)*))
    };
}
pub(crate) use report;

/// The first of several panics, to be passed on when everything else has been done.
#[must_use = "a panic is passed on with `resume`"]
pub(crate) struct FirstPanic(Option<Payload>);

impl FirstPanic {
    pub(crate) const fn new() -> FirstPanic {
        FirstPanic(None)
    }

    /// Calls foreign code, after which there is more to do.
    pub(crate) fn catch(&mut self, f: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            self.add(payload);
        }
    }

    /// Calls foreign code for each of them.
    pub(crate) fn catch_each<T>(
        &mut self,
        each: &mut impl ExactSizeIterator<Item = T>,
        mut f: impl FnMut(T),
    ) {
        // Usually one catch is enough for all of them.
        while each.len() > 0 {
            self.catch(|| each.for_each(&mut f));
        }
    }

    /// Keeps the first panic, and reports the others.
    pub(crate) fn add(&mut self, payload: Payload) {
        match &self.0 {
            None => self.0 = Some(payload),
            Some(_) => discard(payload),
        }
    }

    /// The first panic, for the caller to deal with in another way.
    pub(crate) fn take(self) -> Option<Payload> {
        self.0
    }

    /// Whether there was one.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Resumes the first panic, if there was one. In a destructor of a thread that is already
    /// unwinding, this would abort the process, so there the panic is reported instead.
    pub(crate) fn resume(self) {
        match self.0 {
            None => {}
            Some(payload) if std::thread::panicking() => discard(payload),
            Some(payload) => resume_unwind(payload),
        }
    }
}

/// The future's outcome, or its panic.
pub(crate) async fn catch_panic<T>(
    future: impl Future<Output = T>,
) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}
