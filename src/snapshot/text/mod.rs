//! A dump as text. Of tasks that look alike, one is written and the others are counted.
//!
//! | file | concept |
//! |---|---|
//! | `alike` | which parts of a dump are alike |
//! | `lists` | what stands below the tree: sockets, generators, context managers, jobs |
//! | `tasks` | the tasks of a dump, by their numbers |

mod alike;
mod lists;
mod tasks;

use std::collections::HashMap;
use std::fmt;

use crate::error::Spawned;
use crate::platform::clock::Nanos;
use crate::schedule::turn::history::LastPoll;
use crate::schedule::units::parked::What as Waits;
use crate::scope::tree::{Level, Patience};
use crate::snapshot::dump::{Body, Dump, Item, Role, Scope, State, Task, What};
use crate::snapshot::text::alike::Alike;
use crate::snapshot::text::lists::{Lists, Short};
use crate::snapshot::text::tasks::Tasks;
use crate::snapshot::wakes::Wakes;
use crate::world::seen::Seen as Source;

const SLEEP: Waits = Waits::of("sleep");
const TASK: Waits = Waits::of("Task");

/// How many tasks have to look alike to be folded together.
const MANY: usize = 3;

/// How many of their names are written.
const NAMES: usize = 3;

/// The deepest indentation.
const DEEPEST: u32 = 60;

/// Writes the dump, with tasks that look alike folded together; with `{:#}`, each by itself.
impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        write!(f, "the run at {}, {} after it began", self.place, Span(self.now))?;
        if self.is_ending {
            f.write_str(", which is ending")?;
        }
        writeln!(f, ": {} task{}{counts}", self.tasks(), s(self.tasks()))?;
        self.write_items(f)?;
        Lists { dump: self, tasks: &Tasks::of(self) }.write(f)?;
        for missing in &self.missing {
            writeln!(f, "{missing}: not known, because they are just being changed")?;
        }
        Ok(())
    }
}

/// "1 of them running, 3 ready".
struct Counts {
    running: usize,
    ready: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.running, self.ready) {
            (0, 0) => Ok(()),
            (0, ready) => write!(f, ", {ready} ready"),
            (running, 0) => write!(f, ", {running} running"),
            (running, ready) => write!(f, ", {running} running, {ready} ready"),
        }
    }
}

impl Dump {
    /// Writes the tasks, nurseries and scopes.
    pub(in crate::snapshot) fn write_items(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = &Tasks::of(self);
        Writing { dump: self, tasks, alike: Alike::of(self) }.write(f)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts { running: 0, ready: 0 };
        for item in &self.items {
            if let What::Task(Task { state, .. }) = &item.what {
                counts.running += usize::from(matches!(state, State::Running));
                counts.ready += usize::from(matches!(state, State::Ready(_)));
            }
        }
        counts
    }
}

struct Writing<'a> {
    dump: &'a Dump,
    tasks: &'a Tasks<'a>,
    alike: Alike,
}

/// What is to be written.
struct Part {
    /// The items from here to there, all of which are inside the same.
    from: usize,
    to: usize,
    times: Times,
}

/// Whether times are written: not for what stands for many that are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Written,
    LeftOut,
}

