//! Keys, their values, and when they expire.
//!
//! A key that is due is gone at once for whoever asks, and its memory is given back when the key is
//! set anew or [the service](crate::serve) comes by. So reading changes nothing.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

/// Milliseconds since 1970.
pub type Millis = u64;

/// A list, from left to right.
pub type List = VecDeque<Box<[u8]>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    String(Vec<u8>),
    List(List),
}

#[derive(Debug)]
struct Entry {
    value: Value,
    deadline: Option<Millis>,
}

impl Entry {
    fn is_due(&self, now: Millis) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// The key has a value of another kind.
#[derive(Clone, Copy, Debug)]
pub struct WrongType;

#[derive(Debug, Default)]
pub struct Store {
    entries: HashMap<Rc<[u8]>, Entry>,
    /// The deadlines of those that have one.
    deadlines: BTreeSet<(Millis, Rc<[u8]>)>,
    now: Millis,
    expired: u64,
}

impl Store {
    /// Sets the time. Nothing here looks at a clock.
    pub fn set_now(&mut self, now: Millis) {
        self.now = now;
    }

    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// How many keys there are, and how many of them have a deadline. Some may be due.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[must_use]
    pub fn deadlines(&self) -> usize {
        self.deadlines.len()
    }

    /// How many keys have expired.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// All keys with their values and deadlines, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value, Option<Millis>)> {
        let entries = self.entries.iter().filter(|(_, entry)| !entry.is_due(self.now));
        entries.map(|(key, entry)| (&**key, &entry.value, entry.deadline))
    }

