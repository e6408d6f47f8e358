//! How listeners of every kind take a connection.

use std::io;

/// How many connections can wait to be accepted, unless the program says otherwise.
pub(crate) const BACKLOG: i32 = 1024;

/// Takes a connection. One that its client has given up in the meantime is skipped.
pub(crate) fn accept<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                ) => {}
            outcome => return outcome,
        }
    }
}

/// Takes a connection that is already waiting; `None` if there is none.
pub(crate) fn accept_now<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    match accept(attempt) {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
