//! Sleeping, for hyper.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt;

use crate::operation::time::now;
use crate::scope::timers::alarm::Alarm;

/// The clock of the present run, [virtual](crate::testing::VirtualClock) or not, for hyper's time
/// limits.
///
/// hyper's sleeps cannot fail, so they are not checkpoints: only reads and writes are cancelled.
///
/// # Panics
///
/// Its sleeps panic if they are polled outside [`run`](crate::run).
///
/// ```
/// use hyper::server::conn::http1;
/// use std::time::Duration;
///
/// let mut builder = http1::Builder::new();
/// builder.timer(seedbed::hyper::Timer).header_read_timeout(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(Alarm::after(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(Alarm::new(deadline)))
    }

    fn now(&self) -> Instant {
        now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.get_mut().0 = Alarm::new(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

struct Sleep(Alarm);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.get_mut().0).poll(cx)
    }
}

impl rt::Sleep for Sleep {}
