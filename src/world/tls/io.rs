//! Reading and writing a connection: what goes on between rustls and the stream underneath.
//!
//! # Invariants
//!
//! 1. A byte of the user's is encrypted only when everything before it has been sent, and from then
//!    on it is written: no failure of the same call takes that back. So a write that is cancelled
//!    has not happened.
//! 2. Ciphertext that was read is given to rustls in the same poll. So a read that is cancelled has
//!    lost nothing.
//! 3. Between two polls nothing is borrowed. During one, the stream and rustls are, by whoever
//!    polls them, and both are foreign code: if they call back, they get an error.

use std::cell::{RefCell, RefMut};
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};
use crate::world::tls::buffer::Buffer;
use crate::world::tls::failure::{Broken, TlsFailed, When, Why, of_stream};
use crate::world::tls::peer::Peer;
use crate::world::tls::session::{Direction, Found, Session};
use crate::world::tls::waiting::{Half, Waiting};

/// How often a stream is read in one poll, if that has led to nothing, before others run: some
/// streams never let them.
const MOST_READS: usize = 32;

/// A connection: rustls, and the stream underneath.
pub(super) struct Io<S> {
    session: RefCell<Session>,
    stream: RefCell<S>,
    peer: Peer,
    waiting: Waiting,
}

/// Borrows something for the length of a poll.
#[inline]
fn borrow<T>(cell: &RefCell<T>) -> io::Result<RefMut<'_, T>> {
    cell.try_borrow_mut().map_err(|_| used_from_within())
}

#[cold]
fn used_from_within() -> io::Error {
    io::Error::other("a TLS connection was used from within its own reads and writes")
}

impl<S> Io<S> {
    pub(super) fn new(session: Session, stream: S, peer: Peer) -> Io<S> {
        Io {
            session: RefCell::new(session),
            stream: RefCell::new(stream),
            peer,
            waiting: Waiting::default(),
        }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// # Panics
    ///
    /// If it is called by what is being polled.
    pub(super) fn with_session<R>(&self, f: impl FnOnce(&Session) -> R) -> R {
        f(&self.session.borrow())
    }

    /// # Panics
    ///
    /// If it is called by what is being polled.
    pub(super) fn with_stream<R>(&self, f: impl FnOnce(&S) -> R) -> R {
        f(&self.stream.borrow())
    }

    fn failed(&self, when: When, broken: Broken) -> io::Error {
        TlsFailed::new(&self.peer, when, Why::Broken(broken)).into()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Io<S> {
    /// Performs the handshake. `unflushed` is kept between polls, and false at first.
    pub(super) fn poll_handshake(
        &self,
        cx: &mut Context<'_>,
        unflushed: &mut bool,
    ) -> Poll<Result<()>> {
        let of_stream = |error| of_stream(error, &self.peer, When::Handshake);
        loop {
            let outcome = borrow(&self.session)?.shake_hands();
            let mut sent = Poll::Ready(Ok(()));
            if borrow(&self.session)?.has_to_send() {
                *unflushed = true;
                sent = self.poll_send(cx, Half::Writer);
            }
            if *unflushed && matches!(sent, Poll::Ready(Ok(()))) {
                sent = Pin::new(&mut *borrow(&self.stream)?).poll_flush(cx);
                *unflushed = !matches!(sent, Poll::Ready(Ok(())));
            }
            if let Err(broken) = outcome {
                // An alert has been sent, if the stream took it.
                return Poll::Ready(Err(self.failed(When::Handshake, broken).into()));
            }
            if let Poll::Ready(Err(error)) = sent {
                return Poll::Ready(Err(of_stream(error)));
            }
            let session = borrow(&self.session)?;
            if !session.connection().is_handshaking() {
                let is_done = sent.is_ready() || session.has_only_tickets();
                return if is_done { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            drop(session);
            match ready!(self.poll_receive(cx)) {
                Ok(()) => {}
                Err(error) => return Poll::Ready(Err(of_stream(error))),
            }
        }
    }

    /// Reads plaintext: gives it to `take`, which takes at least some, and returns how much that
    /// was; 0 if the peer has said that it sends no more.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        for _ in 0..MOST_READS {
            let mut session = borrow(&self.session)?;
            let (found, has_to_send) = (session.read(&mut take), session.has_to_send());
            drop(session);
            if has_to_send {
                self.help_sending(cx)?;
            }
            match found {
                Ok(Found::Some(n)) => return Poll::Ready(Ok(n)),
                Ok(Found::End) => return Poll::Ready(Ok(0)),
                Ok(Found::Nothing) => {}
                Err(broken) => {
                    self.waiting.wake_other(Half::Reader);
                    return Poll::Ready(Err(self.failed(When::Afterwards, broken)));
                }
            }
            ready!(self.poll_receive(cx))?;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends what a writer has left. If that fails, the next writer learns of it.
    #[cold]
    fn help_sending(&self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Poll::Ready(Err(error)) = self.poll_send(cx, Half::Reader) {
            self.fail_later(error)?;
        }
        Ok(())
    }

    /// Reads ciphertext, when there is none left.
    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = Buffer::new();
        let read = Pin::new(&mut *borrow(&self.stream)?).poll_read(cx, buffer.room());
        let n = ready!(read)?;
        let mut session = borrow(&self.session)?;
        match n {
            0 => session.meet_end(),
            n => {
                buffer.fill(n);
                session.receive(buffer);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes some of this.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if borrow(&self.session)?.direction() == Direction::Ended {
            let text = "a TLS connection was written to after this side had ended it";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, text)));
        }
        ready!(self.poll_clear(cx))?;
        let n = borrow(&self.session)?.encrypt(pieces)?;
        // From here on they are written.
        if let Poll::Ready(Err(error)) = self.poll_send(cx, Half::Writer) {
            self.fail_later(error)?;
        }
        Poll::Ready(Ok(n))
    }

    /// Sends everything that was written.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_clear(cx))?;
        Pin::new(&mut *borrow(&self.stream)?).poll_flush(cx)
    }

    /// Ends our direction: says so to the peer, and then ends that of the stream.
    pub(super) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut session = borrow(&self.session)?;
        session.end();
        drop(session);
        ready!(self.poll_clear(cx))?;
        Pin::new(&mut *borrow(&self.stream)?).poll_close(cx)
    }

    /// Sends what was encrypted before, and fails if that has failed, or if the connection is
    /// broken.
    #[inline]
    fn poll_clear(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if borrow(&self.session)?.is_clear() {
            return Poll::Ready(Ok(()));
        }
        self.poll_rest(cx)
    }

    #[cold]
    fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let late = borrow(&self.session)?.take_late_error();
        if let Some(error) = late {
            return Poll::Ready(Err(error));
        }
        let mut sent = Poll::Ready(Ok(()));
        if borrow(&self.session)?.has_to_send() {
            sent = self.poll_send(cx, Half::Writer);
        }
        match borrow(&self.session)?.broken() {
            // The other direction has ended, in whatever way.
            None | Some(Broken::CutOff) => sent,
            Some(broken) => Poll::Ready(Err(self.failed(When::Afterwards, broken.clone()))),
        }
    }

