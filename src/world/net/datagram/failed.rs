//! What the errors of the system mean for datagrams.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// The error of a system call that was to receive a datagram.
#[cold]
pub(super) fn receiving_failed(error: io::Error) -> io::Error {
    if !is_about_delivery(&error) {
        return error;
    }
    add(
        &error,
        "a datagram that was sent earlier has not been delivered; the socket can still be used",
    )
}

/// The error of a system call that was to send this datagram.
#[cold]
pub(in crate::world::net) fn sending_failed(error: io::Error, datagram: &[u8]) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::MSGSIZE) => {
            let length = datagram.len();
            let text = format!("{error}: the system sends no datagram of {length} bytes here");
            io::Error::new(ErrorKind::InvalidInput, text)
        }
        Some(Errno::DESTADDRREQ | Errno::NOTCONN) => {
            add(&error, "connect the socket first, or say where to send the datagram")
        }
        _ if is_about_delivery(&error) => add(
            &error,
            "this datagram has not been sent, or one that was sent earlier has not been \
             delivered; the socket can still be used",
        ),
        _ => error,
    }
}

/// The error for an address to which a UDP socket is not allowed to send.
#[cold]
pub(super) fn refused(error: &io::Error) -> io::Error {
    add(error, "to send to a broadcast address, call `set_broadcast(true)` first")
}

/// Whether this may be an error that the peer, or a machine on the way, has reported.
fn is_about_delivery(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

fn add(error: &io::Error, text: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{error}: {text}"))
}
