//! Connecting to whichever of several addresses answers first: Happy Eyeballs (RFC 8305).
//!
//! Nothing in here knows about sockets, so the tests can run on a virtual clock.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::nursery::nursery;
use crate::operation::sync::channel::channel;
use crate::scope::move_on_after;

/// How long after one attempt the next one begins, as recommended by section 5 of the RFC.
const DELAY: Duration = Duration::from_millis(250);

/// The addresses in the order in which to try them: the families take turns, beginning with that of
/// the first address. Within a family the order stays the same.
pub(super) fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let family = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let mut first = addresses.iter().filter(|address| address.is_ipv4() == family);
    let mut second = addresses.iter().filter(|address| address.is_ipv4() != family);
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(first.next());
        order.extend(second.next());
    }
    order
}

/// Connects to the first address that answers. If none does, returns the errors of all of them.
///
/// The addresses are tried in this order, each [`DELAY`] after the one before, or as soon as that
/// one has failed. Once there is a connection the other attempts are cancelled; a second connection
/// that comes too late is dropped.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled). In that case there is no connection.
pub(super) async fn race<A: Copy, S>(
    addresses: &[A],
    connect: impl AsyncFn(A) -> Result<S>,
) -> Result<Result<S, Vec<Error>>> {
    let (sender, news) = channel(addresses.len());
    let mut failures: Vec<Option<Error>> = addresses.iter().map(|_| None).collect();
    let (connect, sender, failed) = (&connect, &sender, &mut failures);
    let won = nursery(async move |n| {
        for (number, &address) in addresses.iter().enumerate() {
            n.spawn(async move {
                let outcome = connect(address).await;
                if let Err(error) = &outcome
                    && error.cancellation().is_some()
                {
                    return outcome.map(drop);
                }
                let sent = sender.try_send((number, outcome));
                assert!(sent.is_ok(), "the channel has a place for each");
                Ok(())
            });
            let is_last = number + 1 == addresses.len();
            let attempt = async {
                while let Some((index, outcome)) = news.recv().await? {
                    match outcome {
                        Ok(connection) => return Ok(Some(connection)),
                        Err(error) => failed[index] = Some(error),
                    }
                    let over = match is_last {
                        true => failed.iter().all(Option::is_some),
                        false => index == number,
                    };
                    if over {
                        break;
                    }
                }
                Ok(None)
            };
            let won = match is_last {
                true => attempt.await?,
                false => move_on_after(DELAY, attempt).await?.flatten(),
            };
            if won.is_some() {
                n.cancel();
                return Ok(won);
            }
        }
        Ok(None)
    })
    .await?;
    Ok(won.ok_or_else(|| failures.into_iter().flatten().collect()))
}
