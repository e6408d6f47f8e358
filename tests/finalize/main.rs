//! What becomes of generators that are left half-way: F1 to F6.

#[path = "../support/mod.rs"]
mod support;

mod aclosing;
mod dropped;
mod end_of_run;
mod hooks;
mod iterate;
mod reports;
mod transaction;

use std::cell::RefCell;
use std::rc::Rc;

use seedbed::testing::VirtualClock;
use seedbed::{Generator, Result, Yielder, generator};
use tracing::Level;

use support::{Record, recording, run, run_on};

type Numbers = Generator<'static, u32>;

type Kept = Rc<RefCell<Vec<Numbers>>>;

/// The generator has been made by then, and the cell is not borrowed while it was.
fn keep(kept: &Kept, g: Numbers) {
    kept.borrow_mut().push(g);
}

const EXIT: &str = "the generator is being closed";

fn left_at(i: u32) -> String {
    format!("left at {i}: {EXIT}")
}

/// A generator at its first yield.
async fn begun(body: impl AsyncFnOnce(Yielder<u32>) -> Result<()> + 'static) -> Result<Numbers> {
    let mut g = generator(body);
    g.anext().await?;
    Ok(g)
}

/// The same as `run`, without the warnings that are expected.
fn quiet<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    recording(|| run(main)).0
}

fn errors(records: &[Record]) -> Vec<&str> {
    let errors = records.iter().filter(|record| record.level == Level::ERROR);
    errors.map(|record| record.field("error")).collect()
}

fn quiet_on<T>(clock: &VirtualClock, main: impl Future<Output = Result<T>>) -> Result<T> {
    recording(|| run_on(clock, main)).0
}
