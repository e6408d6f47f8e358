//! What the table tells `redis-cli`, which shows it while one types, and for `help`.

use crate::command::call::{Call, is_word};
use crate::command::failure::Failure;
use crate::command::server::VERSION;
use crate::command::table::{Command, Group, TABLE, find};

pub(super) fn command(call: &mut Call<'_>) -> Result<(), Failure> {
    let subcommand = call.arguments.get(1);
    match subcommand {
        None => {
            call.reply.array(TABLE.len());
            TABLE.iter().for_each(|command| outline(call, command));
        }
        Some(word) if is_word(word, "COUNT") => call.reply.count(TABLE.len()),
        Some(word) if is_word(word, "LIST") => {
            call.reply.array(TABLE.len());
            TABLE.iter().for_each(|command| call.reply.string(command.name.to_lowercase()));
        }
        Some(word) if is_word(word, "DOCS") => {
            let commands: Vec<_> = match call.arguments.len() {
                2 => TABLE.iter().collect(),
                _ => call.arguments_from(2).filter_map(find).collect(),
            };
            call.reply.map(commands.len());
            commands.into_iter().for_each(|command| document(call, command));
        }
        Some(word) => return Err(Failure::unknown_subcommand("COMMAND", word)),
    }
    Ok(())
}

/// Name, arity, flags, and where its keys are: the first, the last, how many to go on by.
fn outline(call: &mut Call<'_>, command: &Command) {
    let keys = match (command.group, command.name) {
        (Group::Connection | Group::PubSub | Group::Server, _) | (_, "KEYS") => (0, 0, 0),
        (_, "MSET" | "MSETNX") => (1, -1, 2),
        (_, "DEL" | "EXISTS" | "MGET" | "UNLINK") => (1, -1, 1),
        (_, "RENAME") => (1, 2, 1),
        _ => (1, 1, 1),
    };
    call.reply.array(6);
    call.reply.string(command.name.to_lowercase());
    call.reply.integer(command.arity.into());
    call.reply.array(0);
    call.reply.integer(keys.0);
    call.reply.integer(keys.1);
    call.reply.integer(keys.2);
}

fn document(call: &mut Call<'_>, command: &Command) {
    call.reply.string(command.name.to_lowercase());
    call.reply.map(if command.usage.is_empty() { 3 } else { 4 });
    for (field, text) in
        [("summary", command.summary), ("since", VERSION), ("group", command.group.name())]
    {
        call.reply.string(field);
        call.reply.string(text);
    }
    if command.usage.is_empty() {
        return;
    }
    call.reply.string("arguments");
    // All of them as one, which is shown as it is.
    call.reply.array(1);
    call.reply.map(2);
    for (field, text) in [("name", command.usage), ("type", "string")] {
        call.reply.string(field);
        call.reply.string(text);
    }
}
