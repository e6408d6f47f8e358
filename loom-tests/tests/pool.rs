//! The pool's idle time-out against a new job (R3).
//!
//! A thread of the pool waits for its next job, and leaves when its time is over, which in a model
//! is at once. So every order of these steps is tried: its time-out; its look at whether it is
//! still among the idle; and, by another thread, taking it from there, giving it a job, and telling
//! it. A job that is given to a thread which leaves is a task that waits for ever.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;
use loom_tests::Extent::{All, Preemptions};
use loom_tests::model;
use seedbed::{nursery, to_thread};

#[test]
fn r03_an_idle_thread_goes_while_it_is_given_a_job() {
    model(All, || {
        let run = seedbed::run(async {
            let one = to_thread(|| 1).await?;
            Ok(one + to_thread(|| 2).await?)
        });
        assert_eq!(run.unwrap(), 3);
    });
}

/// There are two idle threads, and the first to leave is not the one that is given a job.
#[test]
fn r03_two_threads_go_while_one_is_given_a_job() {
    model(Preemptions(2), || {
        let run = seedbed::run(async {
            nursery(async |n| {
                n.spawn(async { to_thread(|| ()).await });
                n.spawn(async { to_thread(|| ()).await });
                Ok(())
            })
            .await?;
            to_thread(|| 3).await
        });
        assert_eq!(run.unwrap(), 3);
    });
}

/// The pool belongs to the process.
#[test]
fn r03_two_runs_share_the_threads() {
    model(Preemptions(2), || {
        let done = Arc::new(AtomicUsize::new(0));
        let run = |done: &Arc<AtomicUsize>| {
            let done = done.clone();
            move || {
                let run = seedbed::run(to_thread(move || {
                    done.fetch_add(1, SeqCst);
                }));
                run.unwrap();
            }
        };
        let other = thread::spawn(run(&done));
        run(&done)();
        other.join().unwrap();
        assert_eq!(done.load(SeqCst), 2);
    });
}
