//! Sleeping.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::operation::skeleton::{Look, Operation, Registered, Steps, Tried, When};
use crate::operation::waiters::Kept;
use crate::platform::clock::{self, CLOCK, NEVER, Nanos};
use crate::schedule::current;
use crate::schedule::units::parked;
use crate::scope;
use crate::scope::timers::Timer;
use crate::scope::watch::Watch;

/// Waits until this much time has passed since the first poll. If the time is zero, it is just a
/// [`checkpoint`](crate::checkpoint()).
///
/// The system's clock is read to the millisecond: a sleep may be up to a millisecond longer, but is
/// never shorter.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside [`run`](crate::run).
///
/// ```
/// use seedbed::sleep;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// seedbed::run(sleep(Duration::from_millis(10)))?;
/// assert!(start.elapsed() >= Duration::from_millis(10));
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn sleep(time: Duration) -> Sleep {
    Sleep::new(Until::After(clock::nanos(time)), Location::caller())
}

/// Waits until this instant. If it has passed, this is just a [`checkpoint`](crate::checkpoint()).
///
/// # Errors
///
/// The same as for [`sleep`].
///
/// ```
/// use seedbed::{now, sleep_until};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let deadline = now() + Duration::from_millis(10);
///     sleep_until(deadline).await?;
///     assert!(now() >= deadline);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(Until::Instant(deadline), Location::caller())
}

/// Waits until it is cancelled. It never succeeds.
///
/// # Errors
///
/// The same as for [`sleep`].
///
/// ```
/// use seedbed::{move_on_after, sleep_forever};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let nothing: Option<()> = move_on_after(Duration::from_millis(5), sleep_forever()).await?;
///     assert_eq!(nothing, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn sleep_forever() -> Sleep {
    Sleep::new(Until::Never, Location::caller())
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    place: &'static Location<'static>,
    stage: Stage,
}

/// An enum, because there may be many sleeps, which should be small: what only one stage needs
/// takes no space in the other.
enum Stage {
    New(Until),
    Begun(Steps<Waiting, ()>),
}

const _: () = assert!(size_of::<Sleep>() <= 48);

/// `repr(u8)`, as reading the kind from the spare values of an `Instant` would take longer.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Until {
    After(Nanos),
    Instant(Instant),
    Never,
    /// The sleep has begun: its [`Waiting`] knows the rest.
    Begun,
}

/// A waiting sleep.
struct Waiting {
    ends: Ends,
    deadline: Nanos,
    timer: Timer,
    watch: Watch,
}

/// Whether a sleep ends by itself. (The unused values of its byte leave room for [`Stage`].)
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    AtDeadline,
    Never,
}

/// A sleep's work.
struct Sleeping {
    until: Until,
    /// When the sleep ends, as soon as that is known.
    deadline: Nanos,
    place: &'static Location<'static>,
}

impl Operation for Sleeping {
    const NAME: &'static str = "sleep";
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = ();
    type Wait = Waiting;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// If there is nothing to wait for, this is a checkpoint.
    #[inline(always)]
    fn attempt(&mut self, when: When, _: &mut Context<'_>) -> Tried<()> {
        match when {
            When::First => {}
            When::Passed => return Tried::Counted(()),
            When::Again => return Tried::AfterCheckpoint,
        }
        CLOCK.with(|clock| {
            let clock = clock.expect("the check has passed");
            let (deadline, passed) = match self.until {
                Until::After(time) => (clock.now_or_later().saturating_add(time), time == 0),
                Until::Instant(instant) => {
                    let deadline = clock::nanos_of(clock, instant);
                    (deadline, deadline <= clock.now())
                }
                Until::Never | Until::Begun => (NEVER, false),
            };
            self.deadline = deadline;
            if passed { Tried::AfterCheckpoint } else { Tried::Waits }
        })
    }

    #[inline(always)]
    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Waiting> {
        let deadline = self.deadline;
        let watch = Watch::armed(cx);
        let (ends, timer) = match deadline {
            NEVER => (Ends::Never, Timer::NONE),
            _ => (Ends::AtDeadline, Timer::wake(deadline, cx.waker())),
        };
        Registered::Waits(Waiting { ends, deadline, timer, watch })
    }

    #[inline(always)]
    fn look(&mut self, wait: &mut Waiting, cx: &mut Context<'_>) -> Look<()> {
        if !wait.is_over() {
            return wait.go_on(cx);
        }
        if !wait.timer.is_current() {
            // It was over before it had begun, and counts like any operation that finishes at once.
            return Look::Tries;
        }
        wait.clear_timer();
        // If a deadline comes at the same time, the deadline counts, as in Trio.
        match scope::check() {
            Ok(()) => Look::Got(()),
            Err(error) => Look::Cancelled(error, None),
        }
    }

    #[inline(always)]
    fn leave(&mut self, wait: &mut Waiting) {
        wait.clear_timer();
    }
}

impl Waiting {
    /// Not inlined, as it is called in several places and seldom.
    #[inline(never)]
    fn clear_timer(&self) {
        self.timer.clear();
    }

    /// Whether its time has come.
    #[inline(always)]
    fn is_over(&self) -> bool {
        CLOCK.with(|clock| {
            clock.is_some_and(|clock| self.timer.has_fired() || clock.now() >= self.deadline)
        })
    }

    /// Goes on waiting, unless it is cancelled.
    #[inline(always)]
    fn go_on(&mut self, cx: &Context<'_>) -> Look<()> {
        self.watch.arm(cx);
        if let Err(error) = self.watch.check() {
            self.clear_timer();
            return Look::Cancelled(error, None);
        }
        if self.ends == Ends::AtDeadline {
            self.arm(cx);
        }
        Look::Waits
    }

    /// Sets the timer, or makes it wake this waker.
    fn arm(&mut self, cx: &Context<'_>) {
        if self.timer.is_current() {
            self.timer.update(cx.waker());
        } else if current::is_running() {
            self.timer = Timer::wake(self.deadline, cx.waker());
        }
    }
}

impl Sleep {
    #[inline]
    pub(crate) fn new(until: Until, place: &'static Location<'static>) -> Self {
        Sleep { place, stage: Stage::New(until) }
    }
}

/// Goes on with a sleep that has begun.
#[inline(never)]
fn go_on(
    stage: &mut Stage,
    place: &'static Location<'static>,
    cx: &mut Context<'_>,
) -> Poll<Result<()>> {
    match stage {
        Stage::Begun(steps) if !steps.have_ended() => {
            steps.poll(&mut Sleeping { until: Until::Begun, deadline: NEVER, place }, cx)
        }
        // Once its time has come, it stays that way.
        _ => Poll::Ready(scope::check()),
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { place, stage } = self.get_mut();
        let Stage::New(until) = *stage else { return go_on(stage, place, cx) };
        *stage = Stage::Begun(Steps::new());
        let Stage::Begun(steps) = stage else { unreachable!("it has just begun") };
        steps.poll(&mut Sleeping { until, deadline: NEVER, place }, cx)
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let Stage::Begun(steps) = &self.stage
            && let Some(wait) = steps.waits()
        {
            parked::take_back();
            wait.timer.clear();
        }
    }
}

impl std::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
