//! See `tests/fuzz/main.rs`. The first byte says which of the models is tried.
#![no_main]

#[path = "../../tests/fuzz/primitives/mod.rs"]
mod primitives;

use primitives::{all, latest, locks, meetings, notices};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 5 {
        4 => all::run(bytes),
        0 => latest::run(bytes),
        1 => locks::run(bytes),
        2 => meetings::run(bytes),
        _ => notices::run(bytes),
    }
});
