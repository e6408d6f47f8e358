//! What the fuzz targets try (`fuzz/`), as properties: with bytes that are drawn, always the same
//! ones, and made few where something fails.
//!
//! - `PROPTEST_CASES=100000 cargo test --release --test fuzz` tries more, still the same ones.
//! - `cargo fuzz run TARGET`, with a nightly toolchain or `RUSTC_BOOTSTRAP=1`, looks for bytes that
//!   lead to where none has led before, under AddressSanitizer, until it is stopped. It needs
//!   `cargo install cargo-fuzz`. The targets are the modules here.
//! - `SEEDBED_FUZZ_INPUT=FILE cargo test --test fuzz TARGET -- --nocapture` runs what that has found.

mod channel;
mod generators;
mod scenario;
mod timers;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestRunner};

fn check(run: fn(&[u8]), length: usize) {
    if let Ok(file) = std::env::var("SEEDBED_FUZZ_INPUT") {
        return run(&std::fs::read(&file).unwrap_or_else(|why| panic!("{file}: {why}")));
    }
    let config =
        Config { rng_seed: RngSeed::Fixed(0), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(any::<u8>(), 0..length), |bytes| {
        run(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn channel() {
    check(channel::run, 500);
}

#[test]
fn generators() {
    check(generators::run, 500);
}

#[test]
fn scenario() {
    check(scenario::run, 500);
}

#[test]
fn timers() {
    check(timers::run, 500);
}
