//! The table of commands, in the order of their names.

use crate::command::call::Call;
use crate::command::failure::Failure;
use crate::command::{channels, connection, docs, keys, lists, server, strings};

pub(super) struct Command {
    /// In capitals.
    pub(super) name: &'static str,
    /// How many arguments it takes, its name included; if it is negative, at least so many.
    pub(super) arity: i8,
    pub(super) group: Group,
    /// The arguments as a manual shows them.
    pub(super) usage: &'static str,
    pub(super) summary: &'static str,
    pub(super) run: fn(&mut Call<'_>) -> Result<(), Failure>,
}

/// What a command is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Connection,
    Generic,
    List,
    PubSub,
    Server,
    String,
}

impl Group {
    pub(super) fn name(self) -> &'static str {
        match self {
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Server => "server",
            Group::String => "string",
        }
    }
}

impl Command {
    pub(super) fn takes(&self, arguments: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= arity } else { arguments == arity }
    }

    /// Whether a subscriber may call it in RESP2.
    pub(super) fn is_for_subscribers(&self) -> bool {
        self.name.ends_with("SUBSCRIBE") || matches!(self.name, "PING" | "QUIT" | "RESET")
    }
}

/// Finds a command by its name, in whatever case.
pub(super) fn find(name: &[u8]) -> Option<&'static Command> {
    let letter = usize::from(name.first()?.to_ascii_uppercase().checked_sub(b'A')?);
    let (begin, end) = (BEGINNINGS.get(letter)?, BEGINNINGS.get(letter + 1)?);
    let same_letter = &TABLE[usize::from(*begin)..usize::from(*end)];
    same_letter.iter().find(|command| name.eq_ignore_ascii_case(command.name.as_bytes()))
}

/// Where the commands that begin with each letter begin in the table; and its end.
static BEGINNINGS: [u8; 27] = {
    let (mut beginnings, mut letter, mut command) = ([0; 27], 0, 0);
    while letter < beginnings.len() {
        while command < TABLE.len() && TABLE[command].name.as_bytes()[0] < b'A' + letter as u8 {
            command += 1;
        }
        beginnings[letter] = command as u8;
        letter += 1;
    }
    beginnings
};

macro_rules! table {
    ($($group:ident $arity:literal $name:literal $usage:literal $run:path, $summary:literal;)*) => {
        pub(super) static TABLE: &[Command] = &[$(Command {
            name: $name,
            arity: $arity,
            group: Group::$group,
            usage: $usage,
            summary: $summary,
            run: $run,
        }),*];
    };
}

