//! Writing, by a thread, to a descriptor that may block.
//!
//! If a write is given up while a thread is at it, it happens all the same. The next one waits for
//! it, so that what is written comes in order.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;

use crate::error::Result;
use crate::threads::ToThread;

/// How much is written at a time. So much is copied for the thread.
const MOST_AT_ONCE: usize = 64 * 1024;

pub(super) struct WriterThread {
    descriptor: Arc<OwnedFd>,
    /// The write that is under way.
    begun: Option<Begun>,
}

struct Begun {
    call: ToThread<io::Result<usize>>,
    bytes: Arc<[u8]>,
}

impl WriterThread {
    pub(super) fn new(descriptor: OwnedFd) -> WriterThread {
        WriterThread { descriptor: Arc::new(descriptor), begun: None }
    }

    pub(super) async fn write(
        &mut self,
        bytes: &[u8],
        place: &'static Location<'static>,
    ) -> Result<usize> {
        poll_fn(|cx| self.poll_settle(cx)).await;
        self.begin(bytes, place);
        let writing = Writing(self);
        poll_fn(|cx| writing.0.poll_begun(cx)).await
    }

    /// Writes for a foreign trait, which does not say whether this is the write that was begun or
    /// another one, because the former was given up. So it is the same if its bytes are.
    pub(super) fn poll_write(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let bytes = &bytes[..bytes.len().min(MOST_AT_ONCE)];
        if self.begun.as_ref().is_none_or(|begun| *begun.bytes != *bytes) {
            ready!(self.poll_settle(cx));
            self.begin(bytes, Location::caller());
        }
        self.poll_begun(cx)
    }

    /// Waits for the write that is under way, if there is one. Nobody asks any more what became of
    /// it.
    pub(super) fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begun.is_some() {
            let _ = ready!(self.poll_begun(cx));
        }
        Poll::Ready(())
    }

    fn begin(&mut self, bytes: &[u8], place: &'static Location<'static>) {
        let bytes: Arc<[u8]> = bytes[..bytes.len().min(MOST_AT_ONCE)].into();
        let (descriptor, copy) = (self.descriptor.clone(), bytes.clone());
        let call = ToThread::new(move || write(&descriptor, &copy), place);
        self.begun = Some(Begun { call, bytes });
    }

    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let begun = self.begun.as_mut().expect("it was begun");
        let outcome = ready!(Pin::new(&mut begun.call).poll(cx));
        self.begun = None;
        Poll::Ready(Ok(outcome??))
    }
}

/// A write that is waited for. Dropping this gives it up if no thread has it yet.
struct Writing<'a>(&'a mut WriterThread);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.0.begun.as_ref().is_some_and(|begun| !begun.call.has_begun()) {
            self.0.begun = None;
        }
    }
}

fn write(descriptor: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match rustix::io::write(descriptor, bytes) {
            Err(Errno::INTR) => {}
            written => return Ok(written?),
        }
    }
}

impl AsFd for WriterThread {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
