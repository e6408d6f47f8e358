//! Counting what a run contains at present.

use crate::error::{NotRunning, Result};
use crate::generator::finalize::{GENERATORS, Generators};
use crate::nursery::core::Core;
use crate::schedule::current::{self, THREAD};
use crate::schedule::units::table;
use crate::scope::timers::TIMERS;
use crate::world::reactor::{REACTOR, Reactor};

/// The numbers of things that a run contains at present: see [`statistics`].
///
/// This includes whatever the program itself has open. So compare two of them, taken before and
/// after code that should leave nothing behind: they should be equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Tasks that have not ended: the main future, the children of nurseries, and the tasks in
    /// which the run closes generators that were dropped.
    pub tasks: usize,
    /// Cancel scopes that have been entered and not left, including those of nurseries. Two belong
    /// to the run: the main scope, which Ctrl-C cancels, and the scope of the run's own tasks.
    pub scopes: usize,
    /// Timers that are set: sleeps, and deadlines of entered scopes.
    pub timers: usize,
    /// Whatever is registered with the reactor: sockets, pipes, processes, and listeners for
    /// signals.
    pub sources: usize,
    /// Generators that were iterated and have not ended, except those of a
    /// [nursery](crate::Nursery::generator), which takes care of them itself.
    pub generators: usize,
}

/// Counts what the present run contains. This is Trio's `current_statistics`.
///
/// Only scopes are counted in advance, so the call takes time in proportion to the number of tasks.
/// It is not a checkpoint.
///
/// # Errors
///
/// [`NotRunning`](crate::NotRunning) outside [`run`](crate::run).
///
/// ```
/// use seedbed::testing::statistics;
/// use seedbed::{move_on_after, nursery, sleep_forever, yield_now};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let before = statistics()?;
///     nursery(async |n| {
///         n.spawn(move_on_after(Duration::from_secs(60), sleep_forever()));
///         yield_now().await?; // it begins to wait
///         let within = statistics()?;
///         assert_eq!(within.tasks - before.tasks, 1);
///         assert_eq!(within.scopes - before.scopes, 2); // the nursery's and the timeout's
///         assert_eq!(within.timers - before.timers, 1);
///         n.scope().cancel();
///         Ok(())
///     })
///     .await?;
///     assert_eq!(statistics()?, before);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn statistics() -> Result<Statistics> {
    if !current::is_running() {
        return Err(NotRunning.into());
    }
    Ok(Statistics {
        tasks: 1 + table::find(Core::is_child).len(),
        scopes: THREAD.with(|thread| thread.counts.scopes.get()),
        timers: TIMERS.with(|timers| timers.map_or(0, |timers| timers.timers.borrow().len())),
        sources: REACTOR.with(|reactor| reactor.map_or(0, Reactor::sources)),
        generators: GENERATORS.with(|all| all.map_or(0, Generators::count)),
    })
}