impl Writing<'_> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There is no recursion, because nurseries may be nested deeply.
        let mut parts = vec![Part { from: 0, to: self.dump.items.len(), times: Times::Written }];
        let mut folds: Vec<Folds> = vec![self.folds(f, 0, self.dump.items.len())];
        while let Some(part) = parts.last_mut() {
            let (at, times) = (part.from, part.times);
            if at == part.to {
                parts.pop();
                folds.pop();
                continue;
            }
            let end = self.alike.ends[at];
            part.from = end;
            let many = folds.last_mut().and_then(|folds| folds.get_mut(&self.alike.looks[at]));
            let times = match many {
                Some(fold) if fold.is_written => continue,
                Some(fold) => {
                    fold.is_written = true;
                    self.write_fold(f, at, fold)?;
                    Times::LeftOut
                }
                None => {
                    self.write_item(f, &self.dump.items[at], times)?;
                    times
                }
            };
            if at + 1 < end {
                folds.push(self.folds(f, at + 1, end));
                parts.push(Part { from: at + 1, to: end, times });
            }
        }
        Ok(())
    }

    /// The tasks between these items that look like others there.
    fn folds(&self, f: &fmt::Formatter<'_>, from: usize, to: usize) -> Folds {
        let mut folds = Folds::new();
        if f.alternate() {
            return folds;
        }
        let mut at = from;
        while at < to {
            if let What::Task(task) = &self.dump.items[at].what
                && matches!(task.role, Role::Child | Role::System)
            {
                let since = self.since(&task.state);
                let fold = folds.entry(self.alike.looks[at]).or_insert_with(|| Fold {
                    count: 0,
                    names: Vec::new(),
                    named: 0,
                    least: since,
                    most: since,
                    left: self.left(task).map(|left| (left, left)),
                    is_written: false,
                });
                fold.count += 1;
                (fold.least, fold.most) = (fold.least.min(since), fold.most.max(since));
                if let (Some((least, most)), Some(left)) = (&mut fold.left, self.left(task)) {
                    (*least, *most) = ((*least).min(left), (*most).max(left));
                }
                if task.spawned.name().is_some() {
                    fold.named += 1;
                    if fold.names.len() < NAMES {
                        fold.names.push(task.spawned.clone());
                    }
                }
            }
            at = self.alike.ends[at];
        }
        folds.retain(|_, fold| fold.count >= MANY);
        folds
    }

    /// How long the state has lasted, as far as it is known.
    fn since(&self, state: &State) -> Nanos {
        match *state {
            State::Ready(since) => self.dump.now.saturating_sub(since),
            State::Waits(_, _, last) | State::Elsewhere(last) => self.dump.waited(last),
            State::Running | State::PollsNursery | State::InNursery => 0,
        }
    }

    /// How long a task that only waits for a time still has to wait.
    fn left(&self, task: &Task) -> Option<Nanos> {
        match (&task.state, self.dump.wakes(task)) {
            (State::Waits(what, ..), &[Wakes::Timer(deadline)]) if *what == SLEEP => {
                Some(deadline.saturating_sub(self.dump.now))
            }
            _ => None,
        }
    }

    fn write_fold(&self, f: &mut fmt::Formatter<'_>, at: usize, fold: &Fold) -> fmt::Result {
        let item = &self.dump.items[at];
        let What::Task(task) = &item.what else { return Ok(()) };
        indent(f, item.depth)?;
        write!(f, "{} tasks ", fold.count)?;
        if task.role == Role::System {
            f.write_str("of the run itself")?;
        } else {
            write!(f, "spawned at {}", task.spawned.place())?;
        }
        for (nth, name) in fold.names.iter().filter_map(Spawned::name).enumerate() {
            write!(f, "{}{name:?}", if nth == 0 { " (" } else { ", " })?;
        }
        match fold.named.saturating_sub(fold.names.len()) {
            0 if fold.named == 0 => {}
            0 => f.write_str(")")?,
            more => write!(f, " and {more} more)")?,
        }
        f.write_str(": all ")?;
        self.write_state(f, task, Times::LeftOut)?;
        match task.state {
            State::Running | State::PollsNursery | State::InNursery => {}
            _ => write!(f, ", for {}", Spans(fold.least, fold.most))?,
        }
        if let Some((least, most)) = fold.left {
            write!(f, ", {} to go", Spans(least, most))?;
        }
        match self.alike.ends[at] == at + 1 {
            true => f.write_str("\n"),
            false => f.write_str("; each with\n"),
        }
    }

    fn write_item(&self, f: &mut fmt::Formatter<'_>, item: &Item, times: Times) -> fmt::Result {
        indent(f, item.depth)?;
        match &item.what {
            What::Task(task) => {
                match task.role {
                    Role::Main => f.write_str("main future")?,
                    Role::Body => f.write_str("body")?,
                    Role::Child => write!(f, "task {}", task.spawned)?,
                    Role::System => f.write_str("task of the run itself")?,
                }
                f.write_str(": ")?;
                self.write_state(f, task, times)?;
                if times == Times::Written {
                    self.write_wakes(f, task)?;
                }
            }
            What::Scope(scope) => {
                write!(f, "scope opened at {}", scope.place)?;
                self.write_scope(f, scope, times)?;
            }
            What::Nursery(scope, body) => {
                write!(f, "nursery opened at {}", scope.place)?;
                if *body == Body::HasEnded {
                    f.write_str(", whose body has ended")?;
                }
                self.write_scope(f, scope, times)?;
            }
            What::Apart(place) => {
                write!(f, "not reached from the main future: the nursery opened at {place}")?;
            }
        }
        f.write_str("\n")
    }

    fn write_state(&self, f: &mut fmt::Formatter<'_>, task: &Task, times: Times) -> fmt::Result {
        match task.state {
            State::Running => return f.write_str("running"),
            State::PollsNursery => return f.write_str("running: polls the nursery below"),
            State::InNursery => return f.write_str("in the nursery below"),
            State::Ready(_) => f.write_str("ready")?,
            State::Waits(kind, place, _) => {
                match kind.name() {
                    "Task" => {
                        f.write_str("awaiting the task ")?;
                        if times == Times::Written {
                            self.write_name_of_awaited(f, task)?;
                        }
                        f.write_str("spawned")?;
                    }
                    name if name.starts_with("the ") => write!(f, "awaiting {name}")?,
                    name => write!(f, "in `{name}`")?,
                }
                if let Some(place) = place {
                    write!(f, " at {place}")?;
                }
                if times == Times::Written
                    && let Some(source) = self.source_of(task, kind)
                {
                    write!(f, " on {}", Short(source))?;
                }
            }
            State::Elsewhere(last) if times == Times::Written => {
                let least = at_least(last);
                let time = Span(self.dump.waited(last));
                return write!(f, "in a future of another crate, last polled {least}{time} ago");
            }
            State::Elsewhere(_) => f.write_str("in a future of another crate")?,
        }
        if times == Times::LeftOut {
            return Ok(());
        }
        let least = match task.state {
            State::Waits(_, _, last) => at_least(last),
            _ => "",
        };
        write!(f, ", for {least}{}", Span(self.since(&task.state)))?;
        match self.left(task) {
            Some(left) => write!(f, ", {} to go", Span(left)),
            None => Ok(()),
        }
    }

    /// The source that the operation of a task waits for.
    fn source_of(&self, task: &Task, what: Waits) -> Option<&Source> {
        let is_its = |wakes: &&Wakes| matches!(wakes, Wakes::Source(_, of) if *of == what);
        match self.dump.wakes(task).iter().find(is_its)? {
            Wakes::Source(at, _) => {
                let source = self.dump.sources.get(*at as usize)?;
                source.descriptor.is_some().then_some(source)
            }
            _ => None,
        }
    }

    fn write_name_of_awaited(&self, f: &mut fmt::Formatter<'_>, task: &Task) -> fmt::Result {
        let [Wakes::Child(id)] = self.dump.wakes(task) else { return Ok(()) };
        let awaited = self.tasks.get(*id);
        match awaited.and_then(|awaited| awaited.spawned.name()) {
            Some(name) => write!(f, "{name:?} "),
            None => Ok(()),
        }
    }

    /// Writes what else will wake a task, besides what its state says.
    fn write_wakes(&self, f: &mut fmt::Formatter<'_>, task: &Task) -> fmt::Result {
        let mut said = match task.state {
            State::Waits(what, ..) => Some(what),
            State::Elsewhere(_) | State::InNursery => None,
            State::Running | State::PollsNursery | State::Ready(_) => return Ok(()),
        };
        let mut also = if said.is_some() { "; also woken by " } else { "; woken by " };
        for wakes in self.dump.wakes(task) {
            let of = match wakes {
                Wakes::Timer(_) => SLEEP,
                Wakes::Source(_, what) => *what,
                Wakes::Child(_) => TASK,
            };
            if said == Some(of) {
                said = None;
                continue;
            }
            f.write_str(std::mem::replace(&mut also, ", by "))?;
            match wakes {
                Wakes::Timer(at) => {
                    write!(f, "a timer in {}", Span(at.saturating_sub(self.dump.now)))?;
                }
                Wakes::Source(at, what) => {
                    write!(f, "`{}`", what.name())?;
                    if let Some(source) = self.dump.sources.get(*at as usize)
                        && source.descriptor.is_some()
                    {
                        write!(f, " on {}", Short(source))?;
                    }
                }
                Wakes::Child(_) => f.write_str("another task spawned there")?,
            }
        }
        Ok(())
    }

    fn write_scope(&self, f: &mut fmt::Formatter<'_>, scope: &Scope, times: Times) -> fmt::Result {
        let mut facts = Vec::new();
        match scope.deadline {
            None => {}
            Some(_) if times == Times::LeftOut => facts.push("a deadline".into()),
            Some(deadline) if deadline > self.dump.now => {
                facts.push(format!("deadline in {}", Span(deadline - self.dump.now)));
            }
            Some(deadline) => {
                facts.push(format!("deadline {} ago", Span(self.dump.now - deadline)));
            }
        }
        if scope.shield {
            facts.push("shielded".into());
        }
        match scope.patience {
            Patience::None => {}
            Patience::Finishes => facts.push("finishes its work".into()),
            Patience::Serves => facts.push("serves the others".into()),
        }
        match (&scope.why, scope.level) {
            (Some(why), Level::Graceful) => facts.push(format!("{why} (gracefully)")),
            (Some(why), _) => facts.push(why.to_string()),
            (None, Level::None) => {}
            (None, Level::Spared) => facts.push("to be finished: a graceful stop".into()),
            (None, Level::Graceful) => facts.push("cancelled gracefully from outside".into()),
            (None, Level::Full) => facts.push("cancelled from outside".into()),
        }
        if facts.is_empty() { Ok(()) } else { write!(f, ": {}", facts.join(", ")) }
    }
}

