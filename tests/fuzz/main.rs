//! What the fuzz targets try (`fuzz/`), as properties: the bytes are drawn, always the same ones,
//! and reduced to few when something fails.
//!
//! - `PROPTEST_CASES=100000 cargo test --release --test fuzz` tries more of them, still the same
//!   ones.
//! - `SEEDBED_FUZZ_SECONDS=3600 cargo test --release --test fuzz TARGET` goes on for that long with
//!   other seeds. It prints each seed before it uses it, so the last one is known even if the
//!   process aborts. `SEEDBED_FUZZ_SEED=N` begins with that one.
//! - `cargo fuzz run TARGET`, with a nightly toolchain or `RUSTC_BOOTSTRAP=1`, looks for bytes that
//!   lead to new places in the code, under AddressSanitizer, until it is stopped. It needs `cargo
//!   install cargo-fuzz`. The targets are the modules here.
//! - `SEEDBED_FUZZ_INPUT=FILE cargo test --test fuzz TARGET -- --nocapture` runs what that has
//!   found.

mod channel;
mod foreign;
mod generators;
mod primitives;
mod scenario;
mod timers;
#[cfg(feature = "tls")]
mod tls;

use std::io::Write;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestRunner};

fn check(run: fn(&[u8]), length: usize) {
    if let Ok(file) = std::env::var("SEEDBED_FUZZ_INPUT") {
        return run(&std::fs::read(&file).unwrap_or_else(|why| panic!("{file}: {why}")));
    }
    let mut seed = number("SEEDBED_FUZZ_SEED").unwrap_or(0);
    let begun = Instant::now();
    let seconds = number("SEEDBED_FUZZ_SECONDS").map(Duration::from_secs);
    loop {
        if seconds.is_some() {
            // Not by a macro, whose output would be kept until the test has ended.
            let _ = writeln!(std::io::stderr(), "SEEDBED_FUZZ_SEED={seed}");
        }
        check_with(seed, run, length);
        if seconds.is_none_or(|seconds| begun.elapsed() >= seconds) {
            return;
        }
        seed += 1;
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|why| panic!("{variable}={value}: {why}")))
}

fn check_with(seed: u64, run: fn(&[u8]), length: usize) {
    let config =
        Config { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(any::<u8>(), 0..length), |bytes| {
        run(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("with the seed {seed}: {failure}"));
}

#[test]
fn broadcast() {
    check(primitives::all::run, 500);
}

#[test]
fn channel() {
    check(channel::run, 500);
}

#[test]
fn foreign() {
    check(foreign::run, 1000);
}

#[test]
fn generators() {
    check(generators::run, 500);
}

#[test]
fn latest() {
    check(primitives::latest::run, 300);
}

#[test]
fn locks() {
    check(primitives::locks::run, 500);
}

#[test]
fn meetings() {
    check(primitives::meetings::run, 500);
}

#[test]
fn notices() {
    check(primitives::notices::run, 500);
}

#[test]
fn scenario() {
    check(scenario::run, 500);
}

#[test]
fn timers() {
    check(timers::run, 500);
}

#[cfg(feature = "tls")]
#[test]
fn tls() {
    check(tls::run, 200);
}
