//! Operations that ignore a cancellation by design.

use crate::scope::current::current_scope;
use crate::scope::tree::pool::ScopeRef;

/// While this lives, an operation waits in the current scope that rightly ignores a cancellation. A
/// cancelled scope that it keeps open is not [stuck](crate::Stuck).
pub(crate) struct Uncancellable(ScopeRef);

impl Uncancellable {
    /// `None` where there is no scope.
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