    /// Reads and discards what comes through the stream, until that ends in one way or another.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut buffer = Buffer::new();
        for _ in 0..MOST_READS {
            let read = Pin::new(&mut *borrow(&self.stream)?).poll_read(cx, buffer.room());
            match ready!(read) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => {}
                Err(error) => match Error::from(error) {
                    error if error.is_cancelled() => return Poll::Ready(Err(error)),
                    _ => return Poll::Ready(Ok(())),
                },
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Keeps the error of bytes that have been taken for sent, for the next one who writes. A
    /// cancellation is none: whoever is cancelled learns of that anyway.
    fn fail_later(&self, error: io::Error) -> io::Result<()> {
        let error = Error::from(error);
        if !error.is_cancelled() {
            borrow(&self.session)?.fail_later(error.into());
        }
        Ok(())
    }

    /// Has the stream take all that is to be sent.
    fn poll_send(&self, cx: &mut Context<'_>, half: Half) -> Poll<io::Result<()>> {
        let mut sent = self.send_what_goes(cx)?;
        if sent.is_pending()
            && let Some(both) = self.waiting.keep(half, cx.waker())
        {
            sent = self.send_what_goes(&mut Context::from_waker(&both))?;
        }
        if sent.is_ready() {
            self.waiting.forget(half);
            self.waiting.wake_other(half);
        }
        sent.map(Ok)
    }

    fn send_what_goes(&self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        let (mut session, mut stream) = (borrow(&self.session)?, borrow(&self.stream)?);
        let mut wire = Wire { stream: Pin::new(&mut *stream), cx, polled: Poll::Ready(()) };
        match session.send(&mut wire) {
            Err(_) if wire.polled.is_pending() => Ok(Poll::Pending),
            outcome => outcome.map(Poll::Ready),
        }
    }
}

/// The stream, as rustls writes to it.
struct Wire<'a, 'cx, S> {
    stream: Pin<&'a mut S>,
    cx: &'a mut Context<'cx>,
    polled: Poll<()>,
}

impl<S> Wire<'_, '_, S> {
    fn outcome(&mut self, polled: Poll<io::Result<usize>>) -> io::Result<usize> {
        match polled {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                self.polled = Poll::Pending;
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }
}

impl<S: AsyncWrite> Write for Wire<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let polled = self.stream.as_mut().poll_write(self.cx, bytes);
        self.outcome(polled)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let polled = self.stream.as_mut().poll_write_vectored(self.cx, pieces);
        self.outcome(polled)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
