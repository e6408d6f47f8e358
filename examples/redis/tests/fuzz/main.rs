//! What the fuzz target `resp` tries (`fuzz/` at the root of the repository), as a property: the
//! bytes are drawn, always the same ones, and reduced to few when something fails.
//!
//! - `PROPTEST_CASES=100000 cargo test --release -p redis_server --test fuzz` tries more of them.
//! - `cargo fuzz run resp` looks for bytes that lead to new places in the code.

mod requests;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestRunner};

#[test]
fn whatever_a_client_sends_and_wherever_it_is_cut() {
    let config =
        Config { rng_seed: RngSeed::Fixed(0), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(any::<u8>(), 0..400), |bytes| {
        requests::run(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
