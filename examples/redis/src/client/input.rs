//! The bytes that a client has sent and that are not answered yet.
//!
//! There may be ten thousand clients, nearly all of them idle, so the buffer begins small. It grows
//! as far as a client fills it, and shrinks again. What goes beyond the usual is taken from a
//! [budget](Budget) that all clients share, so that many clients with requests of 64 MB each do not
//! take up all the memory there is.

use std::rc::Rc;

use crate::client::budget::{Budget, OverBudget, Taken};
use crate::resp::request::{Arguments, Malformed, Parser};

/// The least that is read at once.
const LEAST: usize = 1024;
/// The most that is read at once, unless a single request is longer.
const USUAL: usize = 64 * 1024;
/// After this many reads that left most of the buffer empty, it shrinks.
const PATIENCE: u8 = 16;

/// A buffer between reading from a client and taking its requests apart.
#[derive(Debug)]
pub struct Input {
    /// All of it has been written to before: what is read goes in here.
    buffer: Vec<u8>,
    /// What has arrived and was not returned yet.
    begin: usize,
    end: usize,
    /// Where the request begins that was returned last.
    last: usize,
    parser: Parser,
    was_filled: bool,
    small_reads: u8,
    budget: Rc<Budget>,
    taken: Option<Taken>,
}

impl Input {
    /// A buffer for requests of at most `longest` bytes.
    #[must_use]
    pub fn new(longest: usize, budget: Rc<Budget>) -> Input {
        Input {
            buffer: Vec::new(),
            begin: 0,
            end: 0,
            last: 0,
            parser: Parser::new(longest),
            was_filled: false,
            small_reads: 0,
            budget,
            taken: None,
        }
    }

    /// Where to put what is read next; it is never empty.
    ///
    /// # Errors
    ///
    /// If the requests of all clients together are too long.
    pub fn room(&mut self) -> Result<&mut [u8], OverBudget> {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if self.end == 0 && self.buffer.len() > USUAL {
            self.resize(USUAL);
            self.taken = None;
        } else if self.end == 0 && self.small_reads == PATIENCE && self.buffer.len() > LEAST {
            self.small_reads = 0;
            self.resize(self.buffer.len() / 2);
        } else if self.end == self.buffer.len() || self.was_filled && self.buffer.len() < USUAL {
            let length = (self.buffer.len() * 2).max(LEAST);
            if length > USUAL {
                self.taken = None;
                self.taken = Some(self.budget.take(length)?);
            }
            self.resize(length);
            self.was_filled = false;
        }
        Ok(&mut self.buffer[self.end..])
    }

    fn resize(&mut self, length: usize) {
        self.buffer.resize(length, 0);
        self.buffer.shrink_to_fit();
    }

    /// Says that this much of the [room](Self::room) has been filled.
    pub fn filled(&mut self, bytes: usize) {
        let room = self.buffer.len() - self.end;
        self.end += bytes;
        self.was_filled = bytes == room;
        self.small_reads = match bytes < room / 4 {
            true => PATIENCE.min(self.small_reads + 1),
            false => 0,
        };
    }

    /// The next request, if all of it has arrived.
    ///
    /// # Errors
    ///
    /// If it is not one. Nothing that comes after it can be understood.
    #[expect(clippy::should_implement_trait, reason = "it lends what it returns")]
    pub fn next(&mut self) -> Result<Option<Arguments<'_>>, Malformed> {
        let bytes = &self.buffer[self.begin..self.end];
        let Some(length) = self.parser.parse(bytes)? else { return Ok(None) };
        self.last = self.begin;
        self.begin += length;
        Ok(Some(self.parser.arguments(bytes)))
    }

    /// Puts the request back that was returned last.
    pub fn put_back(&mut self) {
        self.begin = self.last;
        self.parser.restart();
    }

    /// Whether part of a request has arrived.
    #[must_use]
    pub fn is_amid_request(&self) -> bool {
        self.begin < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(budget: usize) -> Input {
        Input::new(1 << 20, Budget::new(budget))
    }

    fn fill(input: &mut Input, mut bytes: &[u8]) -> Result<(), OverBudget> {
        while !bytes.is_empty() {
            let room = input.room()?;
            let n = room.len().min(bytes.len());
            room[..n].copy_from_slice(&bytes[..n]);
            input.filled(n);
            bytes = &bytes[n..];
        }
        Ok(())
    }

    #[test]
    fn a_buffer_grows_with_what_is_sent_and_shrinks_when_it_is_done() {
        let mut input = input(usize::MAX);
        assert_eq!(input.room().unwrap().len(), LEAST);
        let value = [b'x'; 500_000];
        fill(&mut input, b"*2\r\n$4\r\nECHO\r\n$500000\r\n").unwrap();
        assert_eq!(input.buffer.len(), LEAST, "what is announced is not believed");
        fill(&mut input, &value).unwrap();
        assert!(input.next().unwrap().is_none());
        fill(&mut input, b"\r\nPING\r\n").unwrap();
        assert_eq!(input.next().unwrap().unwrap().get(1), Some(&value[..]));
        assert_eq!(input.next().unwrap().unwrap().get(0), Some(&b"PING"[..]));
        assert!(input.buffer.len() >= 500_000 && input.taken.is_some());
        assert_eq!(input.room().unwrap().len(), USUAL);
        assert!(input.taken.is_none());
        for _ in 0..1000 {
            fill(&mut input, b"PING\r\n").unwrap();
            assert!(input.next().unwrap().is_some());
        }
        assert_eq!(input.buffer.len(), LEAST);
    }

    #[test]
    fn long_requests_of_all_clients_share_a_budget() {
        let budget = Budget::new(300 * 1024);
        let mut clients = [(); 2].map(|()| Input::new(1 << 20, budget.clone()));
        let long = [b"*1\r\n$200000\r\n", &[b'x'; 200_000][..], b"\r\n"].concat();
        fill(&mut clients[0], &long).unwrap();
        assert!(fill(&mut clients[1], &long).is_err());
        assert!(clients[0].next().unwrap().is_some());
        clients[0].room().unwrap();
        let mut third = Input::new(1 << 20, budget.clone());
        drop(clients);
        fill(&mut third, &long).unwrap();
    }

    #[test]
    fn a_request_can_be_put_back() {
        let mut input = input(0);
        fill(&mut input, b"*1\r\n$1\r\na\r\nb\r\n").unwrap();
        for _ in 0..2 {
            assert_eq!(input.next().unwrap().unwrap().get(0), Some(&b"a"[..]));
            input.put_back();
        }
        for expected in [b"a", b"b"] {
            assert_eq!(input.next().unwrap().unwrap().get(0), Some(&expected[..]));
        }
        assert!(!input.is_amid_request());
    }
}
