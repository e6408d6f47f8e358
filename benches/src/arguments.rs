//! The program's arguments.

use std::process;

use crate::cases::{CASES, Size};
use crate::subjects::{SEEDBED, SUBJECTS};

const USAGE: &str = "\
Measures seedbed side by side with what one would use in its place.

    cargo run --release -p seedbed-bench -- [options]

    --list             what there is to measure, and who has no part in it and why
    --case NAME        only this case, or row of one (ping_pong, ping_pong/0); may be repeated
    --subject NAME     only this subject, beside seedbed; may be repeated
    --rounds N         rounds that count (11, or 3 with --quick); long rows have fewer, but 3
    --quick            less of everything: under a minute
    --cpu-time         the process's running time in place of wall time, for a busy machine
    --json FILE        write the figures: case, subject, median, unit, ratio_to_seedbed
    --chart FILE       write a chart of the ratios, as SVG
";

pub struct Arguments {
    pub list: bool,
    cases: Vec<String>,
    subjects: Vec<String>,
    pub rounds: usize,
    pub size: Size,
    pub cpu_time: bool,
    pub json: Option<String>,
    pub chart: Option<String>,
}

impl Arguments {
    /// Parses the program's arguments, and ends it if they make no sense.
    pub fn parse(given: &[String]) -> Arguments {
        let mut arguments = Arguments {
            list: false,
            cases: Vec::new(),
            subjects: Vec::new(),
            rounds: 0,
            size: Size::Full,
            cpu_time: false,
            json: None,
            chart: None,
        };
        let mut given = given.iter();
        while let Some(name) = given.next() {
            let mut value = || given.next().cloned().unwrap_or_else(|| wrong("a value is missing"));
            match name.as_str() {
                "--list" => arguments.list = true,
                "--case" => arguments.cases.push(value()),
                "--subject" => arguments.subjects.push(value()),
                "--rounds" => {
                    let rounds = value().parse().ok().filter(|rounds| *rounds > 0);
                    arguments.rounds = rounds.unwrap_or_else(|| wrong("that is not a number"));
                }
                "--quick" => arguments.size = Size::Quick,
                "--cpu-time" => arguments.cpu_time = true,
                "--json" => arguments.json = Some(value()),
                "--chart" => arguments.chart = Some(value()),
                "--help" | "-h" => {
                    print!("{USAGE}");
                    process::exit(0);
                }
                other => wrong(&format!("there is no {other}")),
            }
        }
        if arguments.rounds == 0 {
            arguments.rounds = arguments.size.of(11, 3);
        }
        let known = |case: &String| CASES.iter().any(|known| case_of(case) == known.name);
        if let Some(unknown) = arguments.cases.iter().find(|case| !known(case)) {
            wrong(&format!("there is no case {unknown}; see --list"));
        }
        let known = |subject: &String| SUBJECTS.iter().any(|(known, _)| subject == known);
        if let Some(unknown) = arguments.subjects.iter().find(|subject| !known(subject)) {
            wrong(&format!("there is no subject {unknown}; see --list"));
        }
        arguments
    }

    /// Whether any row of this case was asked for.
    pub fn wants_case(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| case_of(wanted) == case)
    }

    /// Whether this row was asked for.
    pub fn wants_row(&self, row: &str) -> bool {
        let below = |wanted: &String| {
            row.strip_prefix(wanted.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        self.cases.is_empty() || self.cases.iter().any(below)
    }

    pub fn wants_subject(&self, subject: &str) -> bool {
        let wanted = |wanted: &String| wanted == subject;
        subject == SEEDBED || self.subjects.is_empty() || self.subjects.iter().any(wanted)
    }
}

/// The case that a row belongs to.
fn case_of(row: &str) -> &str {
    row.split('/').next().expect("it has a first part")
}

fn wrong(what: &str) -> ! {
    eprintln!("{what}\n\n{USAGE}");
    process::exit(2);
}
