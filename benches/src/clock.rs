//! How long something takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static CPU: AtomicBool = AtomicBool::new(false);

/// From now on [`timed`] and [`Stopwatch`] measure how long the process was running, all its
/// threads together, instead of the time that has passed. For a machine that is shared with others.
pub fn use_cpu_time() {
    CPU.store(true, Ordering::Relaxed);
}

/// How long `work` takes.
pub async fn timed(work: impl Future<Output = ()>) -> Duration {
    let watch = Stopwatch::start();
    work.await;
    watch.elapsed()
}

#[derive(Clone, Copy)]
pub struct Stopwatch {
    clock: libc::clockid_t,
    started: Duration,
}

impl Stopwatch {
    pub fn start() -> Stopwatch {
        match CPU.load(Ordering::Relaxed) {
            true => Stopwatch::start_cpu(),
            false => Stopwatch::of(libc::CLOCK_MONOTONIC),
        }
    }

    /// A stopwatch that always measures the process's own running time: for work that waits in
    /// between.
    pub fn start_cpu() -> Stopwatch {
        Stopwatch::of(libc::CLOCK_PROCESS_CPUTIME_ID)
    }

    fn of(clock: libc::clockid_t) -> Stopwatch {
        Stopwatch { clock, started: now(clock) }
    }

    pub fn elapsed(self) -> Duration {
        now(self.clock) - self.started
    }
}

/// The time of one of the kernel's clocks.
pub fn now(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to `time` only.
    let outcome = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(outcome, 0, "clock {clock}: {}", std::io::Error::last_os_error());
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
