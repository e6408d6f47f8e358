//! Looking inside a program that is running: what is it doing?
//!
//! A [`Dump`] is a picture of a whole run: its tasks and nurseries, its scopes with their deadlines
//! and cancellations, and for each task what it waits for, where, and since when. It is text to be
//! read in a terminal, and JSON. [`dump`] takes one inside the run, [`Token::dump`] from any other
//! thread, and [`Builder::dump_on`] when a signal comes. A [page in the browser][of-page] shows it
//! live.
//!
//! Taking a dump reads what is there and changes nothing: no future is polled, and the schedule
//! stays the same. Nothing has to be turned on for it, and until it is asked for it costs next to
//! nothing: an operation that has to wait leaves behind which one it is.
//!
//! ```
//! use seedbed::{Event, inspect, nursery, sleep, yield_now};
//! use std::time::Duration;
//!
//! seedbed::run(async {
//!     nursery(async |n| {
//!         for _ in 0..990 {
//!             n.spawn(sleep(Duration::from_secs(60)));
//!         }
//!         n.named("printer").spawn(async { Event::new().wait().await });
//!         yield_now().await?; // they begin to wait
//!
//!         let dump = inspect::dump()?.to_string();
//!         assert!(dump.contains("990 tasks spawned at"));
//!         assert!(dump.contains("in `sleep` at"));
//!         assert!(dump.contains("\"printer\""));
//!         assert!(dump.contains("in `Event::wait` at"));
//!         n.scope().cancel();
//!         Ok(())
//!     })
//!     .await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! [`metrics`] are numbers that say how a run is doing, for a program to show, or for
//! [Prometheus](Metrics::to_prometheus) to scrape. An [`Instrument`] is called at what happens.
//!
//! # What a dump says of a task
//!
//! | the text | what the task does |
//! |---|---|
//! | running | it is being polled: it has called [`dump`], or something that did |
//! | running: polls the nursery below | what runs is further down |
//! | ready, for 3 ms | it could go on, and has not had its turn since |
//! | in `Event::wait` at server.rs:7:9, for 3 s | it waits in this operation, called there, and was last polled 3 s ago |
//! | in the nursery below | it waits for the tasks and the body of the nursery |
//! | in a future of another crate, last polled 12 s ago | it waits for something that this crate does not know |
//!
//! A task that awaits several things at once, with a `join!` or a `select!`, shows the one of them
//! that it polled last. What is parked in a future that nobody polls is shown where it last was.
//!
//! Times are exact to a few milliseconds, and to a few hundredths of how long ago something was.
//!
//! # Foreign code
//!
//! None runs while a dump is taken or metrics are read. The text of a dump is made when it is
//! written.
//!
#![cfg_attr(all(unix, not(loom), feature = "inspect"), doc = "[of-page]: Server")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "inspect")),
    doc = "[of-page]: https://docs.rs/seedbed/latest/seedbed/inspect/struct.Server.html"
)]
//!
//! | folder | concept |
//! |---|---|
//! | `instrument/` | functions of a program that are called at what happens |
//! | `metrics/` | numbers that say how a run is doing |
//! | `page/` | a page in the browser that shows what a run is doing |

mod instrument;
mod metrics;
#[cfg(all(unix, not(loom), feature = "inspect"))]
mod page;

#[cfg(all(unix, not(loom), feature = "inspect"))]
#[cfg_attr(docsrs, doc(cfg(feature = "inspect")))]
pub use page::{Listening, Server, serve};

pub use crate::inspect::instrument::{AddedInstrument, Instrument, TaskInfo, add_instrument};
pub use crate::inspect::metrics::prometheus::{PROMETHEUS, to_prometheus};
pub use crate::inspect::metrics::{Cancellations, Counted, Metrics, enable, metrics};
pub use crate::snapshot::dump::{Dump, dump};

#[cfg(doc)]
use crate::{Builder, Token};
