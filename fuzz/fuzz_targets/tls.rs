//! See `tests/fuzz/main.rs`.
#![no_main]

#[path = "../../tests/fuzz/tls.rs"]
mod tls;

libfuzzer_sys::fuzz_target!(
    init: {
        // Every panic ends the process, also one that is caught. But this assertion of rustls's is
        // known: see `process_after_end` in `src/world/tls/session.rs`.
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload_as_str().unwrap_or_default();
            if !text.contains("sent_fatal_alert") {
                report(info);
            }
        }));
    },
    |bytes: &[u8]| tls::run(bytes)
);
