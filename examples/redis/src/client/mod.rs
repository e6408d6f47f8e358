//! A client, apart from its socket.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | answering the requests that have arrived |
//! | `input` | the bytes that have arrived and are not answered yet |
//! | `session` | what the server remembers of a client |
//! | `buffers` | buffers for replies, which clients take turns with |
//! | `budget` | a budget of memory that all clients share |
//! | `settings` | what a client may do |

pub mod budget;
pub mod buffers;
pub mod input;
pub mod session;
mod settings;

use std::rc::Rc;

pub use settings::Settings;

use crate::client::budget::Budget;
use crate::client::input::Input;
use crate::client::session::Session;
use crate::command::{self, Next};
use crate::data::Data;
use crate::resp::reply::Reply;
use crate::resp::request::Malformed;

/// Once there are this many bytes of replies they are written, before the next request is executed.
/// So a client that sends much and reads nothing has to wait.
pub const ENOUGH: usize = 64 * 1024;

/// A client: what it has sent, and what is known of it.
#[derive(Debug)]
pub struct Client {
    pub input: Input,
    pub session: Session,
}

/// What is to be done when the replies so far have been written.
#[derive(Debug)]
pub enum Turn {
    /// Every request that has arrived is answered: read more.
    Read,
    /// There are more requests to be answered.
    GoOn,
    /// The next request needs a mailbox.
    Subscribe,
    /// Close the connection.
    Close,
    /// Close it because of this request. The client has been told.
    Refuse(Malformed),
    /// Stop the server.
    Shutdown,
}

impl Client {
    #[must_use]
    pub fn new(id: u64, settings: &Settings, budget: Rc<Budget>) -> Client {
        Client { input: Input::new(settings.longest_request, budget), session: Session::new(id) }
    }

    /// Executes the requests that have arrived, and appends the replies.
    ///
    /// For a subscriber it is one request at a time, because others' messages come in between.
    pub fn answer(&mut self, data: &mut Data, replies: &mut Vec<u8>) -> Turn {
        loop {
            let request = match self.input.next() {
                Ok(Some(request)) => request,
                Ok(None) => return Turn::Read,
                Err(malformed) => {
                    let mut reply = Reply::new(replies, self.session.protocol);
                    reply.error(&format!("ERR {malformed}"));
                    return Turn::Refuse(malformed);
                }
            };
            if request.is_empty() {
                continue;
            }
            match command::execute(request, data, &mut self.session, replies) {
                Next::GoOn => {}
                Next::Close => return Turn::Close,
                Next::Shutdown => return Turn::Shutdown,
                Next::Subscribe => {
                    self.input.put_back();
                    return Turn::Subscribe;
                }
            }
            if replies.len() >= ENOUGH || self.session.subscriber.is_some() {
                return Turn::GoOn;
            }
        }
    }
}
