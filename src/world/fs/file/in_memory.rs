//! Reading at once what the system has in memory, without a thread.
//!
//! A run that is to be repeatable leaves this out, since what is in memory is chance.

use std::convert::Infallible;
use std::panic::Location;
use std::task::Context;

use crate::error::Result;
use crate::operation::skeleton::{
    Doing, Look, Operation, Registered, Shown, Tried, When, polled_after_it_was_ready,
};
use crate::operation::waiters::Kept;
use crate::platform::clock::CLOCK;
use crate::schedule::rounds::SCHEDULER;
use crate::world::fs::file::File;

/// How much is read at once on the run's own thread. That takes a tenth of a millisecond at most.
const AT_ONCE: usize = 1 << 20;

/// Whether the system offers to read this file without waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Offers {
    Perhaps,
    /// It has said that it does not.
    No,
}

impl File {
    /// Whether it is worth trying.
    pub(super) fn may_be_in_memory(&self) -> bool {
        cfg!(target_os = "linux")
            && self.offers.get() == Offers::Perhaps
            && CLOCK.with(|clock| clock.is_some_and(|clock| !clock.is_virtual()))
            && SCHEDULER.with(|all| all.is_some_and(|all| all.order.is_first_in_first_out()))
    }

    /// Reads what is in memory. `None` if a thread has to find out: also at the end of the file,
    /// which Linux 5.9 and 5.10 report for what is not in memory, and when there is an error.
    #[cfg(target_os = "linux")]
    pub(super) fn read_from_memory(&self, buffer: &mut [u8], position: u64) -> Option<usize> {
        use rustix::io::{Errno, ReadWriteFlags};

        let length = buffer.len().min(AT_ONCE);
        let buffer = &mut [std::io::IoSliceMut::new(&mut buffer[..length])];
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
            true => Doing::new(FromMemory { file: self, buffer, position, place }).await,
            false => Ok(None),
        }
    }
}

struct FromMemory<'a> {
    file: &'a File,
    buffer: &'a mut [u8],
    position: u64,
    place: &'static Location<'static>,
}

impl Operation for FromMemory<'_> {
    const NAME: &'static str = "File::read";
    const IS_SHOWN: Shown = Shown::Inside;
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = Option<usize>;
    type Wait = Infallible;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Option<usize>> {
        match self.file.read_from_memory(self.buffer, self.position) {
            Some(read) => Tried::Done(Some(read)),
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
