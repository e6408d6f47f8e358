//! R7: how many operations greedy tasks finish between the moment at which Ctrl-C is pressed and
//! the moment at which they are cancelled.

use std::cell::Cell;

use seedbed::signal::Signal;
use seedbed::{Interrupted, Result, Yielder, checkpoint, generator, nursery, run, yield_now};

use super::{Process, raise};

/// The default budget, of a task in one poll, and how many of them each may have.
const BUDGET: u64 = 128;
const FEW: u64 = 4;

pub mod r07_ctrl_c_waits_for_a_few_budgets_of_each_ready_task {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        for (tasks, depth) in [(1, 0), (1, 1), (1, 5), (10, 0), (10, 3), (100, 1)] {
            for kind in 0..3 {
                let after = cancelled_after(kind, tasks, depth);
                assert!(
                    after <= FEW * BUDGET * tasks,
                    "kind {kind}, {tasks} tasks, {depth} deep: cancelled after {after} operations"
                );
            }
        }
    }

    /// How many operations are finished before the first of them fails.
    fn cancelled_after(kind: u32, tasks: u64, depth: u32) -> u64 {
        let (done, after) = (Cell::new(0_u64), Cell::new(None));
        let when = 3 * BUDGET * tasks;
        let count = || {
            done.set(done.get() + 1);
            if done.get() == when {
                raise(Signal::INT);
            }
        };
        let greedy = async || {
            let mut items = generator(async |y: Yielder<()>| {
                loop {
                    y.yield_(()).await?;
                }
            });
            loop {
                count();
                let outcome = match kind {
                    0 => checkpoint().await,
                    1 => yield_now().await,
                    // Ten things that are not checkpoints, before one that is.
                    _ => {
                        for _ in 0..10 {
                            items.anext().await?;
                        }
                        checkpoint().await
                    }
                };
                if let Err(error) = outcome {
                    after.set(after.get().or(Some(done.get() - when)));
                    return Err::<(), _>(error);
                }
            }
        };
        let outcome: Result<()> = run(inside(depth, &async || {
            nursery(async |n| {
                for _ in 0..tasks {
                    n.spawn(greedy());
                }
                Ok(())
            })
            .await
        }));
        assert!(outcome.unwrap_err().is::<Interrupted>());
        after.get().expect("they were cancelled")
    }

    /// Runs `work` that many nurseries deeper.
    async fn inside(depth: u32, work: &impl AsyncFn() -> Result<()>) -> Result<()> {
        if depth == 0 {
            return work().await;
        }
        nursery(async |n| {
            n.spawn(Box::pin(inside(depth - 1, work)));
            Ok(())
        })
        .await
    }
}
