//! The rules: their names, and the pages that explain them.

/// A rule that a program may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    YieldInScope,
    YieldInOtherFrame,
    GuardDroppedAtOnce,
    SwallowedCancellation,
    OperationInSelect,
    UnusedAllow,
}

impl Rule {
    pub const ALL: [Rule; 6] = [
        Rule::YieldInScope,
        Rule::YieldInOtherFrame,
        Rule::GuardDroppedAtOnce,
        Rule::SwallowedCancellation,
        Rule::OperationInSelect,
        Rule::UnusedAllow,
    ];

    /// The name, as it is printed and as a comment allows it.
    pub fn name(self) -> &'static str {
        match self {
            Rule::YieldInScope => "yield-in-scope",
            Rule::YieldInOtherFrame => "yield-in-other-frame",
            Rule::GuardDroppedAtOnce => "guard-dropped-at-once",
            Rule::SwallowedCancellation => "swallowed-cancellation",
            Rule::OperationInSelect => "operation-in-select",
            Rule::UnusedAllow => "unused-allow",
        }
    }

    pub fn named(name: &str) -> Option<Rule> {
        Rule::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The page that explains it, in Markdown.
    pub fn page(self) -> &'static str {
        match self {
            Rule::YieldInScope => include_str!("../docs/yield-in-scope.md"),
            Rule::YieldInOtherFrame => include_str!("../docs/yield-in-other-frame.md"),
            Rule::GuardDroppedAtOnce => include_str!("../docs/guard-dropped-at-once.md"),
            Rule::SwallowedCancellation => include_str!("../docs/swallowed-cancellation.md"),
            Rule::OperationInSelect => include_str!("../docs/operation-in-select.md"),
            Rule::UnusedAllow => include_str!("../docs/unused-allow.md"),
        }
    }

    /// What it is about, in one line: the heading of its page.
    pub fn summary(self) -> &'static str {
        let heading = self.page().lines().next().unwrap_or_default();
        heading.split_once(": ").map_or(heading, |(_, summary)| summary)
    }
}
