use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal as Sent, kill_process};
use seedbed::net::{TcpListener, TcpStream};
use seedbed::signal::{Signal, Signals};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Cancelled, Error, Interrupted, Listener, Reason, Result, Server,
    cancel_scope, checkpoint, idle, move_on_after, nursery, run, run_on_cores, sleep_forever,
    yield_now,
};

mod broken_pipe;
mod fairness;
mod others;

use broken_pipe::*;
use fairness::*;
use others::*;

/// What the test does, and what the process it starts does.
struct Case {
    name: &'static str,
    test: fn(Process),
    process: fn(),
}

macro_rules! cases {
    ($($name:ident)*) => {
        const CASES: &[Case] = &[$(Case {
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
}

pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--process"
    {
        let case = CASES.iter().find(|case| case.name == *name).expect("a case");
        // Where the test is killed, one that hangs on purpose does not stay behind.
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(Sent::KILL)).unwrap();
        (case.process)();
        return ExitCode::SUCCESS;
    }
    // What libtest understands and is of use here.
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

    /// Waits until the process says this.
    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }

    fn send(&self, signal: Sent) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Lets the process go on behind its next `wait`.
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

/// Tells the test that the process has come so far.
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

mod r05_ctrl_c_cancels_the_main_scope {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::INT);
        process.expect("cancelled");
        process.ends_well();
    }

    pub fn process() {
        let outcome: Result<()> = run(async {
            nursery(async |n| {
                drop(n.spawn(async {
                    let error = sleep_forever().await.unwrap_err();
                    let cancelled: &Cancelled = error.downcast_ref().unwrap();
                    assert!(matches!(cancelled.reason(), Reason::Interrupted));
                    say("cancelled");
                    Err::<(), _>(error)
                }));
                say("up");
                sleep_forever().await
            })
            .await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
    }
}

mod r05_ctrl_c_is_heeded_by_one_that_never_sleeps {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::INT);
        process.ends_well();
    }

    pub fn process() {
        // No time passes on this clock either.
        let outcome: Result<()> = Builder::new().clock(&VirtualClock::new()).run(async {
            say("up");
            loop {
                checkpoint().await?;
            }
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
    }
}

mod r05_a_second_ctrl_c_ends_a_process_that_hangs {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::INT);
        process.expect("hangs");
        process.send(Sent::INT);
        process.dies_of(Sent::INT);
    }

    pub fn process() {
        let _ = run(async {
            say("up");
            let _cancelled: Result<()> = sleep_forever().await;
            say("hangs");
            loop {
                std::hint::spin_loop();
            }
            #[expect(unreachable_code, reason = "gives the block its type")]
            Ok(())
        });
    }
}

mod r05_after_the_run_ctrl_c_has_its_default_effect {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("over");
        process.send(Sent::INT);
        process.dies_of(Sent::INT);
    }

    pub fn process() {
        run(checkpoint()).unwrap();
        say("over");
        wait();
    }
}

mod r05_run_after_run {
    use super::*;

    pub fn test(mut process: Process) {
        for _ in 0..3 {
            process.expect("up");
            process.send(Sent::INT);
        }
        process.expect("over");
        process.send(Sent::INT);
        process.dies_of(Sent::INT);
    }

    pub fn process() {
        for _ in 0..3 {
            let outcome: Result<()> = run(async {
                say("up");
                sleep_forever().await
            });
            assert!(outcome.unwrap_err().is::<Interrupted>());
            run(checkpoint()).unwrap(); // one that is not interrupted
        }
        say("over");
        wait();
    }
}

