//! Panics that are caught.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) type Payload = Box<dyn Any + Send>;

/// What a panic said; empty if it was not a text.
pub(crate) fn text(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("", String::as_str),
    }
}

/// Calls what has nobody to panic to. Subscribers and payloads are foreign code.
pub(crate) fn quietly(f: impl FnOnce()) {
    let mut outcome = catch_unwind(AssertUnwindSafe(f));
    for _ in 0..3 {
        let Err(payload) = outcome else { return };
        outcome = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    }
    std::mem::forget(outcome); // there has to be an end to it
}
