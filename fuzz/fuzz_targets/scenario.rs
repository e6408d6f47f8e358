//! See `tests/fuzz/main.rs`.
#![no_main]

#[path = "../../tests/fuzz/scenario.rs"]
mod scenario;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scenario::run(bytes));
