//! The threads of the process that do jobs. One is started when none is idle, and ends after it has
//! been idle for a while.
//!
//! There are as many as are needed at once; limiting their number is the limiters' business.
//!
//! A thread is started by whoever needs one when none is idle, and works for others later. So it
//! does not keep the [affinity] of the thread that started it. A forked process has a pool of its
//! own.

use std::io;
use std::time::Duration;

use crate::platform::{Arc, Condvar, Mutex, OfProcess, Wait, shared_static, spawn_thread};
#[cfg(not(loom))]
use crate::threads::affinity;
use crate::threads::job::Job;

/// How long a thread waits for its next job, as in Trio.
const IDLE: Duration = Duration::from_secs(10);

shared_static! {
    static POOL: OfProcess<Arc<Pool>> = OfProcess::new(|| Arc::new(Pool::new()));
}

struct Pool {
    /// The last to become idle is the first to work: its memory is warm, and threads that are not
    /// needed reach the end of their idle time.
    idle: Mutex<Vec<Arc<Worker>>>,
}

struct Worker {
    /// The job this worker was given. Only a caller that has taken the worker off the idle list
    /// gives it one.
    job: Mutex<Option<Job>>,
    given: Condvar,
}

/// Has a thread do the job soon.
///
/// # Errors
///
/// The system's, if a new thread was needed and could not be started. The job is dropped.
pub(super) fn submit(job: Job) -> io::Result<()> {
    let pool = POOL.get();
    let idle = pool.idle.lock().pop();
    match idle {
        Some(worker) => {
            worker.give(job);
            Ok(())
        }
        None => {
            // A reference of its own: in a model the static is dropped before the threads end.
            let pool = pool.clone();
            spawn_thread("seedbed worker", move || {
                #[cfg(not(loom))]
                affinity::restore();
                pool.work(job);
            })
        }
    }
}

impl Pool {
    fn new() -> Pool {
        Pool { idle: Mutex::new(Vec::new()) }
    }

    /// The life of a thread, from its first job to its end.
    fn work(&self, first: Job) {
        let worker = Arc::new(Worker { job: Mutex::new(None), given: Condvar::new() });
        let mut next = Some(first);
        let mut refused = Vec::new();
        while let Some(job) = next {
            let report = job.run();
            // The thread becomes idle before anybody learns that its job has ended, so that
            // consecutive jobs get the same thread.
            self.idle.lock().push(worker.clone());
            refused.extend(report.send().err());
            next = if refused.is_empty() {
                self.next_for(&worker)
            } else {
                self.end_idleness(&worker).or_else(|| {
                    // This runs foreign code, which may block. No job should have to wait for it.
                    refused.clear();
                    self.idle.lock().push(worker.clone());
                    self.next_for(&worker)
                })
            };
        }
    }

    /// Waits for the next job; `None` if none comes in time.
    fn next_for(&self, worker: &Arc<Worker>) -> Option<Job> {
        worker.take(Some(IDLE)).or_else(|| self.end_idleness(worker))
    }

    /// Makes sure that nobody gives the worker another job. Returns the job that it was given
    /// before that, if any.
    fn end_idleness(&self, worker: &Arc<Worker>) -> Option<Job> {
        let mut idle = self.idle.lock();
        match idle.iter().position(|other| Arc::ptr_eq(other, worker)) {
            Some(place) => {
                idle.remove(place);
                None
            }
            // Somebody has just taken it, and is about to give it a job.
            None => {
                drop(idle);
                worker.take(None)
            }
        }
    }
}

impl Worker {
    fn give(&self, job: Job) {
        *self.job.lock() = Some(job);
        self.given.notify_one();
    }

    /// Takes the next job; `None` if the time has run out.
    fn take(&self, time: Option<Duration>) -> Option<Job> {
        let mut job = self.job.lock();
        while job.is_none() {
            let wait;
            (job, wait) = match time {
                Some(time) => self.given.wait_for(job, time),
                None => (self.given.wait(job), Wait::Notified),
            };
            if wait == Wait::TimedOut {
                break;
            }
        }
        job.take()
    }
}
