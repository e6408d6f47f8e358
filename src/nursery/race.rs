//! The first value of several futures.

use std::cell::RefCell;
use std::future::Future;
use std::panic::Location;
use std::rc::Rc;

use crate::error::{EmptyRace, Error, Group, Member, Origin, Reason, Result, Spawned};
use crate::nursery::{Nursery, open};
use crate::scope::tree::Level;

/// What came out of a [`race`] or a [`race_ok`].
#[derive(Debug)]
#[must_use = "the late values may matter as well: they are messages that were received, say"]
pub struct Raced<T> {
    /// The first value.
    pub value: T,
    /// Which of the futures it is from, counted from 0.
    pub winner: usize,
    /// The values that others ended with before the cancellation reached them, and which of the
    /// futures each is from, in the order in which they ended.
    pub late: Vec<(usize, T)>,
    /// The failures that [`race_ok`] has put aside, in the order in which they happened. After a
    /// [`race`] there are none.
    pub failures: Vec<(usize, Error)>,
}

/// Runs several futures at once, and returns the value of the first that ends. The others are
/// cancelled and waited for.
///
/// A future that ends with a value all the same, because it had been given what it waited for, is
/// not dropped unseen: its value is among the [`late`](Raced::late) ones. So receivers that race
/// lose no message.
///
/// The futures are children of a nursery. If one fails, also after the first has ended, the others
/// are cancelled and waited for, and the failures come out as a [`Group`]; a panic continues in the
/// caller. If the caller is cancelled when a future has ended with a value, that value is returned,
/// and the next checkpoint fails. No future that has begun is dropped before it has ended.
///
/// All the futures have one type; those of several are made one by `Box::pin` and
/// [`dyn Future`](Future).
///
/// It is a checkpoint if one of the futures is.
///
/// This is what `select!` is used for in tokio and `futures`, and what `Promise.race` does in
/// JavaScript, where the losers run on.
///
/// # Errors
///
/// A [`Group`] of the failures; [`Cancelled`](crate::Cancelled); [`EmptyRace`] if there are no
/// futures.
///
/// ```
/// use seedbed::{race, sleep};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let raced = race([3, 1, 2].map(async |seconds| {
///     sleep(Duration::from_secs(seconds)).await?;
///     Ok(format!("after {seconds} s"))
/// }))
/// .await?;
/// assert_eq!((raced.winner, &*raced.value), (1, "after 1 s"));
/// # assert_eq!(clock.elapsed().as_secs(), 1);
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[doc(alias = "select")]
#[track_caller]
pub fn race<'env, I, F, T>(futures: I) -> impl Future<Output = Result<Raced<T>>>
where
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T>> + 'env,
    T: 'env,
{
    run(Location::caller(), futures, OnFailure::End)
}

/// Runs several futures at once, and returns the value of the first that succeeds. The others are
/// cancelled and waited for.
///
/// Failures are put [aside](Raced::failures) until one future has succeeded. If none does, they
/// come out. In all else this is [`race`].
///
/// This is `select_ok` of `futures`, and `Promise.any` in JavaScript.
///
/// # Errors
///
/// A [`Group`] of the failures, if no future succeeds; [`Cancelled`](crate::Cancelled);
/// [`EmptyRace`] if there are no futures.
///
/// ```
/// use seedbed::{Error, race_ok};
///
/// seedbed::run(async {
///     let raced = race_ok(["down", "up"].map(async |server| match server {
///         "up" => Ok("the page"),
///         _ => Err(Error::msg("connection refused")),
///     }))
///     .await?;
///     assert_eq!((raced.value, raced.failures.len()), ("the page", 1));
///     Ok(())
/// })?;
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "select_ok")]
#[track_caller]
pub fn race_ok<'env, I, F, T>(futures: I) -> impl Future<Output = Result<Raced<T>>>
where
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T>> + 'env,
    T: 'env,
{
    run(Location::caller(), futures, OnFailure::PutAside)
}

/// What a failure does to a race.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnFailure {
    End,
    PutAside,
}

async fn run<'env, I, F, T>(
    place: &'static Location<'static>,
    futures: I,
    on_failure: OnFailure,
) -> Result<Raced<T>>
where
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T>> + 'env,
    T: 'env,
{
    let mut futures = futures.into_iter().enumerate().peekable();
    if futures.peek().is_none() {
        return Err(EmptyRace::new(place).into());
    }
    // The children cannot borrow this, which does not live for `'env`.
    let ended = Rc::new(Ended { values: RefCell::default(), failures: RefCell::default() });
    let theirs = ended.clone();
    let outcome = open(place, async move |n: &Nursery<'_, 'env>| {
        for (index, future) in futures {
            let (ended, race) = (theirs.clone(), n.core.clone());
            n.spawn_at(place, async move {
                match future.await {
                    Ok(value) => {
                        ended.values.borrow_mut().push((index, value));
                        let reason = "another future has won the race".into();
                        let reason = Reason::Requested(Some(reason));
                        race.scope().cancel(Level::Full, reason, Some(place)); // foreign code
                        Ok(())
                    }
                    Err(error) if on_failure == OnFailure::End => Err(error),
                    Err(error) => {
                        // A future that is cancelled may fail as well. Foreign code.
                        let (cancelled, failed) =
                            error.split(|error| error.cancellation().is_some());
                        ended.failures.borrow_mut().extend(failed.map(|error| (index, error)));
                        cancelled.map_or(Ok(()), Err)
                    }
                }
            });
        }
        Ok(())
    })
    .await;
    let (mut values, failures) = (ended.values.take(), ended.failures.take());
    match outcome {
        // The race has been decided, though the caller was cancelled before the others had ended.
        Err(error) if !error.is_cancelled() || values.is_empty() => {
            return Err(among(place, failures, Some(error)));
        }
        Ok(()) if values.is_empty() => return Err(among(place, failures, None)),
        _ => {}
    }
    let (winner, value) = values.remove(0);
    Ok(Raced { value, winner, late: values, failures })
}

/// How the futures of a race have ended.
struct Ended<T> {
    values: RefCell<Vec<(usize, T)>>,
    failures: RefCell<Vec<(usize, Error)>>,
}

/// What a race fails with, given the failures that were put aside and what its nursery failed with.
fn among(
    place: &'static Location<'static>,
    failures: Vec<(usize, Error)>,
    further: Option<Error>,
) -> Error {
    match further {
        Some(error) if failures.is_empty() => error,
        further => {
            let errors = failures.into_iter().map(|(_, error)| error).chain(further);
            let origin = || Origin::Task(Spawned::At(place));
            let members = errors.map(|error| Member { error, origin: origin() }).collect();
            Group::from_failures(place, members)
        }
    }
}
