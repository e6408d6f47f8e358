//! What a command can fail with. The texts are those of Redis, because programs look for them.

use std::borrow::Cow;

use crate::data::store::WrongType;
use crate::resp::request::Arguments;

#[derive(Debug)]
pub(super) struct Failure(Cow<'static, str>);

impl Failure {
    pub(super) const NO_INTEGER: Failure =
        Failure::fixed("ERR value is not an integer or out of range");
    pub(super) const SYNTAX: Failure = Failure::fixed("ERR syntax error");
    pub(super) const NO_SUCH_KEY: Failure = Failure::fixed("ERR no such key");
    pub(super) const TOO_LONG: Failure =
        Failure::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

    pub(super) const fn fixed(text: &'static str) -> Failure {
        Failure(Cow::Borrowed(text))
    }

    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Failure {
        Failure(text.into())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn unknown(arguments: Arguments<'_>) -> Failure {
        let mut text =
            format!("ERR unknown command '{}', with args beginning with:", short(&arguments[0]));
        for argument in arguments.from(1).take(4) {
            text += &format!(" '{}'", short(argument));
        }
        Failure::new(text)
    }

    pub(super) fn unknown_subcommand(command: &str, subcommand: &[u8]) -> Failure {
        let subcommand = short(subcommand);
        Failure::new(format!("ERR unknown subcommand '{subcommand}'. Try {command} HELP."))
    }

    pub(super) fn arity(command: &str) -> Failure {
        let command = command.to_lowercase();
        Failure::new(format!("ERR wrong number of arguments for '{command}' command"))
    }

    pub(super) fn subscribed(command: &str) -> Failure {
        let command = command.to_lowercase();
        Failure::new(format!(
            "ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
             RESET are allowed in this context"
        ))
    }
}

/// As much of an argument as fits into an error.
fn short(argument: &[u8]) -> String {
    String::from_utf8_lossy(&argument[..argument.len().min(128)]).into_owned()
}

impl From<WrongType> for Failure {
    fn from(_: WrongType) -> Failure {
        Failure::fixed("WRONGTYPE Operation against a key holding the wrong kind of value")
    }
}
