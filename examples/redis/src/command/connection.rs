//! Commands about the connection.

use crate::command::Next;
use crate::command::call::{Call, is_word};
use crate::command::failure::Failure;
use crate::resp::reply::Protocol;

pub(super) fn ping(call: &mut Call<'_>) -> Result<(), Failure> {
    let text = call.arguments.get(1);
    if call.session.protocol == Protocol::Resp2 && call.session.subscriptions() > 0 {
        // It has to look like a message.
        call.reply.array(2);
        call.reply.string("pong");
        call.reply.string(text.unwrap_or_default());
    } else if let Some(text) = text {
        call.reply.string(text);
    } else {
        call.reply.simple("PONG");
    }
    Ok(())
}

pub(super) fn echo(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.string(call.argument(1));
    Ok(())
}

pub(super) fn select(call: &mut Call<'_>) -> Result<(), Failure> {
    match call.integer(1)? {
        0 => call.ok(),
        _ => Err(Failure::fixed("ERR DB index is out of range: there is one database, 0")),
    }
}

pub(super) fn auth(_: &mut Call<'_>) -> Result<(), Failure> {
    Err(Failure::fixed(
        "ERR AUTH <password> called without any password configured for the default user. Are you \
         sure your configuration is correct?",
    ))
}

pub(super) fn quit(call: &mut Call<'_>) -> Result<(), Failure> {
    call.next = Next::Close;
    call.ok()
}

pub(super) fn reset(call: &mut Call<'_>) -> Result<(), Failure> {
    call.session.unsubscribe_from_all(&mut call.data.hub);
    call.session.name.clear();
    call.session.set_protocol(Protocol::Resp2);
    call.reply.set_protocol(Protocol::Resp2);
    call.reply.simple("RESET");
    Ok(())
}

pub(super) fn hello(call: &mut Call<'_>) -> Result<(), Failure> {
    let protocol = match call.arguments.get(1) {
        None => call.session.protocol,
        Some(b"2") => Protocol::Resp2,
        Some(b"3") => Protocol::Resp3,
        Some(_) => return Err(Failure::fixed("NOPROTO unsupported protocol version")),
    };
    let mut options = call.arguments_from(2);
    let mut name = None;
    while let Some(option) = options.next() {
        match options.next() {
            Some(argument) if is_word(option, "SETNAME") => name = Some(argument),
            _ if is_word(option, "AUTH") => return auth(call),
            _ => {
                let option = String::from_utf8_lossy(option).into_owned();
                return Err(Failure::new(format!("ERR Syntax error in HELLO option '{option}'")));
            }
        }
    }
    if let Some(name) = name {
        set_name(call, name)?;
    }
    call.session.set_protocol(protocol);
    call.reply.set_protocol(protocol);
    call.reply.map(6);
    for (field, text) in [("server", "redis"), ("version", super::server::VERSION)] {
        call.reply.string(field);
        call.reply.string(text);
    }
    call.reply.string("proto");
    call.reply.integer(protocol.version());
    call.reply.string("id");
    call.reply.count(call.session.id as usize);
    call.reply.string("role");
    call.reply.string("master");
    call.reply.string("modules");
    call.reply.array(0);
    Ok(())
}

fn set_name(call: &mut Call<'_>, name: &[u8]) -> Result<(), Failure> {
    if !name.iter().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::fixed(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    call.session.name = name.to_vec();
    Ok(())
}

pub(super) fn client(call: &mut Call<'_>) -> Result<(), Failure> {
    let (subcommand, argument) = (call.argument(1), call.arguments.get(2));
    match argument {
        None if is_word(subcommand, "ID") => call.count(call.session.id as usize),
        None if is_word(subcommand, "GETNAME") => {
            call.reply.string(&call.session.name);
            Ok(())
        }
        None if is_word(subcommand, "INFO") => {
            call.reply.string(format!(
                "id={} name={} sub={} resp={}\n",
                call.session.id,
                String::from_utf8_lossy(&call.session.name),
                call.session.subscriptions(),
                call.session.protocol.version(),
            ));
            Ok(())
        }
        Some(name) if is_word(subcommand, "SETNAME") => {
            set_name(call, name)?;
            call.ok()
        }
        // What libraries tell of themselves.
        Some(_) if is_word(subcommand, "SETINFO") => call.ok(),
        _ => Err(Failure::unknown_subcommand("CLIENT", subcommand)),
    }
}
