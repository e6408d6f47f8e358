//! What a client sends: a request is an array of strings, `*1\r\n$4\r\nPING\r\n`, or a line of
//! words, `PING\r\n`.
//!
//! The parser copies nothing: an argument is a range of the bytes that have arrived. It remembers
//! how far it has come, so a request that arrives in a thousand pieces is not looked at a thousand
//! times. What a client announces is not believed: nothing is allocated before the bytes are there.

use std::fmt;
use std::ops::{Index, Range};

use crate::resp::words;

/// The most arguments that a request may have, as in Redis.
const MOST_ARGUMENTS: usize = 1024 * 1024;
/// The longest line of words, as in Redis.
const LONGEST_WORDS: usize = 64 * 1024;
/// The longest line that says how many arguments there are, or how long one is.
const LONGEST_LENGTH: usize = 32;
/// No request is longer than this, whatever the settings say: ranges are made of `u32`.
pub const LONGEST_REQUEST: usize = 1 << 30;
/// Room for this many arguments is kept from request to request.
const KEPT: usize = 1024;

/// Takes requests apart. It is given the bytes since the beginning of a request, again and again,
/// until the request is complete.
#[derive(Debug)]
pub struct Parser {
    longest: usize,
    step: Step,
    /// Everything before this byte has been understood.
    at: usize,
    /// There is no end of line between `at` and here.
    searched: usize,
    /// How many arguments are yet to come.
    missing: usize,
    arguments: Vec<Range<u32>>,
    /// The words of a line: unlike strings, they may be quoted, so they are copied.
    words: Vec<u8>,
}

/// What comes next in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Beginning,
    Words,
    Count,
    Length,
    String { length: usize },
    Over,
}

impl Parser {
    /// A parser of requests that have at most `longest` bytes.
    #[must_use]
    pub fn new(longest: usize) -> Parser {
        Parser {
            longest: longest.min(LONGEST_REQUEST),
            step: Step::Beginning,
            at: 0,
            searched: 0,
            missing: 0,
            arguments: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Goes on with a request. Returns its length once it is complete; then
    /// [`arguments`](Self::arguments) has what it consists of, and the next call begins another.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Where the next request begins is not known then.
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        if self.step == Step::Over {
            self.restart();
        }
        while self.step != Step::Over {
            let went_on = match self.step {
                Step::Beginning => self.beginning(bytes),
                Step::Words => self.line_of_words(bytes)?,
                Step::Count => self.count(bytes)?,
                Step::Length => self.length(bytes)?,
                Step::String { length } => self.string(bytes, length)?,
                Step::Over => unreachable!("the loop has ended"),
            };
            if went_on.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(self.at))
    }

    /// Forgets what it has seen of a request, which is to be given to it again.
    pub fn restart(&mut self) {
        (self.step, self.at, self.searched) = (Step::Beginning, 0, 0);
        self.arguments.clear();
        self.arguments.shrink_to(KEPT);
        self.words.clear();
        self.words.shrink_to(KEPT);
    }

    /// The arguments of the request that these bytes begin with, and that is complete.
    #[must_use]
    pub fn arguments<'a>(&'a self, bytes: &'a [u8]) -> Arguments<'a> {
        let bytes = if self.words.is_empty() { bytes } else { &self.words };
        Arguments { bytes, ranges: &self.arguments }
    }

    #[cfg(test)]
    pub(super) fn room_for_arguments(&self) -> usize {
        self.arguments.capacity()
    }

    fn beginning(&mut self, bytes: &[u8]) -> Option<()> {
        match bytes.first()? {
            b'*' => (self.at, self.step) = (1, Step::Count),
            _ => self.step = Step::Words,
        }
        Some(())
    }

    fn line_of_words(&mut self, bytes: &[u8]) -> Result<Option<()>, Malformed> {
        let line = self.line(bytes, LONGEST_WORDS)?;
        let Some(line) = line else { return Ok(None) };
        words::split(line, &mut self.words, &mut self.arguments)?;
        self.step = Step::Over;
        Ok(Some(()))
    }

    fn count(&mut self, bytes: &[u8]) -> Result<Option<()>, Malformed> {
        if let Some((count, length)) = short_number(&bytes[self.at..]) {
            (self.missing, self.at) = (count, self.at + length);
        } else {
            let Some(line) = self.line(bytes, LONGEST_LENGTH)? else { return Ok(None) };
            self.missing = number(line)
                .filter(|count| *count <= MOST_ARGUMENTS)
                .ok_or_else(|| Malformed::Count(line.into()))?;
        }
        self.step = if self.missing == 0 { Step::Over } else { Step::Length };
        Ok(Some(()))
    }

    fn length(&mut self, bytes: &[u8]) -> Result<Option<()>, Malformed> {
        match bytes.get(self.at) {
            None => return Ok(None),
            Some(b'$') => {}
            // Requests are not nested, so there is no depth to run out of.
            Some(other) => return Err(Malformed::NoString(*other)),
        }
        let length = match short_number(&bytes[self.at + 1..]) {
            Some((number, length)) => {
                self.at += 1 + length;
                number
            }
            None => {
                let Some(line) = self.line(bytes, LONGEST_LENGTH)? else { return Ok(None) };
                number(&line[1..]).ok_or_else(|| Malformed::Length(line[1..].into()))?
            }
        };
        if length > self.longest.saturating_sub(self.at) {
            return Err(Malformed::TooLong { longest: self.longest });
        }
        self.step = Step::String { length };
        Ok(Some(()))
    }

    fn string(&mut self, bytes: &[u8], length: usize) -> Result<Option<()>, Malformed> {
        let end = self.at + length;
        match bytes.get(end..end + 2) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(_) => return Err(Malformed::NoEnd),
        }
        self.arguments.push(range(self.at..end));
        self.at = end + 2;
        self.missing -= 1;
        self.step = if self.missing == 0 { Step::Over } else { Step::Length };
        Ok(Some(()))
    }

