//! The server: what waits, and so what is written with seedbed.
//!
//! ```text
//! Server::serve          a nursery
//!   ├─ expiry            a service: ends when the others have ended
//!   ├─ the signal        a service: tells the server to stop
//!   └─ seedbed::Server   a child for each client, which stops gracefully
//!        ├─ connection   reads, executes, writes, reads, …
//!        └─ subscriber   once it has subscribed: a nursery of its own
//!             ├─ reads and executes
//!             └─ writes  whatever others have published
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the server, and how it stops |
//! | `connection` | one client: requests in, replies out, within limits |
//! | `subscriber` | a client that is also sent what others publish |
//! | `outbox` | what is waiting to be written to a subscriber |
//! | `expiry` | the service that gives back the memory of expired keys |
//! | `clock` | the time of day |
//!
//! # Why the data are not behind a task
//!
//! The textbook has a task that owns the store, and clients that send it requests through a channel
//! and wait for the answers. That makes sense where tasks move between threads. Here all are on one
//! thread, so a `RefCell` will do: commands do not wait, so nobody can find it borrowed. It takes
//! no messages, and a pipeline of a hundred requests is executed in one go.

mod clock;
mod connection;
mod expiry;
mod outbox;
mod subscriber;

use std::cell::{RefCell, RefMut};
use std::path::Path;
use std::rc::Rc;

use seedbed::net::TcpListener;
use seedbed::{Event, Result, nursery};

use crate::client::budget::Budget;
use crate::client::buffers::Buffers;
use crate::client::{Client, Settings};
use crate::data::{Data, snapshot};
use crate::serve::clock::Clock;

/// What all clients share. It is on one thread, so there is neither an `Arc` nor a lock.
#[derive(Debug)]
pub struct Server {
    data: RefCell<Data>,
    settings: Settings,
    budget: Rc<Budget>,
    buffers: Buffers,
    clock: Clock,
    stop: Event,
}

impl Server {
    /// A server of these data. It is to be made within a run, whose clock it goes by.
    #[must_use]
    pub fn new(data: Data, settings: Settings) -> Server {
        Server {
            data: data.into(),
            budget: Budget::new(settings.budget),
            buffers: Buffers::default(),
            clock: Clock::new(),
            stop: Event::new(),
            settings,
        }
    }

    /// Serves clients until `stop` is ready, or one of them says `SHUTDOWN`. By then every request
    /// that had arrived is answered, and the answers are written, unless that takes longer than the
    /// grace.
    ///
    /// # Errors
    ///
    /// Those of the listener, and of `stop`.
    pub async fn serve<T>(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = Result<T>>,
    ) -> Result<()> {
        nursery(async |n| {
            n.service(expiry::forever(self));
            n.service(async {
                stop.await?;
                self.stop.set();
                Ok(())
            });
            seedbed::Server::new(listener)
                .max_connections(self.settings.most_clients)
                .shutdown_on(self.stop.wait())
                .grace(self.settings.grace)
                .serve(async |stream, _| connection::serve(&stream, self).await)
                .await
        })
        .await
    }

    /// Executes the requests in a file that a server has left, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`snapshot::load`].
    pub fn load(&self, file: &Path) -> Result<(), snapshot::Failed> {
        snapshot::load(&mut self.data(), file)
    }

    /// What is left when it has stopped.
    #[must_use]
    pub fn into_data(self) -> Data {
        self.data.into_inner()
    }

    /// The data, at the present time. They must not be held across an `await`.
    fn data(&self) -> RefMut<'_, Data> {
        let mut data = self.data.borrow_mut();
        data.store.set_now(self.clock.now());
        data
    }

    fn arrive(&self) -> Client {
        let counts = &mut self.data.borrow_mut().counts;
        counts.clients += 1;
        counts.clients_ever += 1;
        Client::new(counts.clients_ever, &self.settings, self.budget.clone())
    }

    fn leave(&self, client: &mut Client) {
        let data = &mut *self.data.borrow_mut();
        data.counts.clients -= 1;
        client.session.unsubscribe_from_all(&mut data.hub);
    }
}
