//! The comments of a file. The lexer leaves them out, so they are what is between the tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::place::Place;

/// A `//` comment that documents nothing.
pub struct Comment<'a> {
    pub at: Place,
    /// What is after the slashes.
    pub text: &'a str,
}

pub struct Lines<'a> {
    /// The lines with code on them, in order. Doc comments count: they are attributes.
    pub code: Vec<usize>,
    pub comments: Vec<Comment<'a>>,
}

/// `tokens` are those of `text`.
pub fn lines_of<'a>(text: &'a str, tokens: &TokenStream) -> Lines<'a> {
    let mut spans = spans_of(tokens);
    spans.sort_unstable();
    let starts = Starts::of(text);
    let mut lines = Lines { code: Vec::new(), comments: Vec::new() };
    let mut end = 0;
    for (from, to) in spans {
        if let Some(gap) = text.get(end..from) {
            add_comments(gap, end, &starts, &mut lines.comments);
        }
        if to > from {
            lines.code.extend(starts.line(from)..=starts.line(to - 1));
        }
        end = end.max(to);
    }
    if let Some(gap) = text.get(end..) {
        add_comments(gap, end, &starts, &mut lines.comments);
    }
    lines.code.sort_unstable();
    lines.code.dedup();
    lines
}

/// Where each token begins and ends, in bytes.
fn spans_of(tokens: &TokenStream) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut streams = vec![tokens.clone()];
    while let Some(stream) = streams.pop() {
        for token in stream {
            let mut add = |span: proc_macro2::Span| {
                let range = span.byte_range();
                spans.push((range.start, range.end));
            };
            match token {
                TokenTree::Group(group) => {
                    if group.delimiter() != Delimiter::None {
                        add(group.span_open());
                        add(group.span_close());
                    }
                    streams.push(group.stream());
                }
                other => add(other.span()),
            }
        }
    }
    spans
}

/// Where each line begins, in bytes.
struct Starts<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl Starts<'_> {
    fn of(text: &str) -> Starts<'_> {
        let after_newlines = text.match_indices('\n').map(|(i, _)| i + 1);
        Starts { text, starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }

    fn place(&self, byte: usize) -> Place {
        let line = self.line(byte);
        let before = self.text.get(self.starts[line - 1]..byte).unwrap_or_default();
        Place { line, column: before.chars().count() + 1 }
    }
}

/// Finds the comments in what is between two tokens, which begins at byte `from`.
fn add_comments<'a>(gap: &'a str, from: usize, starts: &Starts<'_>, to: &mut Vec<Comment<'a>>) {
    let mut rest = gap;
    while let Some(i) = rest.find('/') {
        let begin = from + (gap.len() - rest.len()) + i;
        let comment = &rest[i..];
        let length = if let Some(text) = comment.strip_prefix("//") {
            let text = text.lines().next().unwrap_or_default();
            to.push(Comment { at: starts.place(begin), text });
            "//".len() + text.len()
        } else {
            block_length(comment)
        };
        rest = &comment[length..];
    }
}

/// The length of the block comment that this begins with. They nest.
fn block_length(text: &str) -> usize {
    let (mut i, mut depth) = (0, 0_usize);
    while i < text.len() {
        let step = match text.as_bytes()[i..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth = depth.saturating_sub(1);
                2
            }
            _ => 1,
        };
        i += step;
        if depth == 0 {
            break;
        }
    }
    // What is not ASCII is inside, so this is at the end of a character.
    i
}
