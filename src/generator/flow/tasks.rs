//! What runs beside the consumer of a flow.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

use crate::nursery::Nursery;

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The tasks of a flow, which nobody polls before it is opened. They become children of one
/// nursery.
pub(super) struct Tasks<'a> {
    tasks: Vec<(&'static Location<'static>, Boxed<'a>)>,
}

impl<'a> Tasks<'a> {
    pub(super) fn new() -> Self {
        Tasks { tasks: Vec::new() }
    }

    /// Adds a task, on behalf of the call of an operator at `place`.
    pub(super) fn add(
        &mut self,
        place: &'static Location<'static>,
        task: impl Future<Output = ()> + 'a,
    ) {
        self.tasks.push((place, Box::pin(task)));
    }

    /// Adds the tasks of another flow, which is a part of this one.
    pub(super) fn append(&mut self, others: Tasks<'a>) {
        self.tasks.extend(others.tasks);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Spawns the tasks, those nearest to the consumer last.
    pub(super) fn spawn_in<'scope>(self, nursery: &'scope Nursery<'scope, '_>)
    where
        'a: 'scope,
    {
        for (place, task) in self.tasks {
            drop(nursery.spawn_at(place, async {
                task.await;
                Ok(())
            }));
        }
    }
}
