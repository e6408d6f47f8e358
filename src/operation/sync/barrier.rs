//! A place where tasks wait until enough of them are there.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::{Exclusive, Result};
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::waiters::Waiters;

/// A place where tasks wait until a certain number of them are there. Then all go on, and the
/// barrier can be used again.
///
/// A task that was cancelled, or whose future was dropped, while it waited is no longer there: it
/// does not count. (tokio's barrier counts it.)
///
/// ```
/// use std::cell::Cell;
/// use seedbed::{nursery, sync::Barrier, yield_now};
///
/// seedbed::run(async {
///     let (barrier, ready, leaders) = (Barrier::new(3), Cell::new(0), Cell::new(0));
///     nursery(async |n| {
///         for _ in 0..3 {
///             n.spawn(async {
///                 yield_now().await?; // get ready
///                 ready.set(ready.get() + 1);
///                 let all = barrier.wait().await?;
///                 assert_eq!(ready.get(), 3);
///                 leaders.set(leaders.get() + u32::from(all.is_leader()));
///                 Ok(())
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     assert_eq!(leaders.get(), 1);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Barrier {
    parties: usize,
    /// How many are in the queue, even if they were cancelled.
    waiting: Cell<usize>,
    waiters: Waiters<Option<Rc<Opening>>>,
}

/// One opening of a barrier.
struct Opening {
    leader: Cell<Leader>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leader {
    ToCome,
    Gone,
}

impl Barrier {
    /// Makes a barrier for this many tasks. With 0 or 1, nobody waits.
    #[must_use]
    pub const fn new(parties: usize) -> Self {
        Barrier { parties, waiting: Cell::new(0), waiters: Waiters::new() }
    }

    /// Waits until as many tasks as the barrier is for are here. The first of them that goes on is
    /// the leader.
    ///
    /// It is a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), if that came before all were here; this task then was not
    /// counted. Once the barrier has opened, all of them go on.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = Result<BarrierWaitResult>> + Unpin {
        Wait(Doing::new(Arriving { barrier: self, place: Location::caller() }))
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("parties", &self.parties).finish_non_exhaustive()
    }
}

/// What [`Barrier::wait`] says of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl BarrierWaitResult {
    /// Whether this task is the leader: the first that goes on after the barrier has opened.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

/// The future of [`Barrier::wait`].
#[must_use = "futures do nothing unless awaited"]
struct Wait<'a>(Doing<Arriving<'a>>);

impl Future for Wait<'_> {
    type Output = Result<BarrierWaitResult>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.get_mut().0).poll(cx);
        // Only now: if this was dropped earlier, another task is the leader.
        polled.map_ok(|opening| BarrierWaitResult {
            is_leader: opening.leader.replace(Leader::Gone) == Leader::ToCome,
        })
    }
}

struct Arriving<'a> {
    barrier: &'a Barrier,
    place: &'static Location<'static>,
}

impl Queued for Arriving<'_> {
    const NAME: &'static str = "Barrier::wait";
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = None;

    type Value = Option<Rc<Opening>>;
    type Got = Rc<Opening>;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn queue(&self) -> &Waiters<Option<Rc<Opening>>> {
        &self.barrier.waiters
    }

    fn attempt(&mut self, _: When) -> Tried<Rc<Opening>> {
        let Barrier { parties, waiting, waiters } = self.barrier;
        // Whether all of them are really there is worth a look only if they may be.
        if waiting.get() + 1 < *parties || waiters.count() + 1 < *parties {
            return Tried::Waits;
        }
        let opening = Rc::new(Opening { leader: Cell::new(Leader::ToCome) });
        waiters.serve_present(|given| {
            waiting.set(waiting.get() - 1);
            *given = Some(opening.clone());
        });
        Tried::Done(opening)
    }

    fn bring(&self, _: &mut Option<Rc<Opening>>) {
        self.barrier.waiting.set(self.barrier.waiting.get() + 1);
    }

    fn left(&mut self) {
        self.barrier.waiting.set(self.barrier.waiting.get() - 1);
    }

    fn receive(&mut self, opening: Option<Rc<Opening>>) -> Rc<Opening> {
        opening.expect("it has opened")
    }

    fn pass_on(&mut self, _: Option<Rc<Opening>>) {}
}