    /// The next line, without its end, once that has arrived.
    fn line<'a>(&mut self, bytes: &'a [u8], longest: usize) -> Result<Option<&'a [u8]>, Malformed> {
        let from = self.at.max(self.searched);
        let until = bytes.len().min(self.at + longest + 1);
        let Some(found) = bytes[from..until].iter().position(|byte| *byte == b'\n') else {
            self.searched = until;
            return match until > self.at + longest {
                true => Err(Malformed::LongLine),
                false => Ok(None),
            };
        };
        let line = &bytes[self.at..from + found];
        self.at = from + found + 1;
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// A number on a line of its own, and the length of the line, if it is as short as nearly always and
/// all there.
fn short_number(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(6).enumerate() {
        match byte {
            b'0'..=b'9' => number = 10 * number + usize::from(byte - b'0'),
            b'\r' if index > 0 && bytes.get(index + 1) == Some(&b'\n') => {
                return Some((number, index + 2));
            }
            _ => return None,
        }
    }
    None
}

/// A number that is not negative, and nothing but digits.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0usize, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// A range of a request, which is no longer than [`LONGEST_REQUEST`].
pub(super) fn range(range: Range<usize>) -> Range<u32> {
    range.start as u32..range.end as u32
}

/// The arguments of a request; the first is the name of a command.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    bytes: &'a [u8],
    ranges: &'a [Range<u32>],
}

impl<'a> Arguments<'a> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// An empty line has none, and so has an empty array. It is to be ignored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let range = self.ranges.get(index)?;
        Some(&self.bytes[range.start as usize..range.end as usize])
    }

    /// All from this one on.
    pub fn from(
        self,
        first: usize,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator {
        (first..self.len().max(first)).map(move |index| self.get(index).expect("it is below `len`"))
    }
}

impl Index<usize> for Arguments<'_> {
    type Output = [u8];

    fn index(&self, index: usize) -> &[u8] {
        let range = &self.ranges[index];
        &self.bytes[range.start as usize..range.end as usize]
    }
}

/// What is wrong with a request. The texts begin as those of Redis do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    Count(Box<[u8]>),
    Length(Box<[u8]>),
    NoString(u8),
    NoEnd,
    LongLine,
    Quotes,
    TooLong { longest: usize },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            Malformed::Count(said) => {
                write!(f, "invalid multibulk length '{}'", said.escape_ascii())?;
                write!(f, ": it has to be a number from 0 to {MOST_ARGUMENTS}")
            }
            Malformed::Length(said) => {
                write!(f, "invalid bulk length '{}'", said.escape_ascii())?;
                f.write_str(": it has to be a number, and not negative")
            }
            Malformed::NoString(byte) => {
                write!(f, "expected '$', got '{}'", byte.escape_ascii())
            }
            Malformed::NoEnd => f.write_str("expected the end of a line after a string"),
            Malformed::LongLine => f.write_str("too big inline request, or a line without an end"),
            Malformed::Quotes => f.write_str("unbalanced quotes in request"),
            Malformed::TooLong { longest } => {
                write!(f, "invalid bulk length: a request has at most {longest} bytes")
            }
        }
    }
}

impl std::error::Error for Malformed {}
