//! Writes at the cursor.

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::scope;
use crate::world::fs::call::{Call, MOST_AT_ONCE, uninterrupted};
use crate::world::fs::failure::having_done;
use crate::world::fs::file::cursor::Begun;
use crate::world::fs::file::{File, Opened, Writes};

/// What a thread has written at the cursor.
pub(super) struct Written {
    length: usize,
    /// Where the cursor is afterwards.
    pub(super) end: u64,
}

impl File {
    /// Writes at the cursor, at most `bytes.len()` bytes, moves it, and returns how many. It may be
    /// fewer. See [`Write::write`](std::io::Write::write).
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, nothing has been written,
    /// and the cursor is where it was.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        placed(async move {
            if bytes.is_empty() {
                return checkpoint().await.map(|()| 0);
            }
            self.write_once(bytes, place).await
        })
    }

    /// Writes all of the bytes at the cursor, and moves it. See
    /// [`Write::write_all`](std::io::Write::write_all).
    ///
    /// This is a [checkpoint](crate::checkpoint()). It may take several system calls, and stops
    /// between two if it is cancelled. [`Failure::done`](crate::fs::Failure::done) says how many
    /// bytes were written, and the cursor is behind them.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn write_all(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
        let place = Location::caller();
        placed(async move {
            if bytes.is_empty() {
                return checkpoint().await;
            }
            let mut done = 0;
            while done < bytes.len() {
                let outcome = match self.write_once(&bytes[done..], place).await {
                    Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                    outcome => outcome,
                };
                let doing = || self.doing("writing");
                done += outcome.map_err(|error| having_done(error, done as u64, doing))?;
            }
            Ok(())
        })
    }

    async fn write_once(
        &mut self,
        bytes: &[u8],
        place: &'static Location<'static>,
    ) -> Result<usize> {
        self.settle().await;
        if let Some(written) = self.write_at_cursor_if_in_memory(bytes, place).await? {
            return Ok(written);
        }
        self.begin_writing(bytes, place);
        let writing = Writing(self);
        poll_fn(|cx| writing.0.poll_written(cx)).await
    }

    fn begin_writing(&mut self, bytes: &[u8], place: &'static Location<'static>) {
        let bytes = Arc::new(self.copy(bytes));
        let (opened, copy, position) = (self.opened.clone(), bytes.clone(), self.cursor.position);
        let doing = self.doing("writing");
        let call = Call::one(doing, place, move |_| opened.write_at_cursor(&copy, position));
        self.cursor.begun = Some(Begun::Write { call, bytes });
    }

    /// Waits for the write that was begun.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let Some(Begun::Write { call, .. }) = &mut self.cursor.begun else {
            unreachable!("it was begun")
        };
        let outcome = ready!(Pin::new(call).poll(cx));
        if let Some(Begun::Write { bytes, .. }) = self.cursor.begun.take()
            && let Ok(bytes) = Arc::try_unwrap(bytes)
        {
            self.spare.set(bytes);
        }
        let Written { length, end } = outcome?;
        self.cursor.position = end;
        Poll::Ready(Ok(length))
    }

    /// Writes for a foreign trait, which does not say whether this is the write that was begun or
    /// another one, because the former was given up. So it is the same if its bytes are.
    pub(super) fn poll_write_some(
        &mut self,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let piece = &bytes[..bytes.len().min(MOST_AT_ONCE)];
        if !matches!(&self.cursor.begun, Some(Begun::Write { bytes, .. }) if **bytes == piece) {
            ready!(self.poll_settle(cx));
            if self.is_in_memory() && scope::check().is_ok() {
                ready!(self.poll_paid(cx));
                if let Some(written) = self.write_to_memory_at_cursor(piece) {
                    return Poll::Ready(Ok(written));
                }
            }
            self.begin_writing(piece, Location::caller());
        }
        self.poll_written(cx)
    }
}

/// A write at the cursor that is waited for. Dropping this gives it up if no thread has it yet.
struct Writing<'a>(&'a mut File);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let cursor = &mut self.0.cursor;
        if let Some(Begun::Write { call, .. }) = &cursor.begun
            && !call.has_begun()
        {
            cursor.begun = None;
        }
    }
}

impl Opened {
    fn write_at_cursor(&self, bytes: &[u8], position: u64) -> io::Result<Written> {
        match self.writes {
            Writes::AtAPosition => {
                let length = uninterrupted(|| self.file.write_at(bytes, position))?;
                Ok(Written { length, end: position + length as u64 })
            }
            Writes::AtTheEnd => {
                let _guard = self.own_position.lock();
                let length = uninterrupted(|| (&self.file).write(bytes))?;
                let end = rustix::fs::tell(&self.file).unwrap_or(position + length as u64);
                Ok(Written { length, end })
            }
        }
    }
}
