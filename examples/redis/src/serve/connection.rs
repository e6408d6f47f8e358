//! One client: requests in, replies out, within limits.

use std::time::{Duration, Instant};

use seedbed::net::TcpStream;
use seedbed::{Error, Result, TooSlow, fail_after, fail_at, move_on_after, now, until_stopped};

use crate::client::budget::OverBudget;
use crate::client::{Client, ENOUGH, Turn};
use crate::serve::{Server, subscriber};

/// How long it may take to tell a client why its connection is closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A client and its socket. Dropping it ends its subscriptions.
pub(super) struct Connection<'a> {
    pub(super) server: &'a Server,
    pub(super) stream: &'a TcpStream,
    pub(super) client: Client,
    /// Until when the rest of a request has to arrive.
    deadline: Option<Instant>,
}

/// What came of a read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Some,
    /// The client has ended its side, or has been silent for too long, or the server stops.
    Over,
}

/// Serves a client until it leaves. The caller closes the stream, with time for what was written
/// last to arrive.
pub(super) async fn serve(stream: &TcpStream, server: &Server) -> Result<()> {
    stream.set_nodelay(true)?;
    stream.set_keepalive(Some(server.settings.keepalive))?;
    let connection = Connection { server, stream, client: server.arrive(), deadline: None };
    let outcome = connection.serve().await;
    if let Err(error) = &outcome
        && (error.is::<OverBudget>() || error.is::<TooSlow>())
    {
        let words = format!("-ERR {error}\r\n");
        move_on_after(LAST_WORDS, stream.write_all(words.as_bytes())).await?;
    }
    outcome
}

impl Connection<'_> {
    async fn serve(mut self) -> Result<()> {
        loop {
            let mut replies = self.server.buffers.take();
            let turn = self.client.answer(&mut self.server.data(), &mut replies);
            if !replies.is_empty() {
                self.write(&replies).await?;
            }
            drop(replies); // others can use the buffer while this one waits
            match turn {
                Turn::GoOn => {}
                Turn::Read => {
                    if self.read(self.server.settings.idle_limit).await? == Read::Over {
                        return Ok(());
                    }
                }
                Turn::Subscribe => return subscriber::serve(self).await,
                Turn::Close => return Ok(()),
                Turn::Refuse(malformed) => return Err(Error::from(malformed)),
                Turn::Shutdown => {
                    self.server.stop.set();
                    return Ok(());
                }
            }
        }
    }

    /// Writes the replies to all requests that had arrived, at once.
    async fn write(&self, replies: &[u8]) -> Result<()> {
        let _taken = match replies.len() > 2 * ENOUGH {
            true => Some(self.server.budget.take(replies.len())?),
            false => None,
        };
        fail_after(self.server.settings.reply_limit, self.stream.write_all(replies)).await
    }

    /// Waits for requests. A stop of the server ends the wait, but not in the midst of a request.
    pub(super) async fn read(&mut self, idle_limit: Option<Duration>) -> Result<Read> {
        let input = &mut self.client.input;
        let limit = self.server.settings.request_limit;
        let read = if input.is_amid_request() {
            let deadline = *self.deadline.get_or_insert_with(|| now() + limit);
            Some(fail_at(deadline, self.stream.read(input.room()?)).await?)
        } else {
            self.deadline = None;
            let read = until_stopped(self.stream.read(input.room()?));
            match idle_limit {
                None => read.await?,
                Some(limit) => move_on_after(limit, read).await?.flatten(),
            }
        };
        match read {
            None | Some(0) => Ok(Read::Over),
            Some(read) => {
                input.filled(read);
                Ok(Read::Some)
            }
        }
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.server.leave(&mut self.client);
    }
}
