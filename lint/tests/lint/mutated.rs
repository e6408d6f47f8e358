//! Whatever a file says, judging it comes to an end, and does not panic. The programs that are
//! tested elsewhere are changed at random: names change places, lines are left out or doubled.
//!
//! `SEEDBED_FUZZ_SECONDS=60 cargo test --release -p seedbed-lint mutated -- --nocapture` does more
//! of that.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, panic};

use seedbed_lint::{check, files, with_stack};

/// How many files are changed if nothing else is said.
const TIMES: u32 = 200;

/// A generator of numbers: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn texts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/lint/broken", "tests/lint/correct", "../tests/yields", "../examples"];
    let folders: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    files::find(&folders).files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Where the names in a text are, keywords among them.
fn names_in(text: &str) -> Vec<(usize, usize)> {
    let is_part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    let mut names = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let begin = i;
        while i < bytes.len() && is_part(bytes[i]) {
            i += 1;
        }
        if i > begin && !bytes[begin].is_ascii_digit() {
            names.push((begin, i));
        }
        i = i.max(begin + 1);
    }
    names
}

fn mutated(text: &str, random: &mut Numbers) -> String {
    let mut text = text.to_owned();
    for _ in 0..=random.below(6) {
        if random.below(3) == 0 {
            let mut lines: Vec<&str> = text.lines().collect();
            let at = random.below(lines.len());
            match random.below(3) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at]),
                _ => {
                    let other = random.below(lines.len());
                    lines.swap(at, other);
                }
            }
            text = lines.join("\n");
            continue;
        }
        let names = names_in(&text);
        let (to, from) = (names[random.below(names.len())], names[random.below(names.len())]);
        let name = text[from.0..from.1].to_owned();
        text.replace_range(to.0..to.1, &name);
    }
    text
}

#[test]
fn o03_mutated_programs_are_judged_without_a_panic() {
    let seconds = env::var("SEEDBED_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let texts = texts();
    let mut random = Numbers(789);
    let (mut times, mut rust, mut findings) = (0, 0, 0);
    while end.map_or(times < TIMES, |end| Instant::now() < end) {
        let text = mutated(&texts[random.below(texts.len())], &mut random);
        let outcome = panic::catch_unwind(|| with_stack(|| check("mutated.rs", &text)));
        match outcome {
            Ok(Ok(found)) => {
                rust += 1;
                findings += found.len();
            }
            Ok(Err(_)) => {}
            Err(_) => panic!("this panics:\n{text}"),
        }
        times += 1;
    }
    println!("{times} programs, {rust} of them Rust, with {findings} findings");
    assert!(rust > 0 && findings > 0);
}
