//! Publish and subscribe.

use crate::command::Next;
use crate::command::call::{Call, is_word};
use crate::command::failure::Failure;
use crate::data::hub::Kind;
use crate::data::matches;

pub(super) fn subscribe(call: &mut Call<'_>) -> Result<(), Failure> {
    subscribe_to(call, Kind::Channel, "subscribe")
}

pub(super) fn psubscribe(call: &mut Call<'_>) -> Result<(), Failure> {
    subscribe_to(call, Kind::Pattern, "psubscribe")
}

pub(super) fn unsubscribe(call: &mut Call<'_>) -> Result<(), Failure> {
    unsubscribe_from(call, Kind::Channel, "unsubscribe")
}

pub(super) fn punsubscribe(call: &mut Call<'_>) -> Result<(), Failure> {
    unsubscribe_from(call, Kind::Pattern, "punsubscribe")
}

fn subscribe_to(call: &mut Call<'_>, kind: Kind, command: &str) -> Result<(), Failure> {
    let Some(subscriber) = call.session.subscriber.clone() else {
        call.next = Next::Subscribe;
        return Ok(());
    };
    for name in call.arguments_from(1) {
        let kept = call.data.hub.subscribe(kind, name, &subscriber);
        call.session.subscribed(kind).insert(kept);
        confirm(call, command, Some(name));
    }
    Ok(())
}

fn unsubscribe_from(call: &mut Call<'_>, kind: Kind, command: &str) -> Result<(), Failure> {
    if call.arguments.len() > 1 {
        for name in call.arguments_from(1) {
            call.session.subscribed(kind).remove(name);
            call.data.hub.unsubscribe(kind, name, call.session.id);
            confirm(call, command, Some(name));
        }
        return Ok(());
    }
    // From all there are.
    let names: Vec<_> = call.session.subscribed(kind).iter().cloned().collect();
    for name in &names {
        call.session.subscribed(kind).remove(name);
        call.data.hub.unsubscribe(kind, name, call.session.id);
        confirm(call, command, Some(name));
    }
    if names.is_empty() {
        confirm(call, command, None);
    }
    Ok(())
}

fn confirm(call: &mut Call<'_>, command: &str, name: Option<&[u8]>) {
    call.reply.push(3);
    call.reply.string(command);
    call.reply.string_or_null(name);
    call.reply.count(call.session.subscriptions());
}

pub(super) fn publish(call: &mut Call<'_>) -> Result<(), Failure> {
    let sent = call.data.hub.publish(call.argument(1), call.argument(2));
    call.count(sent)
}

pub(super) fn pubsub(call: &mut Call<'_>) -> Result<(), Failure> {
    let subcommand = call.argument(1);
    if is_word(subcommand, "CHANNELS") {
        let pattern = call.arguments.get(2).unwrap_or(b"*");
        let channels = call.data.hub.channels();
        let found: Vec<_> = channels.filter(|channel| matches(pattern, channel)).collect();
        call.reply.array(found.len());
        found.iter().for_each(|channel| call.reply.string(channel));
    } else if is_word(subcommand, "NUMSUB") {
        let channels = call.arguments_from(2);
        call.reply.array(2 * channels.len());
        for channel in channels {
            call.reply.string(channel);
            call.reply.count(call.data.hub.subscribers(channel));
        }
    } else if is_word(subcommand, "NUMPAT") {
        call.reply.count(call.data.hub.patterns());
    } else {
        return Err(Failure::unknown_subcommand("PUBSUB", subcommand));
    }
    Ok(())
}
