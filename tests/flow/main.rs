//! Flows: operators without futurelock, which close what they wrap. O1 and O2.
//!
//! | file | what |
//! |---|---|
//! | `table` | the operators that are put through the tests of `ways_out` |
//! | `ways_out` | every operator closes its source on every way out, before the consumer goes on |
//! | `every_step` | pipelines that are left, cancelled and dropped at every step; one lock for all |
//! | `opening` | flows are cold; what opens them, and what becomes of errors and panics |
//! | `buffer`, `workers`, `merge`, `latest` | what each operator does that runs something beside the consumer |
//! | `sequential`, `timed` | what the others do |

#[path = "../support/mod.rs"]
mod support;

mod buffer;
mod every_step;
mod latest;
mod merge;
mod opening;
mod sequential;
mod table;
mod timed;
mod ways_out;
mod workers;

use seedbed::{Result, Yielder, flow, generator, sleep};

use support::{Log, secs};
use table::Numbers;

/// A flow of 0, 1, 2, … without an end, from a generator that never waits for anything between its
/// items. It says when it begins and when it is closed. Its clean-up takes a second, and says if it
/// was cut off.
fn numbers(log: &Log) -> Numbers {
    numbered(log, |_| Ok(()))
}

/// As `numbers`, up to the first item for which `before` fails.
fn numbered(log: &Log, before: impl Fn(u32) -> Result<()> + 'static) -> Numbers {
    let log = log.clone();
    flow(generator(async move |y: Yielder<u32>| {
        log.add("begun");
        let outcome = async {
            for i in 0.. {
                before(i)?;
                y.yield_(i).await?;
            }
            Ok(())
        }
        .await;
        log.add(match sleep(secs(1)).await {
            Ok(()) => "closed",
            Err(_) => "cut off",
        });
        outcome
    }))
    .boxed()
}
