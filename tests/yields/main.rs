//! No yield inside a cancel scope, as in PEP 789: Y1 to Y9.

#[path = "../support/mod.rs"]
mod support;

mod context_managers;
mod counter;
mod frames;
mod guards;
mod pep_789;
mod refusals;

use std::panic::Location;
use std::pin::Pin;

use seedbed::{
    Generator, Nursery, PreventYields, Result, YieldInCancelScope, Yielder, cancel_scope,
    fail_after, fail_at, finishing, move_on_after, move_on_at, now, nursery, prevent_yields,
};

use support::secs;

/// The refusal of a yield, which this has to be.
#[track_caller]
fn refused<T>(outcome: Result<T>) -> YieldInCancelScope {
    let error = outcome.err().expect("the yield was to be refused");
    match error.find::<YieldInCancelScope>() {
        Some(refused) => refused.clone(),
        None => panic!("the yield was to be refused, instead: {error}"),
    }
}

#[track_caller]
fn is_here(place: &Location<'_>, line: u32) {
    assert_eq!((place.file(), place.line()), (Location::caller().file(), line));
}

/// Whether a yield is allowed here, by trying.
async fn may_yield(y: &Yielder<()>) -> bool {
    match y.yield_(()).await {
        Ok(_) => true,
        Err(error) if error.is::<YieldInCancelScope>() => false,
        Err(error) => panic!("{error}"),
    }
}

/// Drives a generator to its end, and counts its values.
async fn exhaust<T, S>(mut g: Generator<'_, T, S>) -> Result<u32> {
    let mut items = 0;
    while g.anext().await?.is_some() {
        items += 1;
    }
    Ok(items)
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// `inner` in every kind of scope, each with the name that an error gives it.
fn every_scope<'a, F: Future<Output = Result<()>> + 'a>(
    inner: impl Fn() -> F,
) -> Vec<(&'static str, Boxed<'a>)> {
    let (a, b, c, d, e, f, g, h) =
        (inner(), inner(), inner(), inner(), inner(), inner(), inner(), inner());
    vec![
        ("a cancel scope", Box::pin(async { cancel_scope(async |_| a.await).await.map(drop) })),
        ("a nursery", Box::pin(nursery(async |_: &Nursery<'_, '_>| b.await))),
        ("a timeout", Box::pin(async { move_on_after(secs(9), c).await.map(drop) })),
        ("a timeout", Box::pin(async { move_on_at(now() + secs(9), d).await.map(drop) })),
        ("a timeout", Box::pin(fail_after(secs(9), e))),
        ("a timeout", Box::pin(async { fail_at(now() + secs(9), f).await })),
        ("a section that finishes its work", Box::pin(finishing(g))),
        (
            "the ledger is locked",
            Box::pin(async {
                let _guard = prevent_yields("the ledger is locked");
                h.await
            }),
        ),
    ]
}

fn locked() -> PreventYields {
    prevent_yields("locked")
}
