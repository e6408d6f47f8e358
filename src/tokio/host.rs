//! A tokio runtime as the host of a guest.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep_until};

use crate::error::Result;
use crate::run::{Builder, Guest, Host};

impl Builder {
    /// Makes a run that is a *guest* of tokio: a future, which a task of tokio's awaits. In it
    /// everything of this crate works, nurseries, scopes, generators and sockets, and tokio's own
    /// libraries work as they do elsewhere in the program. So a function of an existing program can
    /// use nurseries, without the program having to be written anew.
    ///
    /// The guest is not `Send`. It is awaited in what `block_on` or `#[tokio::main]` runs, in
    /// `spawn_local`, or on a thread of its own in a runtime of its own: see [the
    /// guide](crate::guide::inside_tokio). What is said of [`guest_on`](Self::guest_on) applies
    /// here too: **await it to its end**; to stop it, cancel it through its
    /// [`cancel_handle`](Guest::cancel_handle) and await it.
    ///
    /// Its tasks do not use up tokio's cooperative budget, which is for one task of tokio's, not
    /// for all the tasks of a guest.
    ///
    /// # Errors
    ///
    /// The same as for [`guest_on`](Self::guest_on); an [`io::Error`] if it is polled where there is
    /// no tokio runtime.
    ///
    /// # Panics
    ///
    /// The same as for [`guest_on`](Self::guest_on). If the runtime was built without
    /// `enable_all`, tokio panics at the first poll and says what is missing.
    ///
    /// ```
    /// use seedbed::{Builder, nursery};
    /// use std::time::Duration;
    ///
    /// /// A function of a tokio program.
    /// async fn both(one: &str, other: &str) -> seedbed::Result<usize> {
    ///     Builder::new()
    ///         .guest(nursery(async |n| {
    ///             let one = n.spawn(async { Ok(one.len()) }); // borrows
    ///             let other = n.spawn(async {
    ///                 tokio::time::sleep(Duration::from_millis(1)).await; // tokio's
    ///                 Ok(other.len())
    ///             });
    ///             Ok(one.await? + other.await?)
    ///         }))
    ///         .await
    /// }
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// assert_eq!(runtime.block_on(both("up", "down"))?, 6);
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn guest<'a, T: 'a>(self, main: impl Future<Output = Result<T>> + 'a) -> Guest<'a, T> {
        self.guest_in(
            Location::caller(),
            OfTokio::new,
            |whole| Box::pin(unconstrained(whole)),
            main,
        )
    }
}

struct OfTokio {
    news: AsyncFd<OwnedFd>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl OfTokio {
    fn new(news: OwnedFd) -> io::Result<OfTokio> {
        if Handle::try_current().is_err() {
            return Err(io::Error::other(
                "the guest was polled where there is no tokio runtime; await it in a task of \
                 tokio's, or use `Builder::guest_on` for another executor",
            ));
        }
        #[allow(
            deprecated,
            reason = "what its unsafe successor asks for, an `OwnedFd` guarantees; older versions \
                      of tokio have only this"
        )]
        let news = AsyncFd::with_interest(news, Interest::READABLE)?;
        Ok(OfTokio { news, alarm: None })
    }
}

impl Host for OfTokio {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The guest reads all that there is, so it will become readable anew.
        ready!(self.news.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }

    fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let moment = moment.into();
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(moment)));
        if alarm.deadline() != moment {
            alarm.as_mut().reset(moment);
        }
        alarm.as_mut().poll(cx)
    }

    fn wake_later(&mut self, cx: &mut Context<'_>) {
        // A task that wakes itself is polled again a few dozen times before tokio looks at its
        // timers; after this, it looks first.
        let polled = pin!(yield_now()).poll(cx);
        if polled.is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}
