//! `testing::explore`: what it varies, what it finds, and what it says. In `this_crate` it tests
//! the crate itself.

mod descriptors;
mod orders;
mod output;
mod planted;
mod primitives;
mod search;
mod tasks;
mod this_crate;

#[path = "../support/example.rs"]
mod example;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use seedbed::Result;
use seedbed::testing::{Explore, Failure, Report, explore};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The failure that has to be found, and a look at what all failures have in common.
fn finds(program: impl AsyncFn() -> Result<()>) -> Failure {
    let failure = Explore::new().run(&program).expect_err("the bug was not found");
    let schedule = failure.schedule().to_string();
    let again = Explore::new().replay(&schedule).run(&program).expect_err("the replay passes");
    assert_eq!(again.kind(), failure.kind());
    assert_eq!(again.schedule(), failure.schedule(), "the schedule is made of what is decided");
    let told = format!("{failure:?}");
    assert!(told.contains(&format!("SEEDBED_SCHEDULE={schedule} ")), "{told}");
    assert!(told.contains(&format!(".replay({schedule:?})")), "{told}");
    failure
}

/// All that comes out of a program, over all its schedules.
fn outcomes<T: Ord + Debug>(program: impl AsyncFn() -> Result<T>) -> (BTreeSet<T>, Report) {
    let seen = RefCell::new(BTreeSet::new());
    let report = explore(async || {
        let outcome = program().await?;
        seen.borrow_mut().insert(outcome);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
    (seen.into_inner(), report)
}

fn deviations(failure: &Failure) -> usize {
    match failure.schedule().to_string().as_str() {
        "fifo" => 0,
        text => text.split('-').count(),
    }
}
