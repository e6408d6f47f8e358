//! Panics that are expected do not fill the screen.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`; panics on this thread meanwhile are not reported.
///
/// The hook that sees to it is set once in the process, and hands on what other threads report.
pub(super) fn quietly<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            QUIET.set(self.0);
        }
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.try_with(Cell::get).unwrap_or(false) {
                former(info);
            }
        }));
    });
    let _restore = Restore(QUIET.replace(true));
    f()
}
