//! Ctrl-C where this crate does not respond to it, because of the system, or because it was built
//! without the feature `signal`: it has its default effect.

use crate::error::Result;
use crate::scope::tree::pool::ScopeRef;

pub(crate) struct Interrupt;

impl Interrupt {
    pub(crate) fn install() -> Result<Option<Interrupt>> {
        Ok(None)
    }

    pub(crate) fn cancel_if_pressed(&self, _: &ScopeRef) -> bool {
        false
    }
}
