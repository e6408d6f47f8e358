//! A budget of memory that all clients share.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// How many bytes long requests and long replies may take up, of all clients together.
#[derive(Debug)]
pub struct Budget {
    left: Cell<usize>,
}

impl Budget {
    #[must_use]
    pub fn new(bytes: usize) -> Rc<Budget> {
        Rc::new(Budget { left: Cell::new(bytes) })
    }

    /// Takes this many bytes from it, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// If that many are not left.
    pub fn take(self: &Rc<Self>, bytes: usize) -> Result<Taken, OverBudget> {
        self.left.set(self.left.get().checked_sub(bytes).ok_or(OverBudget)?);
        Ok(Taken { budget: self.clone(), bytes })
    }
}

/// Part of a budget. It goes back when this is dropped.
#[derive(Debug)]
pub struct Taken {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.left.set(self.budget.left.get() + self.bytes);
    }
}

/// The clients together take up too much memory.
#[derive(Clone, Copy, Debug)]
pub struct OverBudget;

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many clients have long requests or replies at once; try again")
    }
}

impl std::error::Error for OverBudget {}
