//! Reads at the cursor.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{Result, placed};
use crate::scope;
use crate::world::fs::call::{Call, read_rest};
use crate::world::fs::failure::Unit;
use crate::world::fs::file::File;
use crate::world::fs::file::cursor::Begun;
use crate::world::fs::whole::text;

impl File {
    /// Reads at the cursor, at most `buffer.len()` bytes, moves it, and returns how many. It may be
    /// fewer; 0 means that the file ends here. See [`Read::read`](std::io::Read::read).
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, nothing has been read, and
    /// the cursor is where it was.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        placed(async move {
            self.settle().await;
            let read = self.read_once(buffer, self.cursor.position, place).await?;
            self.cursor.position += read as u64;
            Ok(read)
        })
    }

    /// Fills the buffer from the cursor, and moves it. See
    /// [`Read::read_exact`](std::io::Read::read_exact).
    ///
    /// This is a [checkpoint](crate::checkpoint()). It may take several system calls, and stops
    /// between two if it is cancelled. [`Failure::done`](crate::fs::Failure::done) says how much of
    /// the buffer was filled, and the cursor is behind that.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path; one of the
    /// kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends before that.
    #[track_caller]
    pub fn read_exact(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<()>> {
        let place = Location::caller();
        placed(async move {
            self.settle().await;
            let length = buffer.len() as u64;
            let outcome = self.fill(buffer, self.cursor.position, place).await;
            self.cursor.position += outcome.as_ref().map_or_else(|&(_, done)| done, |()| length);
            outcome.map_err(|(error, _)| error)
        })
    }

    /// Reads everything from the cursor to the end of the file, appends it to `bytes`, moves the
    /// cursor, and returns the number of bytes. See
    /// [`Read::read_to_end`](std::io::Read::read_to_end).
    ///
    /// This is a [checkpoint](crate::checkpoint()). It takes several system calls, and stops between
    /// two if it is cancelled. Then, and if it fails, nothing is appended and the cursor is where it
    /// was.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        placed(async move {
            self.settle().await;
            let read = self.rest(place, Ok).await?;
            self.cursor.position += read.len() as u64;
            let length = read.len();
            if bytes.is_empty() {
                *bytes = read;
            } else {
                bytes.extend_from_slice(&read);
            }
            Ok(length)
        })
    }

    /// Like [`read_to_end`](Self::read_to_end), for text. See
    /// [`Read::read_to_string`](std::io::Read::read_to_string).
    ///
    /// # Errors
    ///
    /// The same; and one of the kind [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8.
    #[track_caller]
    pub fn read_to_string(&mut self, string: &mut String) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        placed(async move {
            self.settle().await;
            let read = self.rest(place, text).await?;
            self.cursor.position += read.len() as u64;
            string.push_str(&read);
            Ok(read.len())
        })
    }

    /// Has a thread read from the cursor to the end.
    fn rest<T: Send + 'static>(
        &self,
        place: &'static Location<'static>,
        make: impl FnOnce(Vec<u8>) -> io::Result<T> + Send + 'static,
    ) -> Call<T> {
        let (opened, position) = (self.opened.clone(), self.cursor.position);
        Call::several(self.doing("reading"), Unit::Bytes, place, move |_, steps| {
            steps.next()?;
            let _guard = opened.own_position.lock();
            rustix::fs::seek(&opened.file, rustix::fs::SeekFrom::Start(position))?;
            make(read_rest(&opened.file, position, steps)?)
        })
    }

    /// Reads for a foreign trait.
    pub(super) fn poll_read_some(
        &mut self,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let here = self.cursor.position;
        if !matches!(self.cursor.begun, Some(Begun::Read { position, .. }) if position == here) {
            ready!(self.poll_settle(cx));
            let here = self.cursor.position;
            if self.may_be_in_memory() && scope::check().is_ok() {
                ready!(self.poll_paid(cx));
                if let Some(read) = self.read_from_memory(buffer, here) {
                    self.cursor.position += read as u64;
                    return Poll::Ready(Ok(read));
                }
            }
            let call = self.reading(buffer.len(), here, Location::caller());
            self.cursor.begun = Some(Begun::Read { call, position: here });
        }
        let Some(Begun::Read { call, .. }) = &mut self.cursor.begun else { unreachable!() };
        let outcome = ready!(Pin::new(call).poll(cx));
        self.cursor.begun = None;
        let bytes = outcome?;
        // It may have been begun for a larger buffer.
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        self.cursor.position += read as u64;
        self.spare.set(bytes);
        Poll::Ready(Ok(read))
    }
}
