//! This repository: quiet as it is, and what its comments allow is there.

use std::fs;
use std::path::{Path, PathBuf};

use seedbed_lint::{Rule, files};

use crate::found_in;

/// The folders with Rust in them, except for the broken programs that are compiled here.
const FOLDERS: &[&str] = &["benches", "examples", "fuzz", "lint/src", "loom-tests", "src", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn o03_nothing_is_found_in_this_repository() {
    let folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root().join(folder)).collect();
    let files = files::find(&folders);
    assert!(files.unreadable.is_empty(), "{:?}", files.unreadable);
    assert!(files.files.len() > 300, "only {} files", files.files.len());
    let mut findings = Vec::new();
    for path in files.files {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        for finding in found_in(&name, &fs::read_to_string(&path).unwrap()) {
            findings.push(format!("{name}:{}: {}", finding.at, finding.rule.name()));
        }
    }
    assert!(
        findings.is_empty(),
        "what is meant, as in a test of the error, needs a comment, such as \
         `// seedbed-lint: allow(yield-in-scope)`:\n{}",
        findings.join("\n")
    );
}

/// The lines that a comment allows something on, and the text without these comments.
fn without_comments(text: &str) -> (Vec<(usize, Rule)>, String) {
    let mut allowed = Vec::new();
    let mut stripped = String::new();
    for (i, line) in text.lines().enumerate() {
        let (code, comment) = match line.split_once("// seedbed-lint: allow(") {
            Some((code, comment)) => (code, Some(comment)),
            None => (line, None),
        };
        if let Some(comment) = comment {
            let rule = Rule::named(comment.split(')').next().unwrap()).unwrap();
            // The next line, if there is nothing else on this one.
            allowed.push((i + 1 + usize::from(code.trim().is_empty()), rule));
        }
        stripped += code;
        stripped += "\n";
    }
    (allowed, stripped)
}

fn is_found_without_comments(file: &str, number: usize) {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let (allowed, stripped) = without_comments(&text);
    let found: Vec<_> = found_in(file, &stripped).iter().map(|f| (f.at.line, f.rule)).collect();
    assert_eq!(found, allowed, "in {file}");
    assert_eq!(found.len(), number, "in {file}");
}

#[test]
fn o03_each_broken_program_of_the_example_is_found() {
    is_found_without_comments("examples/yield_in_scope.rs", 4);
    let text = fs::read_to_string(root().join("examples/yield_in_scope.rs")).unwrap();
    let (_, stripped) = without_comments(&text);
    for finding in found_in("examples/yield_in_scope.rs", &stripped) {
        let before: Vec<&str> = stripped.lines().take(finding.at.line).collect();
        let function = before.iter().rfind(|line| line.starts_with("fn ")).unwrap();
        assert!(function.contains("_broken(") || function.contains("abandon_each"), "{function}");
    }
}

#[test]
fn o03_each_broken_program_of_pep_789_is_found() {
    is_found_without_comments("tests/yields/pep_789.rs", 4);
}
