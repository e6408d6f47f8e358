//! The position that reads and writes move, and what was begun there.
//!
//! An operation that a thread works on is kept here and not in the future that waits for it. So it
//! can be waited for after that future was dropped, and the traits of other libraries, which have
//! no futures, can come back to it.

use std::future::{Future, poll_fn};
use std::io::{self, SeekFrom};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::error::{Error, Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::fs::call::Call;
use crate::world::fs::failure::Unit;
use crate::world::fs::file::File;
use crate::world::fs::file::writing::Written;

pub(super) struct Cursor {
    pub(super) position: u64,
    pub(super) begun: Option<Begun>,
    /// Whether the operation of a foreign trait has let others run, as was due.
    pub(super) paid: Paid,
}

/// What was begun at the cursor, and has not returned.
pub(super) enum Begun {
    Read {
        call: Call<Vec<u8>>,
        position: u64,
    },
    Write {
        call: Call<Written>,
        bytes: Arc<Vec<u8>>,
    },
    /// Finding out where the file ends.
    Seek(Call<u64>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Paid {
    No,
    Yes,
}

impl Cursor {
    pub(super) fn at(position: u64) -> Cursor {
        Cursor { position, begun: None, paid: Paid::No }
    }

    /// Puts it at a distance from a position of the file.
    fn put(&mut self, from: u64, distance: i64) -> io::Result<u64> {
        let position = from.checked_add_signed(distance).ok_or_else(|| {
            let text = format!("there is no position at {distance} from {from}");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        self.position = position;
        Ok(position)
    }
}

impl File {
    /// Where the cursor is: the next read or write begins there, unless the file was opened to
    /// append. After a write was dropped it is the next operation that finds out where that has
    /// ended.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.cursor.position
    }

    /// Puts the cursor somewhere, and returns where that is from the start of the file. This is not
    /// limited to what the file has: what is written behind its end extends it. See
    /// [`Seek`](std::io::Seek).
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, the cursor is where it was.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path; one of the
    /// kind [`InvalidInput`](io::ErrorKind::InvalidInput) if the position would be before the start.
    #[track_caller]
    pub fn seek(&mut self, to: SeekFrom) -> impl Future<Output = Result<u64>> {
        let place = Location::caller();
        placed(async move {
            self.settle().await;
            let (from, distance) = match to {
                SeekFrom::End(distance) => (self.end(place).await?, distance),
                SeekFrom::Current(distance) => {
                    checkpoint().await?;
                    (self.cursor.position, distance)
                }
                SeekFrom::Start(position) => {
                    checkpoint().await?;
                    (position, 0)
                }
            };
            self.put(from, distance)
        })
    }

    /// The same for a foreign trait.
    pub(super) fn poll_seek_to(&mut self, to: SeekFrom, cx: &mut Context<'_>) -> Poll<Result<u64>> {
        let (from, distance) = match to {
            SeekFrom::End(distance) => {
                if !matches!(self.cursor.begun, Some(Begun::Seek(_))) {
                    ready!(self.poll_settle(cx));
                    self.cursor.begun = Some(Begun::Seek(self.end(Location::caller())));
                }
                let Some(Begun::Seek(call)) = &mut self.cursor.begun else { unreachable!() };
                let end = ready!(Pin::new(call).poll(cx));
                self.cursor.begun = None;
                (end?, distance)
            }
            SeekFrom::Current(distance) => {
                ready!(self.poll_settle(cx));
                (self.cursor.position, distance)
            }
            SeekFrom::Start(position) => {
                ready!(self.poll_settle(cx));
                (position, 0)
            }
        };
        Poll::Ready(self.put(from, distance))
    }

    fn put(&mut self, from: u64, distance: i64) -> Result<u64> {
        let put = self.cursor.put(from, distance);
        put.map_err(|error| self.doing("seeking in").failed(error, 0, Unit::Bytes))
    }

    fn end(&self, place: &'static Location<'static>) -> Call<u64> {
        let opened = self.opened.clone();
        Call::one(self.doing("seeking in"), place, move |_| {
            let _guard = opened.own_position.lock();
            Ok(rustix::fs::seek(&opened.file, rustix::fs::SeekFrom::End(0))?)
        })
    }

    /// Waits for what a dropped future has left behind, so that the cursor is where it belongs.
    pub(super) async fn settle(&mut self) {
        poll_fn(|cx| self.poll_settle(cx)).await;
    }

    /// Does the same. It is not a checkpoint.
    pub(super) fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A read moves nothing until it has returned, and what has not begun is not to happen.
        if let Some(Begun::Write { call, .. }) = &mut self.cursor.begun
            && call.has_begun()
            && let Ok(Written { end, .. }) = ready!(Pin::new(call).poll(cx))
        {
            self.cursor.position = end;
        }
        self.cursor.begun = None;
        Poll::Ready(())
    }

    /// The error that a foreign trait returns. It has no place, so the `?` that turns it back is
    /// its place.
    pub(super) fn foreign(error: Error) -> io::Error {
        error.downcast::<io::Error>().unwrap_or_else(io::Error::from)
    }
}
