//! The command: `seedbed-lint PATH…`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use seedbed_lint::{Rule, check, files, with_stack};

/// Nothing was found.
const QUIET: u8 = 0;
const FOUND: u8 = 1;
/// The arguments, or a file, are wrong.
const WRONG: u8 = 2;

enum Request {
    Check(Vec<PathBuf>),
    Explain(Rule),
    Help,
    Version,
}

fn main() -> ExitCode {
    let status = match request(std::env::args_os().skip(1)) {
        Ok(Request::Check(paths)) => with_stack(|| check_all(&paths)),
        Ok(Request::Explain(rule)) => printed(rule.page()),
        Ok(Request::Help) => printed(&help()),
        Ok(Request::Version) => printed(concat!("seedbed-lint ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(why) => {
            eprintln!("seedbed-lint: {why}\n`seedbed-lint --help` says how it is called");
            Ok(WRONG)
        }
    };
    match status {
        Ok(status) => status.into(),
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => WRONG.into(),
        Err(error) => {
            eprintln!("seedbed-lint: the output cannot be written: {error}");
            WRONG.into()
        }
    }
}

fn request(mut arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut paths = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--") => {
                paths.extend(arguments.by_ref().map(PathBuf::from));
            }
            Some("-h" | "--help") => return Ok(Request::Help),
            Some("-V" | "--version") => return Ok(Request::Version),
            Some("--explain") => {
                let Some(name) = arguments.next() else {
                    return Err("`--explain` needs the name of a rule".to_owned());
                };
                let name = name.to_string_lossy();
                let rule = Rule::named(&name);
                return rule
                    .map(Request::Explain)
                    .ok_or_else(|| format!("there is no rule `{name}`"));
            }
            Some(option) if option.starts_with('-') => {
                return Err(format!("there is no option `{option}`"));
            }
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    if paths.is_empty() {
        return Err("it needs a file or a folder to look at".to_owned());
    }
    Ok(Request::Check(paths))
}

fn help() -> String {
    let mut text = String::from(
        "\
Finds in Rust files what seedbed would refuse when they run, and cancellations that get lost.

    seedbed-lint PATH…              judges files, and folders with all that is in them
    seedbed-lint --explain RULE     explains a rule
    seedbed-lint --help | --version

It prints a line `file:line:column: rule: message` for each finding. In folders, those called
`target` and hidden ones are left out, and examples in doc comments are not looked at.

A comment allows something on its line, or on the next line of code:

    // seedbed-lint: allow(RULE): why it is right here

The exit status is 0 if nothing was found, 1 if something was, and 2 if the arguments are wrong or
a file could not be read; the others are judged all the same.

The rules:
",
    );
    for rule in Rule::ALL {
        text += &format!("    {:<23} {}\n", rule.name(), rule.summary());
    }
    text
}

fn printed(text: &str) -> io::Result<u8> {
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(QUIET)
}

fn check_all(paths: &[PathBuf]) -> io::Result<u8> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut status = QUIET;
    let files::Files { files, unreadable } = files::find(paths);
    for files::Unreadable { path, why } in unreadable {
        eprintln!("{}: error: {why}", path.display());
        status = WRONG;
    }
    for path in files {
        let name = path.display().to_string();
        let text = match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                let valid = error.utf8_error().valid_up_to();
                eprintln!("{name}: error: this is not UTF-8, from byte {valid} on");
                status = WRONG;
                continue;
            }
            Err(error) => {
                eprintln!("{name}: error: {error}");
                status = WRONG;
                continue;
            }
        };
        match check(&name, &text) {
            Ok(findings) => {
                for finding in findings {
                    writeln!(
                        out,
                        "{name}:{}: {}: {}",
                        finding.at,
                        finding.rule.name(),
                        finding.text
                    )?;
                    status = status.max(FOUND);
                }
            }
            Err(error) => {
                eprintln!("{name}:{}: error: {}", error.at, error.why);
                status = WRONG;
            }
        }
    }
    out.flush()?;
    Ok(status)
}
