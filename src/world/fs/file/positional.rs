//! Reading and writing at positions.

use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::Location;
use std::pin::Pin;
use std::task::Poll;

use crate::error::{Error, Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::fs::call::{Call, MOST_AT_ONCE, uninterrupted};
use crate::world::fs::failure::{Unit, having_done};
use crate::world::fs::file::{File, Writes};

impl File {
    /// Reads at a position, at most `buffer.len()` bytes, and returns how many. It may be fewer; 0
    /// means that the file ends there. The cursor stays where it is. See
    /// [`read_at`](std::os::unix::fs::FileExt::read_at) of the standard library.
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, nothing has been read.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        self.read_once(buffer, position, place)
    }

    /// Fills the buffer from a position. The cursor stays where it is.
    ///
    /// This is a [checkpoint](crate::checkpoint()). It may take several system calls, and stops
    /// between two if it is cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path; one of the
    /// kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends before that. Then
    /// [`Failure::done`](crate::fs::Failure::done) says how much of the buffer was filled.
    ///
    /// ```
    /// use seedbed::fs::{Failure, File};
    ///
    /// # let path = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(&path, "hello")?;
    /// seedbed::run(async {
    ///     let file = File::open(&path).await?;
    ///     let mut buffer = [0; 4];
    ///     file.read_exact_at(&mut buffer, 1).await?;
    ///     assert_eq!(&buffer, b"ello");
    ///     let error = file.read_exact_at(&mut buffer, 3).await.unwrap_err();
    ///     assert_eq!(error.find().map(Failure::done), Some(2));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn read_exact_at(
        &self,
        buffer: &mut [u8],
        position: u64,
    ) -> impl Future<Output = Result<()>> {
        let place = Location::caller();
        placed(async move { self.fill(buffer, position, place).await.map_err(|(error, _)| error) })
    }

    /// Writes at a position, at most `bytes.len()` bytes, and returns how many. It may be fewer.
    /// The cursor stays where it is. See [`write_at`](std::os::unix::fs::FileExt::write_at) of the
    /// standard library.
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, nothing has been written.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path; one of the
    /// kind [`InvalidInput`](io::ErrorKind::InvalidInput) if the file was opened to
    /// [append](crate::fs::OpenOptions::append).
    #[track_caller]
    pub fn write_at(&self, bytes: &[u8], position: u64) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        placed(async move {
            self.check_has_positions()?;
            if bytes.is_empty() {
                return checkpoint().await.map(|()| 0);
            }
            if let Some(written) = self.write_if_in_memory(bytes, position, place).await? {
                return Ok(written);
            }
            let copy = self.copy(bytes);
            let (copy, written) = self.write_once_at(copy, position, place).await?;
            self.spare.set(copy);
            Ok(written)
        })
    }

    /// Writes all of the bytes at a position. The cursor stays where it is.
    ///
    /// This is a [checkpoint](crate::checkpoint()). It may take several system calls, and stops
    /// between two if it is cancelled. Then [`Failure::done`](crate::fs::Failure::done) says how
    /// many bytes were written.
    ///
    /// # Errors
    ///
    /// The same as for [`write_at`](Self::write_at).
    #[track_caller]
    pub fn write_all_at(&self, bytes: &[u8], position: u64) -> impl Future<Output = Result<()>> {
        let place = Location::caller();
        placed(async move {
            self.check_has_positions()?;
            if bytes.is_empty() {
                return checkpoint().await;
            }
            let mut done = 0;
            let outcome = self.write_all_from(&mut done, bytes, position, place).await;
            outcome.map_err(|error| having_done(error, done, || self.doing("writing")))
        })
    }

    async fn write_all_from(
        &self,
        done: &mut u64,
        mut bytes: &[u8],
        mut position: u64,
        place: &'static Location<'static>,
    ) -> Result<()> {
        while let Some(written) = self.write_if_in_memory(bytes, position, place).await? {
            *done += written as u64;
            position += written as u64;
            bytes = &bytes[written..];
            if bytes.is_empty() {
                return Ok(());
            }
        }
        let write = |piece, before| self.write_once_at(piece, position + before, place);
        let (spare, outcome) = in_pieces(bytes, self.spare.take(), write).await;
        self.spare.set(spare);
        outcome.map_err(|(error, before)| {
            *done += before;
            error
        })
    }

    /// Reads once.
    pub(super) async fn read_once(
        &self,
        buffer: &mut [u8],
        position: u64,
        place: &'static Location<'static>,
    ) -> Result<usize> {
        if buffer.is_empty() {
            return checkpoint().await.map(|()| 0);
        }
        if let Some(read) = self.read_if_in_memory(buffer, position, place).await? {
            return Ok(read);
        }
        let bytes = self.reading(buffer.len(), position, place).await?;
        let read = bytes.len();
        buffer[..read].copy_from_slice(&bytes);
        self.spare.set(bytes);
        Ok(read)
    }

    /// Fills the buffer. If it fails, it says how far it came, also in the error.
    pub(super) async fn fill(
        &self,
        buffer: &mut [u8],
        position: u64,
        place: &'static Location<'static>,
    ) -> Result<(), (Error, u64)> {
        let mut done = 0;
        loop {
            let (offset, rest) = (position.saturating_add(done as u64), &mut buffer[done..]);
            let outcome = match self.read_once(rest, offset, place).await {
                Ok(0) if !rest.is_empty() => {
                    let ends = io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends here");
                    Err(self.doing("reading").failed(ends, 0, Unit::Bytes).at(place))
                }
                outcome => outcome,
            };
            let doing = || self.doing("reading");
            done += outcome.map_err(|e| (having_done(e, done as u64, doing), done as u64))?;
            if done == buffer.len() {
                return Ok(());
            }
        }
    }

    /// Has a thread read.
    pub(super) fn reading(
        &self,
        length: usize,
        position: u64,
        place: &'static Location<'static>,
    ) -> Call<Vec<u8>> {
        let mut bytes = self.spare.take();
        let opened = self.opened.clone();
        Call::one(self.doing("reading"), place, move |_| {
            let length = length.min(MOST_AT_ONCE);
            if bytes.is_empty() {
                bytes = vec![0; length]; // which the system has zeroed already
            } else {
                bytes.resize(length, 0);
            }
            let read = uninterrupted(|| opened.file.read_at(&mut bytes, position))?;
            bytes.truncate(read);
            Ok(bytes)
        })
    }

    /// Has a thread write.
    fn write_once_at(
        &self,
        bytes: Vec<u8>,
        position: u64,
        place: &'static Location<'static>,
    ) -> Call<(Vec<u8>, usize)> {
        let opened = self.opened.clone();
        Call::one(self.doing("writing"), place, move |_| {
            let written = uninterrupted(|| opened.file.write_at(&bytes, position))?;
            Ok((bytes, written))
        })
    }

    fn check_has_positions(&self) -> Result<()> {
        match self.opened.writes {
            Writes::AtAPosition => Ok(()),
            Writes::AtTheEnd => {
                let text = "it was opened to append, which `write` does; it has no positions to \
                            write at";
                let error = io::Error::new(io::ErrorKind::InvalidInput, text);
                Err(self.doing("writing").failed(error, 0, Unit::Bytes))
            }
        }
    }

    /// A copy for a thread of as much as it writes at once.
    pub(super) fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        copy_of(bytes, self.spare.take())
    }
}

