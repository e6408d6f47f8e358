//! Measures seedbed side by side with what one would use in its place.
//!
//! | file | what |
//! |---|---|
//! | `arguments` | the command line |
//! | `cases/` | the work: a file for each case, with a function for each subject |
//! | `subjects`, `runtimes` | what is measured, and how each runtime is set up |
//! | `row` | one piece of work and the subjects that do it |
//! | `measure` | rounds in turn, medians, spreads, ratios |
//! | `report`, `chart` | table and JSON, SVG |
//! | `clock`, `tally`, `memory` | what is measured, and the check that it was done |
//! | `process`, `load` | servers in processes of their own, and their clients |
//! | `cpus` | the CPUs of threads that talk to each other |
//! | `bin/instructions` | the hot paths by instruction count |

mod arguments;
mod cases;
mod chart;
mod clock;
mod cpus;
mod load;
mod measure;
mod memory;
mod process;
mod report;
mod row;
mod runtimes;
mod subjects;
mod tally;

use std::{env, fs};

use arguments::Arguments;
use cases::{CASES, Size};
use row::Row;
use subjects::SUBJECTS;

fn main() {
    process::raise_limits();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [inside, rest @ ..] if inside == process::INSIDE => inside_process(rest),
        _ => run(&Arguments::parse(&arguments)),
    }
}

/// The work of a subject in its own process.
fn inside_process(arguments: &[String]) {
    let number = |text: &str| text.parse().expect("a number");
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["row", row, subject, size, clock] => {
            keep_memory();
            if *clock == "cpu" {
                clock::use_cpu_time();
            }
            let mut rows = CASES.iter().flat_map(|case| (case.rows)(Size::named(size)));
            let row = rows.find(|known| known.name == *row).expect("there is such a row");
            measure::inside(&row, subject);
        }
        ["tcp_echo", subject, buffer] => cases::tcp_echo::inside(subject, number(buffer)),
        ["http", subject] => cases::http::inside(subject),
        ["memory", what, subject, n] => cases::memory::inside(what, subject, number(n)),
        _ => panic!("nothing is to be done inside for {arguments:?}"),
    }
}

fn run(arguments: &Arguments) {
    if arguments.list {
        return list(arguments);
    }
    println!("{}", report::head());
    let mut measured = Vec::new();
    for row in rows(arguments) {
        let of_row = measure::measure(&row, arguments);
        print!("{}", report::table(&of_row));
        measured.extend(of_row);
    }
    let write = |file: &Option<String>, text: &dyn Fn() -> String| {
        if let Some(file) = file {
            fs::write(file, text()).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    };
    write(&arguments.json, &|| report::json(&measured));
    write(&arguments.chart, &|| chart::svg(&measured));
}

/// The rows that were asked for, with the subjects that were.
fn rows(arguments: &Arguments) -> impl Iterator<Item = Row> {
    let cases = CASES.iter().filter(|case| arguments.wants_case(case.name));
    let rows = cases.flat_map(|case| (case.rows)(arguments.size));
    rows.filter(|row| arguments.wants_row(&row.name)).map(|mut row| {
        row.entries.retain(|entry| arguments.wants_subject(entry.subject));
        row.on_this_machine()
    })
}

fn list(arguments: &Arguments) {
    println!("subjects");
    for (name, about) in SUBJECTS.iter().filter(|(name, _)| arguments.wants_subject(name)) {
        println!("    {name:<20} {about}");
    }
    for case in CASES.iter().filter(|case| arguments.wants_case(case.name)) {
        println!("{:<24} {}", case.name, case.about);
        for row in rows(arguments).filter(|row| row.name.split('/').next() == Some(case.name)) {
            let units: Vec<_> = row.figures.iter().map(|figure| figure.unit.as_str()).collect();
            println!("    {:<20} {}", row.name, units.join(", "));
            for entry in &row.entries {
                if let Err(why) = &entry.run {
                    println!("        without {}: {why}", entry.subject);
                }
            }
        }
    }
}

/// Makes the allocator keep what is freed, so that no subject's time includes the kernel taking and
/// returning the same pages again and again.
fn keep_memory() {
    // The most that the allocator accepts for the second.
    for (number, value) in [(libc::M_TRIM_THRESHOLD, i32::MAX), (libc::M_MMAP_THRESHOLD, 32 << 20)]
    {
        // SAFETY: it only sets a number of the allocator's.
        assert_eq!(unsafe { libc::mallopt(number, value) }, 1, "the allocator refuses {value}");
    }
}
