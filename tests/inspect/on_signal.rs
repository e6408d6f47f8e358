//! A dump when a signal comes: in a process of its own, as a shell would start it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal as ToSend, kill_process};
use seedbed::signal::Signal;
use seedbed::{Builder, nursery, sleep_forever, to_thread, yield_now};

/// Set in the processes that these tests start: each runs the program of its test, and nothing else.
const PROGRAM: &str = "SEEDBED_TEST_PROGRAM";

fn is_program() -> bool {
    std::env::var_os(PROGRAM).is_some()
}

/// A program that has five tasks, until its standard input ends. On request its thread is held up
/// until then.
fn program() {
    let builder = match std::env::var("DUMP_TO") {
        Ok(file) => Builder::new().dump_to(Signal::QUIT, file),
        Err(_) => Builder::new().dump_on(Signal::QUIT),
    };
    let until_stdin_ends = || {
        eprintln!("ready");
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    };
    builder
        .run(nursery(async |n| {
            for _ in 0..5 {
                n.spawn(sleep_forever());
            }
            yield_now().await?;
            match std::env::var("HELD_UP") {
                Ok(_) => until_stdin_ends(),
                Err(_) => to_thread(until_stdin_ends).await?,
            }
            n.scope().cancel();
            Ok(())
        }))
        .unwrap();
}

struct Program {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Program {
    /// Starts the program of the test with this name, and waits until it is ready.
    fn start(test: &str, variables: &[(&str, &str)]) -> Program {
        Program::start_by(Command::new(std::env::current_exe().unwrap()), test, variables)
    }

    fn start_by(mut command: Command, test: &str, variables: &[(&str, &str)]) -> Program {
        command.args([&format!("on_signal::{test}"), "--exact", "--nocapture"]);
        command.envs(variables.iter().copied()).env(PROGRAM, "yes");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut program = Program { child, stderr };
        program.read_until("ready");
        program
    }

    fn send(&self) {
        kill_process(Pid::from_child(&self.child), ToSend::QUIT).unwrap();
    }

    /// What it writes up to a line that contains this.
    fn read_until(&mut self, part: &str) -> String {
        self.read_until_any(&[part])
    }

    fn read_until_any(&mut self, parts: &[&str]) -> String {
        let mut text = String::new();
        let mut line = String::new();
        while !parts.iter().any(|part| line.contains(part)) {
            line.clear();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it has ended: {text}");
            text += &line;
        }
        text
    }

    /// Lets it end.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

const TASKS: &str = "5 tasks spawned at tests/inspect/on_signal.rs:";

#[test]
fn l01_each_signal_has_a_dump_written_to_standard_error() {
    if is_program() {
        return program();
    }
    let test = "l01_each_signal_has_a_dump_written_to_standard_error";
    let mut program = Program::start(test, &[]);
    for _ in 0..2 {
        program.send();
        let dump = program.read_until("on another thread");
        assert!(dump.contains("the run at ") && dump.contains(TASKS), "{dump}");
    }
    program.end();
}

#[test]
fn l01_a_run_that_is_held_up_has_that_written() {
    if is_program() {
        return program();
    }
    let test = "l01_a_run_that_is_held_up_has_that_written";
    let mut program = Program::start(test, &[("HELD_UP", "yes")]);
    program.send();
    program.read_until("no dump: the call at");
    program.end();
}

/// The file is a pipe, so that it can be waited for.
#[cfg(target_os = "linux")]
#[test]
fn l01_a_signal_has_a_dump_written_to_a_file() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    if is_program() {
        return program();
    }
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &folder.path().join("dumps");
    mknodat(CWD, file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let test = "l01_a_signal_has_a_dump_written_to_a_file";
    let program = Program::start(test, &[("DUMP_TO", file.to_str().unwrap())]);
    program.send();
    let dump = fs::read_to_string(file).unwrap(); // up to its end
    assert!(dump.contains("the run at ") && dump.contains(TASKS), "{dump}");
    program.end();
}

/// A program that is busy: some tasks never wait, others send each other bytes, and very many sleep.
/// It ends when it is told to.
#[cfg(feature = "net")]
fn busy_program() {
    use seedbed::net::UnixStream;
    use seedbed::signal::Signals;
    use seedbed::{Result, sleep};

    async fn play(stream: UnixStream) -> Result<()> {
        let mut buffer = [0; 1];
        loop {
            stream.write_all(b"x").await?;
            stream.read_exact(&mut buffer).await?;
        }
    }

    async fn never_waits() -> Result<()> {
        loop {
            yield_now().await?;
        }
    }

    let run = nursery(async |n| {
        let (release, released) = std::sync::mpsc::channel::<()>();
        n.spawn(to_thread(move || released.recv().unwrap_or_default()));
        for nth in 0..5_000 {
            n.spawn(sleep(std::time::Duration::from_secs(3600 + nth)));
        }
        for _ in 0..50 {
            let (one, other) = UnixStream::pair()?;
            n.spawn(play(one));
            n.spawn(play(other));
            n.spawn(never_waits());
        }
        let signals = Signals::new([Signal::TERM])?;
        for _ in 0..20 {
            yield_now().await?; // everybody has begun
        }
        eprintln!("ready");
        signals.recv().await?;
        drop(release);
        n.scope().cancel();
        Ok(())
    });
    Builder::new().dump_on(Signal::QUIT).run(run).unwrap();
}

/// The shell starts it in the background, where it ignores SIGQUIT until it says otherwise.
#[cfg(feature = "net")]
#[test]
fn l01_a_busy_program_that_a_shell_has_started() {
    if is_program() {
        return busy_program();
    }
    const SCRIPT: &str = r#"
        "$0" "$@" &
        while read -r _; do kill -QUIT $!; done
        kill -TERM $!
        wait $!"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT]).arg(std::env::current_exe().unwrap());
    let mut program = Program::start_by(shell, "l01_a_busy_program_that_a_shell_has_started", &[]);
    let mut signals = program.child.stdin.take().unwrap();
    let mut dumps = 0;
    while dumps < 3 {
        signals.write_all(b"\n").unwrap();
        // On a machine with too much to do, its thread may not answer in time.
        let dump = program.read_until_any(&["on another thread", "no dump: "]);
        if dump.contains("no dump: ") {
            continue;
        }
        dumps += 1;
        assert!(dump.contains("the run at ") && dump.contains(": 5152 tasks, "), "{dump}");
        assert!(dump.contains("5000 tasks spawned at tests/inspect/on_signal.rs:"), "{dump}");
        assert!(dump.contains("in `Signals::recv` at tests/inspect/on_signal.rs:"), "{dump}");
    }
    drop(signals);
    program.end();
}

/// It is not waited for longer than the run lasts.
#[test]
fn l01_a_run_that_listens_to_a_signal_ends() {
    Builder::new().dump_on(Signal::from_raw(12)).run(async { Ok(()) }).unwrap();
    let error = Builder::new().dump_on(Signal::from_raw(9)).run(async { Ok(()) }).unwrap_err();
    assert!(error.is::<io::Error>());
}
