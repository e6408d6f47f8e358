//! The cases, a file each. A file begins with a description of the work; then comes one function
//! for each subject.

mod broadcast;
mod cancel_storm;
mod companion;
mod fairness;
mod fan_in;
mod generator;
mod growth;
pub mod http;
mod lock;
pub mod memory;
mod nested;
mod oneshot;
mod ping_pong;
mod remote_wake;
mod scope;
mod spawn_join;
pub mod tcp_echo;
mod thread_channel;
mod timeout;
mod timers;
mod udp;
mod watch;
mod yield_storm;

use crate::row::Row;

/// The amount of work.
#[derive(Clone, Copy, PartialEq)]
pub enum Size {
    Full,
    /// All the cases together take less than a minute.
    Quick,
}

impl Size {
    pub fn name(self) -> &'static str {
        self.of("full", "quick")
    }

    pub fn named(name: &str) -> Size {
        let sizes = [Size::Full, Size::Quick];
        sizes.into_iter().find(|size| size.name() == name).expect("it is the name of a size")
    }

    pub fn of<T>(self, full: T, quick: T) -> T {
        match self {
            Size::Full => full,
            Size::Quick => quick,
        }
    }
}

pub struct Case {
    pub name: &'static str,
    pub about: &'static str,
    pub rows: fn(Size) -> Vec<Row>,
}

pub const CASES: &[Case] = &[
    Case {
        name: "spawn_join",
        about: "children that do nothing, spawned and joined",
        rows: spawn_join::rows,
    },
    Case {
        name: "yield_storm",
        about: "1,000 tasks that yield 500 times each",
        rows: yield_storm::rows,
    },
    Case { name: "nested", about: "a yield in tasks within tasks", rows: nested::rows },
    Case {
        name: "ping_pong",
        about: "a message there and back between two tasks",
        rows: ping_pong::rows,
    },
    Case { name: "fan_in", about: "100 senders and one receiver", rows: fan_in::rows },
    Case { name: "lock", about: "a mutex that is free, or handed over", rows: lock::rows },
    Case { name: "oneshot", about: "channels for one message", rows: oneshot::rows },
    Case { name: "watch", about: "the latest value, for 1 to 1,000 tasks", rows: watch::rows },
    Case {
        name: "broadcast",
        about: "a message for each of 1 to 1,000 tasks",
        rows: broadcast::rows,
    },
    Case {
        name: "timers",
        about: "sleeps that are set and cancelled, or fire",
        rows: timers::rows,
    },
    Case { name: "timeout", about: "a time limit around what is ready", rows: timeout::rows },
    Case { name: "scope", about: "cancel scopes and checkpoints", rows: scope::rows },
    Case {
        name: "cancel_storm",
        about: "sleeping children, cancelled and joined",
        rows: cancel_storm::rows,
    },
    Case { name: "tcp_echo", about: "a server that sends back what it gets", rows: tcp_echo::rows },
    Case {
        name: "companion",
        about: "the same, over tokio's streams beside a run",
        rows: companion::rows,
    },
    Case { name: "udp", about: "datagrams there and back, and many in a row", rows: udp::rows },
    Case { name: "http", about: "hyper, plain text, 64 connections", rows: http::rows },
    Case {
        name: "fairness",
        about: "what those that are always ready leave to others",
        rows: fairness::rows,
    },
    Case { name: "generator", about: "items from a generator", rows: generator::rows },
    Case { name: "remote_wake", about: "a thread wakes a task", rows: remote_wake::rows },
    Case {
        name: "thread_channel",
        about: "messages between a thread and a task",
        rows: thread_channel::rows,
    },
    Case { name: "memory", about: "what one that is idle takes", rows: memory::rows },
    Case { name: "growth", about: "whether the cost depends on how many", rows: growth::rows },
];
