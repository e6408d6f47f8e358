//! Commands about the server.

use std::fmt::Write;
use std::process;

use crate::command::Next;
use crate::command::call::{Call, is_word};
use crate::command::failure::Failure;
use crate::data::matches;

/// The version of Redis that clients may take this for.
pub(super) const VERSION: &str = "7.0.0";

/// What clients ask for when they connect.
const CONFIGURATION: &[(&str, &str)] =
    &[("appendonly", "no"), ("databases", "1"), ("maxmemory", "0"), ("save", "")];

pub(super) fn config(call: &mut Call<'_>) -> Result<(), Failure> {
    let subcommand = call.argument(1);
    if is_word(subcommand, "GET") && call.arguments.len() > 2 {
        let asked = |name: &str| {
            call.arguments
                .from(2)
                .any(|pattern| matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
        };
        let found: Vec<_> = CONFIGURATION.iter().filter(|(name, _)| asked(name)).collect();
        call.reply.map(found.len());
        for (name, value) in found {
            call.reply.string(name);
            call.reply.string(value);
        }
        Ok(())
    } else if is_word(subcommand, "SET") {
        Err(Failure::fixed("ERR Unsupported CONFIG parameter: settings are given at the start"))
    } else {
        Err(Failure::unknown_subcommand("CONFIG", subcommand))
    }
}

pub(super) fn dbsize(call: &mut Call<'_>) -> Result<(), Failure> {
    let keys = call.data.store.len();
    call.count(keys)
}

pub(super) fn flush(call: &mut Call<'_>) -> Result<(), Failure> {
    call.store().clear();
    call.ok()
}

pub(super) fn shutdown(call: &mut Call<'_>) -> Result<(), Failure> {
    call.next = Next::Shutdown;
    Ok(())
}

pub(super) fn time(call: &mut Call<'_>) -> Result<(), Failure> {
    let now = call.data.store.now();
    call.reply.array(2);
    call.reply.string((now / 1000).to_string());
    call.reply.string((now % 1000 * 1000).to_string());
    Ok(())
}

pub(super) fn info(call: &mut Call<'_>) -> Result<(), Failure> {
    let (store, counts) = (&call.data.store, &call.data.counts);
    let sections = [
        (
            "Server",
            format!(
                "redis_version:{VERSION}\r\nserver_name:seedbed\r\nredis_mode:standalone\r\n\
                 process_id:{}\r\n",
                process::id()
            ),
        ),
        ("Clients", format!("connected_clients:{}\r\n", counts.clients)),
        ("Memory", format!("used_memory:{}\r\n", memory().unwrap_or_default())),
        (
            "Stats",
            format!(
                "total_connections_received:{}\r\ntotal_commands_processed:{}\r\n\
                 expired_keys:{}\r\npubsub_channels:{}\r\npubsub_patterns:{}\r\n",
                counts.clients_ever,
                counts.commands,
                store.expired(),
                call.data.hub.channels().count(),
                call.data.hub.patterns(),
            ),
        ),
        ("Replication", "role:master\r\nconnected_slaves:0\r\n".to_owned()),
        ("Cluster", "cluster_enabled:0\r\n".to_owned()),
        (
            "Keyspace",
            match store.len() {
                0 => String::new(),
                keys => format!("db0:keys={keys},expires={},avg_ttl=0\r\n", store.deadlines()),
            },
        ),
    ];
    let asked = |name: &str| {
        call.arguments.len() == 1
            || call.arguments.from(1).any(|section| {
                ["ALL", "DEFAULT", "EVERYTHING", name].iter().any(|word| is_word(section, word))
            })
    };
    let mut text = String::new();
    for (name, lines) in sections.iter().filter(|(name, _)| asked(name)) {
        let separator = if text.is_empty() { "" } else { "\r\n" };
        write!(text, "{separator}# {name}\r\n{lines}").expect("a string takes everything");
    }
    call.reply.string(text);
    Ok(())
}

/// The memory of this process, where the system tells.
fn memory() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}
