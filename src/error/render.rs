//! Errors as text: `Display` is one line for logs, `Debug` is the tree that `main` prints.

use std::error::Error as StdError;
use std::fmt::{self, Write};

use super::foreign::causes::Walk;
use super::foreign::convert::{Ours, ours};
use super::{Cancelled, Error, Group, Member, Origin, Reason, Repr};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_dyn(), f)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.heading())?;
        let mut groups = vec![self.errors().enumerate()];
        while let Some(group) = groups.last_mut() {
            match group.next() {
                Some((index, error)) => {
                    if index > 0 {
                        f.write_str("; ")?;
                    }
                    match error.as_group() {
                        Some(group) => {
                            write!(f, "({}: ", group.heading())?;
                            groups.push(group.errors().enumerate());
                        }
                        None => f.write_str(&error.one_line())?,
                    }
                }
                None => {
                    groups.pop();
                    if !groups.is_empty() {
                        f.write_str(")")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Error {
    /// The text of `Display` in one line, even if a foreign error's text has line breaks.
    pub(crate) fn one_line(&self) -> String {
        in_one_line(self.to_string())
    }

    /// The same, but cut off after `most` bytes, for use inside other texts.
    pub(super) fn brief(&self, most: usize) -> String {
        let mut brief = Brief { text: String::new(), left: most };
        if write!(brief, "{self}").is_err() {
            brief.text.push('…');
        }
        in_one_line(brief.text)
    }
}

fn in_one_line(text: String) -> String {
    if text.contains('\n') {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    } else {
        text
    }
}

/// A text that takes no more than `left` bytes.
struct Brief {
    text: String,
    left: usize,
}

impl Write for Brief {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let part = &text[..text.floor_char_boundary(self.left)];
        self.text.push_str(part);
        self.left -= part.len();
        if part.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The tree, with `{:?}` and with `{:#?}`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Tree::new(f).error(self, None)
    }
}

/// The same tree as [`Error`]'s.
impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Tree::new(f).group(self, None)
    }
}

/// Writes lines, each after the branches of the tree that it belongs to.
struct Tree<'a> {
    out: &'a mut dyn Write,
    /// The beginning of each line after the current one.
    indent: String,
    /// How deep in the tree it is.
    depth: usize,
}

/// How deep a tree is shown in full. Anything below is shown briefly.
const DEPTH: usize = 64;

/// How many bytes of the text of an error below that are shown.
const BELOW_DEPTH: usize = 4000;

impl Tree<'_> {
    fn new(out: &mut dyn Write) -> Tree<'_> {
        Tree { out, indent: String::new(), depth: 0 }
    }

    /// Writes an error in full. It is one of a nursery's failures if there is a `member`.
    fn error(&mut self, error: &Error, member: Option<&Member>) -> fmt::Result {
        if self.depth > DEPTH {
            return self.out.write_str(&error.brief(BELOW_DEPTH));
        }
        match &error.0 {
            Repr::Group(group) => return self.group(group, member),
            Repr::Cancelled(cancelled) => {
                self.text(cancelled)?;
                self.origin("  ", member)?;
                // What it stopped is part of its text.
                return self.scope(cancelled);
            }
            Repr::Other(other) => {
                self.text(&other.error)?;
                self.origin("  ", member)?;
                if let Some(place) = other.place {
                    self.line(format_args!("  raised at {place}"))?;
                }
            }
        }
        self.causes(error.as_dyn())
    }

    fn group(&mut self, group: &Group, member: Option<&Member>) -> fmt::Result {
        self.out.write_str(&group.heading_of_tree())?;
        self.origin("│ ", member)?;
        let mut members = group.members().iter().zip(1..).peekable();
        while let Some((member, number)) = members.next() {
            let (branch, below) = match members.peek() {
                Some(_) => ('├', '│'),
                None => ('└', ' '),
            };
            let number = format!("{number}: ");
            self.line(format_args!("{branch}─ {number}"))?;
            let below = format!("{below}  {:1$}", "", number.len());
            self.indented(&below, |tree| tree.error(&member.error, Some(member)))?;
        }
        Ok(())
    }

    /// Writes where in a nursery a failure happened.
    fn origin(&mut self, lead: &str, member: Option<&Member>) -> fmt::Result {
        match member.map(|member| &member.origin) {
            Some(Origin::Task(task)) => self.line(format_args!("{lead}in the task {task}")),
            Some(Origin::Body) => self.line(format_args!("{lead}in the body of the nursery")),
            #[cfg(not(loom))]
            Some(Origin::Core(core)) => self.line(format_args!("{lead}on core {core}")),
            None => Ok(()),
        }
    }

    /// Writes the scope, if the text of the cancellation names only who cancelled it.
    fn scope(&mut self, cancelled: &Cancelled) -> fmt::Result {
        match cancelled.reason() {
            Reason::Requested(Some(_)) => self
                .line(format_args!("  along with the scope opened at {}", cancelled.scope_place())),
            _ => Ok(()),
        }
    }

    fn causes(&mut self, error: &(dyn StdError + 'static)) -> fmt::Result {
        const LEAD: &str = "  caused by: ";
        const BELOW: &str = "             ";
        let mut walk = Walk::new();
        walk.comes_to(error);
        let mut next = error.source();
        while let Some(cause) = next
            && walk.comes_to(cause)
        {
            next = cause.source();
            self.line(format_args!("{LEAD}"))?;
            self.indented(BELOW, |tree| match ours(cause) {
                Some(Ours::Group(_)) if tree.depth > DEPTH => tree.text(cause),
                Some(Ours::Group(group)) => tree.group(group, None),
                Some(Ours::Carried(error)) => {
                    // This continues with the causes by itself.
                    next = None;
                    tree.error(error, None)
                }
                Some(Ours::Cancelled(_)) | None => tree.text(cause),
            })?;
        }
        Ok(())
    }

    /// Writes a message, with its further lines below the first.
    fn text(&mut self, message: impl fmt::Display) -> fmt::Result {
        let message = message.to_string();
        let mut lines = message.trim_end().lines();
        self.out.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| self.line(format_args!("{line}")))
    }

    fn line(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        write!(self.out, "\n{}{text}", self.indent)
    }

    fn indented(&mut self, by: &str, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        let before = self.indent.len();
        self.indent.push_str(by);
        self.depth += 1;
        let result = write(self);
        self.depth -= 1;
        self.indent.truncate(before);
        result
    }
}
