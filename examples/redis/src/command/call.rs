//! One call of a command.

use crate::client::session::Session;
use crate::command::Next;
use crate::command::failure::Failure;
use crate::data::{Data, Store};
use crate::resp::reply::Reply;
use crate::resp::request::Arguments;

pub(super) struct Call<'a> {
    /// The first is the command's name.
    pub(super) arguments: Arguments<'a>,
    pub(super) data: &'a mut Data,
    pub(super) session: &'a mut Session,
    pub(super) reply: Reply<'a>,
    pub(super) next: Next,
}

impl<'a> Call<'a> {
    /// An argument that the command always has.
    pub(super) fn argument(&self, index: usize) -> &'a [u8] {
        self.arguments.get(index).expect("the table says how many there are")
    }

    /// The first argument, which in most commands is a key.
    pub(super) fn key(&self) -> &'a [u8] {
        self.argument(1)
    }

    /// All arguments from this one on.
    pub(super) fn arguments_from(
        &self,
        first: usize,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + use<'a> {
        self.arguments.from(first)
    }

    /// An argument that has to be a number.
    pub(super) fn integer(&self, index: usize) -> Result<i64, Failure> {
        integer(self.argument(index))
    }

    pub(super) fn store(&mut self) -> &mut Store {
        &mut self.data.store
    }

    pub(super) fn ok(&mut self) -> Result<(), Failure> {
        self.reply.simple("OK");
        Ok(())
    }

    pub(super) fn count(&mut self, count: usize) -> Result<(), Failure> {
        self.reply.count(count);
        Ok(())
    }
}

/// What these bytes say if they are an integer as Redis writes it: no `+`, no space, no zero in
/// front.
pub(super) fn integer(bytes: &[u8]) -> Result<i64, Failure> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let is_canonical = match digits {
        [b'0'] => bytes.len() == 1,
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    let number = std::str::from_utf8(bytes).ok().filter(|_| is_canonical);
    number.and_then(|number| number.parse().ok()).ok_or(Failure::NO_INTEGER)
}

/// Whether an argument is this word, in whatever case.
pub(super) fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}
