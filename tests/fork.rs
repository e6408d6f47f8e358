//! R8: what a forked process has for itself.
//!
//! A fork concerns the whole process, so this test has no harness. It forks from its main thread;
//! the child of each case does blocking work and exits with the outcome. A child that hangs is
//! ended by its alarm.

#[cfg(unix)]
mod cases {
    use std::io;
    use std::process::ExitCode;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use seedbed::{AlreadyRunning, Refusal, Token, nursery, run, to_thread};

    #[cfg(feature = "tokio")]
    use seedbed::tokio::{Companion, call};

    const CASES: &[(&str, fn())] = &[
        ("r08_idle_threads_stay_behind", idle_threads_stay_behind),
        ("r08_busy_threads_stay_behind", busy_threads_stay_behind),
        ("r08_a_child_of_a_child", a_child_of_a_child),
        ("r08_forked_by_a_thread_of_the_pool", forked_by_a_thread_of_the_pool),
        ("r08_the_parents_runs_have_ended", the_parents_runs_have_ended),
        ("r08_forked_inside_of_a_run", forked_inside_of_a_run),
        ("r08_forked_while_others_use_the_pool", forked_while_others_use_the_pool),
        #[cfg(feature = "tokio")]
        ("x01_forked_in_a_run_with_a_companion", forked_in_a_run_with_a_companion),
    ];

    pub fn main() -> ExitCode {
        // As a test's harness: the arguments that are no options filter by name.
        let filters: Vec<_> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
        let chosen = |name: &str| filters.is_empty() || filters.iter().any(|it| name.contains(it));
        for (name, case) in CASES.iter().filter(|(name, _)| chosen(name)) {
            case();
            println!("test {name} ... ok");
        }
        ExitCode::SUCCESS
    }

    /// Runs it in a forked process, in which it must be true.
    #[track_caller]
    fn in_child(what: impl FnOnce() -> bool) {
        /// Time enough for a busy machine. It passes only if something is wrong.
        const SECONDS: u32 = 60;
        // SAFETY: the C library's own locks are free in the child, and nothing else of the parent
        // is waited for there: that is what is tested.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: these are system calls that take numbers.
            unsafe {
                libc::alarm(SECONDS);
                libc::_exit(if what() { 0 } else { 1 })
            }
        }
        assert!(child > 0, "{}", io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: `status` is there to be written to.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        let alarm = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGALRM;
        assert!(!alarm, "the child hangs");
        assert_eq!(status, 0, "the child failed");
    }

    /// Blocking work on two threads.
    fn works() -> bool {
        let both = run(nursery(async |n| {
            let one = n.spawn(async { to_thread(|| 1).await });
            let two = to_thread(|| 2).await?;
            Ok(one.await? + two)
        }));
        both.is_ok_and(|sum| sum == 3)
    }

    fn idle_threads_stay_behind() {
        assert!(works());
        in_child(works);
        assert!(works(), "the parent's are still there");
    }

    fn busy_threads_stay_behind() {
        let (go_on, told) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let other = thread::spawn(move || {
            run(to_thread(move || {
                begin.send(()).unwrap();
                let _ = told.recv();
            }))
        });
        begun.recv().unwrap();
        in_child(works);
        drop(go_on);
        other.join().unwrap().unwrap();
    }

    fn a_child_of_a_child() {
        assert!(works());
        in_child(|| {
            let mut well = works();
            in_child(|| works() && works());
            well &= works();
            well
        });
    }

    fn forked_by_a_thread_of_the_pool() {
        run(to_thread(|| in_child(works))).unwrap();
    }

    /// They can no longer make calls, and their tokens say so.
    fn the_parents_runs_have_ended() {
        let (tell, told) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            run(async {
                tell.send(Token::current()?).unwrap();
                to_thread(move || wait.recv().is_err()).await
            })
        });
        let token = told.recv().unwrap();
        in_child(|| {
            let refused = token.run_sync(|| ()).unwrap_err();
            refused.error().why() == Refusal::RunFinished
                && token.run_sync_soon(|| ()).is_err()
                && works()
        });
        token.run_sync(|| ()).unwrap();
        drop(go_on);
        other.join().unwrap().unwrap();
    }

    /// The run goes on only in the parent, and the child is told so; it may have runs of its own on
    /// other threads.
    fn forked_inside_of_a_run() {
        run(async {
            to_thread(|| ()).await?;
            in_child(|| run(async { Ok(()) }).unwrap_err().is::<AlreadyRunning>());
            in_child(|| thread::spawn(works).join().unwrap());
            Ok(())
        })
        .unwrap();
        let refused = run(async {
            // SAFETY: as above. The child ends below.
            let child = unsafe { libc::fork() };
            let outcome = to_thread(|| ()).await;
            if child == 0 {
                let text = outcome.unwrap_err().to_string();
                let said = text.contains("fork outside of `run`") && text.contains("fork.rs");
                // SAFETY: a system call that takes a number.
                unsafe { libc::_exit(if said { 0 } else { 1 }) }
            }
            outcome?;
            to_thread(move || {
                let mut status = 0;
                // SAFETY: `status` is there to be written to.
                unsafe { libc::waitpid(child, &mut status, 0) };
                status
            })
            .await
        });
        assert_eq!(refused.unwrap(), 0);
    }

    /// The child has neither the companion's threads nor its tasks, and does not wait for them. A
    /// run of its own has a companion of its own.
    #[cfg(feature = "tokio")]
    fn forked_in_a_run_with_a_companion() {
        let answers = || {
            let companion = Companion::new();
            let answer = seedbed::Builder::new()
                .tokio(companion)
                .run(async { call(tokio::spawn(async { 42 })).await });
            answer.is_ok_and(|answer| answer == 42)
        };
        assert!(answers());
        in_child(answers);
        let companion = Companion::new().grace(std::time::Duration::MAX);
        let outcome = seedbed::Builder::new().tokio(companion).run(async {
            let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
            tokio::spawn(receiver);
            // SAFETY: as in `in_child`.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: as above.
                unsafe { libc::alarm(60) };
                let refused = call(tokio::spawn(async { 42 })).await.unwrap_err();
                return Ok(Err(refused.to_string()));
            }
            let mut status = 0;
            // SAFETY: as above.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            drop(sender);
            Ok(Ok(status))
        });
        match outcome.unwrap() {
            Ok(status) => assert_eq!(status, 0, "the child failed, or hung"),
            Err(refused) => {
                let is_clear = refused.contains("`tokio::call` at") && refused.contains("forked");
                let well = is_clear && answers();
                // SAFETY: as above.
                unsafe { libc::_exit(if well { 0 } else { 1 }) }
            }
        }
    }

    /// Whatever a thread is doing when the process is forked, a lock that it has stays locked in
    /// the child.
    fn forked_while_others_use_the_pool() {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        assert!(works());
                    }
                });
            }
            // From before the pool is made.
            for _ in 0..200 {
                in_child(works);
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    cases::main()
}
