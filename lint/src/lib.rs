//! Finds in the text of a program what seedbed would refuse when it runs, or could not: yields
//! inside scopes (PEP 789), yielders used in other frames, cancellations that are thrown away.
//!
//! | file | concept |
//! |---|---|
//! | `rules` | the rules, their names and pages |
//! | `finding`, `place` | what was found, and where |
//! | `api/` | what seedbed's public names do with what they are given |
//! | `names/` | what a path means |
//! | `walk/` | the way through a file, which records where frames yield and what is open there |
//! | `judge` | what of that is wrong |
//! | `comments`, `allow` | comments that allow something |
//! | `files` | the Rust files below a path |
//!
//! ```text
//! text ──► tokens ──► syntax tree ──► walk ──► judge ──► allow ──► findings, in order
//!             └──────────── comments ──────────────────────┘
//! ```
//!
//! It knows no types, so it judges only what is plain from the text of one file; a page of each
//! rule says what that leaves out.

mod allow;
mod api;
mod comments;
pub mod files;
mod finding;
mod judge;
mod names;
mod place;
mod rules;
mod walk;

/// The programs on the pages compile.
#[cfg(doctest)]
mod pages {
    macro_rules! compiles {
        ($($name:ident: $path:literal),* $(,)?) => { $(#[doc = include_str!($path)] struct $name;)* };
    }
    compiles! {
        GuardDroppedAtOnce: "../docs/guard-dropped-at-once.md",
        OperationInSelect: "../docs/operation-in-select.md",
        SwallowedCancellation: "../docs/swallowed-cancellation.md",
        UnusedAllow: "../docs/unused-allow.md",
        YieldInOtherFrame: "../docs/yield-in-other-frame.md",
        YieldInScope: "../docs/yield-in-scope.md",
    }
}

use proc_macro2::{LexError, TokenStream, TokenTree};

pub use finding::Finding;
pub use place::Place;
pub use rules::Rule;

/// Why a text cannot be judged.
#[derive(Clone, Debug)]
pub struct NotRust {
    pub at: Place,
    pub why: String,
}

/// How deep parentheses, brackets and braces may be nested. The parser calls itself for each level.
const DEPTH: usize = 512;

/// Judges the text of a file, whose name is for the messages. The findings are in the order of
/// their places.
///
/// Call this where there is room on the stack, as in [`with_stack`]: it follows expressions as deep
/// as they go.
///
/// # Errors
///
/// If it is not the text of a Rust file.
pub fn check(file: &str, text: &str) -> Result<Vec<Finding>, NotRust> {
    let findings = check_tokens(file, code_of(text));
    // The lexer would keep every text for as long as the thread lives.
    proc_macro2::extra::invalidate_current_thread_spans();
    findings
}

fn check_tokens(file: &str, text: &str) -> Result<Vec<Finding>, NotRust> {
    let tokens: TokenStream = text.parse().map_err(|error: LexError| NotRust {
        at: Place::of(error.span()),
        why: "this is not a token of Rust".to_owned(),
    })?;
    if let Some(at) = deeper_than(DEPTH, &tokens) {
        return Err(NotRust { at, why: format!("this is nested more than {DEPTH} levels deep") });
    }
    let lines = comments::lines_of(text, &tokens);
    let tree: syn::File = syn::parse2(tokens)
        .map_err(|error| NotRust { at: Place::of(error.span()), why: error.to_string() })?;
    let findings = judge::judge(walk::walk(&tree), file);
    let mut findings = allow::apply(findings, &lines);
    findings.sort();
    findings.dedup_by(|a, b| a.at == b.at && a.rule == b.rule);
    Ok(findings)
}

/// The text without a byte order mark, and without `#!/usr/bin/…` in its first line.
fn code_of(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.strip_prefix("#!") {
        Some(rest) if !rest.trim_start().starts_with('[') => {
            text.find('\n').map_or("", |end| &text[end..])
        }
        _ => text,
    }
}

/// Where tokens are nested deeper than that.
fn deeper_than(depth: usize, tokens: &TokenStream) -> Option<Place> {
    let mut streams = vec![(0, tokens.clone())];
    while let Some((level, stream)) = streams.pop() {
        for token in stream {
            if let TokenTree::Group(group) = token {
                if level == depth {
                    return Some(Place::of(group.span_open()));
                }
                streams.push((level + 1, group.stream()));
            }
        }
    }
    None
}

/// Runs `work` on a thread whose stack is large enough for any file that is not nested too deeply:
/// a sum of a hundred thousand terms is as deep a tree.
pub fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    const STACK: usize = 1 << 30; // of addresses: what is not used takes no memory
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let outcome = thread.expect("a thread can be started").join();
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
