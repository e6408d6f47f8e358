//! Sleeping.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::Result;
use crate::operation::checkpoint::{Checkpoint, checkpoint};
use crate::platform::clock::{self, CLOCK, NEVER, Nanos};
use crate::schedule::current;
use crate::scope::timers::{Target, Timer};
use crate::scope::watch::Watch;
use crate::scope::{self, frame};

/// Waits until this much time has passed since the first poll. For no time at all it is a
/// [`checkpoint`].
///
/// The system's clock is looked at to the millisecond: a sleep may be up to that much longer, and
/// is never shorter.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside of
/// [`run`](crate::run).
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
pub fn sleep(time: Duration) -> Sleep {
    Sleep::new(Until::After(clock::nanos(time)))
}

/// Waits until this instant. If it has passed it is a [`checkpoint`].
///
/// # Errors
///
/// As [`sleep`].
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
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(Until::Instant(deadline))
}

/// Waits until it is cancelled.
///
/// It never ends with success.
///
/// # Errors
///
/// As [`sleep`], and always.
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
pub fn sleep_forever() -> Sleep {
    Sleep::new(Until::Never)
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    step: Step,
}

/// Small, as there may be many: what is of one step only takes no room in another.
enum Step {
    Start(Until),
    /// There is nothing to wait for, or it is cancelled.
    Checkpoint(Checkpoint),
    Wait {
        deadline: Nanos,
        timer: Timer,
        watch: Watch,
    },
}

const _: () = assert!(size_of::<Sleep>() <= 40);

#[derive(Clone, Copy)]
enum Until {
    After(Nanos),
    Instant(Instant),
    Never,
}

impl Sleep {
    fn new(until: Until) -> Self {
        Sleep { step: Step::Start(until) }
    }

    /// Begins to wait, and is false if there is nothing to wait for, or it is cancelled.
    #[inline]
    fn start(&mut self, until: Until, cx: &Context<'_>) -> bool {
        if let Err(error) = scope::check() {
            self.step = Step::Checkpoint(Checkpoint::failing(error, 1));
            return false;
        }
        CLOCK.with(|clock| {
            let clock = clock.expect("the check has passed");
            let (deadline, passed) = match until {
                Until::After(time) => (clock.now_or_later().saturating_add(time), time == 0),
                Until::Instant(instant) => {
                    let deadline = clock::nanos_of(clock, instant);
                    (deadline, deadline <= clock.now())
                }
                Until::Never => (NEVER, false),
            };
            if passed {
                self.step = Step::Checkpoint(checkpoint());
                return false;
            }
            let watch = Watch::armed(cx);
            let timer = match deadline {
                NEVER => Timer::NONE,
                _ => Timer::set(deadline, Target::wake(cx.waker())),
            };
            self.step = Step::Wait { deadline, timer, watch };
            frame::awaits("sleep");
            true
        })
    }
}

/// Goes on waiting, unless it is cancelled.
fn wait(
    deadline: Nanos,
    timer: &mut Timer,
    watch: &mut Watch,
    cx: &Context<'_>,
) -> Poll<Result<()>> {
    watch.arm(cx);
    if let Err(error) = watch.check() {
        timer.clear();
        return Poll::Ready(Err(error));
    }
    if deadline != NEVER {
        arm(timer, deadline, cx);
    }
    frame::awaits("sleep");
    Poll::Pending
}

/// Sets the timer, or makes it wake whoever polls now.
fn arm(timer: &mut Timer, deadline: Nanos, cx: &Context<'_>) {
    if timer.is_current() {
        timer.update(cx.waker());
    } else if current::is_running() {
        *timer = Timer::set(deadline, Target::wake(cx.waker()));
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.step {
                Step::Start(until) => {
                    let until = *until;
                    if this.start(until, cx) {
                        return Poll::Pending;
                    }
                }
                Step::Checkpoint(checkpoint) => return Pin::new(checkpoint).poll(cx),
                Step::Wait { deadline, timer, watch } => {
                    let passed = CLOCK.with(|clock| {
                        clock.is_some_and(|clock| timer.has_fired() || clock.now() >= *deadline)
                    });
                    if !passed {
                        return wait(*deadline, timer, watch, cx);
                    }
                    if !timer.is_current() {
                        // It was over before it had begun, and counts as any operation does that
                        // finishes at once.
                        this.step = Step::Checkpoint(checkpoint());
                        continue;
                    }
                    timer.clear();
                    // Where a deadline comes at the same time, that counts, as in Trio.
                    return Poll::Ready(scope::check());
                }
            }
        }
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let Step::Wait { timer, .. } = &self.step {
            timer.clear();
        }
    }
}

impl std::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
