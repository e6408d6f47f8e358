//! All the values of several futures.

use std::cell::RefCell;
use std::future::Future;
use std::panic::Location;
use std::rc::Rc;

use crate::error::Result;
use crate::nursery::{Nursery, open};

/// Runs several futures at once, and returns all their values, in the order of the futures.
///
/// The futures are children of a nursery. If one fails, the others are cancelled and waited for,
/// and the failures come out as a [`Group`](crate::Group); a panic continues in the caller. If the
/// caller is cancelled, so are the futures, and the values of those that had ended are dropped. No
/// future that has begun is dropped before it has ended.
///
/// All the futures have one type; those of several are made one by `Box::pin` and
/// [`dyn Future`](Future), or are spawned in a [`nursery`](crate::nursery), whose tasks may have
/// values of different types. For a limit on how many run at once see
/// [`flow::Flow::buffered`](crate::flow::Flow::buffered).
///
/// It is a checkpoint if one of the futures is. Without any futures it returns at once.
///
/// This is `asyncio.gather`, and `try_join_all` of `futures`, which drops the others where this
/// waits for them.
///
/// # Errors
///
/// A [`Group`](crate::Group) of the failures, or [`Cancelled`](crate::Cancelled).
///
/// ```
/// use seedbed::{gather, sleep};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let lengths = gather(["three", "a"].map(async |word| {
///     sleep(Duration::from_secs(word.len() as u64)).await?;
///     Ok(word.len())
/// }))
/// .await?;
/// assert_eq!(lengths, [5, 1]);
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[doc(alias = "join_all")]
#[doc(alias = "try_join_all")]
#[track_caller]
pub fn gather<'env, I, F, T>(futures: I) -> impl Future<Output = Result<Vec<T>>>
where
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T>> + 'env,
    T: 'env,
{
    let place = Location::caller();
    async move {
        // The children put the values there themselves: a body that awaits them could be cancelled
        // when all of them have ended.
        let values = Rc::new(RefCell::new(Vec::new()));
        let gathered = values.clone();
        open(place, async move |n: &Nursery<'_, 'env>| {
            for (index, future) in futures.into_iter().enumerate() {
                values.borrow_mut().push(None);
                let values = values.clone();
                n.spawn_at(place, async move {
                    let value = future.await?;
                    values.borrow_mut()[index] = Some(value);
                    Ok(())
                });
            }
            Ok(())
        })
        .await?;
        let values = gathered.take();
        Ok(values.into_iter().map(|value| value.expect("no child has failed")).collect())
    }
}
