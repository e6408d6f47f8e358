//! The commands: a table of them, and a function for each.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | finding and executing a command |
//! | `table` | the table |
//! | `call` | one call: its arguments, the data, the client, the reply |
//! | `failure` | what a command can fail with |
//! | `strings`, `lists`, `keys`, `channels` | commands on the data |
//! | `deadline` | arguments that say when a key expires |
//! | `connection` | commands about the connection |
//! | `server` | commands about the server |
//! | `docs` | what the table tells `redis-cli` |

mod call;
mod channels;
mod connection;
mod deadline;
mod docs;
mod failure;
mod keys;
mod lists;
mod server;
mod strings;
mod table;

use call::Call;
use failure::Failure;
use table::Command;

use crate::client::session::Session;
use crate::data::Data;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::Arguments;

/// What is to be done after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on with the next.
    GoOn,
    /// Close the connection.
    Close,
    /// Open a mailbox, and execute this command again.
    Subscribe,
    /// Stop the server.
    Shutdown,
}

/// Executes a request, which is not empty, and appends the reply.
pub fn execute(
    request: Arguments<'_>,
    data: &mut Data,
    session: &mut Session,
    replies: &mut Vec<u8>,
) -> Next {
    data.counts.commands += 1;
    let reply = Reply::new(replies, session.protocol);
    let mut call = Call { arguments: request, data, session, reply, next: Next::GoOn };
    let outcome = find(&mut call).and_then(|command| (command.run)(&mut call));
    let failure = match outcome {
        Ok(()) if call.reply.is_too_long() => Failure::new("ERR the reply would be too long"),
        Ok(()) => return call.next,
        Err(failure) => failure,
    };
    call.reply.discard();
    call.reply.error(failure.text());
    Next::GoOn
}

/// Finds a command, and sees that it can be called like this.
fn find(call: &mut Call<'_>) -> Result<&'static Command, Failure> {
    let name = &call.arguments[0];
    let command = table::find(name).ok_or_else(|| Failure::unknown(call.arguments))?;
    if !command.takes(call.arguments.len()) {
        return Err(Failure::arity(command.name));
    }
    // In RESP2 a message looks like a reply, so there must be no replies it could be taken for.
    if call.session.protocol == Protocol::Resp2
        && call.session.subscriptions() > 0
        && !command.is_for_subscribers()
    {
        return Err(Failure::subscribed(command.name));
    }
    Ok(command)
}
