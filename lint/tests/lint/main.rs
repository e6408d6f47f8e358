//! What `seedbed-lint` finds, and what it leaves alone.
//!
//! | file | what is tested |
//! |---|---|
//! | `programs` | programs that are compiled and run: what is found is what fails when they run |
//! | `broken/`, `correct/` | these programs |
//! | `texts` | texts that need not compile: what is odd, or cannot be read |
//! | `mutated` | the same programs, changed at random: no panic |
//! | `allow` | the comments that allow something |
//! | `command` | the command: arguments, messages, exit status |
//! | `pages` | the programs on the pages of the rules |
//! | `repository` | this repository, and its broken programs |

mod allow;
mod command;
mod mutated;
mod pages;
mod programs;
mod repository;
mod texts;

use seedbed_lint::{Finding, Rule, check, with_stack};

/// The findings in a text that is Rust.
fn found(text: &str) -> Vec<Finding> {
    found_in("src/main.rs", text)
}

fn found_in(file: &str, text: &str) -> Vec<Finding> {
    let findings = with_stack(|| check(file, text));
    findings.unwrap_or_else(|error| panic!("{file}:{}: {}", error.at, error.why))
}

/// The rules that are broken, and the lines.
fn rules_in(text: &str) -> Vec<(usize, Rule)> {
    found(text).iter().map(|finding| (finding.at.line, finding.rule)).collect()
}
