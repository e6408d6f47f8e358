//! Passing descriptors to another process.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt,
};

use crate::error::Result;
use crate::world::net::datagram::transfer::sending_failed;
use crate::world::net::datagram::{DatagramSocket, Truncated};
use crate::world::net::stream::SocketStream;
use crate::world::reactor::verb;

/// How many descriptors Linux passes with one message.
const MOST: usize = 253;

/// What has been received with [`recv_with_descriptors`](SocketStream::recv_with_descriptors).
#[derive(Debug)]
pub struct WithDescriptors {
    /// How many bytes are in the buffer.
    pub bytes: usize,
    /// The descriptors that came with them, in order, often none. They are closed on `exec`.
    pub descriptors: std::result::Result<Vec<OwnedFd>, DescriptorsLost>,
}

/// The error when some of the descriptors that were passed are lost: this process has no room for
/// more (`EMFILE`). The bytes that came with them have been received.
#[derive(Debug)]
pub struct DescriptorsLost {
    /// Those that arrived: the first ones.
    pub arrived: Vec<OwnedFd>,
}

impl fmt::Display for DescriptorsLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "descriptors that were passed are lost: only {} could be opened here, because this \
             process has too many open files",
            self.arrived.len()
        )
    }
}

impl StdError for DescriptorsLost {}

impl SocketStream<net::UnixStream> {
    /// Writes, and passes these descriptors along with the first byte. Returns the number of bytes
    /// written, at least 1. The peer gets duplicates; the originals stay open here.
    ///
    /// Linux and Android only. This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been written or passed; an [`io::Error`], and
    /// nothing has been either: of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) if there
    /// are no bytes, or more than 253 descriptors; otherwise that of the system call.
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    /// use std::io::Read;
    /// use std::os::fd::AsFd;
    ///
    /// seedbed::run(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     let file = std::fs::File::open("Cargo.toml")?;
    ///     one.send_with_descriptors(b"!", &[file.as_fd()]).await?;
    ///
    ///     let mut received = other.recv_with_descriptors(&mut [0; 1]).await?.descriptors?;
    ///     let mut file = std::fs::File::from(received.remove(0));
    ///     file.read_to_string(&mut String::new())?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn send_with_descriptors(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> impl Future<Output = Result<usize>> {
        self.registration().operate(verb::SendWithDescriptors, move |io| {
            if bytes.is_empty() {
                return refuse("descriptors travel with a byte, and there is none");
            }
            pass(io, bytes, descriptors)
        })
    }

    /// Reads, and receives the descriptors that were passed with the bytes. A
    /// [`read`](Self::read) would close them. Reading ends before bytes with which further
    /// descriptors were passed. `bytes: 0` means the end.
    ///
    /// Linux and Android only. This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been received; the [`io::Error`] of the
    /// system call. Descriptors for which there was no room are an error
    /// [inside](WithDescriptors::descriptors) the value, because bytes have been received.
    #[track_caller]
    pub fn recv_with_descriptors(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = Result<WithDescriptors>> {
        self.registration()
            .operate(verb::RecvWithDescriptors, |io| Ok(take(io, buffer, RecvFlags::empty())?.0))
    }
}

impl DatagramSocket<net::UnixDatagram> {
    /// Sends a datagram to the peer that the socket is connected to, and passes these descriptors
    /// along with it. The peer gets duplicates; the originals stay open here.
    ///
    /// Linux and Android only. This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been sent; the same as for
    /// [`send`](DatagramSocket::send); an [`io::Error`] of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there are more than 253 descriptors.
    #[track_caller]
    pub fn send_with_descriptors(
        &self,
        datagram: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> impl Future<Output = Result<()>> {
        self.registration().operate(verb::SendWithDescriptors, move |io| {
            pass(io, datagram, descriptors)
                .map(drop)
                .map_err(|error| sending_failed(error, datagram))
        })
    }

    /// Waits for a datagram, and receives the descriptors that were passed with it. A
    /// [`recv`](DatagramSocket::recv) would close them.
    ///
    /// Linux and Android only. This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](DatagramSocket::recv); if the datagram is
    /// [truncated](crate::net::Truncated), its descriptors are closed. Descriptors for which there
    /// was no room are an error [inside](WithDescriptors::descriptors) the value.
    #[track_caller]
    pub fn recv_with_descriptors(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = Result<WithDescriptors>> {
        self.registration().operate(verb::RecvWithDescriptors, |io| {
            let kept = buffer.len();
            let (received, length) = take(io, buffer, RecvFlags::TRUNC)?;
            match length > kept {
                true => Err(Truncated::new(kept, Some(length), None).into_io()),
                false => Ok(received),
            }
        })
    }
}

fn pass(socket: &impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if descriptors.len() > MOST {
        let text = format!(
            "{} descriptors are more than can be passed with one message, which is {MOST}",
            descriptors.len()
        );
        return refuse(&text);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        let fits = control.push(SendAncillaryMessage::ScmRights(descriptors));
        debug_assert!(fits, "there is room for {MOST}");
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

fn refuse<T>(text: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// Receives, and returns also how long a datagram really was.
fn take(
    socket: &impl AsFd,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(WithDescriptors, usize)> {
    // `rustix` could not represent the credentials of a process that has no number here.
    if sockopt::socket_passcred(socket)? {
        return refuse(
            "with `SO_PASSCRED`, credentials would come with the message, which this does not \
             receive: turn that option off",
        );
    }
    // With room for as many as can come, none is lost for want of it.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let room = buffer.len();
    let buffers = &mut [IoSliceMut::new(buffer)];
    let message = recvmsg(socket, buffers, &mut control, flags | RecvFlags::CMSG_CLOEXEC)?;
    let mut arrived = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = part {
            arrived.extend(descriptors);
        }
    }
    let descriptors = match message.flags.contains(ReturnFlags::CTRUNC) {
        true => Err(DescriptorsLost { arrived }),
        false => Ok(arrived),
    };
    Ok((WithDescriptors { bytes: message.bytes.min(room), descriptors }, message.bytes))
}
