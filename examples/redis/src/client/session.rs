//! What the server remembers of a client.

use std::collections::HashSet;
use std::rc::Rc;

use crate::data::Hub;
use crate::data::hub::{Kind, Mailbox, Subscriber};
use crate::resp::reply::Protocol;

#[derive(Debug)]
pub struct Session {
    pub id: u64,
    pub name: Vec<u8>,
    pub protocol: Protocol,
    /// Where its messages go, if it has ever subscribed to anything.
    pub subscriber: Option<Rc<Subscriber>>,
    channels: HashSet<Rc<[u8]>>,
    patterns: HashSet<Rc<[u8]>>,
}

impl Session {
    #[must_use]
    pub fn new(id: u64) -> Session {
        Session {
            id,
            name: Vec::new(),
            protocol: Protocol::default(),
            subscriber: None,
            channels: HashSet::new(),
            patterns: HashSet::new(),
        }
    }

    /// From now on the client can subscribe to something.
    pub fn open_mailbox(&mut self, mailbox: Box<dyn Mailbox>) {
        let protocol = self.protocol.into();
        self.subscriber = Some(Rc::new(Subscriber { id: self.id, protocol, mailbox }));
    }

    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        if let Some(subscriber) = &self.subscriber {
            subscriber.protocol.set(protocol);
        }
    }

    /// How many channels and patterns it has subscribed to.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Everything of this kind that it has subscribed to.
    pub fn subscribed(&mut self, kind: Kind) -> &mut HashSet<Rc<[u8]>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }

    /// Gives up every subscription.
    pub fn unsubscribe_from_all(&mut self, hub: &mut Hub) {
        for kind in [Kind::Channel, Kind::Pattern] {
            let id = self.id;
            self.subscribed(kind).drain().for_each(|name| hub.unsubscribe(kind, &name, id));
        }
    }
}
