//! See `tests/fuzz/main.rs`.
#![no_main]

#[path = "../../tests/fuzz/channel.rs"]
mod channel;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| channel::run(bytes));
