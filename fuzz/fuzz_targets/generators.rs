//! See `tests/fuzz/main.rs`.
#![no_main]

#[path = "../../tests/fuzz/generators.rs"]
mod generators;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| generators::run(bytes));