table! {
    String 3 "APPEND" "key value" strings::append, "Appends to a string.";
    Connection -2 "AUTH" "password" connection::auth, "There is no password.";
    Connection -2 "CLIENT" "ID|GETNAME|INFO|SETNAME name" connection::client, "Tells about this client, or names it.";
    Server -1 "COMMAND" "[COUNT|DOCS|LIST]" docs::command, "Tells about the commands.";
    Server -2 "CONFIG" "GET pattern" server::config, "Tells the settings that clients ask for.";
    Server 1 "DBSIZE" "" server::dbsize, "Counts the keys.";
    String 2 "DECR" "key" strings::decr, "Subtracts 1 from a number.";
    String 3 "DECRBY" "key less" strings::decrby, "Subtracts from a number.";
    Generic -2 "DEL" "key [key ...]" keys::del, "Removes keys.";
    Connection 2 "ECHO" "message" connection::echo, "Returns the message.";
    Generic -2 "EXISTS" "key [key ...]" keys::exists, "Counts the keys that are there.";
    Generic -3 "EXPIRE" "key seconds [NX|XX|GT|LT]" keys::expire, "Sets how long a key stays, in seconds.";
    Generic -3 "EXPIREAT" "key time [NX|XX|GT|LT]" keys::expireat, "Sets when a key expires, in seconds since 1970.";
    Generic 2 "EXPIRETIME" "key" keys::expiretime, "Tells when a key expires, in seconds since 1970.";
    Server -1 "FLUSHALL" "" server::flush, "Removes all keys.";
    Server -1 "FLUSHDB" "" server::flush, "Removes all keys.";
    String 2 "GET" "key" strings::get, "Returns a string.";
    String 2 "GETDEL" "key" strings::getdel, "Returns a string and removes it.";
    String 4 "GETRANGE" "key first last" strings::getrange, "Returns part of a string.";
    String 3 "GETSET" "key value" strings::getset, "Sets a string and returns what it was.";
    Connection -1 "HELLO" "[2|3 [SETNAME name]]" connection::hello, "Chooses the version of the protocol.";
    String 2 "INCR" "key" strings::incr, "Adds 1 to a number.";
    String 3 "INCRBY" "key more" strings::incrby, "Adds to a number.";
    Server -1 "INFO" "[section ...]" server::info, "Tells about the server.";
    Generic 2 "KEYS" "pattern" keys::keys, "Returns the keys that match a pattern.";
    List 3 "LINDEX" "key index" lists::lindex, "Returns an element of a list.";
    List 2 "LLEN" "key" lists::llen, "Returns the length of a list.";
    List -2 "LPOP" "key [count]" lists::lpop, "Takes elements from the left of a list.";
    List -3 "LPUSH" "key element [element ...]" lists::lpush, "Puts elements on the left of a list.";
    List -3 "LPUSHX" "key element [element ...]" lists::lpushx, "Puts elements on the left of a list, if it is there.";
    List 4 "LRANGE" "key first last" lists::lrange, "Returns elements of a list.";
    List 4 "LREM" "key count element" lists::lrem, "Removes elements that equal this one.";
    List 4 "LSET" "key index element" lists::lset, "Sets an element of a list.";
    List 4 "LTRIM" "key first last" lists::ltrim, "Keeps only these elements of a list.";
    String -2 "MGET" "key [key ...]" strings::mget, "Returns several strings.";
    String -3 "MSET" "key value [key value ...]" strings::mset, "Sets several strings.";
    String -3 "MSETNX" "key value [key value ...]" strings::msetnx, "Sets several strings, if none of the keys is there.";
    Generic 2 "PERSIST" "key" keys::persist, "Lets a key stay for ever.";
    Generic -3 "PEXPIRE" "key milliseconds [NX|XX|GT|LT]" keys::pexpire, "Sets how long a key stays, in milliseconds.";
    Generic -3 "PEXPIREAT" "key time [NX|XX|GT|LT]" keys::pexpireat, "Sets when a key expires, in milliseconds since 1970.";
    Generic 2 "PEXPIRETIME" "key" keys::pexpiretime, "Tells when a key expires, in milliseconds since 1970.";
    Connection -1 "PING" "[message]" connection::ping, "Returns PONG, or the message.";
    String 4 "PSETEX" "key milliseconds value" strings::psetex, "Sets a string that stays so long.";
    PubSub -2 "PSUBSCRIBE" "pattern [pattern ...]" channels::psubscribe, "Subscribes to the channels that match patterns.";
    Generic 2 "PTTL" "key" keys::pttl, "Tells how long a key stays, in milliseconds.";
    PubSub 3 "PUBLISH" "channel message" channels::publish, "Sends a message to all subscribers of a channel.";
    PubSub -2 "PUBSUB" "CHANNELS [pattern]|NUMPAT|NUMSUB [channel ...]" channels::pubsub, "Tells about the channels.";
    PubSub -1 "PUNSUBSCRIBE" "[pattern ...]" channels::punsubscribe, "Ends subscriptions to patterns.";
    Connection -1 "QUIT" "" connection::quit, "Closes the connection.";
    Generic 3 "RENAME" "key newkey" keys::rename, "Gives a value another key.";
    Connection 1 "RESET" "" connection::reset, "Sets the connection back to how it began.";
    List -2 "RPOP" "key [count]" lists::rpop, "Takes elements from the right of a list.";
    List -3 "RPUSH" "key element [element ...]" lists::rpush, "Puts elements on the right of a list.";
    List -3 "RPUSHX" "key element [element ...]" lists::rpushx, "Puts elements on the right of a list, if it is there.";
    Connection 2 "SELECT" "0" connection::select, "Chooses the database, of which there is one.";
    String -3 "SET" "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT time|PXAT time|KEEPTTL]" strings::set, "Sets a string.";
    String 4 "SETEX" "key seconds value" strings::setex, "Sets a string that stays so long.";
    String 3 "SETNX" "key value" strings::setnx, "Sets a string, if the key is not there.";
    Server -1 "SHUTDOWN" "" server::shutdown, "Stops the server, as SIGTERM does.";
    String 2 "STRLEN" "key" strings::strlen, "Returns the length of a string.";
    PubSub -2 "SUBSCRIBE" "channel [channel ...]" channels::subscribe, "Subscribes to channels.";
    Server 1 "TIME" "" server::time, "Returns the server's time.";
    Generic 2 "TTL" "key" keys::ttl, "Tells how long a key stays, in seconds.";
    Generic 2 "TYPE" "key" keys::kind, "Tells what kind of value a key has.";
    Generic -2 "UNLINK" "key [key ...]" keys::del, "Removes keys.";
    PubSub -1 "UNSUBSCRIBE" "[channel ...]" channels::unsubscribe, "Ends subscriptions to channels.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_in_whatever_case_and_nothing_else() {
        assert!(TABLE.is_sorted_by(|one, next| one.name < next.name));
        for command in TABLE {
            let found = find(command.name.to_lowercase().as_bytes()).expect("it is in the table");
            assert_eq!(found.name, command.name);
        }
        for name in [&b""[..], b"GETX", b"GE", b"@", b"[", b"z", b"\xff", &[b'A'; 99]] {
            assert!(find(name).is_none());
        }
    }
}