/// A copy, in this buffer, of as much as a thread writes at once.
fn copy_of(bytes: &[u8], mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    buffer.extend_from_slice(&bytes[..bytes.len().min(MOST_AT_ONCE)]);
    buffer
}

/// Writes everything, by calls that return their copy and how much of it was written. While a
/// thread writes one piece, the next is copied. Returns a buffer to be used again, and the error
/// with how much was written before.
pub(in crate::world::fs) async fn in_pieces<F>(
    bytes: &[u8],
    spare: Vec<u8>,
    mut write: impl FnMut(Vec<u8>, u64) -> F,
) -> (Vec<u8>, Result<(), (Error, u64)>)
where
    F: Future<Output = Result<(Vec<u8>, usize)>> + Unpin,
{
    let mut done = 0;
    let (mut piece, mut ahead) = (copy_of(bytes, spare), Vec::new());
    loop {
        let length = piece.len();
        let mut call = write(piece, done as u64);
        let following = &bytes[done + length..];
        let mut outcome = Poll::Pending;
        if !following.is_empty() {
            // A thread has to have its piece first.
            outcome = poll_fn(|cx| Poll::Ready(Pin::new(&mut call).poll(cx))).await;
            ahead = copy_of(following, ahead);
        }
        let outcome = match outcome {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => call.await,
        };
        let written;
        (piece, written) = match outcome {
            Ok((_, 0)) => {
                let error = io::Error::from(io::ErrorKind::WriteZero);
                return (ahead, Err((error.into(), done as u64)));
            }
            Ok(written) => written,
            Err(error) => return (ahead, Err((error, done as u64))),
        };
        done += written;
        if done == bytes.len() {
            return (piece, Ok(()));
        }
        if written == length {
            std::mem::swap(&mut piece, &mut ahead);
        } else {
            piece = copy_of(&bytes[done..], piece);
        }
    }
}
