//! Asynchronous generators, as in PEP 525: G1 to G12.

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod cancellation;
mod closing;
mod driving;
mod ignored_exit;
mod in_flight;
mod introspection;
mod iterate;
mod loose_yields;
mod moving;
mod stream;
mod synchronous;
mod throwing;
mod uncommon_ways;

use seedbed::Result;

fn text<T>(outcome: Result<T>) -> String {
    outcome.err().expect("it was to fail").to_string()
}

fn exit_text() -> String {
    "the generator is being closed".to_owned()
}
