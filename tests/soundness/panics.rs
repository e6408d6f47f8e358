//! N8: payloads and errors that panic.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::thread;

use seedbed::{Error, nursery, sleep_forever, yield_now};

use super::run;

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any("in the payload's drop");
        }
    }
}

/// An error whose text cannot be obtained.
#[derive(Debug)]
struct Unprintable;

impl std::fmt::Display for Unprintable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic_any("in Display")
    }
}

impl std::error::Error for Unprintable {}

/// The nursery asks a failure for its text, to say why the others are cancelled.
#[test]
fn n08_an_error_that_panics_when_it_is_printed() {
    for in_body in [false, true] {
        let sibling = Rc::new(Cell::new(false));
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(nursery(async |n| {
                let seen = sibling.clone();
                drop(n.spawn(async move {
                    let outcome = sleep_forever().await;
                    seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                    outcome
                }));
                yield_now().await?;
                if in_body {
                    return Err(Unprintable.into());
                }
                drop(n.spawn(async { Err::<(), _>(Unprintable.into()) }));
                sleep_forever().await
            }))
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"in Display"));
        assert!(sibling.get(), "the sibling was cancelled and awaited");
    }
}

/// Only the first panic is passed on. The payloads of the others are dropped, which is
/// foreign code too.
#[test]
fn n08_a_further_panic_whose_payload_panics_when_dropped() {
    let sibling = Rc::new(Cell::new(false));
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(nursery(async |n| {
            let seen = sibling.clone();
            drop(n.spawn(async move {
                let outcome = sleep_forever().await;
                yield_now().await.unwrap_err();
                seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                outcome
            }));
            drop(n.spawn::<_, ()>(async { panic_any("first") }));
            drop(n.spawn::<_, ()>(async { panic_any(PanicsWhenDropped) }));
            Ok(())
        }))
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
    assert!(sibling.get(), "the sibling was cancelled and awaited");
}
