//! The application's state.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use seedbed::hyper::OnThread;
use seedbed::sync::broadcast::{self, Receiver, Sender, WhenFull};
use serde::{Deserialize, Serialize};

/// What axum's `State` has. All handlers are on one thread, so this needs no lock.
pub type Shared = OnThread<Rc<App>>;

#[derive(Clone, Serialize)]
pub struct Note {
    pub id: u64,
    pub text: String,
}

#[derive(Deserialize)]
pub struct NewNote {
    pub text: String,
}

/// What becomes of notes.
#[derive(Clone)]
pub enum News {
    Added(Note),
    Removed(Note),
}

/// How many of the news somebody who is slow may be behind.
const NEWS: usize = 1000;

pub struct App {
    notes: RefCell<BTreeMap<u64, Note>>,
    last: Cell<u64>,
    news: Sender<News>,
    /// How many requests were cancelled and have undone what they had begun.
    undone: Cell<u64>,
}

impl App {
    pub fn new() -> App {
        let (news, _) = broadcast::channel(NEWS, WhenFull::DropOldest);
        App { notes: RefCell::default(), last: Cell::new(0), news, undone: Cell::new(0) }
    }

    pub fn add(&self, text: String) -> Note {
        let note = Note { id: self.last.get() + 1, text };
        self.last.set(note.id);
        self.notes.borrow_mut().insert(note.id, note.clone());
        let _nobody_listens = self.news.try_send(News::Added(note.clone()));
        note
    }

    pub fn remove(&self, id: u64) -> Option<Note> {
        let note = self.notes.borrow_mut().remove(&id)?;
        let _nobody_listens = self.news.try_send(News::Removed(note.clone()));
        Some(note)
    }

    pub fn get(&self, id: u64) -> Option<Note> {
        self.notes.borrow().get(&id).cloned()
    }

    /// The first note after that with this number.
    pub fn after(&self, id: u64) -> Option<Note> {
        self.notes.borrow().range(id + 1..).next().map(|(_, note)| note.clone())
    }

    pub fn containing(&self, text: &str) -> Vec<Note> {
        self.notes.borrow().values().filter(|note| note.text.contains(text)).cloned().collect()
    }

    pub fn news(&self) -> Receiver<News> {
        self.news.subscribe()
    }

    pub fn count_undone(&self) {
        self.undone.set(self.undone.get() + 1);
    }

    pub fn summary(&self) -> String {
        let (notes, undone) = (self.notes.borrow().len(), self.undone.get());
        format!("kept {notes} notes; {undone} requests were undone")
    }
}
