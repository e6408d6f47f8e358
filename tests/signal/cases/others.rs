//! R5: Ctrl-C where another library listens to it as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::{Signal as Sent, kill_process};
use seedbed::signal::{Signal, Signals};
use seedbed::{Interrupted, Result, checkpoint, run, sleep_forever};

use super::{Process, say, wait};

/// Another library's listening to Ctrl-C, through the registry that signal-hook and tokio share.
struct Library(Arc<AtomicBool>);

impl Library {
    fn listens() -> Library {
        let noted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(Sent::INT.as_raw(), noted.clone()).unwrap();
        Library(noted)
    }

    fn is_told(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// This crate listens to Ctrl-C in each of its ways, one after the other, and stops.
fn heed() {
    run(async { checkpoint().await }).unwrap();
    drop(Signals::new([Signal::INT]).unwrap());
    run(async { Signals::new([Signal::INT]).map(drop) }).unwrap();
}

/// The process is sent Ctrl-C twice, and has to be alive afterwards, for the library to say so.
fn survives(mut process: Process) {
    for _ in 0..2 {
        process.send_when_up(Sent::INT);
        process.go_on();
        process.expect("told");
    }
    process.ends_well();
}

fn is_told_twice(is_told: impl Fn() -> bool) {
    for _ in 0..2 {
        say("up");
        wait();
        assert!(is_told());
        say("told");
    }
}

pub mod r05_who_listened_before_is_left_alone {
    use super::*;

    pub fn test(process: Process) {
        survives(process);
    }

    pub fn process() {
        let library = Library::listens();
        heed();
        is_told_twice(|| library.is_told());
    }
}

pub mod r05_who_begins_to_listen_during_a_run_is_left_alone {
    use super::*;

    pub fn test(process: Process) {
        survives(process);
    }

    pub fn process() {
        let library = run(async { Ok(Library::listens()) }).unwrap();
        is_told_twice(|| library.is_told());
    }
}

pub mod r05_who_begins_to_listen_beside_us_is_left_alone {
    use super::*;

    pub fn test(process: Process) {
        survives(process);
    }

    pub fn process() {
        let signals = Signals::new([Signal::INT]).unwrap();
        let library = Library::listens();
        drop(signals);
        is_told_twice(|| library.is_told());
    }
}

pub mod r05_who_begins_to_listen_afterwards_is_left_alone {
    use super::*;

    pub fn test(process: Process) {
        survives(process);
    }

    pub fn process() {
        heed();
        let library = Library::listens();
        heed();
        is_told_twice(|| library.is_told());
    }
}

static TOLD: AtomicUsize = AtomicUsize::new(0);

extern "C" fn tell(_: i32) {
    TOLD.fetch_add(1, Ordering::SeqCst);
}

/// The way a program in C does it.
fn install(handler: usize) {
    // SAFETY: the handler does what is allowed in one.
    assert_ne!(unsafe { libc::signal(libc::SIGINT, handler) }, libc::SIG_ERR);
}

pub mod r05_a_plain_handler_from_before_is_left_alone {
    use super::*;

    pub fn test(process: Process) {
        survives(process);
    }

    pub fn process() {
        install(tell as extern "C" fn(i32) as usize);
        heed();
        is_told_twice(|| TOLD.swap(0, Ordering::SeqCst) == 1);
    }
}

pub mod r05_a_plain_handler_from_afterwards_is_left_alone {
    use super::*;

    pub fn test(process: Process) {
        survives(process);
    }

    pub fn process() {
        heed();
        install(tell as extern "C" fn(i32) as usize);
        heed();
        is_told_twice(|| TOLD.swap(0, Ordering::SeqCst) == 1);
    }
}

pub mod r05_ctrl_c_that_the_program_ignores_afterwards_is_ignored {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
        process.go_on();
        process.ends_well();
    }

    pub fn process() {
        heed();
        install(libc::SIG_IGN);
        heed();
        say("up");
        wait();
        heed();
    }
}

pub mod r05_ctrl_c_that_has_its_default_effect_again_is_heeded_again {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
        process.expect("cancelled");
        process.send(Sent::INT);
        process.dies_of(Sent::INT);
    }

    pub fn process() {
        heed();
        install(libc::SIG_DFL);
        let outcome = run(async {
            say("up");
            sleep_forever().await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        say("cancelled");
        wait();
    }
}

/// Both respond to it: the main scope is cancelled, and the library is told. The second does not
/// end the process, as somebody listens.
pub mod r05_during_a_run_others_hear_of_ctrl_c_as_well {
    use super::*;

    pub fn test(mut process: Process) {
        for _ in 0..2 {
            process.send_when_up(Sent::INT);
            process.expect("cancelled");
            process.send(Sent::INT);
            process.go_on();
        }
        process.ends_well();
    }

    pub fn process() {
        let mut libraries = vec![Library::listens()];
        for _ in 0..2 {
            let outcome: Result<()> = run(async {
                say("up");
                let outcome = sleep_forever().await;
                say("cancelled");
                wait();
                outcome
            });
            assert!(outcome.unwrap_err().is::<Interrupted>());
            assert!(libraries.iter().all(Library::is_told));
            // One listened before, and one came later.
            libraries.push(Library::listens());
        }
    }
}

pub mod r05_ctrl_c_that_was_ignored_stays_so_after_it_was_listened_to {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
        process.expect("SIGINT");
        process.expect("over");
        process.send(Sent::INT);
        process.go_on();
        process.ends_well();
    }

    pub fn process() {
        install(libc::SIG_IGN);
        heed();
        let signals = Signals::new([Signal::INT]).unwrap();
        say("up");
        say(&run(signals.recv()).unwrap().to_string());
        drop(signals);
        say("over");
        wait();
        heed();
    }
}

/// None is lost, and the process stays alive, while others come and go in several threads.
pub mod r05_signals_that_come_while_listeners_come_and_go {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        let stays = Signals::new([Signal::USR1]).unwrap();
        let library = Library::listens();
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    for _ in 0..2000 {
                        drop(Signals::new([Signal::USR1, Signal::INT]).unwrap());
                    }
                });
                threads.spawn(|| {
                    for _ in 0..2000 {
                        kill_process(rustix::process::getpid(), Sent::USR1).unwrap();
                        kill_process(rustix::process::getpid(), Sent::INT).unwrap();
                    }
                });
            }
        });
        assert!(library.is_told());
        assert_eq!(run(stays.recv()).unwrap(), Signal::USR1);
    }
}
