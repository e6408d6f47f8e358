//! See `tests/fuzz/main.rs`.
#![no_main]

#[path = "../../tests/fuzz/tls.rs"]
mod tls;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tls::run(bytes));
