//! A row: one piece of work, done by each subject, and the figures that come of it.

use std::time::Duration;

use crate::subjects;

/// One piece of work, and the subjects that do it.
pub struct Row {
    /// The case, and the piece of work within it: `ping_pong/0`.
    pub name: String,
    pub figures: Vec<Figure>,
    pub entries: Vec<Entry>,
    /// Long rows, in processes of their own, get fewer rounds.
    pub rounds_divisor: usize,
    /// The number of items that a `Duration` is divided by.
    items: usize,
    /// How many times the work is done for one sample.
    times: u32,
}

/// A figure of a row. Most rows have one.
pub struct Figure {
    /// What follows the row's name, if there are several figures: `tcp_echo/1x64B/cpu`.
    pub suffix: &'static str,
    /// `ns/child`, `messages/s`.
    pub unit: String,
    pub better: Better,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Better {
    Less,
    More,
}

/// A subject's work for a row, done once. Returns a value for each figure.
type Run = Box<dyn Fn() -> Vec<f64>>;

pub struct Entry {
    pub subject: &'static str,
    /// The work, or why the subject is left out.
    pub run: Result<Run, String>,
}

impl Figure {
    pub fn new(suffix: &'static str, unit: &str, better: Better) -> Figure {
        Figure { suffix, unit: unit.to_owned(), better }
    }
}

impl Row {
    pub fn new(name: impl Into<String>, figures: Vec<Figure>) -> Row {
        Row {
            name: name.into(),
            figures,
            entries: Vec::new(),
            rounds_divisor: 1,
            items: 1,
            times: 1,
        }
    }

    /// A row whose figure is the nanoseconds that each of `items` takes.
    pub fn nanoseconds_per(item: &str, items: usize, name: impl Into<String>) -> Row {
        let figure = Figure::new("", &format!("ns/{item}"), Better::Less);
        Row { items, ..Row::new(name, vec![figure]) }
    }

    /// Repeats the work for each sample until at least this many items have been done.
    pub fn at_least(self, items: usize) -> Row {
        Row { times: items.div_ceil(self.items) as u32, ..self }
    }

    /// Divides the number of rounds, but leaves at least 3.
    pub fn rounds_divided_by(self, rounds_divisor: usize) -> Row {
        Row { rounds_divisor, ..self }
    }

    /// Adds a subject whose work takes the returned time for all the items.
    pub fn time(self, subject: &'static str, run: impl Fn() -> Duration + 'static) -> Row {
        let (items, times) = (self.items as f64, self.times);
        self.sample(subject, move || {
            let elapsed: Duration = (0..times).map(|_| run()).sum();
            vec![elapsed.as_nanos() as f64 / items / f64::from(times)]
        })
    }

    /// Adds a subject whose work returns one value for each figure.
    pub fn sample(self, subject: &'static str, run: impl Fn() -> Vec<f64> + 'static) -> Row {
        self.entry(subject, Ok(Box::new(run)))
    }

    /// Leaves a subject out, and says why.
    pub fn absent(self, subject: &'static str, why: &str) -> Row {
        self.entry(subject, Err(why.to_owned()))
    }

    /// Leaves out the subjects that cannot run on this machine.
    pub fn on_this_machine(mut self) -> Row {
        for entry in &mut self.entries {
            if let Some(why) = subjects::unavailable(entry.subject) {
                entry.run = Err(why);
            }
        }
        self
    }

    fn entry(mut self, subject: &'static str, run: Result<Run, String>) -> Row {
        self.entries.push(Entry { subject, run });
        self
    }
}
