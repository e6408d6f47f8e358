//! Flows that are opened while the flow around them runs.

use std::panic::Location;

use crate::generator::flow::Flow;
use crate::generator::flow::tasks::Tasks;
use crate::nursery::{self, Nursery};
use crate::operation::sync::channel::{Sender, channel};
use crate::scope::CancelScope;

/// Opens flows for an operator that comes to them one after the other.
///
/// What runs beside them needs a nursery, and that of the terminal operation takes no more tasks
/// once it has been filled. So one of its tasks is a nursery for those that come later.
pub(super) struct Nested<'a> {
    later: Sender<Tasks<'a>>,
}

impl<'a> Nested<'a> {
    /// For an operator that was called at `place`.
    pub(super) fn new(tasks: &mut Tasks<'a>, place: &'static Location<'static>) -> Self {
        let (sender, receiver) = channel::<Tasks<'a>>(usize::MAX);
        tasks.add(place, async move {
            let nursery = nursery::open(place, async |n: &Nursery<'_, '_>| {
                loop {
                    // Whatever is cancelled, this goes on until the operator is dropped: a task
                    // that was never polled could not close its source.
                    let shield = CancelScope::new().with_shield();
                    match shield.enter(async |_| receiver.recv().await).await {
                        Ok(Some(Some(tasks))) => tasks.spawn_in(n),
                        _ => return Ok(()),
                    }
                }
            });
            // Its tasks do not fail, so this is nothing but a cancellation from outside.
            drop(nursery.await);
        });
        Nested { later: sender }
    }

    /// Opens a flow.
    pub(super) fn open<S>(&self, flow: Flow<'a, S>) -> S {
        let mut tasks = Tasks::new();
        let source = flow.start(&mut tasks);
        if !tasks.is_empty() {
            // This fails only if everything is being dropped.
            drop(self.later.try_send(tasks));
        }
        source
    }
}
