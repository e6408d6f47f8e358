//! The error when none of several addresses answers.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::error::Error;

/// The error when it was not possible to connect to any of several addresses. It is inside an
/// [`io::Error`] of the same kind as the last attempt's; [`find`](Error::find) gets it out.
///
/// ```
/// use seedbed::Error;
/// use seedbed::net::ConnectFailed;
///
/// fn log(error: &Error) {
///     match error.find::<ConnectFailed>() {
///         Some(failed) => {
///             failed.attempts().for_each(|(address, error)| eprintln!("{address}: {error}"));
///         }
///         None => eprintln!("{error}"),
///     }
/// }
/// log(&Error::msg("out of paper"));
/// ```
#[derive(Debug)]
pub struct ConnectFailed {
    attempts: Vec<(SocketAddr, Error)>,
}

impl ConnectFailed {
    pub(super) fn new(attempts: Vec<(SocketAddr, Error)>) -> ConnectFailed {
        ConnectFailed { attempts }
    }

    /// The addresses, in the order in which they were tried, and what went wrong with each.
    pub fn attempts(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &Error)> {
        self.attempts.iter().map(|(address, error)| (*address, error))
    }

    pub(super) fn into_io(self) -> io::Error {
        let last = self.attempts.last().and_then(|(_, error)| error.downcast_ref());
        io::Error::new(last.map_or(io::ErrorKind::Other, io::Error::kind), self)
    }
}

impl fmt::Display for ConnectFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not connect to any of {} addresses", self.attempts.len())?;
        for (index, (address, error)) in self.attempts.iter().enumerate() {
            let lead = if index == 0 { ": " } else { "; " };
            write!(f, "{lead}{address}: {error}")?;
        }
        Ok(())
    }
}

impl StdError for ConnectFailed {}

/// The error of a connection for which the system has no address or port left on this side.
pub(super) fn no_port_free(error: &io::Error) -> io::Error {
    let text = format!("{error}: no local address or port is free");
    io::Error::new(io::ErrorKind::AddrNotAvailable, text)
}
