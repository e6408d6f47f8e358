//! The error for a datagram that was longer than its buffer.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// The error when a datagram was longer than the buffer. Its beginning is in the buffer, and the
/// rest is lost, unless it was only [peeked at](super::DatagramSocket::peek). It is inside an
/// [`io::Error`] of the kind [`InvalidData`](io::ErrorKind::InvalidData);
/// [`find`](crate::Error::find) gets it out.
///
/// A buffer of 65,535 bytes is long enough for every datagram of UDP.
///
/// ```
/// use seedbed::net::{Truncated, UdpSocket};
///
/// seedbed::run(async {
///     let receiver = UdpSocket::bind("127.0.0.1:0").await?;
///     let sender = UdpSocket::bind("127.0.0.1:0").await?;
///     sender.send_to(b"a long story", receiver.local_addr()?).await?;
///     let mut buffer = [0; 6];
///     let error = receiver.recv_from(&mut buffer).await.unwrap_err();
///     let truncated = error.find::<Truncated>().unwrap();
///     assert_eq!(&buffer[..truncated.kept()], b"a long");
///     assert_eq!(truncated.from(), Some(sender.local_addr()?));
///     # #[cfg(target_os = "linux")]
///     assert_eq!(truncated.length(), Some(12));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Debug)]
pub struct Truncated {
    kept: usize,
    length: Option<usize>,
    from: Option<SocketAddr>,
}

impl Truncated {
    pub(in crate::world::net) fn new(
        kept: usize,
        length: Option<usize>,
        from: Option<SocketAddr>,
    ) -> Truncated {
        Truncated { kept, length, from }
    }

    /// How many bytes are in the buffer.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// How long the datagram was. Only Linux and Android tell.
    pub fn length(&self) -> Option<usize> {
        self.length
    }

    /// Who sent it, if it came by UDP.
    pub fn from(&self) -> Option<SocketAddr> {
        self.from
    }

    pub(in crate::world::net) fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a datagram")?;
        if let Some(length) = self.length {
            write!(f, " of {length} bytes")?;
        }
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        write!(f, " does not fit into the buffer: only its first {} bytes are there", self.kept)
    }
}

impl StdError for Truncated {}
