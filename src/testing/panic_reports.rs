//! Keeping expected panics off the screen.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

thread_local! {
    static SUPPRESSED: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`, and meanwhile does not report panics on this thread.
///
/// The panic hook that does this is set once in the process. It passes on the panics of other
/// threads.
pub(super) fn without_panic_reports<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            SUPPRESSED.set(self.0);
        }
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !SUPPRESSED.try_with(Cell::get).unwrap_or(false) {
                former(info);
            }
        }));
    });
    let _restore = Restore(SUPPRESSED.replace(true));
    f()
}
