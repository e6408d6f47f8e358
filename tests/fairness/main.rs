//! R7: whatever a task does, others have their turn, and it learns of its cancellation.

#[cfg(feature = "fs")]
mod files;
mod no_checkpoint;
#[cfg(all(feature = "process", unix))]
mod processes;
mod starving;
#[cfg(all(feature = "stdio", unix))]
mod streams;
#[cfg(feature = "tls")]
mod tls;

use std::cell::Cell;

use seedbed::{Builder, Nursery, Result, nursery, yield_now};

/// How often a sibling runs while `op` is done a hundred times, with a budget of 4. On the system's
/// clock, on which what there is already is read at once.
#[allow(dead_code, reason = "it needs a feature")]
fn turns_of_others<T>(
    open: impl for<'scope, 'env> AsyncFn(&'scope Nursery<'scope, 'env>) -> Result<T>,
    op: impl AsyncFn(&mut T) -> Result<()>,
) -> usize {
    let (turns, during) = (Cell::new(0), Cell::new(0));
    let outcome = Builder::new().budget(4).run(nursery(async |n| {
        n.spawn::<_, ()>(async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await?;
            }
        });
        let mut opened = open(n).await?;
        let before = turns.get();
        for _ in 0..100 {
            op(&mut opened).await?;
        }
        during.set(turns.get() - before);
        n.cancel();
        Ok(())
    }));
    outcome.unwrap();
    during.get()
}
