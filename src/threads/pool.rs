//! The threads of the process that run jobs: one more when none is idle, gone when idle for a
//! while.
//!
//! There are as many as are needed at once: limits are the limiters' affair.
//!
//! Whoever happens to need a thread when none is idle starts it, and it works for others later. So it
//! does not keep that one's [affinity]. A forked process has a pool of its own.

use std::io;
use std::time::Duration;

use crate::platform::{Arc, Condvar, Mutex, OfProcess, shared_static, spawn_thread};
#[cfg(not(loom))]
use crate::threads::affinity;
use crate::threads::job::Job;

/// How long a thread waits for its next job. Trio's.
const IDLE: Duration = Duration::from_secs(10);

shared_static! {
    static POOL: OfProcess<Arc<Pool>> = OfProcess::new(|| Arc::new(Pool::new()));
}

struct Pool {
    /// The last one to become idle is the first to work: its memory is warm, and those that are
    /// not needed come to their end.
    idle: Mutex<Vec<Arc<Worker>>>,
}

struct Worker {
    /// What it was given. Only who has taken it from among the idle gives it anything.
    job: Mutex<Option<Job>>,
    given: Condvar,
}

/// Has a thread do the job, soon.
///
/// # Errors
///
/// A thread was needed, and the system starts no more. The job is dropped.
pub(super) fn submit(job: Job) -> io::Result<()> {
    let pool = POOL.get();
    let idle = pool.idle.lock().pop();
    match idle {
        Some(worker) => {
            worker.give(job);
            Ok(())
        }
        None => {
            // Its own reference: in a model the static goes before the threads do.
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

    /// What a thread does.
    fn work(&self, first: Job) {
        let worker = Arc::new(Worker { job: Mutex::new(None), given: Condvar::new() });
        let mut next = Some(first);
        let mut refused = Vec::new();
        while let Some(job) = next {
            let report = job.run();
            // It is idle before anybody hears of the end of the job: one job after the other is
            // the same thread's.
            self.idle.lock().push(worker.clone());
            refused.extend(report.send().err());
            next = if refused.is_empty() {
                self.next_for(&worker)
            } else {
                self.end_idleness(&worker).or_else(|| {
                    // Foreign code, which may block: no job is to wait for that.
                    refused.clear();
                    self.idle.lock().push(worker.clone());
                    self.next_for(&worker)
                })
            };
        }
    }

    /// Waits for the next job; `None` if none comes.
    fn next_for(&self, worker: &Arc<Worker>) -> Option<Job> {
        worker.take(Some(IDLE)).or_else(|| self.end_idleness(worker))
    }

    /// From now on nobody gives it a job. The one that it was given before that, if there is one.
    fn end_idleness(&self, worker: &Arc<Worker>) -> Option<Job> {
        let mut idle = self.idle.lock();
        match idle.iter().position(|other| Arc::ptr_eq(other, worker)) {
            Some(place) => {
                idle.remove(place);
                None
            }
            // Somebody has just taken it, and will give it a job.
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

    /// Takes what it is given, or nothing when the time is over.
    fn take(&self, time: Option<Duration>) -> Option<Job> {
        let mut job = self.job.lock();
        while job.is_none() {
            let over;
            (job, over) = match time {
                Some(time) => self.given.wait_for(job, time),
                None => (self.given.wait(job), false),
            };
            if over {
                break;
            }
        }
        job.take()
    }
}
