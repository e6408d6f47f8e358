//! What is waiting to be written to a subscriber.
//!
//! Redis copies each message into a buffer of each subscriber. Here they share it: a message takes
//! up memory once, however many are slow to read it. The queue is bounded by bytes, not by
//! messages; one that runs over is cut off, so that a publisher never waits for a subscriber.

use std::cell::Cell;
use std::rc::Rc;

use seedbed::net::TcpStream;
use seedbed::sync::unbounded_channel;
use seedbed::{CancelScope, Receiver, Result, Sender, fail_after};

use crate::client::{ENOUGH, Settings};
use crate::data::hub::Mailbox;

/// What each message costs beside its bytes.
const OVERHEAD: usize = 32;

/// The end that is given messages. It must not wait.
pub(super) struct Outbox {
    queue: Sender<Rc<[u8]>>,
    unread: Rc<Unread>,
    most: usize,
    /// Cancelled when the subscriber is too slow.
    scope: CancelScope,
}

/// The end that writes them.
pub(super) struct Writer<'a> {
    queue: Receiver<Rc<[u8]>>,
    unread: Rc<Unread>,
    stream: &'a TcpStream,
    settings: &'a Settings,
    /// Short messages, to be written together.
    batch: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Unread {
    bytes: Cell<usize>,
    has_run_over: Cell<bool>,
}

impl Unread {
    pub(super) fn has_run_over(&self) -> bool {
        self.has_run_over.get()
    }
}

pub(super) fn outbox<'a>(
    stream: &'a TcpStream,
    settings: &'a Settings,
    scope: CancelScope,
) -> (Outbox, Writer<'a>) {
    let (sender, queue) = unbounded_channel();
    let unread = Rc::<Unread>::default();
    let outbox =
        Outbox { queue: sender, unread: unread.clone(), most: settings.most_unread, scope };
    (outbox, Writer { queue, unread, stream, settings, batch: Vec::new() })
}

impl Outbox {
    pub(super) fn unread(&self) -> Rc<Unread> {
        self.unread.clone()
    }
}

impl Mailbox for Outbox {
    fn deliver(&self, message: Rc<[u8]>) {
        let bytes = self.unread.bytes.get() + message.len() + OVERHEAD;
        // What is alone in the queue may be longer: it is the reply to a request, for example.
        if bytes > self.most && self.unread.bytes.get() > 0 {
            self.unread.has_run_over.set(true);
            self.scope.cancel_with("the subscriber does not read what it is sent");
        } else if self.queue.try_send(message).is_ok() {
            self.unread.bytes.set(bytes);
        } // else its writer has ended, and the connection is about to
    }
}

impl Writer<'_> {
    /// Writes all messages. Ends when there can be no more.
    pub(super) async fn write_all(mut self) -> Result<()> {
        while let Some(message) = self.queue.recv().await? {
            self.write(&message).await?;
            // As many as there are in one system call.
            while let Ok(message) = self.queue.try_recv() {
                self.write(&message).await?;
            }
            self.flush().await?;
        }
        Ok(())
    }

    async fn write(&mut self, message: &[u8]) -> Result<()> {
        if message.len() < ENOUGH {
            self.batch.extend_from_slice(message);
            self.unread.bytes.update(|bytes| bytes - OVERHEAD);
        } else {
            self.flush().await?;
            self.send(message).await?;
            self.unread.bytes.update(|bytes| bytes - OVERHEAD - message.len());
        }
        if self.batch.len() >= ENOUGH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            self.send(&self.batch).await?;
            self.unread.bytes.update(|bytes| bytes - self.batch.len());
            self.batch.clear();
        }
        Ok(())
    }

    async fn send(&self, bytes: &[u8]) -> Result<()> {
        fail_after(self.settings.reply_limit, self.stream.write_all(bytes)).await
    }
}
