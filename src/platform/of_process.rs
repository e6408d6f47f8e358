//! Values that each process has for itself, including a forked one.

use std::process;
use std::sync::OnceLock;

/// A value that a forked process makes for itself. The parent's threads do not exist in the child,
/// so nobody there would finish their work or release their locks.
///
/// Values are never freed: the parent's stays in the child's memory, untouched.
pub(crate) struct OfProcess<T> {
    make: fn() -> T,
    first: OnceLock<Box<Own<T>>>,
}

/// One process's value, and that of the next descendant to ask.
struct Own<T> {
    process: u32,
    value: T,
    next: OnceLock<Box<Own<T>>>,
}

/// Does the same as `get_or_init`, except that the cell is not locked while the value is made. A
/// process forked at that moment would find it locked forever.
pub(crate) fn get_or_set<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    cell.get().unwrap_or_else(|| {
        let mut made = Some(make());
        cell.get_or_init(|| made.take().expect("it is called once"))
    })
}

impl<T> OfProcess<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        OfProcess { make, first: OnceLock::new() }
    }

    /// Returns the value of this process. It asks the system for the process's number, so this is
    /// not for code that has to be fast.
    pub(crate) fn get(&self) -> &T {
        let process = process::id();
        let begin = || Box::new(Own { process, value: (self.make)(), next: OnceLock::new() });
        let mut own = get_or_set(&self.first, begin);
        // Only a child adds to its ancestors' list, so the last one is this process's or nobody's.
        while own.process != process || own.next.get().is_some() {
            own = get_or_set(&own.next, begin);
        }
        &own.value
    }
}
