//! Channels, patterns, and those who have subscribed to them.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use crate::data::matches;
use crate::resp::reply::{Protocol, Reply};

/// Takes what a subscriber is sent. It does not wait: one that cannot keep up is dropped.
pub trait Mailbox {
    /// Takes a message, which may be shared with other subscribers.
    fn deliver(&self, message: Rc<[u8]>);
}

/// A client that has subscribed to something.
pub struct Subscriber {
    /// The number of the client.
    pub id: u64,
    pub protocol: Cell<Protocol>,
    pub mailbox: Box<dyn Mailbox>,
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Channel,
    Pattern,
}

/// Those who have subscribed to each channel, or to each pattern, in the order of their numbers.
type Subscribers = HashMap<Rc<[u8]>, BTreeMap<u64, Rc<Subscriber>>>;

#[derive(Debug, Default)]
pub struct Hub {
    channels: Subscribers,
    patterns: Subscribers,
}

impl Hub {
    fn of(&mut self, kind: Kind) -> &mut Subscribers {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }

    /// Subscribes to a channel or a pattern, and returns its name. Doing so twice changes nothing.
    pub fn subscribe(&mut self, kind: Kind, name: &[u8], subscriber: &Rc<Subscriber>) -> Rc<[u8]> {
        let all = self.of(kind);
        let name = match all.get_key_value(name) {
            Some((name, _)) => name.clone(),
            None => name.into(),
        };
        all.entry(name.clone()).or_default().insert(subscriber.id, subscriber.clone());
        name
    }

    pub fn unsubscribe(&mut self, kind: Kind, name: &[u8], id: u64) {
        let all = self.of(kind);
        if let Some(subscribers) = all.get_mut(name) {
            subscribers.remove(&id);
            if subscribers.is_empty() {
                all.remove(name);
            }
        }
    }

    /// Sends a message to all who have subscribed to the channel, or to a pattern that it matches.
    /// Returns how many times it was sent.
    pub fn publish(&self, channel: &[u8], payload: &[u8]) -> usize {
        let mut sent = 0;
        if let Some(subscribers) = self.channels.get(channel) {
            sent += send(subscribers.values(), &[b"message", channel, payload]);
        }
        for (pattern, subscribers) in &self.patterns {
            if matches(pattern, channel) {
                sent += send(subscribers.values(), &[b"pmessage", pattern, channel, payload]);
            }
        }
        sent
    }

    /// The channels that somebody has subscribed to.
    pub fn channels(&self) -> impl Iterator<Item = &[u8]> {
        self.channels.keys().map(|channel| &**channel)
    }

    /// How many have subscribed to a channel.
    #[must_use]
    pub fn subscribers(&self, channel: &[u8]) -> usize {
        self.channels.get(channel).map_or(0, BTreeMap::len)
    }

    /// How many patterns somebody has subscribed to.
    #[must_use]
    pub fn patterns(&self) -> usize {
        self.patterns.len()
    }
}

/// Sends one message to all of these. There is one copy of it for each version of the protocol.
fn send<'a>(subscribers: impl Iterator<Item = &'a Rc<Subscriber>>, parts: &[&[u8]]) -> usize {
    let messages = [const { OnceCell::<Rc<[u8]>>::new() }; 2];
    let mut sent = 0;
    for subscriber in subscribers {
        let protocol = subscriber.protocol.get();
        let message = messages[usize::from(protocol == Protocol::Resp3)].get_or_init(|| {
            let mut bytes = Vec::new();
            let mut reply = Reply::new(&mut bytes, protocol);
            reply.push(parts.len());
            parts.iter().for_each(|part| reply.string(part));
            bytes.into()
        });
        subscriber.mailbox.deliver(message.clone());
        sent += 1;
    }
    sent
}
