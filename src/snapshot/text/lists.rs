//! What stands below the tree in the text of a dump: sockets, generators, context managers, and
//! jobs on other threads.

use std::collections::HashMap;
use std::fmt::{self, Write};

use crate::generator::entered::Stage;
use crate::platform::clock::Nanos;
use crate::schedule::ids::UnitId;
use crate::scope::frame;
use crate::snapshot::dump::Dump;
use crate::snapshot::text::tasks::{ByName, OneOf, Tasks};
use crate::snapshot::text::{MANY, Span};
use crate::world::seen::{Ends, Opened, Seen as Source};
use crate::{generator, threads};

/// Whether a line stands for one thing or for several.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    One,
    Several,
}

/// Writes the lists.
pub(super) struct Lists<'a> {
    pub(super) dump: &'a Dump,
    pub(super) tasks: &'a Tasks<'a>,
}

impl Lists<'_> {
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dump { sources, generators, managers, .. } = self.dump;
        write_folded(f, sources, |source, whom| self.line_of_source(source, whom))?;
        write_folded(f, generators, |generator, whom| self.line_of_generator(generator, whom))?;
        write_folded(f, managers, |manager, whom| self.line_of_manager(manager, whom))?;
        self.write_jobs(f)
    }

    /// A unit in a sentence.
    fn who(&self, unit: UnitId, whom: For) -> String {
        match (self.tasks.get(unit.in_run()), whom) {
            (Some(task), For::One) => ByName(task).to_string(),
            (Some(task), For::Several) => OneOf(task).to_string(),
            (None, _) => "a task".into(),
        }
    }

    fn line_of_source(&self, source: &Source, whom: For) -> String {
        let mut line = match whom {
            For::One => Long(source).to_string(),
            For::Several => Several(source).to_string(),
        };
        for (nth, waits) in source.waits.iter().enumerate() {
            let before = if nth == 0 { ": " } else { ", " };
            let _ = write!(line, "{before}`{}`", waits.what.name()); // a `String` takes everything
            if let Some(unit) = waits.unit {
                line += " by ";
                line += &self.who(unit, whom);
            }
        }
        if source.waits.is_empty() {
            line += ": nothing waits for it";
        }
        line
    }

    fn line_of_generator(&self, generator: &frame::Seen, whom: For) -> String {
        let mut line = format!("generator {} made at {}", generator.name, generator.place);
        let _ = match (generator.suspended_at, generator.awaiting) {
            (Some(place), _) => write!(line, ": at its yield at {place}"),
            (None, Some(operation)) => write!(line, ": in its body, in `{operation}`"),
            (None, None) => write!(line, ": in its body"),
        };
        if let Some(unit) = generator.driver {
            line += ", for ";
            line += &self.who(unit, whom);
        }
        line
    }

    fn line_of_manager(&self, manager: &generator::entered::Seen, whom: For) -> String {
        let generator::entered::Seen { made_at, entered_at, stage, unit } = manager;
        let stage = match stage {
            Stage::SetsUp => "sets up",
            Stage::AroundBody => "around the body",
            Stage::CleansUp => "cleans up",
        };
        let who = self.who(*unit, whom);
        format!("context manager made at {made_at}, entered at {entered_at} in {who}: {stage}")
    }

    fn write_jobs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut jobs: Vec<_> = self.dump.jobs.iter().collect();
        jobs.sort_by_key(|job| job.began);
        let line = |job: &threads::job::Seen| {
            let mut line = format!("`to_thread` at {}: on another thread", job.place);
            if let Some(place) = job.asks {
                line += &format!(", where it waits for this run, at {place}");
            }
            if job.is_abandoned {
                line += ", abandoned";
            }
            line
        };
        // The longest comes first, so its time is that of the line.
        let mut seen: Vec<(String, usize, Nanos)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for job in jobs {
            let line = line(job);
            match known.get(&line) {
                Some(&at) => seen[at].1 += 1,
                None => {
                    known.insert(line.clone(), seen.len());
                    seen.push((line, 1, self.dump.now.saturating_sub(job.began)));
                }
            }
        }
        for (line, count, time) in seen {
            let time = Span(time);
            match count {
                1 => writeln!(f, "{line}, for {time}")?,
                _ => writeln!(f, "{count} × {line}, for up to {time}")?,
            }
        }
        Ok(())
    }
}

/// Writes a line for each, or one for several that differ only in their names and numbers; with
/// `{:#}`, always for each.
fn write_folded<T>(
    f: &mut fmt::Formatter<'_>,
    all: &[T],
    line: impl Fn(&T, For) -> String,
) -> fmt::Result {
    if f.alternate() {
        return all.iter().try_for_each(|one| writeln!(f, "{}", line(one, For::One)));
    }
    let mut groups: Vec<(String, Vec<&T>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for one in all {
        let common = line(one, For::Several);
        match known.get(&common) {
            Some(&at) => groups[at].1.push(one),
            None => {
                known.insert(common.clone(), groups.len());
                groups.push((common, vec![one]));
            }
        }
    }
    for (common, group) in groups {
        match group.len() {
            count if count >= MANY => writeln!(f, "{count} × {common}")?,
            _ => group.iter().try_for_each(|one| writeln!(f, "{}", line(one, For::One)))?,
        }
    }
    Ok(())
}

/// A source whose descriptor is known, as the object of an operation.
pub(super) struct Short<'a>(pub(super) &'a Source);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.descriptor.unwrap_or(-1);
        match &self.0.ends {
            Ends::Unknown => write!(f, "descriptor {number}"),
            ends if ends.are_pair() => write!(f, "socket {number} of a pair"),
            Ends::Listening(at) | Ends::Socket(at, None) => write!(f, "socket {number} at {at}"),
            Ends::Socket(_, Some(peer)) => write!(f, "socket {number} to {peer}"),
        }
    }
}

/// A source, with all that is known of it.
struct Long<'a>(&'a Source);

impl fmt::Display for Long<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.ends, self.0.descriptor) {
            (Ends::Unknown, Some(number)) => write!(f, "descriptor {number}"),
            (Ends::Socket(at, Some(peer)), Some(number)) if !self.0.ends.are_pair() => {
                write!(f, "socket {number} at {at} to {peer}")
            }
            (Ends::Listening(_), Some(_)) => write!(f, "{}, which listens", Short(self.0)),
            (Ends::Socket(..), Some(_)) => Short(self.0).fmt(f),
            (_, None) => Several(self.0).fmt(f),
        }
    }
}

/// What several sources have in common.
struct Several<'a>(&'a Source);

impl fmt::Display for Several<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.ends, self.0.opened) {
            (Ends::Unknown, _) if self.0.descriptor.is_some() => f.write_str("descriptor"),
            (Ends::Unknown, _) => f.write_str("socket, or other descriptor"),
            (ends, _) if ends.are_pair() => f.write_str("socket of a pair"),
            (Ends::Listening(at), _) => write!(f, "socket at {at}, which listens"),
            (Ends::Socket(_, Some(peer)), Opened::Here) => write!(f, "socket to {peer}"),
            (Ends::Socket(at, _), _) => write!(f, "socket at {at}"),
        }
    }
}
