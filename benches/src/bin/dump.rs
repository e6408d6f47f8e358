//! How long a dump of 100,000 tasks takes: to take it, to write it as text and as JSON.
//!
//! ```sh
//! cargo run --release -p seedbed-bench --no-default-features --bin dump
//! ```

use std::time::{Duration, Instant};

use seedbed::{Event, Result, fail_after, inspect, nursery, sleep, sleep_forever, yield_now};

const TASKS: u64 = 100_000;

/// The best of several: the machine is not always ours.
fn best<T>(mut f: impl FnMut() -> T) -> Duration {
    let times = (0..7).map(|_| {
        let began = Instant::now();
        std::hint::black_box(f());
        began.elapsed()
    });
    times.min().expect("there are some")
}

async fn measure(what: &str) -> Result<()> {
    yield_now().await?; // they begin to wait
    let taken = best(|| inspect::dump().unwrap());
    let dump = inspect::dump()?;
    let text = best(|| dump.to_string());
    let json = best(|| dump.to_json());
    println!(
        "{what}: {} tasks, taken in {taken:.1?}, text of {} lines in {text:.1?}, JSON in {json:.1?}",
        dump.tasks(),
        dump.to_string().lines().count(),
    );
    Ok(())
}

fn main() -> Result<()> {
    seedbed::run(async {
        nursery(async |n| {
            for _ in 0..TASKS {
                n.spawn(sleep_forever());
            }
            measure("all alike").await?;
            n.scope().cancel();
            Ok(())
        })
        .await?;
        nursery(async |n| {
            for nth in 0..TASKS {
                let task = async move {
                    match nth % 3 {
                        0 => sleep(Duration::from_secs(nth)).await,
                        1 => fail_after(Duration::from_secs(3600), sleep_forever()).await,
                        _ => Event::new().wait().await,
                    }
                };
                match nth % 2 {
                    0 => drop(n.spawn(task)),
                    _ => drop(n.named(format!("task {nth}")).spawn(task)),
                }
            }
            measure("with names and scopes").await?;
            n.scope().cancel();
            Ok(())
        })
        .await
    })
}
