//! Closing a connection without cutting off what was written to it.
//!
//! The kernel resets a connection that is closed while it has unread input, or that receives input
//! after it was closed. The reset overtakes whatever is still to be sent, and makes the peer throw
//! away what it has received but not yet read. So a polite end takes three steps: end our
//! direction, read until the peer has ended its own, and close.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;

use crate::error::Result;
use crate::scope::is_ending;
use crate::scope::move_on_after;
use crate::world::net::stream::transfer::{receive_uninit, shutdown};
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;

/// How long to wait for the peer of a connection that is to be closed.
pub(crate) const LIMIT: Duration = Duration::from_secs(2);

/// Ends our direction, then reads and discards until the peer has ended its own or the connection
/// is broken, for at most `limit`. Closing the socket is left to the caller.
///
/// Our direction is ended even if this is cancelled from the start.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside
/// [`run`](crate::run).
pub(crate) async fn linger(io: &Registration<impl AsFd>, limit: Duration) -> Result<()> {
    // This fails only for a socket that cannot be connected.
    let _ = shutdown(io.source(), Shutdown::Write);
    let ended = async {
        while io.operate(verb::Read, discard).await? > 0 {}
        Ok(())
    };
    move_on_after(limit, ended).await.map(drop)
}

/// How long to wait for a peer that sends nothing when a connection is ended because of a graceful
/// stop: the data for the peer is on its way, and only a peer that goes on sending could lose it.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// Drops whatever contains a connection, without cutting off what was written to the connection: if
/// nobody collects accepted connections, this lingers on it here.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled). The connection has been dropped even then.
pub(crate) async fn end<T>(stream: T) -> Result<()> {
    if HEIR.with_borrow(Option::is_some) {
        drop(stream);
        return Ok(());
    }
    let dropped = Rc::new(Dropped::default());
    dropped.collect(|| drop(stream));
    for connection in dropped.take() {
        let limit = match is_ending() && !connection.had_input() {
            true => PATIENCE,
            false => LIMIT,
        };
        let ended = async {
            while connection.discard().await? > 0 {}
            Ok(())
        };
        move_on_after(limit, ended).await?;
    }
    Ok(())
}

/// Reads and discards some input; 0 if no more will come, for whatever reason.
fn discard(socket: &impl AsFd) -> io::Result<usize> {
    match receive_uninit(socket, &mut [MaybeUninit::uninit(); 16 * 1024]) {
        Err(error)
            if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(0)
        }
        outcome => outcome,
    }
}

thread_local! {
    /// Collects the accepted connections that are dropped now.
    static HEIR: RefCell<Option<Rc<Dropped>>> = const { RefCell::new(None) };
}

/// The accepted connections that a task has dropped and whose peers have not ended their direction:
/// whoever runs the task lingers on them in its place.
#[derive(Default)]
pub(crate) struct Dropped(RefCell<Vec<Parting>>);

/// A connection of which we have ended our direction, while the peer has not.
pub(crate) struct Parting {
    io: Registration<OwnedFd>,
    /// There was input that nobody had read.
    had_input: bool,
}

impl Dropped {
    /// Calls `f`, which polls or drops something, and collects the connections that it drops,
    /// whatever they are wrapped in.
    pub(crate) fn collect<R>(self: &Rc<Self>, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Rc<Dropped>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let former = self.0.take();
                let _ = HEIR.try_with(|heir| heir.replace(former));
            }
        }
        let _restore = Restore(HEIR.with(|heir| heir.replace(Some(self.clone()))));
        f()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The connections collected so far.
    pub(crate) fn take(&self) -> Vec<Parting> {
        self.0.take()
    }
}

impl Parting {
    pub(crate) fn had_input(&self) -> bool {
        self.had_input
    }

    /// Waits for input and discards it; 0 if no more will come.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    pub(crate) fn discard(&self) -> impl Future<Output = Result<usize>> {
        self.io.operate(verb::Read, discard)
    }
}

/// Called when an accepted connection is dropped.
pub(super) fn part(socket: OwnedFd) {
    let heir = HEIR.try_with(|heir| heir.borrow().clone());
    let Ok(Some(heir)) = heir else { return };
    let read = discard(&socket);
    // It is closed right away if the peer has ended its direction, because no more input can come,
    // or if the program has chosen what closing does: a reset, for example.
    if matches!(read, Ok(0)) || !matches!(SockRef::from(&socket).linger(), Ok(None)) {
        return;
    }
    let _ = shutdown(&socket, Shutdown::Write);
    let parting = Parting { io: Registration::new(socket), had_input: read.is_ok() };
    heir.0.borrow_mut().push(parting);
}
