//! The tables of promises in `tests/README.md`, and the tests whose names begin with their ids; and
//! the list of decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A row of a table: what is in its last column.
type Rows = BTreeMap<String, String>;

/// The rows of all tables that begin with an id.
fn rows() -> Rows {
    let table = include_str!("README.md").lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (id, rest) = cells.split_once(" | ")?;
        is_id(id).then(|| (id.to_owned(), rest.rsplit_once(" | ").unwrap().1.to_owned()))
    });
    let rows: Rows = table.collect();
    assert!(rows.len() > 90, "only {} rows were found", rows.len());
    rows
}

/// One capital letter, and a number.
fn is_id(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_uppercase())
        && !characters.as_str().is_empty()
        && characters.all(|digit| digit.is_ascii_digit())
}

/// The ids in the names of the tests in a folder: C5 of `fn c05_…`, or of `mod c05_…`.
fn ids_below(folder: &Path, ids: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return }; // the package leaves some out
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            ids_below(&path, ids);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            ids.extend(text.lines().filter_map(id_in));
        }
    }
}

fn id_in(line: &str) -> Option<String> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("mod "))?;
    let (prefix, _) = name.split_once('_')?;
    let id = prefix.to_ascii_uppercase();
    let number = id.get(1..).filter(|number| number.len() == 2)?.trim_start_matches('0');
    let id = format!("{}{number}", &id[..1]);
    is_id(&id).then_some(id)
}

fn ids_of_tests() -> BTreeSet<String> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut ids = BTreeSet::new();
    for folder in
        ["src", "tests", "lint/tests", "loom-tests/tests", "companion-tests/tests", "examples"]
    {
        ids_below(&crate_folder.join(folder), &mut ids);
    }
    ids
}

#[test]
fn every_id_in_the_name_of_a_test_is_a_promise() {
    let rows = rows();
    let unknown: Vec<_> = ids_of_tests().into_iter().filter(|id| !rows.contains_key(id)).collect();
    assert!(unknown.is_empty(), "`tests/README.md` has no row for {unknown:?}");
}

#[test]
fn every_promise_that_is_built_has_a_test() {
    let ids = ids_of_tests();
    for (id, tests) in rows() {
        let built = !tests.starts_with("*not yet*");
        assert_eq!(ids.contains(&id), built, "{id}: {tests}");
    }
}

#[test]
fn every_file_that_is_named_is_there() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    // Some of the tests are not part of the package.
    let is_here = |name: &str| {
        let other = ["../companion-tests", "../lint", "../loom-tests"]
            .into_iter()
            .find(|other| name.starts_with(other));
        other.is_none_or(|other| tests.join(other).exists())
    };
    for (id, cell) in rows() {
        let names = cell.split('`').skip(1).step_by(2);
        for name in names.filter(|name| is_here(name)) {
            assert!(tests.join(name).exists(), "{id} names {name}");
        }
    }
}

#[test]
fn every_decision_has_a_number_of_its_own_and_a_line_in_the_list() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions");
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(Ok(number)) = name.split_once('-').map(|(number, _)| number.parse::<u32>()) else {
            continue; // the list itself
        };
        assert!(numbers.insert(number), "another decision has the number of {name}");
        let mut lines = list.lines().filter(|line| line.contains(&format!("({name})")));
        let line = lines.next().unwrap_or_default();
        assert!(line.starts_with(&format!("| {number} |")), "the list has no such line for {name}");
    }
    assert!(numbers.len() > 90, "only {} decisions were found", numbers.len());
}
