//! What the guide says that one sees.

use std::fs;
use std::path::Path;

/// The texts in a section of the guide's chapter, one after the other.
pub fn texts(section: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/guide/what_is_it_doing.rs");
    let chapter = fs::read_to_string(file).unwrap();
    let lines = chapter.lines().map(|line| line.strip_prefix("//!").unwrap_or(line));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let heading = format!("# {section}");
    let section = lines.skip_while(|line| *line != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with("# "));
    let mut texts = Vec::new();
    let mut text: Option<String> = None;
    for line in section {
        match (&mut text, line) {
            (None, "```text") => text = Some(String::new()),
            (Some(_), "```") => texts.extend(text.take()),
            (Some(text), line) => *text += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    assert!(!texts.is_empty(), "the chapter has no such section, or no text there: {heading}");
    texts
}

/// Without what differs each time, numbers and lengths of time, and the lines of the crate's own
/// source.
pub fn simplify(text: &str) -> String {
    text.lines().map(|line| simplify_line(line) + "\n").collect()
}

fn simplify_line(line: &str) -> String {
    let indentation = line.len() - line.trim_start().len();
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_unit = matches!(core, "ms" | "s" | "min" | "h" | "d");
        let last = words.last().map(String::as_str);
        if is_unit && matches!(last, Some("N" | "TIME")) {
            words.pop();
            if words.last().is_some_and(|word| word == "TIME") {
                words.pop(); // minutes and seconds
            }
            if words.ends_with(&["less".into(), "than".into()]) {
                words.truncate(words.len() - 2);
            }
            if words.ends_with(&["TIME".into(), "to".into()]) {
                words.truncate(words.len() - 2);
            }
            words.push(word.replace(core, "TIME"));
        } else if !core.is_empty() && core.chars().all(|c| c.is_ascii_digit() || c == '.') {
            words.push(word.replace(core, "N"));
        } else if let Some((file, _)) = word.split_once(':')
            && word.starts_with("src/")
        {
            words.push(file.to_owned());
        } else {
            words.push(word.to_owned());
        }
    }
    " ".repeat(indentation) + &words.join(" ")
}
