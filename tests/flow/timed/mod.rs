//! Operators that have to do with time.
//!
//! | file | what |
//! |---|---|
//! | `by_the_clock` | what comes when |
//! | `model` | random schedules, against a simulation |
//! | `explored` | in every order of the tasks |
//! | `retry` | beginning again |

mod by_the_clock;
mod explored;
mod model;
mod retry;

use std::time::Duration;

use seedbed::flow;
use seedbed::flow::Retry;

use crate::support::secs;
use crate::table::{Operator, operator};

/// Where time has to pass for an item to come, the numbers come once a second.
pub const TIMED: &[Operator] = &[
    operator("throttle", |numbers| numbers.throttle(secs(1)).boxed()),
    operator("sample", |numbers| numbers.throttle(secs(1)).sample(secs(2)).boxed()),
    operator("debounce", |numbers| {
        numbers.throttle(secs(1)).debounce(Duration::from_millis(500)).boxed()
    }),
    operator("debounce(0)", |numbers| numbers.debounce(Duration::ZERO).boxed()),
    operator("chunks_timeout, full", |numbers| {
        numbers.chunks_timeout(1, secs(5)).map(|chunk| chunk[0]).boxed()
    }),
    operator("chunks_timeout, due", |numbers| {
        numbers.throttle(secs(1)).chunks_timeout(9, Duration::ZERO).map(|chunk| chunk[0]).boxed()
    }),
    operator("timeout", |numbers| numbers.timeout(secs(1000)).boxed()),
    operator("retry", |numbers| {
        let mut numbers = Some(numbers);
        let policy = Retry::forever().only_if(|_| false);
        flow::retry(policy, move || numbers.take().expect("it is begun once")).boxed()
    }),
    operator("retry, buffered", |numbers| {
        let mut numbers = Some(numbers.buffer(1));
        let policy = Retry::forever().only_if(|_| false);
        flow::retry(policy, move || numbers.take().expect("it is begun once")).buffer(1).boxed()
    }),
];
