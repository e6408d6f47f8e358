//! A call that is cancelled after every number of polls.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use seedbed::tokio::call;
use seedbed::{CancelScope, Error, Result, cancel_scope};

/// How many polls a call may take, and how often it may come to its end without ever having waited.
/// More would be a hang.
const MOST: usize = 1 << 24;

/// How often a call has to come to its end before its cancellation was due.
const ENDS: usize = 3;

/// When a call is cancelled that has been polled so often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// It waits for something.
    Waiting,
    /// It is woken, and has not looked at what it waited for.
    Woken,
    /// It has not been woken: it is polled all the time. This leads to moments between the others,
    /// at which the library does something in the background.
    Between,
}

/// A call that cancels the scope around it.
struct Cut<F> {
    call: Pin<Box<F>>,
    scope: CancelScope,
    polls: usize,
    moment: Moment,
}

impl<F: Future> Future for Cut<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.polls == 0 {
            self.scope.cancel();
            return Poll::Pending;
        }
        let polled = self.call.as_mut().poll(cx);
        self.polls -= 1;
        if polled.is_pending() {
            match self.moment {
                Moment::Waiting if self.polls == 0 => self.scope.cancel(),
                Moment::Waiting | Moment::Woken => {}
                Moment::Between => cx.waker().wake_by_ref(),
            }
        }
        polled
    }
}

/// Makes a call again and again, each time cancelled after one poll more, until it comes to its end
/// before that. After each, `afterwards` is given the call's value, if it has come to one, and has
/// to find everything in order.
///
/// A failure of the call fails this.
pub async fn everywhere<T, E>(
    name: &str,
    call_once: impl AsyncFn() -> Result<T, E>,
    afterwards: impl AsyncFn(Option<T>) -> Result<()>,
) -> Result<()>
where
    T: Debug,
    E: Into<Error>,
{
    for moment in [Moment::Waiting, Moment::Woken, Moment::Between] {
        // How many polls a call takes depends on the network. So a call that has come to its end is
        // not the last one, and if nothing has been cut, everything was there at once by chance.
        let (mut cuts, mut polls, mut ends) = (0, 0, 0);
        while ends < ENDS || cuts == 0 {
            assert!(polls < MOST, "{name}: it does not end");
            assert!(ends < MOST, "{name}: it never waits");
            let value = cancel_scope(async |scope| {
                let cut = Cut { call: Box::pin(call_once()), scope: scope.clone(), polls, moment };
                call(cut).await
            })
            .await?;
            match value {
                Some(_) if ends >= ENDS => polls = 1,
                // There are thousands, most of which find nothing new.
                _ if moment == Moment::Between => polls += 1 + polls / 2,
                _ => polls += 1,
            }
            match value {
                Some(_) => ends += 1,
                None => cuts += u32::from(polls > 1),
            }
            afterwards(value).await?;
        }
        eprintln!("{name}: {moment:?}, cut in {cuts} places");
    }
    Ok(())
}
