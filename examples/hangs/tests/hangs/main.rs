//! L1, L2: from a hang to its cause, with what the guide says that one sees. Each program runs as a
//! process, and hangs.
//!
//! | file | what |
//! |---|---|
//! | `program` | one of the programs, as a process |
//! | `guide` | what the guide says that one sees of it |
//! | `page` | the page that shows what it does, in a real browser |
#![cfg(target_os = "linux")]

mod guide;
mod page;
mod program;

use std::fs;
use std::path::Path;
use std::time::Duration;

use guide::{simplify, texts};
use program::Program;
use seedbed::signal::Signal;
use seedbed::{Result, fail_after, nursery, run};

/// Far more than this takes, so that a test that hangs says so.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs a program, and ends it when the test is over.
fn with(name: &str, test: impl AsyncFnOnce(&mut Program) -> Result<()>) {
    let test = nursery(async |n| {
        test(&mut Program::start(n, &[name])?).await?;
        n.cancel();
        Ok(())
    });
    run(fail_after(LIMIT, test)).unwrap();
}

/// `FILE:LINE:`, of the line with this text.
fn place(file: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let source = fs::read_to_string(path).unwrap();
    let mut lines = (1..).zip(source.lines()).filter(|(_, line)| line.contains(text));
    let (number, _) = lines.next().expect("the text is there");
    assert_eq!(lines.next(), None, "there is one such line");
    format!("examples/hangs/src/{file}:{number}:")
}

/// That the line of a text with this in it says that as well.
fn says(text: &str, line: &str, that: &[&str]) {
    let line = text.lines().find(|found| found.contains(line));
    let line = line.unwrap_or_else(|| panic!("it says: {text}"));
    assert!(that.iter().all(|part| line.contains(part)), "{that:?} is not in: {line}");
}

#[test]
fn l01_a_futurelock_is_seen_from_what_waits_and_from_what_was_given_the_lock() {
    with("futurelock", async |program| {
        let warning = message(&program.errors.until("stuck: ").await?);
        let given = place("futurelock.rs", "let mut locked = prices.lock().await?");
        assert!(warning.contains(&format!("operation at {given}")), "{warning}");
        let dump = program.dump().await?;
        let waits = place("futurelock.rs", "Ok(prices.lock().await?.tea)");
        says(&dump, "\"customer 1\"", &["Mutex::lock", &waits]);
        as_in_the_guide("A futurelock", &[&warning, &dump]);
        Ok(())
    });
}

#[test]
fn l01_a_task_that_ignores_its_cancellation_is_seen_in_the_cancelled_scope() {
    with("ignored", async |program| {
        program.output.until("tick").await?;
        program.send(Signal::INT)?;
        program.output.until("INT: it ends").await?;
        let warning = message(&program.errors.until("stuck: ").await?);
        let dump = program.dump().await?;
        let spawned = place("ignored.rs", "spawn(obey(commands");
        says(&dump, "\"commands\"", &[&spawned, "in a future of another crate"]);
        as_in_the_guide("A task that ignores its cancellation", &[&warning, &dump]);
        Ok(())
    });
}

#[test]
fn l02_a_blocked_thread_is_seen_while_it_is_blocked() {
    with("blocked", async |program| {
        program.output.until("order 1:").await?;
        // Nobody reads the rest.
        let warning = message(&program.errors.until("blocked: ").await?);
        let spawned = place("blocked.rs", "spawn(write(lines))");
        assert!(warning.contains(&format!("the task \"log\" spawned at {spawned}")), "{warning}");
        program.send(Signal::QUIT)?;
        let refused = program.errors.until("no dump: ").await?;
        as_in_the_guide("A blocked thread", &[&warning, &refused]);
        Ok(())
    });
}

#[test]
fn l01_a_leak_of_tasks_is_seen_where_they_were_spawned() {
    with("leak", async |program| {
        program.output.until("visitor 200 has left").await?;
        let dump = program.dump().await?;
        let spawned = place("leak.rs", "n.spawn(keep_alive(");
        let waits = place("leak.rs", "sleep(KEEP_ALIVE)");
        says(&dump, &spawned, &["sleep", &waits]);
        let line = dump.lines().find(|line| line.contains(&spawned)).unwrap();
        let number: usize = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!(number >= 200, "{line}");
        // How many visitors are there just now is another matter.
        as_in_the_guide("A leak of tasks", &[line]);
        Ok(())
    });
}

/// The message of a line of the log, without what stands before it and its fields.
fn message(line: &str) -> String {
    let (_, message) = line.split_once(": ").expect("the target is in front");
    let message = message.split_whitespace().take_while(|word| !word.contains('='));
    message.collect::<Vec<_>>().join(" ")
}

/// That each line is in the guide.
fn as_in_the_guide(section: &str, seen: &[&str]) {
    let guide = simplify(&texts(section).concat());
    for line in seen.iter().flat_map(|text| text.lines()) {
        let line = simplify(line);
        assert!(guide.contains(line.trim_start()), "the guide lacks {line}It says:\n{guide}");
    }
}
