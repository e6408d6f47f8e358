//! A client that is also sent what others publish.
//!
//! Until a client subscribes, one task does everything in turn: it reads, executes and writes. What
//! others publish comes at any time, so a subscriber gets a second task that writes. Its replies go
//! through the same queue: what is written stays in order.
//!
//! The two are in a nursery. If one fails, the other is cancelled; if the subscriber cannot keep up,
//! the outbox cancels both; and when this returns, neither is left.

use seedbed::{Error, Result, nursery};

use crate::client::Turn;
use crate::resp::request::Malformed;
use crate::serve::connection::{Connection, Read};
use crate::serve::outbox::outbox;

/// Serves a client whose next request is the first that subscribes.
pub(super) async fn serve(mut connection: Connection<'_>) -> Result<()> {
    let (stream, settings) = (connection.stream, &connection.server.settings);
    let mut refused = None;
    let mut unread = None;
    let client = &mut connection;
    nursery(async |n| {
        let (outbox, writer) = outbox(stream, settings, n.scope());
        unread = Some(outbox.unread());
        client.client.session.open_mailbox(Box::new(outbox));
        n.spawn(writer.write_all());
        refused = converse(client).await?;
        // There will be no more messages, so the writer ends when it has written those there are.
        client.close_mailbox();
        Ok(())
    })
    .await?;
    match refused {
        _ if unread.is_some_and(|unread| unread.has_run_over()) => Err(Error::msg(format_args!(
            "a subscriber was cut off: it has left more than {} bytes unread",
            settings.most_unread
        ))),
        Some(malformed) => Err(malformed.into()),
        None => Ok(()),
    }
}

/// Executes requests until the client leaves, or says something that cannot be understood.
async fn converse(connection: &mut Connection<'_>) -> Result<Option<Malformed>> {
    loop {
        match connection.answer_to_mailbox() {
            Turn::GoOn => {}
            Turn::Read => {
                if connection.read(None).await? == Read::Over {
                    return Ok(None);
                }
            }
            Turn::Close => return Ok(None),
            Turn::Refuse(malformed) => return Ok(Some(malformed)),
            Turn::Shutdown => {
                connection.server.stop.set();
                return Ok(None);
            }
            Turn::Subscribe => unreachable!("it has a mailbox"),
        }
    }
}

impl Connection<'_> {
    /// Executes one request.
    fn answer_to_mailbox(&mut self) -> Turn {
        let mut replies = self.server.buffers.take();
        let turn = self.client.answer(&mut self.server.data(), &mut replies);
        if !replies.is_empty()
            && let Some(subscriber) = &self.client.session.subscriber
        {
            subscriber.mailbox.deliver(replies.as_slice().into());
        }
        turn
    }

    fn close_mailbox(&mut self) {
        let session = &mut self.client.session;
        session.unsubscribe_from_all(&mut self.server.data().hub);
        session.subscriber = None;
    }
}
