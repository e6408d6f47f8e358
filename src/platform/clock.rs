//! Clocks: where the time comes from, and what happens when there is nothing to do.
//!
//! Internally, a time is the number of nanoseconds since the clock began, which lasts for 584
//! years.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[cfg(not(loom))]
use crate::platform::counter::{self, Counter};
use crate::platform::part::part;

/// Nanoseconds since the clock began.
pub(crate) type Nanos = u64;

/// A deadline that never comes.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// What the run loop does if nothing can run until a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Idle {
    /// It sleeps until something happens, but no longer than this.
    Sleep(Option<Duration>),
    /// It goes on at once, because the clock has moved.
    Jumped,
}

/// The clock of a run.
pub(crate) enum Clock {
    #[cfg(not(loom))]
    System(SystemClock),
    Virtual(VirtualClock),
}

part! {
    /// The clock of the present run.
    pub(crate) const CLOCK: Clock;
}

/// Does the same with either clock.
macro_rules! either {
    ($self:expr, $clock:ident => $value:expr) => {
        match $self {
            #[cfg(not(loom))]
            Clock::System($clock) => $value,
            Clock::Virtual($clock) => $value,
        }
    };
}

impl Clock {
    /// The clock of a run that was given none.
    pub(crate) fn default_of_run() -> Clock {
        #[cfg(not(loom))]
        return Clock::System(SystemClock::new());
        #[cfg(loom)]
        return Clock::Virtual(VirtualClock::new());
    }

    /// When the clock began.
    pub(crate) fn base(&self) -> Instant {
        either!(self, clock => clock.base())
    }

    pub(crate) fn now(&self) -> Nanos {
        either!(self, clock => clock.now())
    }

    /// The present time, or up to microseconds later, which takes less time to find out.
    #[inline]
    pub(crate) fn now_or_later(&self) -> Nanos {
        either!(self, clock => clock.now_or_later())
    }

    /// A stamp of the present time, which takes even less time to make.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        either!(self, clock => clock.stamp())
    }

    /// The time at which a stamp was made, or a later one up to now. The older the stamp, the less
    /// exact it is.
    #[inline]
    pub(crate) fn when(&self, stamp: u64) -> Nanos {
        either!(self, clock => clock.when(stamp))
    }

    /// How far the processor's counter goes in a millisecond, if the counter is trusted and that is
    /// known.
    #[cfg(not(loom))]
    pub(crate) fn ticks_in_a_millisecond(&self) -> Option<u64> {
        match self {
            Clock::System(clock) => clock.counter.ticks_in_a_millisecond(),
            Clock::Virtual(_) => None,
        }
    }

    /// Whether the clock moves by jumping to the next deadline.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self, Clock::Virtual(_))
    }

    /// How long the clock still waits for input, in real time, before it jumps, if it has waited
    /// since this moment. `None` if it no longer waits.
    pub(crate) fn wait_for_io(&self, since: impl FnOnce() -> Instant) -> Option<Duration> {
        match self {
            #[cfg(not(loom))]
            Clock::System(_) => None,
            Clock::Virtual(VirtualClock { inner }) => {
                let real = inner.wait_for_io.get();
                if real.is_zero() {
                    return None;
                }
                real.checked_sub(since().elapsed()).filter(|left| !left.is_zero())
            }
        }
    }

    /// Called when nothing can run until `next`, or until something happens outside.
    pub(crate) fn idle(&self, next: Option<Nanos>) -> Idle {
        either!(self, clock => clock.idle(next))
    }
}

/// The instant in nanoseconds since the clock began; earlier ones are 0.
pub(crate) fn nanos_of(clock: &Clock, instant: Instant) -> Nanos {
    nanos(instant.saturating_duration_since(clock.base()))
}

/// The instant this many nanoseconds after the clock began; `None` if that is beyond what an
/// `Instant` can represent.
pub(crate) fn instant_of(clock: &Clock, nanos: Nanos) -> Option<Instant> {
    clock.base().checked_add(Duration::from_nanos(nanos))
}

/// The duration in nanoseconds; too long a duration is [`NEVER`].
pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos().try_into().unwrap_or(NEVER)
}

/// The machine's monotonic clock.
#[cfg(not(loom))]
pub(crate) struct SystemClock {
    base: Instant,
    counter: Counter,
    /// The latest time that `now_or_later` has returned. A time read later must not be earlier.
    told: Cell<Nanos>,
}

#[cfg(not(loom))]
impl SystemClock {
    pub(crate) fn new() -> Self {
        let counter = Counter::new(counter::ticks(), counter::is_steady());
        SystemClock { base: Instant::now(), counter, told: Cell::new(0) }
    }

    /// Reads the counter and then the time.
    #[inline(never)]
    fn read(&self) -> (u64, Nanos) {
        let ticks = counter::ticks();
        let now = nanos(self.base.elapsed());
        self.counter.read(ticks, now);
        (ticks, now)
    }

    fn base(&self) -> Instant {
        self.base
    }

    fn now(&self) -> Nanos {
        self.read().1
    }

    #[inline]
    fn now_or_later(&self) -> Nanos {
        let known = self.counter.time_at(counter::ticks());
        let now = known.unwrap_or_else(
            #[cold]
            || self.now(),
        );
        let told = now.max(self.told.get());
        self.told.set(told);
        told
    }

    #[inline]
    fn stamp(&self) -> u64 {
        counter::ticks()
    }

    #[inline]
    fn when(&self, stamp: u64) -> Nanos {
        self.counter.time_at(stamp).unwrap_or_else(
            #[cold]
            || {
                let (ticks, now) = self.read();
                self.counter.time_before(stamp, ticks, now)
            },
        )
    }

    fn idle(&self, next: Option<Nanos>) -> Idle {
        Idle::Sleep(next.map(|next| Duration::from_nanos(next.saturating_sub(self.now()))))
    }
}

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

impl VirtualClock {
    fn base(&self) -> Instant {
        self.inner.base
    }

    fn now(&self) -> Nanos {
        self.inner.now.get()
    }

    fn now_or_later(&self) -> Nanos {
        self.now()
    }

    fn stamp(&self) -> u64 {
        self.now()
    }

    fn when(&self, stamp: u64) -> Nanos {
        stamp
    }

    fn idle(&self, next: Option<Nanos>) -> Idle {
        match next {
            Some(next) => {
                self.inner.now.set(self.inner.now.get().max(next));
                Idle::Jumped
            }
            None => Idle::Sleep(None),
        }
    }
}
