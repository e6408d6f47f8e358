//! How many connections there are, and how many there may be.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use crate::error::Result;
use crate::operation::sync::event::Event;

/// How many connections there may be, unless the program says otherwise. Each takes a descriptor,
/// and the process may have only so many. A quarter is left for whatever else it opens, such as
/// connections of its own on behalf of its clients.
pub(super) fn most_by_default() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.map_or(usize::MAX, |most| usize::try_from(most / 4 * 3).unwrap_or(usize::MAX).max(1))
}

/// The connections of a server.
pub(super) struct Connections {
    open: Cell<usize>,
    most: usize,
    /// Set when the next one closes. Only the loop that accepts waits for it.
    closed: RefCell<Option<Rc<Event>>>,
    /// Set when none is open any longer. Only the server itself waits for it.
    all_closed: RefCell<Option<Rc<Event>>>,
    /// How many were cancelled before they had ended.
    cut_short: Cell<usize>,
    /// The server is ending, and has given its connections time to end.
    draining: Cell<bool>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Connections {
            open: Cell::new(0),
            most,
            closed: RefCell::new(None),
            all_closed: RefCell::new(None),
            cut_short: Cell::new(0),
            draining: Cell::new(false),
        }
    }

    /// Whether there may be one more.
    pub(super) fn is_below_limit(&self) -> bool {
        self.open.get() < self.most
    }

    /// Waits until there may be one more. This is not a checkpoint if that is already the case.
    pub(super) async fn below_limit(&self) -> Result<()> {
        while !self.is_below_limit() {
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

    /// Waits until none is open. This is not a checkpoint if that is already the case.
    pub(super) async fn all_close(&self) -> Result<()> {
        while self.open.get() > 0 {
            let closed = Rc::new(Event::new());
            self.all_closed.replace(Some(closed.clone()));
            closed.wait().await?;
        }
        Ok(())
    }

    /// From now on, gives the connections time to end.
    pub(super) fn drain(&self) {
        self.draining.set(true);
    }

    /// How many connections were cancelled before they had ended.
    pub(super) fn cut_short(&self) -> usize {
        self.cut_short.get()
    }
}

/// Counts as a connection of this server until it is dropped.
pub(super) struct Open<S>(S)
where
    S: Deref<Target: AsRef<Connections>>;

impl<S> Open<S>
where
    S: Deref<Target: AsRef<Connections>>,
{
    pub(super) fn new(server: S) -> Self {
        let open = Open(server);
        open.connections().open.set(open.connections().open.get() + 1);
        open
    }

    pub(super) fn server(&self) -> &S {
        &self.0
    }

    fn connections(&self) -> &Connections {
        (*self.0).as_ref()
    }

    /// Whether the server has given its connections time to end.
    pub(super) fn server_drains(&self) -> bool {
        self.connections().draining.get()
    }

    /// To be called when this connection was cancelled before it had ended.
    pub(super) fn cut_short(&self) {
        let cut_short = &self.connections().cut_short;
        cut_short.set(cut_short.get() + 1);
    }
}

impl<S> Drop for Open<S>
where
    S: Deref<Target: AsRef<Connections>>,
{
    fn drop(&mut self) {
        let Connections { open, closed, all_closed, .. } = self.connections();
        open.set(open.get() - 1);
        if let Some(closed) = closed.take() {
            closed.set();
        }
        if open.get() == 0
            && let Some(closed) = all_closed.take()
        {
            closed.set();
        }
    }
}
