//! What a user sees of a failure, with `examples/overdrawn.rs`.

use std::process::Command;

use crate::example::example;

/// Runs the example in a process of its own, and returns what it writes.
fn overdrawn(arguments: &[&str], schedule: Option<&str>) -> (bool, String) {
    let mut command = Command::new(example("overdrawn"));
    command.args(arguments).env_remove("RUST_BACKTRACE");
    match schedule {
        Some(schedule) => command.env("SEEDBED_SCHEDULE", schedule),
        None => command.env_remove("SEEDBED_SCHEDULE"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn fails(schedule: Option<&str>) -> String {
    let (succeeds, text) = overdrawn(&[], schedule);
    assert!(!succeeds, "{text}");
    text
}

/// The panic once, of the run under the short schedule, and then what to do with it: the first
/// task lets the second in at its checkpoint, which is decision 1, after the one on who is
/// first. Tried before it are the schedule without a deviation and the one with 0.1.
#[test]
fn a_failure_is_told_once_and_replayed() {
    let text = fails(None);
    assert_eq!(text.matches("overdrawn: -40").count(), 2, "{text}");
    assert!(text.contains("under schedule 1.1 (run number 3)"), "{text}");
    assert!(text.contains("SEEDBED_SCHEDULE=1.1 cargo test"), "{text}");
    assert!(text.matches("two people").count() > 3, "{text}");

    let text = fails(Some("1.1"));
    assert_eq!(text.matches("two people").count(), 1, "{text}");
    assert!(text.contains("under schedule 1.1 (run number 1)"), "{text}");

    let text = fails(Some("backwards"));
    assert!(text.contains("SEEDBED_SCHEDULE: `backwards` is not a schedule"), "{text}");
}

/// The panic is reported at the call of `explore`.
#[test]
fn a_failure_names_the_place() {
    let text = fails(None);
    assert!(text.contains("panicked at examples/overdrawn.rs:"), "{text}");
    assert!(!text.contains("src/testing"), "{text}");
}

#[test]
fn what_is_mended_succeeds() {
    let (succeeds, text) = overdrawn(&["--mended"], None);
    assert!(succeeds && text.contains("all "), "{text}");
}
