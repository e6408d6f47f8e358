//! How many connections there are, and how many there may be.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::{Event, Result};

/// The connections of a server.
pub(super) struct Connections {
    open: Cell<usize>,
    most: usize,
    /// Set when the next one closes. Only the one loop that accepts waits for it.
    closed: RefCell<Option<Rc<Event>>>,
    /// How many were cancelled before they had ended.
    cut_short: Cell<usize>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Connections {
            open: Cell::new(0),
            most,
            closed: RefCell::new(None),
            cut_short: Cell::new(0),
        }
    }

    /// Whether there may be one more.
    pub(super) fn has_room(&self) -> bool {
        self.open.get() < self.most
    }

    /// Waits until there may be one more. If there may already, it is no checkpoint.
    pub(super) async fn room(&self) -> Result<()> {
        while !self.has_room() {
            self.one_closes().await?;
        }
        Ok(())
    }

    /// Waits until a connection closes.
    pub(super) async fn one_closes(&self) -> Result<()> {
        let closed = Rc::new(Event::new());
        self.closed.replace(Some(closed.clone()));
        closed.wait().await
    }

    /// Counts a connection until what is returned is dropped.
    pub(super) fn open(&self) -> Open<'_> {
        self.open.set(self.open.get() + 1);
        Open(self)
    }

    pub(super) fn cut_short(&self) -> usize {
        self.cut_short.get()
    }
}

/// A connection, counted.
pub(super) struct Open<'a>(&'a Connections);

impl Open<'_> {
    /// It was cancelled before it had ended.
    pub(super) fn cut_short(&self) {
        self.0.cut_short.set(self.0.cut_short.get() + 1);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if let Some(closed) = self.0.closed.take() {
            closed.set();
        }
    }
}
