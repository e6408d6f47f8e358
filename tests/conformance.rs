//! Runs the scenarios of `tests/conformance/*.jsonl` on the public API, and compares the traces
//! with Trio's. `tests/conformance/README.md` describes their language.
//!
//! `SEEDBED_SCENARIOS=FILE` runs another file, prints every scenario that disagrees with its first
//! difference, and ends with `N of M scenarios agree`.

#[path = "conformance/interpreter.rs"]
mod interpreter;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::catch_unwind;
use std::process::ExitCode;

use interpreter::{Program, Trace};
use seedbed::Builder;
use serde_json::Value;

/// A scenario that went differently than in Trio.
fn first_difference(expected: &Trace, got: &Trace) -> Option<String> {
    let mut text = String::new();
    for who in expected.keys().chain(got.keys()) {
        let none = Vec::new();
        let (expected, got) = (expected.get(who).unwrap_or(&none), got.get(who).unwrap_or(&none));
        let Some(at) = (0..expected.len().max(got.len())).find(|&i| expected.get(i) != got.get(i))
        else {
            continue;
        };
        let line = |trace: &[Value]| trace.get(at).map_or("nothing".to_owned(), Value::to_string);
        write!(text, "{who}, line {at}: expected {}, got {}", line(expected), line(got)).unwrap();
        return Some(text);
    }
    None
}

fn expected(scenario: &Value) -> Trace {
    scenario["expect"]
        .as_object()
        .expect("`expect` is an object")
        .iter()
        .map(|(who, lines)| (who.clone(), lines.as_array().expect("lines").clone()))
        .collect::<BTreeMap<_, _>>()
}

/// Runs all scenarios of a file. Returns the disagreements, each with its name, and how many
/// scenarios there were.
fn run_file(text: &str) -> (Vec<String>, usize) {
    let mut disagreements = Vec::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        count += 1;
        let scenario: Value = serde_json::from_str(line).expect("a scenario is a line of JSON");
        let name = scenario["name"].as_str().unwrap_or("?").to_owned();
        let program = Program::parse(&scenario);
        // Every operation is a point of the schedule, as it is in Trio.
        let choices = || Builder::new().budget(1).fail_when_stuck(true);
        let run = || interpreter::run(&program, choices(), async || Ok(()));
        let outcome = catch_unwind(run);
        match outcome.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok(trace) => {
                if let Some(difference) = first_difference(&expected(&scenario), &trace) {
                    disagreements.push(format!("{name}: {difference}"));
                }
            }
            Err(why) => disagreements.push(format!("{name}: {why}")),
        }
    }
    (disagreements, count)
}

/// Runs a file and says how it went. True if everything agrees.
fn check(text: &str) -> bool {
    let (disagreements, count) = run_file(text);
    for disagreement in &disagreements {
        println!("{disagreement}");
    }
    println!("{} of {count} scenarios agree", count - disagreements.len());
    disagreements.is_empty() && count > 0
}

// Without libtest, which keeps what a test prints to itself unless it fails.
fn main() -> ExitCode {
    if let Ok(file) = std::env::var("SEEDBED_SCENARIOS") {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{file}: {why}"));
        return if check(&text) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let tests = [
        ("core_agrees_with_trio", include_str!("conformance/core.jsonl")),
        ("generators_agree_with_trio", include_str!("conformance/generators.jsonl")),
        ("what_disagreed_once_agrees_with_trio", include_str!("conformance/found.jsonl")),
    ];
    let mut failed = 0;
    for (name, text) in tests {
        let agrees = check(text);
        println!("test {name} ... {}", if agrees { "ok" } else { "FAILED" });
        failed += usize::from(!agrees);
    }
    let (result, passed) = (if failed == 0 { "ok" } else { "FAILED" }, tests.len() - failed);
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
