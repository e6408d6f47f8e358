//! A dump changes nothing: with dumps at random moments, the scenarios of the conformance tests take
//! the same course as without.

#[path = "../conformance/interpreter.rs"]
mod interpreter;

use std::cell::{Cell, RefCell};

use interpreter::{AT_EACH_STEP, Program, Trace};
use seedbed::{Builder, inspect};
use serde_json::Value;

thread_local! {
    /// Who has made a step, in order.
    static STEPS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// The state of the random number generator, and how many dumps were taken.
    static RANDOM: Cell<u64> = const { Cell::new(1) };
    static DUMPS: Cell<usize> = const { Cell::new(0) };
}

fn note(who: &str) {
    STEPS.with_borrow_mut(|steps| steps.push(who.to_owned()));
}

fn note_and_dump(who: &str) {
    note(who);
    let random = RANDOM.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    RANDOM.set(random);
    if random >> 62 == 0 {
        let dump = inspect::dump().unwrap();
        let json: Value = serde_json::from_str(&dump.to_json()).unwrap();
        assert_eq!(json["missing"], serde_json::json!([]));
        let text = dump.to_string();
        assert!(text.starts_with("the run at "), "{text}");
        DUMPS.set(DUMPS.get() + 1);
    }
}

type Course = (Result<Trace, String>, Vec<String>);

fn course(program: &Program, choices: Builder, at_each_step: fn(&str)) -> Course {
    AT_EACH_STEP.set(at_each_step);
    let outcome = interpreter::run(program, choices, async || Ok(()));
    (outcome, STEPS.take())
}

/// Compares every third scenario, from this one on.
fn compare(scenarios: &str, from: usize, choices: impl Fn() -> Builder) {
    let lines = scenarios.lines().filter(|line| !line.trim().is_empty());
    for line in lines.skip(from).step_by(3) {
        let scenario: Value = serde_json::from_str(line).unwrap();
        let program = Program::parse(&scenario);
        let without = course(&program, choices().fail_when_stuck(true), note);
        let with = course(&program, choices().fail_when_stuck(true), note_and_dump);
        assert_eq!(without, with, "{}", scenario["name"]);
    }
}

#[test]
fn l01_a_dump_changes_nothing() {
    for scenarios in
        [include_str!("../conformance/core.jsonl"), include_str!("../conformance/generators.jsonl")]
    {
        compare(scenarios, 0, || Builder::new().budget(1));
        compare(scenarios, 1, Builder::new);
        compare(scenarios, 2, || Builder::new().seed(7));
    }
    assert!(DUMPS.get() > 200, "only {} dumps", DUMPS.get());
}
