//! L1: a dump shows the whole tree of a run, and what each task waits for. L5: a page shows it.

#[path = "../support/mod.rs"]
mod support;

mod changes_nothing;
mod json;
#[cfg(all(unix, feature = "signal"))]
mod on_signal;
mod other_threads;
#[cfg(all(unix, feature = "inspect"))]
mod page;
#[cfg(all(target_os = "linux", feature = "net"))]
mod sockets;
mod tree;
mod waits;

use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Nursery, Result, inspect, nursery, sleep};

/// Runs on a virtual clock, and fails instead of hanging.
fn run<T>(main: impl Future<Output = Result<T>>) -> T {
    Builder::new().clock(&VirtualClock::new()).detect_deadlock(true).run(main).unwrap()
}

/// The dump of the present run, as text without the parts that differ from test to test: each place
/// is replaced by the text of its line in the source, from the column on.
fn text() -> String {
    simplify(&inspect::dump().unwrap().to_string())
}

/// Each task by itself.
fn text_of_each() -> String {
    simplify(&format!("{:#}", inspect::dump().unwrap()))
}

/// The dump when what this spawns into a nursery has waited for a second.
fn seen_waiting<'env>(spawn: impl for<'scope> FnOnce(&'scope Nursery<'scope, 'env>)) -> String {
    run(async {
        let mut dump = String::new();
        nursery(async |n| {
            spawn(n);
            sleep(Duration::from_secs(1)).await?;
            dump = text();
            n.scope().cancel();
            Ok(())
        })
        .await?;
        Ok(dump)
    })
}

fn simplify(dump: &str) -> String {
    dump.lines().map(simplify_line).collect()
}

fn simplify_line(line: &str) -> String {
    let mut simple = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("tests/inspect/") {
        let (before, from) = rest.split_at(at);
        simple += before;
        let end = from.find([' ', ',', ')']).unwrap_or(from.len());
        let place = from[..end].trim_end_matches([':', ';']);
        simple += &source_at(place);
        rest = &from[place.len()..];
    }
    simple + rest + "\n"
}

/// `tests/inspect/tree.rs:7:9` as the word of the source that is there.
fn source_at(place: &str) -> String {
    let mut parts = place.split(':');
    let (file, line) = (parts.next().unwrap(), parts.next().unwrap().parse::<usize>().unwrap());
    let column = parts.next().unwrap().parse::<usize>().unwrap();
    let source = std::fs::read_to_string(file).unwrap();
    let line = source.lines().nth(line - 1).unwrap();
    let word = &line[column - 1..];
    let end = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
    format!("<{}>", &word[..end])
}

/// The lines of a dump that contain this.
fn lines_with(dump: &str, part: &str) -> Vec<String> {
    dump.lines().filter(|line| line.contains(part)).map(|line| line.trim().to_owned()).collect()
}