fn at_least(last: LastPoll) -> &'static str {
    match last {
        LastPoll::At(_) => "",
        LastPoll::Before(_) => "at least ",
    }
}

/// By how they look.
type Folds = HashMap<u64, Fold>;

/// Tasks that look alike.
struct Fold {
    count: usize,
    /// The first of those with names, and how many there are.
    names: Vec<Spawned>,
    named: usize,
    least: Nanos,
    most: Nanos,
    /// How long those still have to wait that only wait for a time.
    left: Option<(Nanos, Nanos)>,
    is_written: bool,
}

fn indent(f: &mut fmt::Formatter<'_>, depth: u32) -> fmt::Result {
    (0..=depth.min(DEEPEST)).try_for_each(|_| f.write_str("  "))
}

fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// One length of time, or from one to another.
struct Spans(Nanos, Nanos);

impl fmt::Display for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 == self.1 {
            true => Span(self.0).fmt(f),
            false => write!(f, "{} to {}", Span(self.0), Span(self.1)),
        }
    }
}

/// A length of time, to two or three figures.
pub(in crate::snapshot) struct Span(pub(super) Nanos);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0 / 1_000_000;
        let seconds = milliseconds / 1000;
        match seconds {
            0 if milliseconds == 0 => f.write_str("less than 1 ms"),
            0 => write!(f, "{milliseconds} ms"),
            1..60 => write!(f, "{seconds}.{} s", milliseconds % 1000 / 100),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3600..86_400 => write!(f, "{} h {} min", seconds / 3600, seconds % 3600 / 60),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
        }
    }
}
