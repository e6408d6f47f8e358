//! The comments that allow something: `// seedbed-lint: allow(yield-in-scope)`, at the end of its
//! line, or on a line before it.

use crate::comments::{Comment, Lines};
use crate::finding::Finding;
use crate::place::Place;
use crate::rules::Rule;

const MARK: &str = "seedbed-lint:";

/// A rule that a comment allows on a line.
struct Allow {
    at: Place,
    line: usize,
    rule: Rule,
    used: Used,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Used {
    Yes,
    No,
}

/// Takes out what is allowed, and adds what is wrong with the comments that allow it.
pub fn apply(findings: Vec<Finding>, lines: &Lines<'_>) -> Vec<Finding> {
    let mut allows = Vec::new();
    let mut wrong = Vec::new();
    for comment in &lines.comments {
        if let Some(request) = comment.text.trim_start().strip_prefix(MARK) {
            read(request, comment, lines, &mut allows, &mut wrong);
        }
    }
    let mut is_allowed = |finding: &Finding| {
        let mut allowed = false;
        for allow in &mut allows {
            if allow.line == finding.at.line && allow.rule == finding.rule {
                allow.used = Used::Yes;
                allowed = true;
            }
        }
        allowed
    };
    let mut left: Vec<Finding> =
        findings.into_iter().filter(|finding| !is_allowed(finding)).collect();
    for Allow { at, line, rule, .. } in allows.into_iter().filter(|allow| allow.used == Used::No) {
        let name = rule.name();
        let text = format!("nothing on line {line} breaks `{name}`; remove this comment");
        wrong.push(Finding { at, rule: Rule::UnusedAllow, text });
    }
    left.append(&mut wrong);
    left
}

/// Reads what follows the mark. After the closing parenthesis there may be a reason.
fn read(
    request: &str,
    comment: &Comment<'_>,
    lines: &Lines<'_>,
    allows: &mut Vec<Allow>,
    wrong: &mut Vec<Finding>,
) {
    let mut complain = |text: String| {
        wrong.push(Finding { at: comment.at, rule: Rule::UnusedAllow, text });
    };
    let names = request.trim().strip_prefix("allow(").and_then(|rest| rest.split_once(')'));
    let Some((names, _)) = names else {
        return complain(
            "this comment is not understood; write `seedbed-lint: allow(RULE)`".to_owned(),
        );
    };
    for name in names.split(',').map(str::trim) {
        match Rule::named(name) {
            Some(rule) => {
                let (at, line) = (comment.at, line_of(comment, lines));
                allows.push(Allow { at, line, rule, used: Used::No });
            }
            None => complain(format!("there is no rule `{name}`; `--help` lists the rules")),
        }
    }
}

/// The line that a comment is about: its own if there is code on it, otherwise the next that has
/// any.
fn line_of(comment: &Comment<'_>, lines: &Lines<'_>) -> usize {
    let next = lines.code.partition_point(|line| *line < comment.at.line);
    lines.code.get(next).copied().unwrap_or(comment.at.line)
}
