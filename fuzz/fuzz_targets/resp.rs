//! See `examples/redis/tests/fuzz/main.rs`.
#![no_main]

#[path = "../../examples/redis/tests/fuzz/requests.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| requests::run(bytes));
