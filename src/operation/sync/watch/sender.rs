//! Changing a watched value, and what is known of the receivers.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::rc::Rc;

use crate::error::Result;
use crate::error::panic::FirstPanic;
use crate::operation::sync::channel::SendError;
use crate::operation::sync::until::{Awaited, until};
use crate::operation::sync::watch::{Receiver, Ref, Shared};
use crate::operation::waiters::{Told, Waiters};
use crate::schedule::budget;

/// The end of a [`channel`](super::channel()) that changes the value. When the last one is dropped,
/// the receivers are told the end.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// For a sender that has been counted.
    pub(super) fn new(shared: Rc<Shared<T>>) -> Self {
        Sender { shared }
    }

    /// Replaces the value and tells the receivers. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the new value, if there is no receiver; the value is not replaced then.
    /// `?` turns it into an [`Error`](crate::Error).
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            budget::count();
            return Err(SendError::closed(value));
        }
        self.replace(value);
        Ok(())
    }

    /// Replaces the value, even if there is no receiver, and returns the old one. This is not a
    /// checkpoint.
    #[track_caller]
    pub fn send_replace(&self, value: T) -> Ref<T> {
        budget::count();
        let old = mem::replace(&mut *self.to_change(), Rc::new(value));
        self.shared.tell(); // foreign code
        Ref(old)
    }

    fn replace(&self, value: T) {
        budget::count();
        let mut current = self.to_change();
        // Nearly always nobody looks at the old value, and its memory can be used again.
        let old = match Rc::get_mut(&mut current) {
            Some(current) => Old::Value(mem::replace(current, value)),
            None => Old::Shared(mem::replace(&mut *current, Rc::new(value))),
        };
        drop(current);
        let mut panic = FirstPanic::new();
        panic.catch(|| self.shared.tell());
        panic.catch(|| drop(old)); // foreign code
        panic.resume();
    }

    /// Changes the value in place, and tells the receivers. If somebody looks at the value, that
    /// one stays as it is, and a clone of it is changed. This is not a checkpoint.
    ///
    /// # Panics
    ///
    /// If `change` borrows the value from one of the channel's ends.
    #[track_caller]
    pub fn send_modify(&self, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Like [`send_modify`](Self::send_modify), but the receivers are only told if `change` says
    /// that it has changed the value. Returns the same.
    ///
    /// # Panics
    ///
    /// If `change` borrows the value from one of the channel's ends.
    #[track_caller]
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        budget::count();
        let modified = change(Rc::make_mut(&mut self.to_change())); // foreign code
        if modified {
            self.shared.tell(); // foreign code
        }
        modified
    }

    #[track_caller]
    fn to_change(&self) -> std::cell::RefMut<'_, Rc<T>> {
        match self.shared.value.try_borrow_mut() {
            Ok(value) => value,
            Err(_) => panic!("a function that modifies a watched value must not send another"),
        }
    }

    /// The present value.
    #[track_caller]
    pub fn borrow(&self) -> Ref<T> {
        self.shared.snapshot()
    }

    /// Makes a further receiver, which has seen the present value.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(self.shared.clone())
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }

    /// Whether there is no receiver. One can still [subscribe](Self::subscribe).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// It is a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = Result<()>> + Unpin {
        until(NoReceiver(&self.shared), Location::caller())
    }
}

enum Old<T> {
    Value(#[allow(dead_code, reason = "it is dropped")] T),
    Shared(#[allow(dead_code, reason = "it is dropped")] Rc<T>),
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.senders.set(self.shared.senders.get() - 1);
        if self.shared.senders.get() == 0 {
            self.shared.changes.serve_all(); // foreign code
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("watch::Sender").field("value", &self.shared.value).finish_non_exhaustive()
    }
}

struct NoReceiver<'a, T>(&'a Shared<T>);

impl<T> Awaited for NoReceiver<'_, T> {
    const NAME: &'static str = "watch::Sender::closed";

    fn queue(&self) -> &Waiters<Told> {
        &self.0.no_receivers
    }

    fn is_so(&self) -> bool {
        self.0.receivers.get() == 0
    }
}