/// The system may choose any thread to run the handler; only in the main one it interrupts a
/// sleep by itself.
mod r05_ctrl_c_that_comes_to_another_thread {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.go_on();
        process.expect("SIGTERM");
        process.go_on();
        process.ends_well();
    }

    pub fn process() {
        let thread = std::thread::spawn(|| {
            for signal in [Signal::TERM, Signal::INT] {
                wait();
                until_the_main_thread_sleeps();
                raise(signal); // in this thread
            }
        });
        let outcome: Result<()> = run(async {
            let signals = Signals::new([Signal::TERM])?;
            say("up");
            say(&signals.recv().await?.to_string());
            sleep_forever().await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        thread.join().unwrap();
    }
}

/// Were it awake still, the test would pass, and not test what it is for.
fn until_the_main_thread_sleeps() {
    let process = std::process::id();
    while std::fs::read_to_string(format!("/proc/self/task/{process}/stat"))
        .is_ok_and(|stat| !stat.contains(") S "))
    {
        std::thread::yield_now();
    }
}

mod r05_ctrl_c_cancels_all_cores {
    use super::*;

    pub fn test(mut process: Process) {
        for _ in 0..3 {
            process.expect("up");
            process.send(Sent::INT);
        }
        process.ends_well();
    }

    fn interrupted(
        first: impl AsyncFn() -> Result<()> + Sync,
        clean_up: impl Fn(usize) -> Result<()> + Sync,
    ) -> Error {
        let up = AtomicUsize::new(0);
        let outcome = run_on_cores(3, async |core| {
            if up.fetch_add(1, Ordering::SeqCst) == 2 {
                say("up");
            }
            if core == 0 {
                return first().await;
            }
            let error = sleep_forever().await.unwrap_err();
            let cancelled: &Cancelled = error.downcast_ref().unwrap();
            assert!(matches!(cancelled.reason(), Reason::Interrupted));
            assert_eq!(cancelled.cancelled_by(), None);
            clean_up(core)?;
            Err(error)
        });
        outcome.unwrap_err()
    }

    pub fn process() {
        let error = interrupted(async || sleep_forever().await, |_| Ok(()));
        assert!(error.is::<Interrupted>());
        // The core whose thread heeds it has nothing to do any more.
        let error = interrupted(async || Ok(()), |_| Ok(()));
        assert!(error.is::<Interrupted>());
        // As in a `run`, a failure is what counts.
        let error = interrupted(
            async || sleep_forever().await,
            |core| if core == 2 { Err(Error::msg("out of paper")) } else { Ok(()) },
        );
        assert_eq!(error.as_group().unwrap().len(), 1);
        assert!(error.find::<Interrupted>().is_none());
    }
}

mod r05_ctrl_c_turned_off {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::INT);
        process.dies_of(Sent::INT);
    }

    pub fn process() {
        let _ = Builder::new().ctrl_c(false).run(async {
            say("up");
            sleep_forever().await
        });
    }
}

mod r05_ctrl_c_in_another_thread {
    use super::*;

    pub fn test(process: Process) {
        super::r05_ctrl_c_turned_off::test(process);
    }

    pub fn process() {
        // A name is not what makes a thread the main one.
        let thread = std::thread::Builder::new().name("main".into()).spawn(|| {
            let _ = run(async {
                say("up");
                sleep_forever().await
            });
        });
        thread.unwrap().join().unwrap();
    }
}

mod r05_clean_up_after_ctrl_c_may_await {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::INT);
        process.expect("cleaned up");
        process.ends_well();
    }

    pub fn process() {
        let outcome: Result<()> = run(async {
            say("up");
            let outcome = sleep_forever().await;
            let shield = CancelScope::new().with_shield();
            shield.enter(async |_| yield_now().await).await?;
            say("cleaned up");
            outcome
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
    }
}

mod r05_a_program_that_ends_well_after_ctrl_c {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::INT);
        process.ends_well();
    }

    pub fn process() {
        let value = run(async {
            say("up");
            let cancelled: Result<()> = sleep_forever().await;
            assert!(cancelled.unwrap_err().is::<Cancelled>());
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
    }
}

mod r05_who_listens_gets_ctrl_c_in_place_of_the_main_scope {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("listens");
        for _ in 0..3 {
            process.send(Sent::INT);
            process.expect("received");
        }
        process.go_on();
        process.expect("listens no more");
        process.send(Sent::INT);
        process.expect("interrupted");
        // Who listens outside of any run is no different.
        process.expect("listens");
        process.send(Sent::INT);
        process.go_on();
        process.expect("received");
        process.send(Sent::INT);
        process.dies_of(Sent::INT);
    }

    pub fn process() {
        let outcome: Result<()> = run(async {
            let also = Signals::new([Signal::USR1, Signal::INT])?;
            let signals = Signals::new([Signal::INT])?;
            drop(also);
            say("listens");
            for _ in 0..3 {
                assert_eq!(signals.recv().await?, Signal::INT);
                say("received");
            }
            wait();
            drop(signals);
            say("listens no more");
            sleep_forever().await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        say("interrupted");
        let signals = Signals::new([Signal::INT]).unwrap();
        run(checkpoint()).unwrap();
        say("listens");
        wait();
        assert_eq!(run(signals.recv()).unwrap(), Signal::INT);
        drop(signals);
        say("received");
        wait();
    }
}

mod r05_ctrl_c_that_was_ignored_stays_so {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::INT);
        process.send(Sent::TERM);
        process.expect("SIGTERM");
        process.expect("over");
        process.send(Sent::INT);
        process.go_on();
        process.ends_well();
    }

    pub fn process() {
        // Only Linux tells.
        if !cfg!(target_os = "linux") {
            let signals = Signals::new([Signal::INT, Signal::TERM]).unwrap();
            say("up");
            while run(signals.recv()).unwrap() != Signal::TERM {}
            say("SIGTERM");
            say("over");
            wait();
            std::process::exit(0);
        }
        let signal = run(async {
            let signals = Signals::new([Signal::TERM])?;
            say("up");
            signals.recv().await
        });
        say(&signal.unwrap().to_string());
        say("over");
        wait();
    }
}

