//! The items of a source that runs beside the consumer, and when they arrived.

use std::panic::Location;
use std::time::Instant;

use crate::generator::flow::Source;
use crate::generator::flow::beside::{Beside, LIMITED_BY_ROOM, beside, room_for};
use crate::generator::flow::tasks::Tasks;
use crate::operation::time::now;

/// Adds a task that gets up to `n` items of `source` before they are taken.
///
/// Exactly: an operator that waits for a time as well goes on while it still waits for an item. If
/// it was handed one then, the task could go on, and would be one item further ahead, as with a
/// `buffer`. Here room comes back only when the operator takes the item.
pub(super) fn arrivals<'a, S: Source + 'a>(
    tasks: &mut Tasks<'a>,
    place: &'static Location<'static>,
    n: usize,
    source: S,
) -> Beside<(Instant, S::Value)> {
    beside(tasks, place, LIMITED_BY_ROOM, async move |outlet| {
        let limit = room_for(n, place);
        let work = outlet.drive(source, async |items| {
            loop {
                let room = outlet.room(&limit).await?;
                let Some(item) = items.pull().await? else { return Ok(()) };
                outlet.give(room, (now(), item));
            }
        });
        work.await
    })
}
