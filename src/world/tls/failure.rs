//! What can go wrong with TLS.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error as RustlsError, InvalidMessage};

use crate::error::Error;
use crate::world::tls::peer::Peer;

/// The error of a TLS handshake, or of a connection that TLS has made unusable. It says who the
/// peer is.
///
/// It is inside an [`io::Error`], from which [`Error::find`] gets it out. The kind of that is
/// [`TimedOut`](io::ErrorKind::TimedOut) if a handshake took too long,
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the connection ended in the middle of one, or
/// without its peer having said that this was the end, and
/// [`InvalidData`](io::ErrorKind::InvalidData) if one side has refused what the other sent: a bad
/// certificate, for example. If the stream underneath has failed, the kind is that of its error.
///
/// ```
/// use seedbed::Error;
/// use seedbed::tls::{TlsFailed, rustls};
///
/// /// Whether the server's certificate was refused. Trying again does not help then.
/// fn is_certificate_bad(error: &Error) -> bool {
///     let tls = error.find::<TlsFailed>().and_then(TlsFailed::error);
///     matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
/// }
/// # assert!(!is_certificate_bad(&Error::msg("out of paper")));
/// ```
#[derive(Debug)]
pub struct TlsFailed {
    peer: String,
    when: When,
    why: Why,
}

/// In which part of a connection something failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    Handshake,
    Afterwards,
}

#[derive(Debug)]
pub(super) enum Why {
    Broken(Broken),
    /// The handshake took longer than this.
    Late(Duration),
    /// The stream has failed.
    Stream(io::Error),
}

/// Why nothing more can be read from a connection.
#[derive(Clone, Debug)]
pub(super) enum Broken {
    Rustls(RustlsError),
    /// The first bytes that came were not those of TLS.
    NotTls(Vec<u8>),
    /// The stream has ended, but the peer has not said that this was the end.
    CutOff,
}

impl TlsFailed {
    pub(super) fn new(peer: &Peer, when: When, why: Why) -> TlsFailed {
        TlsFailed { peer: peer.to_string(), when, why }
    }

    /// The error of rustls, if it comes from there.
    pub fn error(&self) -> Option<&rustls::Error> {
        match &self.why {
            Why::Broken(Broken::Rustls(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether the peer does not do its part, rather than something being wrong on this side.
    pub(crate) fn is_peers_doing(&self) -> bool {
        // This is how rustls says that no certificate fits, or that a part of it has failed.
        !matches!(self.error(), Some(RustlsError::General(_) | RustlsError::Other(_)))
    }

    fn kind(&self) -> io::ErrorKind {
        match &self.why {
            Why::Broken(Broken::Rustls(_) | Broken::NotTls(_)) => io::ErrorKind::InvalidData,
            Why::Broken(Broken::CutOff) => io::ErrorKind::UnexpectedEof,
            Why::Late(_) => io::ErrorKind::TimedOut,
            Why::Stream(error) => error.kind(),
        }
    }
}

impl fmt::Display for TlsFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = &self.peer;
        match (self.when, &self.why) {
            (When::Afterwards, Why::Broken(Broken::CutOff)) => {
                return write!(
                    f,
                    "the connection to {peer} ended without a close_notify, so what has come may \
                     not be all that was sent"
                );
            }
            (When::Handshake, _) => write!(f, "the TLS handshake with {peer} failed: ")?,
            (When::Afterwards, _) => write!(f, "TLS with {peer} failed: ")?,
        }
        match &self.why {
            Why::Broken(Broken::Rustls(error)) => {
                write!(f, "{error}")?;
                hint(error).map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Why::Broken(Broken::NotTls(bytes)) => {
                write!(f, "the peer does not speak TLS; it began with `{}`", bytes.escape_ascii())
            }
            Why::Broken(Broken::CutOff) => f.write_str("the peer has ended the connection"),
            Why::Late(limit) => write!(f, "it was not done within {limit:?}"),
            Why::Stream(error) => write!(f, "{error}"),
        }
    }
}

impl StdError for TlsFailed {
    /// The cause of the error inside, because the text of that is already part of this one's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.why {
            Why::Broken(Broken::Rustls(error)) => error.source(),
            Why::Stream(error) => error.source(),
            _ => None,
        }
    }
}

impl From<TlsFailed> for io::Error {
    fn from(error: TlsFailed) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// Wraps the error of a stream, unless it is one of this crate's own, such as a cancellation.
pub(super) fn of_stream(error: io::Error, peer: &Peer, when: When) -> Error {
    match Error::from(error).downcast::<io::Error>() {
        Ok(error) => io::Error::from(TlsFailed::new(peer, when, Why::Stream(error))).into(),
        Err(other) => other,
    }
}

/// What the commonest errors mean, where rustls has only a name for them.
fn hint(error: &RustlsError) -> Option<&'static str> {
    Some(match error {
        RustlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that is trusted here has signed it: it is self-signed, or its chain is \
             not complete"
        }
        RustlsError::InvalidCertificate(CertificateError::Expired) => "it is out of date",
        RustlsError::InvalidCertificate(CertificateError::NotValidForName) => {
            "it is for another name"
        }
        RustlsError::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired,
        ) => "the peer does not accept this side's certificate",
        RustlsError::NoApplicationProtocol
        | RustlsError::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the two sides have no protocol of ALPN in common"
        }
        RustlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what came is not a record of TLS"
        }
        _ => return None,
    })
}
