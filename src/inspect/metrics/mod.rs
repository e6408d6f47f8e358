//! Numbers that say how a run is doing.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the numbers, and asking for them |
//! | `gather` | reading off what there is at present |
//! | `prometheus` | the numbers as text that Prometheus scrapes |

mod gather;
pub(crate) mod prometheus;

use std::iter::Sum;
use std::panic::Location;
use std::time::Duration;

use crate::error::{NotRunning, Result};
use crate::inspect::metrics::gather::gather;
use crate::schedule::current;
pub use crate::schedule::seen::counted::{Cancellations, Counted};
use crate::schedule::seen::numbers::numbers;
use crate::schedule::seen::onlookers;
use crate::snapshot::remote::ask;
use crate::threads::Token;

numbers! {
    /// Numbers that say how a run is doing: [`metrics`] reads them.
    ///
    /// What there is at present is always known. What has to be [counted](Counted) is counted from
    /// [`enable`] on, and absent before.
    ///
    /// [`to_prometheus`](Self::to_prometheus) writes them as text. Those of several runs can be
    /// summed up: what there is and what was counted is added, and of `elapsed` and the times whose
    /// name begins with `longest` the sum has the longest. If one of the runs has not been
    /// counting, the sum has nothing that is counted.
    ///
    /// ```
    /// use seedbed::inspect::Metrics;
    /// use seedbed::{Result, Token, cancel_scope, run_on_cores, sleep_forever, to_thread};
    /// use std::sync::{Barrier, Mutex};
    ///
    /// let (cores, begun) = (Mutex::new(Vec::new()), Barrier::new(2));
    /// run_on_cores(2, async |core| {
    ///     cancel_scope(async |scope| {
    ///         cores.lock().unwrap().push((Token::current()?, scope.cancel_handle()));
    ///         begun.wait();
    ///         if core == 1 {
    ///             return sleep_forever().await;
    ///         }
    ///         let cores = cores.lock().unwrap().clone();
    ///         let ask = move || {
    ///             let each: Result<Vec<_>> = cores.iter().map(|(core, _)| core.metrics()).collect();
    ///             cores.iter().for_each(|(_, scope)| scope.cancel());
    ///             each
    ///         };
    ///         let sum: Metrics = to_thread(ask).await??.into_iter().sum();
    ///         assert_eq!(sum.tasks, 2); // the main future of each
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub struct Metrics {
        /// For how long the run has been going on.
        pub elapsed: Duration as Longest,
        /// Tasks that have not ended, including the main future and the tasks of the run itself.
        pub tasks: usize as Present,
        /// Tasks that are ready and have not had their turn yet, and those that have to be polled
        /// to get to them.
        pub ready: usize as Present,
        /// Nurseries that are open.
        pub nurseries: usize as Present,
        /// Cancel scopes that are open, including one for each nursery, and two that belong to the
        /// run itself.
        pub scopes: usize as Present,
        /// Cancel scopes that are open although they themselves were cancelled.
        pub scopes_cancelled: usize as Present,
        /// Shields that are up.
        pub shields: usize as Present,
        /// Timers that are set: sleeps, and deadlines of open scopes.
        pub timers: usize as Present,
        /// Sockets, pipes and other descriptors that the run watches for events.
        pub sources: usize as Present,
        /// Generators that were iterated and have not ended, except those of nurseries.
        pub generators: usize as Present,
        /// Functions given to other threads that have not returned, and that are waited for.
        pub jobs: usize as Present,
        /// Functions given to other threads that have not returned, and that nobody waits for.
        pub jobs_abandoned: usize as Present,
        ;
        /// What has been counted, if [`enable`] was called.
        pub counted: Option<Counted>,
    }
}

