//! What an open page is told: first of everything that there is, then of what has changed.
//!
//! The events are those of HTML's server-sent events:
//!
//! | event | data |
//! |---|---|
//! | `program` | `program`, `process` and `run`: what is looked at. Whatever was told before is void |
//! | (none) | [changes](crate::snapshot::changes::Changes) |
//! | `metrics` | the [numbers](crate::inspect::Metrics) at the time of the dump that follows; times in seconds |
//! | `held` | the run has not answered `for` so many seconds; what holds `by` |
//! | `over` | the run or its server has ended |
//!
//! Nothing is stored for a page. Each is told of a dump when it has taken all it was told before,
//! and each is compared with what this page knows; so one that is slow gets fewer, and larger,
//! changes.

use std::time::Duration;

use crate::error::Result;
use crate::inspect::metrics::Metrics;
use crate::inspect::page::looking::{Looking, Shown};
use crate::schedule::seen::numbers::{Number, Value};
use crate::scope::idle;
use crate::serve::hyper::Sender;
use crate::snapshot::changes::Changes;
use crate::snapshot::json::Json;

/// Tells a page what happens, until it is closed or there is nothing more to tell.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled).
pub(super) async fn tell(looking: &Looking, program: &str, page: Sender) -> Result<()> {
    let mut shown = looking.subscribe();
    let mut changes = Changes::default();
    // A browser tries again after so many milliseconds.
    page.send(format!("retry: 1000\nevent: program\ndata: {program}\n\n")).await?;
    loop {
        looking.wanted.notify_one();
        let stopped = match idle(shown.changed()).await {
            Ok(changed) => changed.is_none(),
            Err(_) => true, // perhaps only gracefully, and then this can still be told
        };
        let now = if stopped { Shown::Over } else { Shown::clone(&shown.borrow_and_update()) };
        match now {
            Shown::Nothing => {}
            Shown::Taken(taken) => {
                let numbers = numbers(&taken.metrics);
                page.send(format!("event: metrics\ndata: {numbers}\n\ndata: ")).await?;
                for piece in changes.until(&taken.dump) {
                    page.send(piece).await?;
                }
                page.send("\n\n").await?;
            }
            Shown::Held(time) => {
                let held = held(time, &looking.holder());
                page.send(format!("event: held\ndata: {held}\n\n")).await?;
            }
            Shown::Over => return page.send("event: over\ndata: {}\n\n").await,
        }
    }
}

/// How long the run has not answered, and what holds it up, as JSON.
fn held(time: Duration, holder: &str) -> String {
    let mut json = Json { text: String::new(), first: true };
    json.object(|json| {
        json.raw("for", time.as_secs_f64());
        json.string("by", holder);
    });
    json.text
}

/// The metrics, as JSON.
fn numbers(metrics: &Metrics) -> String {
    let mut json = Json { text: String::new(), first: true };
    json.object(|json| {
        write(json, metrics.numbers());
        if let Some(counted) = &metrics.counted {
            json.key("counted");
            json.object(|json| write(json, counted.numbers()));
        }
    });
    json.text
}

fn write(json: &mut Json, numbers: impl IntoIterator<Item = Number>) {
    for number in numbers {
        match number.value {
            Value::Whole(value) => json.raw(number.name, value),
            Value::Time(time) => json.raw(number.name, time.as_secs_f64()),
        }
    }
}
