//! Comments that allow something.

use seedbed_lint::Rule;

use crate::{found, rules_in};

fn guarded(yields: &str) -> String {
    format!(
        "use seedbed::*;\nfn f() {{ generator(async |y: Yielder<u32>| {{\nlet _g = \
         prevent_yields(\"it\");\n{yields}\n}}); }}\n"
    )
}

#[test]
fn o03_a_comment_allows_a_line() {
    for yields in [
        "y.yield_(1).await // seedbed-lint: allow(yield-in-scope)",
        "y.yield_(1).await //seedbed-lint: allow(yield-in-scope)",
        "y.yield_(1).await // seedbed-lint: allow( yield-in-scope ): a reason (a good one)",
        "// seedbed-lint: allow(yield-in-scope)\ny.yield_(1).await",
        "    // seedbed-lint: allow(yield-in-scope)\n\n    // more\n    y.yield_(1).await",
        "f(y.yield_(1).await, \"// no comment\") // seedbed-lint: allow(yield-in-scope)",
        "// seedbed-lint: allow(yield-in-scope, swallowed-cancellation)\n\
         f(y.yield_(1).await, sleep(S).await.ok())",
        "// seedbed-lint: allow(yield-in-scope)\n// seedbed-lint: allow(swallowed-cancellation)\n\
         f(y.yield_(1).await, sleep(S).await.ok())",
    ] {
        assert_eq!(rules_in(&guarded(yields)), [], "of {yields}");
    }
}

#[test]
fn o03_a_comment_allows_nothing_else() {
    let two = "y.yield_(1).await?; // seedbed-lint: allow(yield-in-scope)\ny.yield_(2).await";
    assert_eq!(rules_in(&guarded(two)), [(5, Rule::YieldInScope)]);
    for (yields, line) in [
        ("y.yield_(1).await // seedbed-lint: allow(swallowed-cancellation)", 4),
        ("y.yield_(1).await; // seedbed-lint: allow(yield-in-scopes)", 4),
        ("y.yield_(1).await; // seedbed-lint: deny(yield-in-scope)", 4),
        ("y.yield_(1).await; // seedbed-lint: allow(yield-in-scope", 4),
        ("y.yield_(1).await; // seedbed-lint: allow()", 4),
        ("y.yield_(1).await; // seedbed-lint:", 4),
    ] {
        let expected = [(line, Rule::YieldInScope), (line, Rule::UnusedAllow)];
        assert_eq!(rules_in(&guarded(yields)), expected, "of {yields}");
    }
    for yields in [
        "y.yield_(1).await /* seedbed-lint: allow(yield-in-scope) */",
        "f(y.yield_(1).await, \"// seedbed-lint: allow(yield-in-scope)\")",
        "y.yield_(1).await // see seedbed-lint: allow(yield-in-scope)",
    ] {
        assert_eq!(rules_in(&guarded(yields)), [(4, Rule::YieldInScope)], "of {yields}");
    }
}

#[test]
fn o03_a_comment_that_allows_nothing_is_reported() {
    let findings = found("// seedbed-lint: allow(yield-in-scope)\nfn f() {}\n");
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].rule, findings[0].at.line), (Rule::UnusedAllow, 1));
    assert_eq!(findings[0].text, "nothing on line 2 breaks `yield-in-scope`; remove this comment");
    // In documentation it is part of an example.
    assert_eq!(
        rules_in("/// ```\n/// // seedbed-lint: allow(yield-in-scope)\n/// ```\nfn f() {}"),
        []
    );
}
