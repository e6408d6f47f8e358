//! Looking inside a program that is running: what is it doing?
//!
//! A [`Dump`] is a picture of a whole run: its tasks and nurseries, its scopes with their deadlines
//! and cancellations, and for each task what it waits for, where, and since when. It is written as
//! text, to be read in a terminal, or as JSON. [`dump`] takes one inside the run, [`Token::dump`]
//! from any other thread, and [`Builder::dump_on`] when a signal comes. A [page in the
//! browser][of-page] shows the tree live. The [guide](crate::guide::what_is_it_doing) has cases to
//! practise on.
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
//! [Prometheus](Metrics::to_prometheus) to scrape. The functions of an [`Instrument`] are called
//! when something happens in the run, as with Trio's.
//!
//! # What a dump says of a task
//!
//! | the text | what the task does |
//! |---|---|
//! | running | it is being polled: it has called [`dump`], or something that did |
//! | running: polls the nursery below | what runs is further down |
//! | ready, for 3 ms | it could go on, and has not had its turn since |
//! | in `Event::wait` at server.rs:7:9, for 3 s | it waits in this operation, called there, and was last polled 3 s ago |
//! | in `sleep` at job.rs:5:3, for 3 s, 57 s to go | the same; it has that long left |
//! | in `read` at server.rs:9:9 on socket 7 to 10.0.0.9:51234, for 3 s | the same; the socket has that descriptor and that peer |
//! | awaiting the task "reload" spawned at config.rs:30:9, for 3 s | it waits for that task's value |
//! | in the nursery below | it waits for the body and the tasks of that nursery |
//! | in a future of another crate, last polled 12 s ago | it waits for something of which this crate knows nothing |
//!
//! A task that awaits several things at once, with a `join!` or a `select!`, is shown in the one
//! that it polled last. If there are timers and sockets among the others, it says so: "also woken
//! by a timer in 2.0 s". A task in a future that nobody polls any more is shown where it last was.
//!
//! # What stands below the tasks
//!
//! | the text | what there is |
//! |---|---|
//! | socket 7 at 10.0.0.1:80 to 10.0.0.9:51234: `read` by task "session" spawned at server.rs:5:9 | a socket for which something has waited, its address and its peer's, and what waits for it now |
//! | generator numbers made at a.rs:7:9: at its yield at a.rs:9:11 | a generator that was iterated and has not ended. If its body is running, the line says for which task. The generators of [`iterate`](crate::iterate) are part of the task that runs them, and are not listed |
//! | context manager made at a.rs:7:9, entered at b.rs:5:1 in the main future: around the body | one that was entered, and in which something has waited. Its scopes stand in the tree |
//! | `to_thread` at a.rs:7:9: on another thread, for 3 s | a function on another thread |
//!
//! The numbers of descriptors, and with them addresses, are known on Linux and Android, where the
//! kernel is asked when the dump is taken (`/proc/self/fdinfo`). Elsewhere only the operations are
//! known. A socket for which nothing has ever had to wait is not listed. Pipes, signals and
//! processes are shown as descriptors.
//!
//! Times are exact to a few milliseconds or, if something was long ago, to a few hundredths of that
//! time.
//!
//! # Foreign code
//!
//! None runs while a dump is taken or metrics are read: no `Display`, no destructor, no waker. A
//! dump becomes text only when it is written.
//!
#![cfg_attr(all(unix, not(loom), feature = "inspect"), doc = "[of-page]: Server")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "inspect")),
    doc = "[of-page]: https://docs.rs/seedbed/latest/seedbed/inspect/struct.Server.html"
)]
//!
//! | folder | concept |
//! |---|---|
//! | `instrument/` | functions of a program that are called when something happens |
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
