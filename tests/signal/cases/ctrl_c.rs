//! R5: what Ctrl-C does to a run.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal as Sent;
use seedbed::signal::{Signal, Signals};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Cancelled, Error, Interrupted, Reason, Result, checkpoint, nursery, run,
    run_on_cores, sleep_forever, yield_now,
};

use super::{Process, raise, say, wait};

pub mod r05_ctrl_c_cancels_the_main_scope {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
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

pub mod r05_ctrl_c_is_heeded_by_one_that_never_sleeps {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
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

pub mod r05_a_second_ctrl_c_ends_a_process_that_hangs {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
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

pub mod r05_after_the_run_ctrl_c_has_its_default_effect {
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

pub mod r05_run_after_run {
    use super::*;

    pub fn test(mut process: Process) {
        for _ in 0..3 {
            process.send_when_up(Sent::INT);
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

/// The system may run the handler in any thread. Only in the main one does it interrupt a sleep by
/// itself.
pub mod r05_ctrl_c_that_comes_to_another_thread {
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

/// If it were still awake, the test would pass without testing what it is for.
fn until_the_main_thread_sleeps() {
    let process = std::process::id();
    while std::fs::read_to_string(format!("/proc/self/task/{process}/stat"))
        .is_ok_and(|stat| !stat.contains(") S "))
    {
        std::thread::yield_now();
    }
}

pub mod r05_ctrl_c_cancels_all_cores {
    use super::*;

    pub fn test(mut process: Process) {
        for _ in 0..3 {
            process.send_when_up(Sent::INT);
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
        // The core whose thread responds to it has nothing left to do.
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

pub mod r05_ctrl_c_turned_off {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
        process.dies_of(Sent::INT);
    }

    pub fn process() {
        let _ = Builder::new().ctrl_c(false).run(async {
            say("up");
            sleep_forever().await
        });
    }
}

pub mod r05_ctrl_c_in_another_thread {
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

pub mod r05_clean_up_after_ctrl_c_may_await {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
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

pub mod r05_a_program_that_ends_well_after_ctrl_c {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
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

pub mod r05_who_listens_gets_ctrl_c_in_place_of_the_main_scope {
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
        // Listening outside any run is no different.
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

pub mod r05_ctrl_c_that_was_ignored_stays_so {
    use super::*;

    pub fn test(mut process: Process) {
        process.send_when_up(Sent::INT);
        process.send(Sent::TERM);
        process.expect("SIGTERM");
        process.expect("over");
        process.send(Sent::INT);
        process.go_on();
        process.ends_well();
    }

    pub fn process() {
        // Only Linux lets a process find that out.
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