/// Reads the [`Metrics`] of the run on this thread.
///
/// This takes time in proportion to the number of tasks and scopes, some nanoseconds for each. It
/// is not a checkpoint, and may be called anywhere on the thread.
///
/// # Errors
///
/// [`NotRunning`](crate::NotRunning) if there is no run on this thread.
///
/// ```
/// use seedbed::{inspect, nursery, sleep_forever, yield_now};
///
/// seedbed::run(async {
///     nursery(async |n| {
///         n.spawn(sleep_forever());
///         assert_eq!(inspect::metrics()?.counted, None); // nobody has asked for it
///         inspect::enable()?;
///         yield_now().await?; // it begins to wait
///         let metrics = inspect::metrics()?;
///         assert_eq!(metrics.tasks, 2);
///         assert_eq!(metrics.nurseries, 1);
///         assert_eq!(metrics.counted.unwrap().polls, 1);
///         n.scope().cancel();
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn metrics() -> Result<Metrics> {
    Ok(gather().ok_or(NotRunning)?)
}

/// Begins to count, in the run on this thread, what [`Counted`] has. Before that, counting costs
/// nothing.
///
/// From then on each poll costs a few hundred instructions more, each wake about a hundred, and
/// each task 24 bytes. Counting goes on until the run is over. If this is called again, nothing
/// changes. With [`run_on_cores`](crate::run_on_cores()), each core calls it for itself. It is not
/// a checkpoint.
///
/// # Errors
///
/// [`NotRunning`](crate::NotRunning) if there is no run on this thread.
///
/// ```
/// use seedbed::{inspect, move_on_after, sleep_forever};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     inspect::enable()?;
///     move_on_after(Duration::from_millis(1), sleep_forever()).await?;
///     let counted = inspect::metrics()?.counted.unwrap();
///     assert_eq!(counted.cancellations.deadline, 1);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn enable() -> Result<()> {
    if !current::is_running() {
        return Err(NotRunning.into());
    }
    onlookers::count();
    Ok(())
}

impl Token {
    /// Reads the [metrics](crate::inspect::metrics()) of the run, from any thread.
    ///
    /// This blocks the calling thread until the run has answered, which it does between two tasks.
    /// A run that is asleep is woken for it. If its thread is held up for a second, that is an
    /// error. On the run's own thread this is [`inspect::metrics`](crate::inspect::metrics()).
    ///
    /// # Errors
    ///
    /// The same as for [`dump`](Self::dump).
    ///
    /// ```
    /// use seedbed::{Token, to_thread};
    ///
    /// seedbed::run(async {
    ///     let token = Token::current()?;
    ///     let metrics = to_thread(move || token.metrics()).await??;
    ///     assert_eq!((metrics.tasks, metrics.jobs), (1, 1));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn metrics(&self) -> Result<Metrics> {
        ask(*self, Location::caller(), gather)
    }
}

impl Metrics {
    /// Writes them as text in [Prometheus' format][format], which a server returns to whoever
    /// scrapes it, with the type [`PROMETHEUS`](crate::inspect::PROMETHEUS).
    ///
    /// A name is `seedbed_`, that of the field, `_seconds` if it is a time, and `_total` if it only
    /// grows: [`polling`](Counted::polling) is `seedbed_polling_seconds_total`. There are two
    /// exceptions. [`Counted::elapsed`] is `seedbed_counted_seconds_total`, and [`Cancellations`]
    /// are `seedbed_cancellations_total` with a label `reason`. Times are in seconds. What has not
    /// been counted is left out.
    ///
    /// [format]: https://prometheus.io/docs/instrumenting/exposition_formats/
    ///
    /// ```
    /// use seedbed::inspect;
    ///
    /// seedbed::run(async {
    ///     let text = inspect::metrics()?.to_prometheus();
    ///     assert!(text.contains("# TYPE seedbed_tasks gauge\nseedbed_tasks 1\n"));
    ///     assert!(!text.contains("seedbed_polls_total"));
    ///     inspect::enable()?;
    ///     assert!(inspect::metrics()?.to_prometheus().contains("seedbed_polls_total 0\n"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        prometheus::text(&[(None, self)])
    }
}

impl Sum for Metrics {
    fn sum<I: Iterator<Item = Metrics>>(all: I) -> Metrics {
        let add = |mut sum: Metrics, other: Metrics| {
            sum.add_numbers(&other);
            sum.counted = match (sum.counted, other.counted) {
                (Some(mut sum), Some(other)) => {
                    sum.add(&other);
                    Some(sum)
                }
                _ => None,
            };
            sum
        };
        all.reduce(add).unwrap_or_default()
    }
}
