//! The threads themselves.

use std::collections::HashSet;
use std::process::Command;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use seedbed::{Deadlock, Event, current_default_thread_limiter, nursery, sleep, to_thread};

use super::{gate, run};
use crate::support::{poll_once, secs};

/// Runs one of the tests below in a process of its own: the threads are the process's.
fn alone(test: &str, environment: &[(&str, &str)]) -> bool {
    const ALONE: &str = "SEEDBED_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(ALONE, "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

#[test]
fn r03_threads_are_used_again() {
    if !alone("pool::r03_threads_are_used_again", &[]) {
        return;
    }
    let id = || to_thread(|| thread::current().id());
    let last = run(async {
        let first = id().await?;
        for _ in 0..100 {
            assert_eq!(id().await?, first);
        }
        // Two at once need two.
        let two = Arc::new(Barrier::new(2));
        let mut ids = HashSet::new();
        nursery(async |n| {
            let work = || {
                let two = two.clone();
                n.spawn(to_thread(move || {
                    two.wait();
                    thread::current().id()
                }))
            };
            let (a, b) = (work(), work());
            ids.extend([a.await?, b.await?]);
            Ok(())
        })
        .await?;
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&first));
        // The last one to become idle is the first to work.
        let last = id().await?;
        assert_eq!(id().await?, last);
        Ok(last)
    })
    .unwrap();
    // They belong to the process, not to the run.
    assert_eq!(run(id()).unwrap(), last);
}

#[test]
fn r03_a_thread_that_cannot_be_started_is_an_error_and_costs_nothing() {
    // No stack is that large.
    let stack = (1_u64 << 46).to_string();
    let environment = [("RUST_MIN_STACK", stack.as_str())];
    let name = "pool::r03_a_thread_that_cannot_be_started_is_an_error_and_costs_nothing";
    if !alone(name, &environment) {
        return;
    }
    run(async {
        let limiter = current_default_thread_limiter()?;
        for _ in 0..2 {
            let (place, error) = (line!(), to_thread(|| ()).await.unwrap_err());
            let text = error.to_string();
            assert!(text.contains("no thread could be started"), "{text}");
            assert!(text.contains(&format!("{}:{place}:", file!())), "{text}");
            assert!(error.is::<std::io::Error>());
            assert_eq!(limiter.borrowed(), 0);
        }
        // Nothing is under way that the run would wait for: neither its clock nor its end.
        sleep(secs(1)).await?;
        let event = Event::new();
        event.wait().await
    })
    .map_err(|error| assert!(error.is::<Deadlock>(), "{error}"))
    .unwrap_err();
}

/// What becomes of an abandoned job's value when its run has gone is foreign code, and may block.
#[test]
fn r03_a_thread_that_drops_a_value_nobody_wants_is_given_no_job() {
    /// Takes until it is told.
    struct Slow(mpsc::Receiver<()>, mpsc::Sender<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.1.send(()).unwrap();
            let _ = self.0.recv();
        }
    }
    let ((tell, told), (dropping, dropped)) = (mpsc::channel(), mpsc::channel());
    let (mut barrier, stand) = gate();
    run(async {
        let job = to_thread(move || {
            stand();
            Slow(told, dropping)
        });
        let mut job = Box::pin(job.abandon_on_cancel(true));
        assert!(poll_once(job.as_mut()).await.is_none());
        barrier.begun().await
    })
    .unwrap();
    barrier.open();
    dropped.recv().unwrap();
    // It would wait for itself.
    run(async { to_thread(move || tell.send(()).unwrap()).await }).unwrap();
}

/// A thread that is pinned to a core starts threads for the pool, and these work for others too.
#[cfg(target_os = "linux")]
#[test]
fn r08_a_pinned_thread_does_not_pin_those_that_it_starts() {
    use rustix::process::getpid;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let of_process = sched_getaffinity(Some(getpid())).unwrap();
    run(async { Ok(()) }).unwrap(); // the first run has begun
    let first = (0..CpuSet::MAX_CPU).find(|&core| of_process.is_set(core)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    let pinned = thread::spawn(move || {
        sched_setaffinity(None, &one).unwrap();
        run(nursery(async |n| {
            // Enough at once for some thread to be new.
            let all = Arc::new(Barrier::new(20));
            let look = async |all: Arc<Barrier>| {
                to_thread(move || {
                    all.wait();
                    sched_getaffinity(None).unwrap()
                })
                .await
            };
            let tasks: Vec<_> = (0..20).map(|_| n.spawn(look(all.clone()))).collect();
            for task in tasks {
                assert!(task.await? == of_process);
            }
            Ok(())
        }))
    });
    pinned.join().unwrap().unwrap();
}
