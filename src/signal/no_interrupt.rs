//! Ctrl-C where this crate does not know how to heed it: it has its default effect.

use std::rc::Rc;

use crate::Result;
use crate::scope::tree::Scope;

pub(crate) struct Interrupt;

impl Interrupt {
    pub(crate) fn install() -> Result<Option<Interrupt>> {
        Ok(None)
    }

    pub(crate) fn heed(&self, _: &Rc<Scope>) -> bool {
        false
    }
}
