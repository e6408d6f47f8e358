//! See `tests/fuzz/main.rs`.
#![no_main]

#[path = "../../tests/fuzz/timers.rs"]
mod timers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timers::run(bytes));