/// Serves one connection, which says when the server drains, and when it is cancelled.
async fn serve_until<T>(
    shutdown: impl Future<Output = Result<T>>,
    when_cancelled: impl Fn(),
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let _client = TcpStream::connect(listener.local_addr()?).await?;
    Server::new(listener)
        .shutdown_on(shutdown)
        .grace(Duration::from_secs(3600))
        .serve(async |_, _| {
            say("up");
            let _cancelled: Result<()> = idle(sleep_forever()).await;
            for _ in 0..10 {
                yield_now().await?; // the server has gone as far, too
            }
            say("drains");
            let outcome = sleep_forever().await;
            say("cancelled");
            when_cancelled();
            outcome
        })
        .await
}

mod r05_a_second_signal_ends_a_servers_drain {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::TERM);
        process.expect("drains");
        process.send(Sent::TERM);
        process.expect("cancelled");
        process.expect("what comes after");
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            checkpoint().await?;
            say("what comes after");
            Ok(())
        })
        .unwrap();
    }
}

mod r05_a_second_signal_of_another_kind_ends_a_servers_drain {
    use super::*;

    pub fn test(mut process: Process) {
        for (first, second) in [(Sent::INT, Sent::INT), (Sent::TERM, Sent::INT)] {
            process.expect("up");
            process.send(first);
            process.expect("drains");
            process.send(second);
            process.expect("cancelled");
            process.expect("what comes after");
        }
        process.ends_well();
    }

    pub fn process() {
        for _ in 0..2 {
            run(async {
                // Nobody but the server listens any more when the first has come.
                let shutdown = async { Signals::new([Signal::INT, Signal::TERM])?.recv().await };
                serve_until(shutdown, || ()).await?;
                say("what comes after");
                Ok(())
            })
            .unwrap();
        }
    }
}

mod r05_a_third_signal_ends_a_process_that_hangs_in_its_drain {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::TERM);
        process.expect("drains");
        process.send(Sent::TERM);
        process.expect("cancelled");
        process.send(Sent::TERM);
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let _ = run(async {
            let signals = Signals::new([Signal::TERM])?;
            let hang = || {
                loop {
                    std::hint::spin_loop();
                }
            };
            serve_until(signals.recv(), hang).await
        });
    }
}

mod r05_a_third_signal_ends_a_process_whose_server_has_ended {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::TERM);
        process.expect("drains");
        process.send(Sent::TERM);
        process.expect("cancelled");
        process.expect("what comes after");
        process.send(Sent::TERM);
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let _ = run(async {
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            say("what comes after");
            sleep_forever().await
        });
    }
}

mod r05_a_second_signal_reaches_a_server_that_was_stopped_from_outside {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::TERM);
        process.expect("drains");
        process.send(Sent::TERM);
        process.expect("cancelled");
        process.expect("what comes after");
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            cancel_scope(async |scope| {
                nursery(async |n| {
                    n.spawn(async {
                        signals.recv().await?;
                        scope.cancel_gracefully(Duration::from_secs(3600));
                        Ok(())
                    });
                    serve_until(sleep_forever(), || ()).await
                })
                .await
            })
            .await?;
            say("what comes after");
            Ok(())
        })
        .unwrap();
    }
}

mod r05_a_signal_that_ended_a_drain_has_no_further_effect {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::TERM);
        process.expect("drains");
        process.send(Sent::TERM);
        process.expect("cancelled");
        // Who listens is told of it nevertheless, and is spared again if it begins anew.
        process.expect("SIGTERM");
        process.expect("up");
        process.send(Sent::TERM);
        process.expect("drains");
        process.send(Sent::TERM);
        process.expect("cancelled");
        process.expect("not lost");
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            say(&signals.recv().await?.to_string());
            drop(signals);
            let signals = Signals::new([Signal::TERM])?;
            serve_until(signals.recv(), || ()).await?;
            drop(signals); // with the second in it
            // One that comes when no server drains, and is not received.
            let signals = Signals::new([Signal::TERM])?;
            raise(Signal::TERM);
            say("not lost");
            drop(signals);
            Ok(())
        })
        .unwrap();
    }
}

/// Here since a process has but one limit.
mod s05_by_default_connections_leave_descriptors_for_others {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    /// There is always one more.
    struct Endless;

    impl Listener for Endless {
        type Stream = ();
        type Address = ();

