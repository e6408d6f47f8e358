//! Notifications: for one task or for all, stored or not. The first byte says which primitive it
//! is; each further byte is a step.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use seedbed::Result;
use seedbed::sync::{Condition, Mutex, Notify};

use super::{OPERATIONS, Operation};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It stores what nobody waits for.
    Notify,
    /// It stores nothing, and takes a mutex, which is free whenever it is asked for here. A task
    /// that is cancelled before it has taken that has not been notified.
    Condition,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Notice {
    ToOne,
    ToAll,
}

struct Subject {
    kind: Kind,
    notify: Notify,
    condition: Condition,
    mutex: Mutex<()>,
}

impl Subject {
    fn begin(&self) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        match self.kind {
            Kind::Notify => Box::pin(self.notify.notified()),
            Kind::Condition => Box::pin(async {
                let guard = self.mutex.lock().await?;
                self.condition.wait(guard).await.map(drop)
            }),
        }
    }

    fn notify_one(&self) {
        match self.kind {
            Kind::Notify => self.notify.notify_one(),
            Kind::Condition => self.condition.notify_one(),
        }
    }

    fn notify_all(&self) {
        match self.kind {
            Kind::Notify => self.notify.notify_waiters(),
            Kind::Condition => self.condition.notify_all(),
        }
    }
}

struct Waits<'a> {
    operation: Operation<'a, ()>,
    given: Option<Notice>,
}

struct Model<'a> {
    subject: &'a Subject,
    places: Vec<Option<Waits<'a>>>,
    queue: VecDeque<usize>,
    stored: bool,
}

impl Model<'_> {
    /// The next one in the queue is notified. False if there is none.
    fn tell_next(&mut self, notice: Notice) -> bool {
        while let Some(at) = self.queue.pop_front() {
            let waits = self.places[at].as_mut().expect("it waits");
            if !waits.operation.is_cancelled() {
                assert_eq!(waits.given.replace(notice), None);
                return true;
            }
        }
        false
    }

    fn tell_one(&mut self) {
        if !self.tell_next(Notice::ToOne) && self.subject.kind == Kind::Notify {
            self.stored = true;
        }
    }

    fn begin(&mut self, at: usize) {
        if self.places[at].is_some() {
            return;
        }
        let mut operation = Operation::new(self.subject.begin());
        match operation.poll() {
            Some(outcome) => {
                assert_eq!(outcome, Some(()));
                assert!(std::mem::take(&mut self.stored));
            }
            None => {
                assert!(!self.stored);
                self.places[at] = Some(Waits { operation, given: None });
                self.queue.push_back(at);
            }
        }
    }

    fn poll(&mut self, at: usize) {
        let Some(mut waits) = self.places[at].take() else { return };
        let cancelled = waits.operation.is_cancelled();
        match (waits.operation.poll(), waits.given) {
            (None, given) => {
                assert!(given.is_none() && !cancelled);
                self.places[at] = Some(waits);
            }
            (Some(Some(())), given) => {
                assert!(given.is_some());
                assert!(!cancelled || self.subject.kind == Kind::Notify);
            }
            (Some(None), given) => {
                assert!(cancelled);
                assert!(given.is_none() || self.subject.kind == Kind::Condition);
                self.leave(at, given);
            }
        }
    }

    /// It does not go on; what it was given is passed on.
    fn leave(&mut self, at: usize, given: Option<Notice>) {
        self.queue.retain(|other| *other != at);
        if given == Some(Notice::ToOne) {
            self.tell_one();
        }
    }

    fn drop(&mut self, at: usize) {
        if let Some(Waits { operation, given }) = self.places[at].take() {
            drop(operation);
            self.leave(at, given);
        }
    }

    fn step(&mut self, step: u8) {
        let at = usize::from(step) % OPERATIONS;
        match usize::from(step) / OPERATIONS % 12 {
            0..4 => self.begin(at),
            4 | 5 => {
                if let Some(waits) = &self.places[at] {
                    waits.operation.scope.cancel();
                }
            }
            6 | 7 => self.poll(at),
            8 => self.drop(at),
            9 if at == 0 => {
                self.subject.notify_all();
                while self.tell_next(Notice::ToAll) {}
            }
            _ => {
                self.subject.notify_one();
                self.tell_one();
            }
        }
        for waits in self.places.iter().flatten() {
            let due = waits.given.is_some() || waits.operation.is_cancelled();
            assert!(waits.operation.is_woken() || !due, "who is served or cancelled is woken");
        }
    }
}

pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let kind = if kind % 2 == 0 { Kind::Notify } else { Kind::Condition };
    let (notify, condition, mutex) = (Notify::new(), Condition::new(), Mutex::new(()));
    let subject = Subject { kind, notify, condition, mutex };
    super::steps(|| {
        let places = (0..OPERATIONS).map(|_| None).collect();
        let mut model = Model { subject: &subject, places, queue: VecDeque::new(), stored: false };
        bytes.iter().for_each(|step| model.step(*step));
        (0..OPERATIONS).for_each(|at| model.drop(at));
        model.begin(0); // it goes on if one is stored
    });
    assert!(subject.mutex.try_lock().is_some(), "it is unlocked");
}
