//! What a run needs of the executor that polls it.

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

/// What a [guest](crate::Builder::guest_on) needs of the executor that polls it: that somebody
/// sleeps in its place. The guest has all its sockets and timers itself. Its host waits for one
/// descriptor, which stands for all the sockets, and for one moment, which is that of the next
/// timer.
///
/// With the feature `tokio` there is one for tokio, which [`Builder::guest`](crate::Builder)
/// uses. One for `async-io`, and so for smol:
///
/// ```
/// use async_io::{Async, Timer};
/// use seedbed::{Builder, Host, sleep};
/// use std::os::fd::OwnedFd;
/// use std::pin::Pin;
/// use std::task::{Context, Poll};
/// use std::time::{Duration, Instant};
/// use std::{future::Future, io};
///
/// struct Smol {
///     news: Async<OwnedFd>,
///     alarm: Timer,
/// }
///
/// impl Smol {
///     fn new(news: OwnedFd) -> io::Result<Smol> {
///         Ok(Smol { news: Async::new(news)?, alarm: Timer::never() })
///     }
/// }
///
/// impl Host for Smol {
///     fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
///         self.news.poll_readable(cx)
///     }
///
///     fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
///         self.alarm.set_at(moment);
///         Pin::new(&mut self.alarm).poll(cx).map(drop)
///     }
/// }
///
/// let guest = Builder::new().guest_on(Smol::new, async {
///     sleep(Duration::from_millis(1)).await?;
///     Ok(42)
/// });
/// assert_eq!(async_io::block_on(guest)?, 42);
/// # Ok::<(), seedbed::Error>(())
/// ```
pub trait Host {
    /// Waits until the descriptor that this was made with is readable, and has the task woken.
    ///
    /// The guest reads everything there is before it asks again. So this may answer each time the
    /// descriptor *becomes* readable, or for as long as it is; an answer too many costs little.
    /// The descriptor is not to be read here.
    ///
    /// # Errors
    ///
    /// The guest ends with the error, as if its reactor had failed.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Waits until this moment, and has the task woken. It may be another moment each time, and
    /// then nobody waits for the former one any more.
    fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()>;

    /// Has the task woken when others have had their turn, because the guest has more to do. By
    /// default this wakes the task at once, which is right if the executor polls its tasks in
    /// turn, and looks at its own timers and sockets in between.
    fn wake_later(&mut self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }
}

/// Makes the host from the descriptor that is to be waited for.
#[cfg(all(unix, not(loom)))]
pub(in crate::run) type MakeHost =
    Box<dyn FnOnce(std::os::fd::OwnedFd) -> io::Result<Box<dyn Host>>>;
