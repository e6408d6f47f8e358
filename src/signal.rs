//! Signals: Ctrl-C for the main scope.
use crate::Result;
use crate::run::Runtime;
use std::task::Context;

pub(crate) struct Interrupt;
impl Interrupt {
    pub(crate) fn install(_: &Runtime) -> Result<Option<Interrupt>> {
        Ok(None)
    }
    pub(crate) fn poll(&self, _: &mut Context<'_>) -> bool {
        false
    }
}
