//! The two ends of rustls, for ciphertext and for plaintext. Nothing here waits, and nothing here
//! touches a stream.
//!
//! What rustls calls is foreign code: the user's cryptography, verifiers and resolvers. A
//! [`Session`] is used by one caller at a time, and may be left half-way by a panic; then rustls
//! fails from there on.

use std::io::{self, BufRead, IoSlice, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rustls::{Connection, ProtocolVersion};

use crate::world::tls::buffer::Buffer;
use crate::world::tls::failure::Broken;

pub(super) struct Session {
    connection: Connection,
    /// Ciphertext that rustls has not taken yet; never empty.
    received: Option<Buffer>,
    /// How the peer has begun, until the handshake is done.
    beginning: Vec<u8>,
    /// Why nothing more can be read, once what was received before has been.
    broken: Option<Broken>,
    direction: Direction,
    /// An error of the stream that came when the bytes had already been taken for sent.
    late_error: Option<io::Error>,
}

/// Our direction of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    Open,
    /// The close_notify is on its way.
    Ended,
}

/// What there was to read.
pub(super) enum Found {
    Some(usize),
    /// The peer has said that it sends no more.
    End,
    /// More ciphertext is needed.
    Nothing,
}

impl Session {
    pub(super) fn new(connection: impl Into<Connection>) -> Session {
        Session {
            connection: connection.into(),
            received: None,
            beginning: Vec::new(),
            broken: None,
            direction: Direction::Open,
            late_error: None,
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether what is left to be sent, once the handshake is done, may wait: perhaps the client
    /// does not read its tickets before it has written something. Before TLS 1.3 it is the last part
    /// of the handshake, which the client waits for.
    pub(super) fn has_only_tickets(&self) -> bool {
        matches!(self.connection, Connection::Server(_))
            && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    pub(super) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Takes ciphertext over that has been read. There must be none left.
    pub(super) fn receive(&mut self, buffer: Buffer) {
        debug_assert!(self.received.is_none());
        self.received = Some(buffer);
    }

    /// To be called when the stream has come to its end.
    pub(super) fn meet_end(&mut self) {
        self.broken.get_or_insert(Broken::CutOff);
    }

    /// Reads plaintext: gives it to `take`, piece by piece, as long as that takes all of a piece.
    ///
    /// # Errors
    ///
    /// The connection is broken, and whatever came before that has been read.
    pub(super) fn read(&mut self, take: &mut impl FnMut(&[u8]) -> usize) -> Result<Found, Broken> {
        loop {
            let mut read = 0;
            let mut reader = self.connection.reader();
            while let Ok(piece) = reader.fill_buf() {
                if piece.is_empty() {
                    return Ok(if read == 0 { Found::End } else { Found::Some(read) });
                }
                let (n, length) = (take(piece), piece.len());
                reader.consume(n);
                read += n;
                if n < length {
                    return Ok(Found::Some(read));
                }
            }
            if read > 0 {
                return Ok(Found::Some(read));
            }
            if let Some(broken) = &self.broken {
                return Err(broken.clone());
            }
            if self.received.is_none() {
                return Ok(Found::Nothing);
            }
            self.decrypt();
        }
    }

    /// Has rustls process what was received, as far as the handshake goes.
    ///
    /// # Errors
    ///
    /// The connection is broken. There may be an alert to be sent.
    pub(super) fn shake_hands(&mut self) -> Result<(), Broken> {
        while self.received.is_some() && self.broken.is_none() && self.connection.is_handshaking() {
            self.decrypt();
        }
        match &self.broken {
            Some(broken) => Err(broken.clone()),
            None => Ok(()),
        }
    }

    /// Has rustls take some of the ciphertext and decrypt whatever is complete.
    fn decrypt(&mut self) {
        let Some(buffer) = &mut self.received else { return };
        if self.connection.is_handshaking() && self.beginning.is_empty() {
            self.beginning = buffer.bytes().iter().copied().take(16).collect();
        }
        // Foreign code.
        let outcome = match self.connection.read_tls(buffer) {
            // After a close_notify, which is the end whatever follows.
            Ok(0) => {
                self.received = None;
                return;
            }
            Ok(_) if cfg!(debug_assertions) && self.direction == Direction::Ended => {
                process_after_end(&mut self.connection)
            }
            Ok(_) => self.connection.process_new_packets().map(drop),
            Err(error) => Err(rustls::Error::General(error.to_string())),
        };
        if buffer.is_empty() || outcome.is_err() {
            self.received = None;
        }
        if let Err(error) = outcome {
            let begins_like_tls = self.beginning.first().is_none_or(|byte| (20..25).contains(byte));
            self.broken = Some(match begins_like_tls {
                true => Broken::Rustls(error),
                false => Broken::NotTls(std::mem::take(&mut self.beginning)),
            });
        }
        if !self.connection.is_handshaking() {
            self.beginning = Vec::new();
        }
    }

    /// Encrypts as much of this as goes into the queue of what is to be sent, and returns how many
    /// bytes that were. There must be nothing in that queue.
    pub(super) fn encrypt(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        debug_assert!(!self.connection.wants_write());
        match pieces {
            [one] => self.connection.writer().write(one),
            several => self.connection.writer().write_vectored(several),
        }
    }

    /// Queues the close_notify, once.
    pub(super) fn end(&mut self) {
        if self.direction == Direction::Open {
            self.direction = Direction::Ended;
            self.connection.send_close_notify();
        }
    }

    /// Whether there is ciphertext to be sent.
    pub(super) fn has_to_send(&self) -> bool {
        self.connection.wants_write()
    }

    /// Gives what is to be sent to a writer, until that takes no more.
    pub(super) fn send(&mut self, writer: &mut dyn Write) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(writer)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Whether nothing stands in the way of writing.
    #[inline]
    pub(super) fn is_clear(&self) -> bool {
        !self.connection.wants_write() && self.broken.is_none() && self.late_error.is_none()
    }

    pub(super) fn fail_later(&mut self, error: io::Error) {
        self.late_error.get_or_insert(error);
    }

    pub(super) fn take_late_error(&mut self) -> Option<io::Error> {
        self.late_error.take()
    }
}

/// Has rustls process what comes after our close_notify. If that is not as it should be, rustls
/// tells the peer. But it has meant to send nothing more, and asserts that in builds with assertions
/// ([its issue 959](https://github.com/rustls/rustls/issues/959)).
#[cold]
fn process_after_end(connection: &mut Connection) -> Result<(), rustls::Error> {
    let process = AssertUnwindSafe(|| connection.process_new_packets().map(drop));
    catch_unwind(process).unwrap_or_else(|payload| match payload.downcast_ref::<&str>() {
        Some(text) if text.contains("sent_fatal_alert") => {
            Err(rustls::Error::General("the peer has sent something that is not TLS".to_owned()))
        }
        _ => resume_unwind(payload),
    })
}
