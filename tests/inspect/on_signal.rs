//! A dump when a signal comes: in a process of its own, as a shell would start it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal as ToSend, kill_process};
use seedbed::signal::Signal;
use seedbed::{Builder, nursery, sleep_forever, to_thread, yield_now};

/// The program of the tests below: five tasks, until its standard input ends. On request its thread
/// is held up until then.
#[test]
#[ignore = "the tests below run it, in a process of its own"]
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
    /// Starts the program, and waits until it is ready.
    fn start(variables: &[(&str, &str)]) -> Program {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["on_signal::program", "--exact", "--ignored", "--nocapture"]);
        command.envs(variables.iter().copied());
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
        let mut text = String::new();
        let mut line = String::new();
        while !line.contains(part) {
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
    let mut program = Program::start(&[]);
    for _ in 0..2 {
        program.send();
        let dump = program.read_until("on another thread");
        assert!(dump.contains("the run at ") && dump.contains(TASKS), "{dump}");
    }
    program.end();
}

#[test]
fn l01_a_run_that_is_held_up_has_that_written() {
    let mut program = Program::start(&[("HELD_UP", "yes")]);
    program.send();
    program.read_until("no dump: the call at");
    program.end();
}

/// The file is a pipe, so that it can be waited for.
#[cfg(target_os = "linux")]
#[test]
fn l01_a_signal_has_a_dump_written_to_a_file() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &folder.path().join("dumps");
    mknodat(CWD, file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let program = Program::start(&[("DUMP_TO", file.to_str().unwrap())]);
    program.send();
    let dump = fs::read_to_string(file).unwrap(); // up to its end
    assert!(dump.contains("the run at ") && dump.contains(TASKS), "{dump}");
    program.end();
}

/// It is not waited for longer than the run lasts.
#[test]
fn l01_a_run_that_listens_to_a_signal_ends() {
    Builder::new().dump_on(Signal::from_raw(12)).run(async { Ok(()) }).unwrap();
    let error = Builder::new().dump_on(Signal::from_raw(9)).run(async { Ok(()) }).unwrap_err();
    assert!(error.is::<io::Error>());
}
