//! Sleeping.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::checkpoint::{Checkpoint, checkpoint};
use crate::coop::{self, Watch};
use crate::run::timer::{Target, Timer};
use crate::time::clock::{self, NEVER, Nanos};
use crate::{Result, context, frame};

/// The time of the running clock: the system's, or the
/// [virtual](crate::testing::VirtualClock) one. Outside of [`run`](crate::run), the system's.
#[must_use]
pub fn now() -> Instant {
    context::with_runtime(|runtime| match runtime {
        Some(runtime) => runtime.clock.base() + Duration::from_nanos(runtime.now()),
        None => Instant::now(),
    })
}

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
    timer: Timer,
    watch: Watch,
}

enum Step {
    Start(Until),
    /// There is nothing to wait for, or it is cancelled.
    Checkpoint(Checkpoint),
    Wait(Nanos),
}

#[derive(Clone, Copy)]
enum Until {
    After(Nanos),
    Instant(Instant),
    Never,
}

impl Sleep {
    fn new(until: Until) -> Self {
        Sleep { step: Step::Start(until), timer: Timer::NONE, watch: Watch::new() }
    }

    /// Begins to wait, and is false if there is nothing to wait for, or it is cancelled.
    #[inline]
    fn start(&mut self, until: Until, cx: &Context<'_>) -> bool {
        if let Err(error) = coop::check() {
            self.step = Step::Checkpoint(Checkpoint::failing(error, 1));
            return false;
        }
        context::with_runtime(|runtime| {
            let runtime = runtime.expect("the check has passed");
            let (deadline, passed) = match until {
                Until::After(time) => {
                    (runtime.clock.now_or_later().saturating_add(time), time == 0)
                }
                Until::Instant(instant) => {
                    let deadline = clock::nanos_of(&runtime.clock, instant);
                    (deadline, deadline <= runtime.now())
                }
                Until::Never => (NEVER, false),
            };
            if passed {
                self.step = Step::Checkpoint(checkpoint());
                return false;
            }
            self.step = Step::Wait(deadline);
            self.watch.arm(cx);
            if deadline != NEVER {
                self.timer = Timer::set(runtime, deadline, Target::wake(cx.waker()));
            }
            frame::awaits("sleep");
            true
        })
    }

    /// Goes on waiting, unless it is cancelled.
    fn wait(&mut self, deadline: Nanos, cx: &Context<'_>) -> Poll<Result<()>> {
        self.watch.arm(cx);
        if let Err(error) = self.watch.check() {
            self.timer.clear();
            return Poll::Ready(Err(error));
        }
        self.arm(deadline, cx);
        frame::awaits("sleep");
        Poll::Pending
    }

    /// Sets the timer, or makes it wake whoever polls now.
    fn arm(&mut self, deadline: Nanos, cx: &Context<'_>) {
        if deadline == NEVER {
            return;
        }
        context::with_runtime(|runtime| {
            let Some(runtime) = runtime else { return };
            if self.timer.is_current() {
                self.timer.update(runtime, cx.waker());
            } else {
                self.timer = Timer::set(runtime, deadline, Target::wake(cx.waker()));
            }
        });
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
                Step::Wait(deadline) => {
                    let deadline = *deadline;
                    let passed = context::with_runtime(|runtime| {
                        runtime.is_some_and(|runtime| {
                            this.timer.has_fired(runtime) || runtime.now() >= deadline
                        })
                    });
                    if !passed {
                        return this.wait(deadline, cx);
                    }
                    if !this.timer.is_current() {
                        // It was over before it had begun, and counts as any operation does that
                        // finishes at once.
                        this.step = Step::Checkpoint(checkpoint());
                        continue;
                    }
                    this.timer.clear();
                    // Where a deadline comes at the same time, that counts, as in Trio.
                    return Poll::Ready(coop::check());
                }
            }
        }
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        self.timer.clear();
    }
}

impl std::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
