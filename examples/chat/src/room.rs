//! Rooms, who is in them, and what was said there.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use async_tungstenite::tungstenite::Utf8Bytes;
use seedbed::sync::broadcast::{self, WhenFull};

use crate::event;
use crate::limits::Limits;
use crate::name::Name;

/// All rooms.
pub(crate) struct Rooms {
    rooms: RefCell<BTreeMap<String, Rc<Room>>>,
    limits: Limits,
}

struct Room {
    events: broadcast::Sender<Utf8Bytes>,
    /// Their names, by what has to differ between them.
    people: RefCell<BTreeMap<String, Name>>,
    said: RefCell<VecDeque<Utf8Bytes>>,
    /// How many messages there have been.
    count: Cell<u64>,
}

/// Why somebody cannot enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Taken,
    TooManyRooms,
}

impl Rooms {
    pub(crate) fn new(limits: Limits) -> Rooms {
        Rooms { rooms: RefCell::default(), limits }
    }

    /// Lets somebody into a room, and tells all others there. Nothing is awaited in between, so
    /// what is said is either in the history or still to be received.
    pub(crate) fn enter(&self, room: &str, name: Name) -> Result<(Visit, Events), Refused> {
        let room = self.room(room)?;
        let key = name.key();
        if room.people.borrow().contains_key(&key) {
            return Err(Refused::Taken);
        }
        room.tell(event::joined(&name));
        room.people.borrow_mut().insert(key, name.clone());
        let mut before = vec![event::welcome(&name, room.people.borrow().values())];
        before.extend(room.said.borrow().iter().cloned());
        let events = Events { before, live: room.events.subscribe() };
        Ok((Visit { room, name, history: self.limits.history }, events))
    }

    fn room(&self, name: &str) -> Result<Rc<Room>, Refused> {
        let mut rooms = self.rooms.borrow_mut();
        if let Some(room) = rooms.get(name) {
            return Ok(room.clone());
        }
        if rooms.len() >= self.limits.rooms {
            // What was said in a room that nobody is in is remembered until a place is needed.
            rooms.retain(|_, room| !room.people.borrow().is_empty());
        }
        if rooms.len() >= self.limits.rooms {
            return Err(Refused::TooManyRooms);
        }
        let (events, _) = broadcast::channel(self.limits.backlog, WhenFull::DropOldest);
        let room = Rc::new(Room {
            events,
            people: RefCell::default(),
            said: RefCell::default(),
            count: Cell::new(0),
        });
        rooms.insert(name.to_owned(), room.clone());
        Ok(room)
    }
}

impl Room {
    /// Tells all who are here. A client that lags behind misses something, and nobody waits for it.
    fn tell(&self, event: Utf8Bytes) {
        let _ = self.events.try_send(event); // it fails if nobody is here
    }
}

/// Somebody's stay in a room, which ends when this is dropped.
pub(crate) struct Visit {
    room: Rc<Room>,
    name: Name,
    history: usize,
}

/// What somebody in a room is told.
pub(crate) struct Events {
    /// What there was before, beginning with a welcome.
    pub(crate) before: Vec<Utf8Bytes>,
    pub(crate) live: broadcast::Receiver<Utf8Bytes>,
}

impl Visit {
    /// Says something to all in the room, oneself included.
    pub(crate) fn say(&self, text: &str) {
        let number = self.room.count.get() + 1;
        self.room.count.set(number);
        let event = event::said(number, &self.name, text);
        let mut said = self.room.said.borrow_mut();
        said.push_back(event.clone());
        if said.len() > self.history {
            said.pop_front();
        }
        drop(said);
        self.room.tell(event);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.room.people.borrow_mut().remove(&self.name.key());
        self.room.tell(event::left(&self.name));
    }
}