    fn entry(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| !entry.is_due(self.now))
    }

    fn entry_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.entries.get_mut(key).filter(|entry| !entry.is_due(self.now))
    }

    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        Some(&self.entry(key)?.value)
    }

    /// The string of a key, if there is one.
    ///
    /// # Errors
    ///
    /// If there is something else.
    pub fn string(&self, key: &[u8]) -> Result<Option<&Vec<u8>>, WrongType> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string)),
            Some(_) => Err(WrongType),
        }
    }

    /// The string of a key, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If there is something else.
    pub fn string_mut(&mut self, key: &[u8]) -> Result<&mut Vec<u8>, WrongType> {
        match self.get_or_insert(key, || Value::String(Vec::new())) {
            Value::String(string) => Ok(string),
            Value::List(_) => Err(WrongType),
        }
    }

    /// The list of a key, if there is one.
    ///
    /// # Errors
    ///
    /// If there is something else.
    pub fn list(&self, key: &[u8]) -> Result<Option<&List>, WrongType> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(WrongType),
        }
    }

    /// The list of a key, which is made if it is not there. It must not be left empty.
    ///
    /// # Errors
    ///
    /// If there is something else.
    pub fn list_mut(&mut self, key: &[u8]) -> Result<&mut List, WrongType> {
        match self.get_or_insert(key, || Value::List(List::new())) {
            Value::List(list) => Ok(list),
            Value::String(_) => Err(WrongType),
        }
    }

    /// Changes the list of a key, if there is one, and removes it if it is empty then.
    ///
    /// # Errors
    ///
    /// If there is something else.
    pub fn change_list<T>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut List) -> T,
    ) -> Result<Option<T>, WrongType> {
        let Some(entry) = self.entry_mut(key) else { return Ok(None) };
        let Value::List(list) = &mut entry.value else { return Err(WrongType) };
        let changed = change(list);
        if list.is_empty() {
            self.remove(key);
        }
        Ok(Some(changed))
    }

    fn get_or_insert(&mut self, key: &[u8], new: impl FnOnce() -> Value) -> &mut Value {
        if self.entry(key).is_none() {
            self.insert(key, new(), None);
        }
        &mut self.entries.get_mut(key).expect("it is there now").value
    }

    /// Sets a key, whatever it was before.
    pub fn insert(&mut self, key: &[u8], value: Value, deadline: Option<Millis>) {
        let key = match self.entries.get_mut(key) {
            Some(entry) if entry.deadline.is_none() && deadline.is_none() => {
                entry.value = value;
                return;
            }
            Some(_) => self.take(key).expect("it is there").0,
            None => key.into(),
        };
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, key.clone()));
        }
        self.entries.insert(key, Entry { value, deadline });
    }

    /// Sets a key to a string, and uses the memory of the one before.
    pub fn insert_string(&mut self, key: &[u8], string: &[u8], deadline: Option<Millis>) {
        if deadline.is_none()
            && let Some(Entry { value: Value::String(old), deadline: None }) =
                self.entries.get_mut(key)
            && old.capacity() / 2 <= string.len()
        {
            old.clear();
            old.extend_from_slice(string);
            return;
        }
        self.insert(key, Value::String(string.to_vec()), deadline);
    }

    /// Removes a key, and returns what it was.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value> {
        let (_, entry) = self.take(key)?;
        (!entry.is_due(self.now)).then_some(entry.value)
    }

    fn take(&mut self, key: &[u8]) -> Option<(Rc<[u8]>, Entry)> {
        let (key, entry) = self.entries.remove_entry(key)?;
        match entry.deadline {
            None => Some((key, entry)),
            Some(deadline) => {
                let deadline = (deadline, key);
                self.deadlines.remove(&deadline);
                Some((deadline.1, entry))
            }
        }
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.deadlines.clear();
    }

    /// Gives a value another key, instead of what that was before. Says whether there was one.
    pub fn rename(&mut self, key: &[u8], new: &[u8]) -> Option<()> {
        let (_, entry) = self.take(key).filter(|(_, entry)| !entry.is_due(self.now))?;
        self.insert(new, entry.value, entry.deadline);
        Some(())
    }

    /// When a key expires: `Some(None)` if it never does, `None` if there is none.
    #[must_use]
    pub fn deadline(&self, key: &[u8]) -> Option<Option<Millis>> {
        Some(self.entry(key)?.deadline)
    }

    /// Sets when a key expires. One that is due then is gone. Nothing happens if there is none.
    pub fn set_deadline(&mut self, key: &[u8], deadline: Option<Millis>) {
        if self.entry(key).is_some() {
            let (key, entry) = self.take(key).expect("it is there");
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, key.clone()));
            }
            self.entries.insert(key, Entry { deadline, ..entry });
        }
    }

    /// Gives back the memory of keys that are due, at most so many of them. Returns how many there
    /// were.
    pub fn remove_due(&mut self, most: usize) -> usize {
        let mut removed = 0;
        while removed < most
            && let Some((deadline, _)) = self.deadlines.first()
            && *deadline <= self.now
        {
            let (_, key) = self.deadlines.pop_first().expect("it has a first");
            self.entries.remove(&key);
            removed += 1;
        }
        self.expired += removed as u64;
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Value {
        Value::String(text.into())
    }

    #[test]
    fn a_key_that_is_due_is_gone_at_once_and_its_memory_later() {
        let mut store = Store::default();
        store.set_now(1000);
        store.insert(b"a", string("1"), Some(1500));
        store.insert(b"b", string("2"), Some(1600));
        store.insert(b"c", string("3"), None);
        assert_eq!(store.deadline(b"a"), Some(Some(1500)));
        store.set_now(1500);
        assert_eq!((store.get(b"a"), store.deadline(b"a")), (None, None));
        assert_eq!((store.len(), store.iter().count()), (3, 2));
        store.set_now(2000);
        assert_eq!(store.remove_due(1), 1);
        assert_eq!(store.remove_due(9), 1);
        assert_eq!((store.len(), store.deadlines(), store.expired()), (1, 0, 2));
    }

    #[test]
    fn whatever_replaces_a_value_replaces_its_deadline() {
        let mut store = Store::default();
        store.insert(b"a", string("1"), Some(10));
        store.insert_string(b"a", b"2", None);
        assert_eq!(store.deadlines(), 0);
        store.insert_string(b"a", b"3", Some(20));
        store.set_deadline(b"a", Some(30));
        assert_eq!(store.deadlines(), 1);
        store.set_now(30);
        // It is due, so this is a new list.
        store.list_mut(b"a").unwrap().push_back((*b"x").into());
        assert_eq!((store.deadlines(), store.deadline(b"a")), (0, Some(None)));
        store.set_deadline(b"a", Some(40));
        store.rename(b"a", b"b").unwrap();
        assert_eq!((store.deadlines(), store.deadline(b"b")), (1, Some(Some(40))));
        assert_eq!(store.remove(b"b").map(|_| store.deadlines()), Some(0));
    }

    #[test]
    fn a_list_that_is_left_empty_is_removed() {
        let mut store = Store::default();
        store.list_mut(b"a").unwrap().push_back((*b"x").into());
        assert!(store.change_list(b"a", |list| list.pop_back()).unwrap().is_some());
        assert!(store.is_empty());
        store.insert(b"a", string("1"), None);
        assert!(store.list(b"a").is_err() && store.list_mut(b"a").is_err());
    }
}
