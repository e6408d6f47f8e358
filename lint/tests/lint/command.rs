//! The command: its arguments, what it prints, and its exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, str};

const BROKEN: &str = "use seedbed::*;\nasync fn f() { let _ = checkpoint().await; }\n";

/// A folder for the files of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> &Folder {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Runs the command in the folder.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed-lint"));
        Ran(command.args(arguments).current_dir(&self.0).output().unwrap())
    }
}

struct Ran(Output);

impl Ran {
    fn status(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    fn out(&self) -> &str {
        str::from_utf8(&self.0.stdout).unwrap()
    }

    fn err(&self) -> &str {
        str::from_utf8(&self.0.stderr).unwrap()
    }
}

#[test]
fn o03_the_exit_status_says_whether_anything_was_found() {
    let folder = Folder::new("status");
    folder.file("good.rs", "fn main() {}").file("bad.rs", BROKEN);
    let good = folder.run(&["good.rs"]);
    assert_eq!((good.status(), good.out(), good.err()), (0, "", ""));
    let bad = folder.run(&["bad.rs"]);
    assert_eq!(
        (bad.status(), bad.out(), bad.err()),
        (
            1,
            "bad.rs:2:24: swallowed-cancellation: the result of `checkpoint` is thrown away, and \
             with it a `Cancelled`, which has to reach its scope; pass it on with `?`\n",
            ""
        )
    );
}

#[test]
fn o03_a_file_that_cannot_be_read_does_not_keep_others_from_it() {
    let folder = Folder::new("unreadable");
    folder.file("a.rs", "fn f( {").file("b.rs", BROKEN).file("c.rs", [b'f', b'n', 0xff]);
    let ran = folder.run(&["a.rs", "b.rs", "c.rs", "d.rs"]);
    assert_eq!(ran.status(), 2);
    assert!(ran.out().starts_with("b.rs:2:24: swallowed-cancellation: "), "{}", ran.out());
    assert_eq!(ran.out().lines().count(), 1);
    let errors: Vec<_> = ran.err().lines().collect();
    let [missing, syntax, bytes] = errors[..] else { panic!("{errors:?}") };
    assert_eq!(missing, "d.rs: error: there is no such file or folder");
    assert!(syntax.starts_with("a.rs:1:") && syntax.contains(": error: "), "{syntax}");
    assert_eq!(bytes, "c.rs: error: this is not UTF-8, from byte 2 on");
}

#[test]
fn o03_folders_are_searched() {
    let folder = Folder::new("folders");
    folder.file("src/lib.rs", BROKEN).file("src/deep/er.rs", BROKEN).file("src/a.txt", "no");
    folder.file("src/target/made.rs", BROKEN).file("src/.hidden/x.rs", BROKEN);
    folder.file("empty/a.txt", "no");
    let ran = folder.run(&["src"]);
    let files: Vec<_> = ran.out().lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!((ran.status(), &files[..]), (1, &["src/deep/er.rs", "src/lib.rs"][..]));
    // Each file once, however often it is named.
    assert_eq!(folder.run(&["src", "src/lib.rs", "./src"]).out().lines().count(), 2);
    let empty = folder.run(&["empty", "src/a.txt"]);
    assert_eq!(empty.status(), 2);
    assert!(empty.err().contains("empty: error: there is no Rust file in this folder"));
    assert!(empty.err().contains("src/a.txt: error: this is not a Rust file"));
}

#[test]
fn o03_arguments_that_are_wrong() {
    let folder = Folder::new("arguments");
    for (arguments, says) in [
        (&[][..], "it needs a file or a folder to look at"),
        (&["--fix", "a.rs"], "there is no option `--fix`"),
        (&["--explain"], "`--explain` needs the name of a rule"),
        (&["--explain", "no-rule"], "there is no rule `no-rule`"),
    ] {
        let ran = folder.run(arguments);
        assert_eq!((ran.status(), ran.out()), (2, ""), "{arguments:?}");
        assert!(ran.err().contains(says) && ran.err().contains("--help"), "{}", ran.err());
    }
}

#[test]
fn o03_rules_are_explained() {
    let folder = Folder::new("explain");
    let help = folder.run(&["--help"]);
    assert_eq!(help.status(), 0);
    for rule in seedbed_lint::Rule::ALL {
        assert!(help.out().contains(rule.name()) && help.out().contains(rule.summary()));
        let page = folder.run(&["--explain", rule.name()]);
        assert_eq!((page.status(), page.out()), (0, rule.page()));
    }
    let version = folder.run(&["--version"]);
    assert!(version.out().starts_with("seedbed-lint "), "{}", version.out());
}
