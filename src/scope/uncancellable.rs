//! Operations that ignore a cancellation by design.

use crate::scope::current::current_scope;
use crate::scope::tree::pool::ScopeRef;

/// As long as this lives, an operation that rightly ignores a cancellation waits in the current
/// scope. A cancelled scope that it keeps open is not [stuck](crate::Stuck).
pub(crate) struct Uncancellable(ScopeRef);

impl Uncancellable {
    /// Returns `None` if there is no current scope.
    pub(crate) fn new() -> Option<Uncancellable> {
        let scope = current_scope()?;
        scope.add_uncancellable();
        Some(Uncancellable(scope))
    }
}

impl Drop for Uncancellable {
    fn drop(&mut self) {
        self.0.remove_uncancellable();
    }
}
