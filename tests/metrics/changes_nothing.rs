//! Looking on changes nothing: counted, and with an instrument, the scenarios of the conformance
//! tests take the same course.

#[path = "../conformance/interpreter.rs"]
mod interpreter;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use interpreter::{AT_EACH_STEP, Program, Trace};
use seedbed::inspect::{self, Instrument, TaskInfo};
use seedbed::{Builder, Result};
use serde_json::Value;

thread_local! {
    /// Who has made a step, in order.
    static STEPS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn note(who: &str) {
    STEPS.with_borrow_mut(|steps| steps.push(who.to_owned()));
}

/// Turns counting on somewhere in the middle.
fn note_and_count(who: &str) {
    note(who);
    if STEPS.with_borrow(Vec::len) == 3 {
        inspect::enable().unwrap();
    }
}

/// Checks that what it is told makes sense.
#[derive(Default)]
struct Checks {
    step: RefCell<Option<u64>>,
    steps: Cell<usize>,
}

impl Instrument for Checks {
    fn before_task_step(&self, task: &TaskInfo) {
        assert_eq!(self.step.replace(Some(task.id())), None, "steps are not nested");
        self.steps.set(self.steps.get() + 1);
    }

    fn after_task_step(&self, task: &TaskInfo) {
        assert_eq!(self.step.take(), Some(task.id()));
    }

    fn after_run(&self) {
        assert_eq!(self.step.take(), None);
    }
}

type Course = (Result<Trace, String>, Vec<String>);

fn course(program: &Program, choices: Builder, at_each_step: fn(&str)) -> Course {
    AT_EACH_STEP.set(at_each_step);
    let outcome = interpreter::run(program, choices, async || Ok(()));
    (outcome, STEPS.take())
}

#[test]
fn l04_looking_on_changes_nothing() {
    let checks = Rc::new(Checks::default());
    let scenarios = [
        include_str!("../conformance/core.jsonl"),
        include_str!("../conformance/generators.jsonl"),
    ];
    let lines = scenarios.iter().flat_map(|scenarios| scenarios.lines());
    for (nth, line) in lines.filter(|line| !line.trim().is_empty()).enumerate() {
        let scenario: Value = serde_json::from_str(line).unwrap();
        let program = Program::parse(&scenario);
        let choices = || match nth % 3 {
            0 => Builder::new().budget(1).fail_when_stuck(true),
            1 => Builder::new().fail_when_stuck(true),
            _ => Builder::new().seed(7).fail_when_stuck(true),
        };
        let without = course(&program, choices(), note);
        let counted = course(&program, choices(), note_and_count);
        assert_eq!(without, counted, "{}", scenario["name"]);
        let told = course(&program, choices().instrument(checks.clone()), note);
        assert_eq!(without, told, "{}", scenario["name"]);
    }
    assert!(checks.steps.get() > 1000, "only {} steps", checks.steps.get());
}
