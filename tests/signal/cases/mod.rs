//! The cases. Each is a test and the process that it starts.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, ExitStatus, Stdio};

use rustix::process::{Pid, Signal as Sent, kill_process};
use seedbed::signal::Signal;

mod broken_pipe;
mod ctrl_c;
mod fairness;
mod listeners;
mod others;
mod servers;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(feature = "tokio")]
use self::tokio::*;
use broken_pipe::*;
use ctrl_c::*;
use fairness::*;
use listeners::*;
use others::*;
use servers::*;

/// What the test does, and what the process it starts does.
struct Case {
    name: &'static str,
    test: fn(Process),
    process: fn(),
}

macro_rules! cases {
    ($($(#[$meta:meta])* $name:ident)*) => {
        const CASES: &[Case] = &[$($(#[$meta])* Case {
            name: stringify!($name),
            test: $name::test,
            process: $name::process,
        }),*];
    };
}

cases! {
    r05_ctrl_c_cancels_the_main_scope
    r05_ctrl_c_is_heeded_by_one_that_never_sleeps
    r05_a_second_ctrl_c_ends_a_process_that_hangs
    r05_after_the_run_ctrl_c_has_its_default_effect
    r05_run_after_run
    r05_ctrl_c_that_comes_to_another_thread
    r05_ctrl_c_cancels_all_cores
    r05_ctrl_c_turned_off
    r07_ctrl_c_waits_for_a_few_budgets_of_each_ready_task
    r05_ctrl_c_in_another_thread
    r05_clean_up_after_ctrl_c_may_await
    r05_a_program_that_ends_well_after_ctrl_c
    r05_who_listens_gets_ctrl_c_in_place_of_the_main_scope
    r05_ctrl_c_that_was_ignored_stays_so
    r05_a_second_signal_ends_a_servers_drain
    r05_a_second_signal_of_another_kind_ends_a_servers_drain
    r05_a_third_signal_ends_a_process_that_hangs_in_its_drain
    r05_a_third_signal_ends_a_process_whose_server_has_ended
    r05_a_second_signal_reaches_a_server_that_was_stopped_from_outside
    r05_a_signal_that_ended_a_drain_has_no_further_effect
    s05_by_default_connections_leave_descriptors_for_others
    r05_who_listened_before_is_left_alone
    r05_who_begins_to_listen_during_a_run_is_left_alone
    r05_who_begins_to_listen_beside_us_is_left_alone
    r05_who_begins_to_listen_afterwards_is_left_alone
    r05_a_plain_handler_from_before_is_left_alone
    r05_a_plain_handler_from_afterwards_is_left_alone
    r05_ctrl_c_that_the_program_ignores_afterwards_is_ignored
    r05_ctrl_c_that_has_its_default_effect_again_is_heeded_again
    r05_during_a_run_others_hear_of_ctrl_c_as_well
    r05_ctrl_c_that_was_ignored_stays_so_after_it_was_listened_to
    r05_signals_that_come_while_listeners_come_and_go
    r05_a_write_to_a_peer_that_has_gone_raises_no_signal
    signals_are_received
    signals_have_their_default_effect_when_nobody_listens
    c10_a_signal_is_not_lost_to_a_cancellation
    c10_a_signal_that_was_not_received_has_its_effect
    c11_a_listener_in_a_combinator_is_reached
    signals_that_cannot_be_listened_to
    #[cfg(feature = "tokio")] x01_ctrl_c_is_tokios_after_a_run
    #[cfg(feature = "tokio")] x01_ctrl_c_is_tokios_in_a_run_that_leaves_it_alone
    #[cfg(feature = "tokio")] x01_ctrl_c_reaches_tokio_and_cancels_the_run
    #[cfg(feature = "tokio")] x01_a_companion_ends_with_an_interrupted_run
}

pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--process"
    {
        let case = CASES.iter().find(|case| case.name == *name).expect("a case");
        // If the test is killed, a process that hangs on purpose does not stay behind.
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(Sent::KILL)).unwrap();
        (case.process)();
        return ExitCode::SUCCESS;
    }
    // Those of libtest's flags that are useful here.
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let names: Vec<_> =
        arguments.iter().filter(|argument| !argument.starts_with('-')).cloned().collect();
    let chosen = CASES.iter().filter(|case| {
        names.is_empty()
            || names.iter().any(|name| match has("--exact") {
                true => case.name == name,
                false => case.name.contains(name.as_str()),
            })
    });
    if has("--list") {
        chosen.for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let (mut passed, mut failed) = (0, 0);
    for case in chosen {
        let outcome = catch_unwind(AssertUnwindSafe(|| (case.test)(Process::new(case))));
        println!("test {} ... {}", case.name, if outcome.is_ok() { "ok" } else { "FAILED" });
        *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
    }
    let out = CASES.len() - passed - failed;
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n",
        if failed == 0 { "ok" } else { "FAILED" },
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// The process of a case, from the test's side.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn new(case: &Case) -> Process {
        let program = std::env::current_exe().unwrap();
        let mut command = if case.name == "r05_ctrl_c_that_was_ignored_stays_so" {
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' INT; exec \"$0\" \"$@\""]).arg(program);
            shell
        } else {
            Command::new(program)
        };
        let mut child = command
            .args(["--process", case.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Process { child, input, output }
    }

    /// Waits until the process says `word`.
    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }

    fn send(&self, signal: Sent) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn send_when_up(&mut self, signal: Sent) {
        self.expect("up");
        self.send(signal);
    }

    /// The first signal makes the server drain, and the second cancels what still drains.
    fn drains_and_is_cancelled(&mut self, first: Sent, second: Sent) {
        self.send_when_up(first);
        self.expect("drains");
        self.send(second);
        self.expect("cancelled");
    }

    /// Lets the process go on after its next `wait`.
    fn go_on(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    fn end(mut self) -> ExitStatus {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        self.child.wait().unwrap()
    }

    fn ends_well(self) {
        let status = self.end();
        assert!(status.success(), "{status}");
    }

    fn dies_of(self, signal: Sent) {
        assert_eq!(self.end().signal(), Some(signal.as_raw()));
    }
}

impl Drop for Process {
    /// A test that has failed leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// The process's side.

/// Tells the test how far the process has come.
fn say(word: &str) {
    println!("{word}");
}

/// Blocks the thread until the test says that it may go on.
fn wait() {
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

fn raise(signal: Signal) {
    signal_hook::low_level::raise(signal.as_raw()).unwrap();
}
