//! The pages of the rules. That their programs compile is checked by the tests of the examples in
//! the documentation.

use seedbed_lint::Rule;

use crate::found;

/// The programs under a heading.
fn programs<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let blocks = section.split("```rust\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn o03_the_broken_program_of_a_page_is_found_and_the_mended_are_not() {
    for rule in Rule::ALL {
        let page = rule.page();
        assert!(page.starts_with(&format!("# {}: ", rule.name())), "{page}");
        let broken = programs(page, "Broken");
        assert_eq!(broken.len(), 1, "of {}", rule.name());
        let findings = found(broken[0]);
        assert!(!findings.is_empty(), "nothing is found in that of {}", rule.name());
        assert!(findings.iter().all(|finding| finding.rule == rule), "{findings:?}");
        let mended = programs(page, "Mended");
        assert!(!mended.is_empty(), "of {}", rule.name());
        for program in mended {
            assert_eq!(found(program), [], "in what {} says is right", rule.name());
        }
    }
}