        async fn accept(&self) -> Result<((), ())> {
            checkpoint().await?;
            Ok(((), ()))
        }

        fn try_accept(&self) -> Result<Option<((), ())>> {
            Ok(None)
        }
    }

    fn most(server: impl FnOnce(Server<'_, Endless>) -> Server<'_, Endless>) -> usize {
        let open = Cell::new(0);
        let clock = VirtualClock::new();
        let outcome: Result<_> = Builder::new().clock(&clock).run(async {
            move_on_after(
                Duration::from_secs(1),
                server(Server::new(Endless)).serve(async |(), ()| {
                    open.set(open.get() + 1);
                    sleep_forever().await
                }),
            )
            .await
        });
        assert!(outcome.unwrap().is_none());
        open.get()
    }

    pub fn process() {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(100);
        setrlimit(Resource::Nofile, limit).unwrap();
        assert_eq!(most(|server| server), 75);
        assert_eq!(most(|server| server.max_connections(300)), 300);
    }
}

mod signals_are_received {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        for signal in [Sent::HUP, Sent::USR1, Sent::HUP, Sent::TERM] {
            process.send(signal);
            process.expect(match signal {
                Sent::HUP => "SIGHUP",
                Sent::USR1 => "SIGUSR1",
                _ => "SIGTERM",
            });
        }
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM, Signal::HUP, Signal::USR1])?;
            assert_eq!(format!("{signals:?}"), "{SIGTERM, SIGHUP, SIGUSR1}");
            say("up");
            loop {
                let signal = signals.recv().await?;
                say(&signal.to_string());
                if signal == Signal::TERM {
                    break;
                }
            }
            // Several of one kind are one; none keeps another from being received.
            for _ in 0..3 {
                raise(Signal::HUP);
            }
            raise(Signal::USR1);
            let first = signals.recv().await?;
            raise(first);
            let second = signals.recv().await?;
            assert_ne!(first, second);
            assert_eq!(signals.recv().await?, first);
            Ok(())
        })
        .unwrap();
    }
}

mod signals_have_their_default_effect_when_nobody_listens {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("up");
        process.send(Sent::TERM);
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let signals = Signals::new([Signal::TERM, Signal::WINCH, Signal::CHLD]).unwrap();
        raise(Signal::TERM);
        assert_eq!(run(signals.recv()).unwrap(), Signal::TERM);
        drop(signals);
        raise(Signal::WINCH); // by default it has no effect
        say("up");
        wait();
    }
}

mod c10_a_signal_is_not_lost_to_a_cancellation {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            // One that waits.
            let scope = CancelScope::new();
            nursery(async |n| {
                let waiting = n.spawn(scope.enter(async |_| signals.recv().await));
                yield_now().await?;
                yield_now().await?;
                raise(Signal::TERM);
                scope.cancel();
                assert_eq!(waiting.await?, None);
                Ok(())
            })
            .await?;
            // One that could be served at once.
            let none = cancel_scope(async |scope| {
                scope.cancel();
                signals.recv().await
            });
            assert_eq!(none.await?, None);
            assert_eq!(signals.recv().await?, Signal::TERM);
            Ok(())
        })
        .unwrap();
    }
}

mod c10_a_signal_that_was_not_received_has_its_effect {
    use super::*;

    pub fn test(mut process: Process) {
        process.expect("interrupted");
        process.dies_of(Sent::TERM);
    }

    pub fn process() {
        let outcome: Result<()> = run(async {
            let signals = Signals::new([Signal::INT])?;
            raise(Signal::INT);
            drop(signals);
            sleep_forever().await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        let signals = Signals::new([Signal::TERM]).unwrap();
        raise(Signal::TERM);
        say("interrupted");
        drop(signals);
        say("not reached");
    }
}

mod c11_a_listener_in_a_combinator_is_reached {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        run(async {
            let signals = Signals::new([Signal::TERM])?;
            let none = Signals::new([])?;
            let scope = CancelScope::new();
            nursery(async |n| {
                let waiting = n.spawn(scope.enter(async |_| {
                    let all = [signals.recv(), none.recv(), signals.recv()];
                    let outcomes = futures::future::join_all(all).await;
                    assert!(outcomes.iter().all(Result::is_err));
                    outcomes.into_iter().next().unwrap()
                }));
                yield_now().await?;
                yield_now().await?;
                scope.cancel();
                assert_eq!(waiting.await?, None);
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

mod signals_that_cannot_be_listened_to {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        for number in [9, 19, 4, 8, 11, 0, -1, 1000] {
            let error = Signals::new([Signal::TERM, Signal::from_raw(number)]).unwrap_err();
            let error: &std::io::Error = error.downcast_ref().unwrap();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    }
}
