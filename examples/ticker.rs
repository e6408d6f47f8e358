//! A ticker: the first example of PEP 525.
//!
//! ```text
//! cargo run --example ticker
//! ```
//!
//! It shows a generator iterated with `while let`, two generators at once, a generator as a
//! `Stream`, and a value sent into one.

use std::time::Duration;

use futures::TryStreamExt;
use seedbed::{Generator, Result, Yielder, aclosing, generator, nursery, sleep};

/// Counts to `to`, with a pause after each number. A number sent in divides the pause from then on.
///
/// Without a generator this would be a struct with a state, a number and a timer, and a
/// hand-written `poll_next`.
fn ticker(mut pause: Duration, to: u32) -> Generator<'static, u32, u32> {
    generator(async move |y: Yielder<u32, u32>| {
        for i in 0..to {
            if let Some(faster) = y.yield_(i).await? {
                pause /= faster;
            }
            sleep(pause).await?;
        }
        Ok(())
    })
}

/// Returns the lines that it prints.
pub fn demonstrate(pause: Duration) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    seedbed::run(async {
        let mut say = |line: String| {
            println!("{line}");
            lines.push(line);
        };

        let mut numbers = ticker(pause, 3);
        while let Some(i) = numbers.anext().await? {
            say(format!("{i}"));
        }
        // It has ended, so there is nothing to close.

        // Two at once: each belongs to the task that it is moved into.
        let (slow, fast) = (ticker(pause, 3), ticker(pause / 4, 5));
        let (slow, fast) = nursery(async |n| {
            let sum = async |numbers: Generator<'static, u32, u32>| {
                numbers.try_fold(0, |sum, i| async move { Ok(sum + i) }).await // it is a `Stream`
            };
            let slow = n.spawn(sum(slow));
            let fast = n.spawn(sum(fast));
            Ok((slow.await?, fast.await?))
        })
        .await?;
        say(format!("sums: {slow}, {fast}"));

        // Left before its end: `aclosing` closes it before the program goes on.
        aclosing(ticker(pause, 1000), async |numbers| {
            numbers.anext().await?;
            let second = numbers.asend(10).await?;
            say(format!("ten times as fast: {second:?}"));
            Ok(())
        })
        .await
    })?;
    Ok(lines)
}

pub fn main() -> Result<()> {
    demonstrate(Duration::from_millis(500)).map(drop)
}
