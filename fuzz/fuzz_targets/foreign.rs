//! See `tests/fuzz/main.rs`.
#![no_main]

#[path = "../../tests/fuzz/foreign.rs"]
mod foreign;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| foreign::run(bytes));
