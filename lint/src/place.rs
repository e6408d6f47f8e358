//! Where something is in a file, as the compiler and the run-time errors count it.

use std::fmt;

use proc_macro2::Span;

/// A line and a column, both from 1. A column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// Where `span` begins.
    pub fn of(span: Span) -> Place {
        let start = span.start();
        Place { line: start.line, column: start.column + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
