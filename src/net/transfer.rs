//! The system calls that move bytes. On Linux they are made in place, not through the C library: on
//! a virtual machine each took half a microsecond less, of three. Why was not found out; that the
//! library's functions can be cancelled is not it, as its `syscall` took as long.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use rustix::net::RecvFlags;

#[cfg(feature = "hyper")]
use std::mem::MaybeUninit;

#[inline]
pub(super) fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (read, _) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(read)
}

/// As [`receive`]; so many bytes are initialized then.
#[cfg(feature = "hyper")]
#[inline]
pub(super) fn receive_uninit(
    socket: &impl AsFd,
    buffer: &mut [MaybeUninit<u8>],
) -> io::Result<usize> {
    let ((read, _), _) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(read.len())
}

#[inline]
pub(super) fn send(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = rustix::net::SendFlags::NOSIGNAL;
    // The standard library has set an option of the socket instead.
    #[cfg(target_vendor = "apple")]
    let flags = rustix::net::SendFlags::empty();
    Ok(rustix::net::send(socket, bytes, flags)?)
}

/// As [`send`], of `length` bytes in all.
pub(super) fn send_vectored(
    socket: &impl AsFd,
    buffers: &[IoSlice<'_>],
    length: usize,
) -> io::Result<usize> {
    /// Up to so many bytes are copied: telling the kernel where the pieces are takes longer. The
    /// head and the body of a short answer are such pieces.
    const COPIED: usize = 512;
    if length > COPIED {
        return Ok(rustix::io::writev(socket, buffers)?);
    }
    let mut copy = [0; COPIED];
    let mut end = 0;
    for buffer in buffers {
        copy[end..][..buffer.len()].copy_from_slice(buffer);
        end += buffer.len();
    }
    send(socket, &copy[..end])
}
