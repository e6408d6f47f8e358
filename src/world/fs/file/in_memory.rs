//! Reading and writing at once what the system has in memory, without a thread.
//!
//! There are two ways to know that it is there. Most file systems say for each read whether they
//! have to wait (`RWF_NOWAIT`). And the files of a `tmpfs` are nowhere else: to read and write them
//! is to copy memory, which may have been swapped out like any other.
//!
//! A run that is to be repeatable leaves this out, since what is in memory is chance.

use std::convert::Infallible;
use std::os::unix::fs::FileExt;
use std::panic::Location;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::operation::skeleton::{
    Doing, Look, Operation, Registered, Shown, Tried, When, polled_after_it_was_ready,
};
use crate::operation::waiters::Kept;
use crate::platform::clock::CLOCK;
use crate::schedule::budget::{self, Share};
use crate::schedule::rounds::SCHEDULER;
use crate::world::fs::file::cursor::Paid;
use crate::world::fs::file::{File, Opened, Writes};

/// How much is read or written at once on the run's own thread. That takes a few tenths of a
/// millisecond at most.
const AT_ONCE: usize = 1 << 20;

/// Whether the system offers to read this file without waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Offers {
    Perhaps,
    /// It has said that it does not.
    No,
}

/// Where the system keeps a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Storage {
    /// In memory and nowhere else.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody tells"))]
    Memory,
    Elsewhere,
}

impl Storage {
    /// Asks the system, which does not have to wait for the answer.
    pub(super) fn of(file: &std::fs::File) -> Storage {
        // Only files in memory have seals, used or not. To ask for the kind of the file system
        // could take a trip to a server.
        #[cfg(target_os = "linux")]
        if rustix::fs::fcntl_get_seals(file).is_ok() {
            return Storage::Memory;
        }
        let _ = file;
        Storage::Elsewhere
    }
}

impl File {
    /// Whether it is worth trying to read at once.
    pub(super) fn may_be_in_memory(&self) -> bool {
        cfg!(target_os = "linux") && self.offers.get() == Offers::Perhaps && may_be_left_to_chance()
    }

    /// Whether it can be written at once, at a position.
    pub(super) fn is_in_memory(&self) -> bool {
        self.opened.storage == Storage::Memory
            && self.opened.writes == Writes::AtAPosition
            && may_be_left_to_chance()
    }

    /// Reads what is in memory. `None` if a thread has to find out: when there is an error, and at
    /// the end of the file, which Linux 5.9 and 5.10 report for what is not in memory.
    #[cfg(target_os = "linux")]
    pub(super) fn read_from_memory(&self, buffer: &mut [u8], position: u64) -> Option<usize> {
        use rustix::io::{Errno, ReadWriteFlags};

        let length = buffer.len().min(AT_ONCE);
        let buffer = &mut buffer[..length];
        if self.opened.storage == Storage::Memory {
            return self.opened.file.read_at(buffer, position).ok();
        }
        // What is no position means the system's own to `preadv2`.
        i64::try_from(position).ok()?;
        let buffer = &mut [std::io::IoSliceMut::new(buffer)];
        match rustix::io::preadv2(&self.opened.file, buffer, position, ReadWriteFlags::NOWAIT) {
            Ok(0) | Err(Errno::AGAIN | Errno::INTR) => None,
            Ok(read) => Some(read),
            // It may be that it is no file, cannot be read, or that the system is too old.
            Err(_) => {
                self.offers.set(Offers::No);
                None
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn read_from_memory(&self, _: &mut [u8], _: u64) -> Option<usize> {
        None
    }

    /// The same as an operation. If it returns `None` it was none: it has counted nothing.
    pub(super) async fn read_if_in_memory(
        &self,
        buffer: &mut [u8],
        position: u64,
        place: &'static Location<'static>,
    ) -> Result<Option<usize>> {
        match self.may_be_in_memory() {
            true => at_once(|| self.read_from_memory(buffer, position), place).await,
            false => Ok(None),
        }
    }

    /// Writes at a position if the file is in memory, as an operation. If it returns `None` it was
    /// none.
    pub(super) async fn write_if_in_memory(
        &self,
        bytes: &[u8],
        position: u64,
        place: &'static Location<'static>,
    ) -> Result<Option<usize>> {
        match self.is_in_memory() {
            true => at_once(|| self.opened.write_to_memory(bytes, position), place).await,
            false => Ok(None),
        }
    }

    /// Writes at the cursor, which moves along even if the operation is dropped while others run.
    pub(super) async fn write_at_cursor_if_in_memory(
        &mut self,
        bytes: &[u8],
        place: &'static Location<'static>,
    ) -> Result<Option<usize>> {
        match self.is_in_memory() {
            true => at_once(|| self.write_to_memory_at_cursor(bytes), place).await,
            false => Ok(None),
        }
    }

    pub(super) fn write_to_memory_at_cursor(&mut self, bytes: &[u8]) -> Option<usize> {
        let written = self.opened.write_to_memory(bytes, self.cursor.position)?;
        self.cursor.position += written as u64;
        Some(written)
    }

    /// Lets others run, if that is due, before the operation of a foreign trait that is done at
    /// once.
    pub(super) fn poll_paid(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cursor.paid == Paid::No && budget::spend() == Share::UsedUp {
            self.cursor.paid = Paid::Yes;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.cursor.paid = Paid::No;
        Poll::Ready(())
    }
}

impl Opened {
    /// Writes to a file in memory. `None` if a thread has to find out why that fails.
    fn write_to_memory(&self, bytes: &[u8], position: u64) -> Option<usize> {
        let piece = &bytes[..bytes.len().min(AT_ONCE)];
        self.file.write_at(piece, position).ok().filter(|&written| written > 0)
    }
}

fn may_be_left_to_chance() -> bool {
    CLOCK.with(|clock| clock.is_some_and(|clock| !clock.is_virtual()))
        && SCHEDULER.with(|all| all.is_some_and(|all| all.order.is_first_in_first_out()))
}

/// An operation that happens at once, or is none if `attempt` returns `None`.
fn at_once<F: FnMut() -> Option<usize>>(
    attempt: F,
    place: &'static Location<'static>,
) -> impl Future<Output = Result<Option<usize>>> {
    Doing::new(AtOnce { attempt, place })
}

struct AtOnce<F> {
    attempt: F,
    place: &'static Location<'static>,
}

impl<F: FnMut() -> Option<usize>> Operation for AtOnce<F> {
    const NAME: &'static str = "File";
    const IS_SHOWN: Shown = Shown::Inside;
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = Option<usize>;
    type Wait = Infallible;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Option<usize>> {
        match (self.attempt)() {
            Some(moved) => Tried::Done(Some(moved)),
            None => Tried::Counted(None),
        }
    }

    fn register(&mut self, _: &Context<'_>, _: &mut Kept) -> Registered<Infallible> {
        polled_after_it_was_ready(self)
    }

    fn look(&mut self, wait: &mut Infallible, _: &mut Context<'_>) -> Look<Option<usize>> {
        match *wait {}
    }

    fn leave(&mut self, wait: &mut Infallible) {
        match *wait {}
    }
}
