//! A timer that is not a checkpoint, for code that has a cancellation of its own or none at all.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::platform::clock::{self, CLOCK, NEVER};
use crate::scope::timers::{Timer, now};

/// A future that is ready from a certain instant on, cancelled or not.
///
/// It is `Send` and `Sync`, because it refers to its timer by numbers, in the run that it was last
/// polled in. If it is polled in another run, for instance on another thread, it sets a timer
/// there. If it is dropped there, it leaves the former timer alone, which then causes a spurious
/// wake.
pub(crate) struct Alarm {
    deadline: Instant,
    timer: Timer,
}

impl Alarm {
    pub(crate) fn new(deadline: Instant) -> Alarm {
        Alarm { deadline, timer: Timer::NONE }
    }

    /// An alarm that is ready when this much time has passed; never, if that is too much for an
    /// `Instant`.
    pub(crate) fn after(time: Duration) -> Alarm {
        const LONG: Duration = Duration::from_nanos(NEVER);
        let now = now();
        Alarm::new(now.checked_add(time).unwrap_or(now + LONG))
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Future for Alarm {
    type Output = ();

    /// # Panics
    ///
    /// If there is no run on this thread, because the alarm would never be woken.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        CLOCK.with(|clock| {
            let clock = clock.expect("a timer was polled outside `seedbed::run`");
            let deadline = clock::nanos_of(clock, this.deadline);
            if deadline == NEVER {
                return Poll::Pending;
            }
            if clock.now() >= deadline {
                std::mem::replace(&mut this.timer, Timer::NONE).clear();
                return Poll::Ready(());
            }
            if this.timer.is_current() {
                this.timer.update(cx.waker());
            } else {
                this.timer = Timer::wake(deadline, cx.waker());
            }
            Poll::Pending
        })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.timer.clear();
    }
}
