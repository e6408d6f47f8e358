//! The system calls that move bytes.
//!
//! On Linux they are made inline, not through the C library: on a virtual machine that saved half a
//! microsecond out of three. We do not know why. The reason is not that the library's functions can
//! be cancelled, because its `syscall` took just as long.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::ops::Deref;
use std::os::fd::AsFd;

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::SockRef;

#[inline]
pub(super) fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (read, _) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(read)
}

/// Like [`receive`]; afterwards that many bytes are initialized.
#[inline]
pub(in crate::world::net) fn receive_uninit(
    socket: &impl AsFd,
    buffer: &mut [MaybeUninit<u8>],
) -> io::Result<usize> {
    let ((read, _), _) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(read.len())
}

/// Nothing here raises SIGPIPE if the peer is gone: that is an error, whatever the signal would do.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGPIPE: SendFlags = SendFlags::NOSIGNAL;
// An option of the socket takes care of this instead: mio, socket2 and `SocketStream::from_std` set
// it.
#[cfg(target_vendor = "apple")]
const NO_SIGPIPE: SendFlags = SendFlags::empty();

#[inline]
pub(super) fn send(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, NO_SIGPIPE)?)
}

/// Like [`send`], for `length` bytes in total, in [no more pieces than the system takes](at_once).
pub(super) fn send_vectored(
    socket: &impl AsFd,
    buffers: &[IoSlice<'_>],
    length: usize,
) -> io::Result<usize> {
    /// Up to this many bytes are copied: telling the kernel where the pieces are would take longer.
    /// The head and the body of a short answer are such pieces.
    const COPIED: usize = 512;
    if length > COPIED {
        // Not `writev`, which has no flags.
        let mut nothing = SendAncillaryBuffer::default();
        return Ok(rustix::net::sendmsg(socket, buffers, &mut nothing, NO_SIGPIPE)?);
    }
    let mut copy = [0; COPIED];
    let mut end = 0;
    for buffer in buffers {
        copy[end..][..buffer.len()].copy_from_slice(buffer);
        end += buffer.len();
    }
    send(socket, &copy[..end])
}

/// How many pieces one system call takes, and how many bytes these have in total: if fewer are
/// transferred, that says something about the socket.
pub(super) fn at_once<B: Deref<Target = [u8]>>(buffers: &[B]) -> (usize, usize) {
    /// `IOV_MAX` is 1,024 on Linux, the BSDs and macOS, and nowhere less than 16.
    const MOST: usize =
        if cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple")) {
            1024
        } else {
            16
        };
    let pieces = buffers.len().min(MOST);
    (pieces, buffers[..pieces].iter().map(|buffer| buffer.len()).sum())
}

/// Ends one direction of a connection, or both. It is not an error if they have already ended, for
/// example because the peer has reset the connection.
pub(in crate::world::net) fn shutdown(socket: &impl AsFd, how: Shutdown) -> io::Result<()> {
    match SockRef::from(socket).shutdown(how) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        outcome => outcome,
    }
}
