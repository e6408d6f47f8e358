//! The clock of tests, which jumps to the next deadline when nothing can run.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::platform::clock::{Idle, NEVER, Nanos, nanos};

/// A clock that stands still while anything can run, and jumps to the next deadline when nothing
/// can. An hour's sleep takes no time, and the same program runs the same way every time. This is
/// Trio's `MockClock(autojump_threshold=0)`.
///
/// The clock also stands still while a thread is at work in [`to_thread`](crate::to_thread()),
/// unless it was abandoned. (Trio's jumps.) A thread takes real time, during which this clock would
/// run away from it. A thread that waits for this very run, in [`Token::run`](crate::Token::run),
/// does not count. But if a thread waits in some other way for what a task does after a sleep,
/// neither goes on until somebody calls [`advance`](Self::advance).
///
/// Input from outside takes real time too. The clock does not wait for it unless [asked
/// to](Self::wait_for_io).
///
/// Clones are handles to the same clock. Give one to [`Builder::clock`](crate::Builder::clock):
///
/// ```
/// use seedbed::testing::VirtualClock;
/// use std::time::Duration;
///
/// let clock = VirtualClock::new();
/// seedbed::Builder::new().clock(&clock).run(async {
///     seedbed::sleep(Duration::from_secs(3600)).await
/// })?;
/// assert_eq!(clock.elapsed(), Duration::from_secs(3600));
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock {
    inner: Rc<Virtual>,
}

#[derive(Debug)]
struct Virtual {
    base: Instant,
    now: Cell<Nanos>,
    wait_for_io: Cell<Duration>,
}

impl VirtualClock {
    /// Makes a clock that begins now, and moves only as described above.
    #[must_use]
    pub fn new() -> Self {
        let (base, now, wait_for_io) = (Instant::now(), Cell::new(0), Cell::new(Duration::ZERO));
        VirtualClock { inner: Rc::new(Virtual { base, now, wait_for_io }) }
    }

    /// How far the clock has moved since it was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.inner.now.get())
    }

    /// Makes the clock wait for input, before each jump, for up to this much real time, and returns
    /// it. This is for tests in which something outside the run, such as a thread or a process, is
    /// at the other end of a socket. By default the clock does not wait.
    ///
    /// It waits only for operations that expect news: reads, writes and connections being made.
    /// Listeners do not count, neither for connections nor for signals, since it is not news that
    /// nobody comes. So a test that waits for input that never arrives takes this long for each
    /// jump of the clock, and a test that waits for none takes no longer than before. Trio's
    /// `autojump_threshold` does the same, but whatever is being waited for.
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    /// use seedbed::testing::VirtualClock;
    /// use seedbed::{Builder, fail_after};
    /// use std::io::Write;
    /// use std::thread;
    /// use std::time::Duration;
    ///
    /// let clock = VirtualClock::new().wait_for_io(Duration::from_secs(5));
    /// Builder::new().clock(&clock).run(fail_after(Duration::from_secs(1), async {
    ///     let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
    ///     thread::spawn(move || {
    ///         thread::sleep(Duration::from_millis(20));
    ///         theirs.write_all(b"late").unwrap();
    ///     });
    ///     UnixStream::from_std(ours)?.read(&mut [0; 4]).await
    /// }))?;
    /// assert_eq!(clock.elapsed(), Duration::ZERO);
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn wait_for_io(&self, real: Duration) -> VirtualClock {
        self.inner.wait_for_io.set(real);
        self.clone()
    }

    /// Moves the clock forward. Whatever this makes due happens when the run loop next looks at the
    /// clock.
    pub fn advance(&self, by: Duration) {
        self.inner.now.set(self.inner.now.get().saturating_add(nanos(by)).min(NEVER - 1));
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`Clock`](crate::platform::clock::Clock) asks of it.
impl VirtualClock {
    /// For how long it still waits for input, if it has waited since this moment.
    pub(super) fn waits_for_io(&self, since: impl FnOnce() -> Instant) -> Option<Duration> {
        let real = self.inner.wait_for_io.get();
        if real.is_zero() {
            return None;
        }
        real.checked_sub(since().elapsed()).filter(|left| !left.is_zero())
    }

    pub(super) fn base(&self) -> Instant {
        self.inner.base
    }

    pub(super) fn now(&self) -> Nanos {
        self.inner.now.get()
    }

    pub(super) fn now_or_later(&self) -> Nanos {
        self.now()
    }

    pub(super) fn stamp(&self) -> u64 {
        self.now()
    }

    pub(super) fn when(&self, stamp: u64) -> Nanos {
        stamp
    }

    pub(super) fn idle(&self, next: Option<Nanos>) -> Idle {
        match next {
            Some(next) => {
                self.inner.now.set(self.inner.now.get().max(next));
                Idle::Jumped
            }
            None => Idle::Sleep(None),
        }
    }
}
