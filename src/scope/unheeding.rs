//! Operations that do not heed a cancellation.

use crate::scope::current::current_scope;
use crate::scope::tree::pool::ScopeRef;

/// While it lives, something in the current scope waits that does not heed a cancellation, and
/// that is right: a cancelled scope which it keeps open is not [stuck](crate::Stuck).
pub(crate) struct Unheeding(ScopeRef);

impl Unheeding {
    /// `None` where there is no scope.
    pub(crate) fn new() -> Option<Unheeding> {
        let scope = current_scope()?;
        scope.add_unheeding();
        Some(Unheeding(scope))
    }
}

impl Drop for Unheeding {
    fn drop(&mut self) {
        self.0.remove_unheeding();
    }
}
