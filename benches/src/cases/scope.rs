//! Entering and leaving an empty cancel scope, and a checkpoint in one. Only seedbed has these.
//!
//! Both are operations, and a task lets others run when its budget of them is spent. That is part
//! of the figures.

use std::hint::black_box;
use std::time::Duration;

use super::Size;
use crate::clock;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::SEEDBED;

pub fn rows(size: Size) -> Vec<Row> {
    let n = size.of(1_000_000, 100_000);
    vec![
        Row::nanoseconds_per("scope", n, "scope/enter_leave").time(SEEDBED, move || enter_leave(n)),
        Row::nanoseconds_per("checkpoint", n, "scope/checkpoint")
            .time(SEEDBED, move || checkpoint(n)),
    ]
}

fn enter_leave(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = clock::timed(async {
            for i in 0..n {
                let value = seedbed::cancel_scope(async |_| Ok(black_box(i))).await;
                assert_eq!(value.expect("it does not fail"), Some(i));
            }
        });
        Ok(elapsed.await)
    })
}

fn checkpoint(n: usize) -> Duration {
    runtimes::seedbed::run(async {
        let elapsed = seedbed::cancel_scope(async |_| {
            let elapsed = clock::timed(async {
                for i in 0..n {
                    black_box(i);
                    seedbed::checkpoint().await.expect("it is not cancelled");
                }
            });
            Ok(elapsed.await)
        });
        Ok(elapsed.await?.expect("it is not cancelled"))
    })
}
