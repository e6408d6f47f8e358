//! Structured concurrency on one thread.
//!
//! A *nursery* is a place where tasks run. However it is left, all its tasks have ended by then, so
//! a task can borrow from the code around it, and its failure has somewhere to go. A *cancel scope*
//! is code that can be cancelled as a whole. A cancellation is an error that travels with `?` to
//! its scope, so code can clean up on the way, and can await while it does. Both come from
//! [Trio](https://trio.readthedocs.io), in Rust's terms: lifetimes, `?`, `async` closures.
//! Underneath is a reactor built on [`mio`](https://docs.rs/mio).
//!
//! # A first program
//!
//! ```no_run
//! use std::time::Duration;
//! use seedbed::{fail_after, net::TcpListener, serve, Result};
//!
//! fn main() -> Result<()> {
//!     seedbed::run(async {
//!         let greeting = String::from("hello\n"); // borrowed below: no Arc, no 'static
//!         let listener = TcpListener::bind("127.0.0.1:7000").await?;
//!         serve(listener, async |stream, _peer| {
//!             fail_after(Duration::from_secs(5), stream.write_all(greeting.as_bytes())).await
//!         })
//!         .await
//!     })
//! }
//! ```
//!
//! [`serve()`] runs a task for each connection, in a nursery. When a connection fails, the error is
//! reported and the others go on. Ctrl-C cancels them all, and `run` returns once every task has
//! ended.
//!
//! # The map
//!
//! | to | see |
//! |---|---|
//! | run a program | [`run`], [`Builder`] |
//! | run inside a program of tokio's, or of another executor | [`Guest`], [`Builder::guest_on`], [`Host`] |
//! | use several cores | [`run_on_cores()`], [`net::TcpListener::bind_reuse_port`] |
//! | run tasks | [`nursery`], [`Nursery::spawn`], [`Task`], [`Nursery::start`], [`Nursery::service`], [`Nursery::named`], [`NurseryHandle`] |
//! | run several futures | [`race`], [`race_ok`], [`gather`] |
//! | cancel | [`cancel_scope`], [`Task::cancel`], [`CancelScope`], [`cancellable`], [`cancellable_stream`], [`Cancelled`], [`Reason`] |
//! | stop gracefully | [`CancelScope::cancel_gracefully`], [`finishing`], [`idle`], [`until_stopped`] |
//! | limit time | [`fail_after`], [`fail_at`], [`move_on_after`], [`move_on_at`], [`TooSlow`], [`current_effective_deadline`] |
//! | fail | [`Error`], [`Result`], [`Group`] |
//! | wait for time | [`sleep`], [`sleep_until`], [`sleep_forever`], [`interval`], [`interval_at`], [`now`] |
//! | let others run | [`checkpoint()`], [`yield_now`] |
//! | talk between tasks | [`Event`], [`channel`], and [`sync`] |
//! | let one task at a time do something | [`sync::Mutex`], [`sync::RwLock`] |
//! | limit how much happens at once | [`CapacityLimiter`], [`Permit`], [`sync::Semaphore`] |
//! | block, or compute for a long time | [`to_thread`](to_thread()), [`current_default_thread_limiter`] |
//! | reach a run from other threads | [`Token`], [`CancelHandle`], [`NotRun`] |
//! | talk between tasks and other threads | [`thread_channel`] |
//! | talk to the world | [`net`], [`tls`][of-tls], [`fs`][of-fs], [`pipe`], [`signal`], [`process`][of-process], [`stdio`][of-stdio] |
//! | wait for any other descriptor | [`fd::AsyncFd`] |
//! | serve | [`serve()`], [`Server`], [`hyper`][of-hyper] |
//! | use libraries that need tokio | [`tokio`][of-tokio] |
//! | yield values | [`generator()`], [`Generator`], [`Nursery::generator`], [`aclosing`], [`sync_generator`] |
//! | do something with each item of a stream | [`flow`](mod@flow), [`flow::Flow`], [`flow::merge`] |
//! | decide what becomes of generators left half-way | [`set_asyncgen_hooks`], [`AsyncgenHooks`], [`Unfinished`] |
//! | set up and clean up | [`context_manager()`], [`with`] |
//! | yield inside scopes | [`safe_channel()`], [`prevent_yields`], [`YieldInCancelScope`] |
//! | see what a program is doing | [`inspect::dump`](inspect::dump()), [`Token::dump`], [`inspect::metrics`](inspect::metrics()), [the page][of-page] |
//! | be called at what happens | [`inspect::Instrument`], [`Builder::instrument`] |
//! | test | [`testing::explore`](testing::explore()), [`testing::VirtualClock`], [`Builder::seed`], [`Builder::detect_deadlock`], [`Builder::fail_when_stuck`], [`testing::statistics`](testing::statistics()) |
//!
//! The [`guide`] explains how these fit together:
//!
//! | chapter | about |
//! |---|---|
//! | [`guide::nurseries`] | children, what they may borrow, the compiler's complaints and their remedies |
//! | [`guide::cancellation`] | scopes, shields, deadlines, clean-up, graceful stops, dropping futures |
//! | [`guide::errors`] | one error type, and groups |
//! | [`guide::generators`] | bodies that yield, why they must not do so inside a scope, the three ways out, closing |
//! | [`guide::flows`] | operators on streams, futurelock, closing what was opened |
//! | [`guide::scheduling`] | checkpoints, the budget, fairness, stuck tasks, other threads |
//! | [`guide::what_is_it_doing`] | looking inside a program that is running: dumps, a page in the browser, metrics, `tokio-console` |
//! | [`guide::testing`] | every schedule, the clock that jumps, seeds, deadlocks |
//! | [`guide::any_crate`] | libraries that need tokio's runtime |
//! | [`guide::https`] | asking a server over HTTPS, in fifty lines |
//! | [`guide::websockets`] | WebSockets: time limits, stopping, keeping them alive |
//! | [`guide::inside_tokio`] | a run as a future, which a tokio program awaits |
//! | [`guide::other_runtimes`] | for readers who know tokio, async-std or smol |
//!
//! # Three rules
//!
//! 1. **A task belongs to a nursery.** There is no `spawn` that outlives its caller. When a
//!    function returns, it has left nothing running, unless it was given a [`&Nursery`](Nursery) or
//!    a [`NurseryHandle`] to run it in.
//! 2. **The operations of this crate are checkpoints:** each fails with [`Cancelled`] in a
//!    cancelled scope, and from time to time lets other tasks run. The few exceptions, such as a
//!    timeout or a generator's `anext`, are [listed](guide::scheduling#checkpoints). They, and any
//!    `.await` on something else, are checkpoints only if there is such an operation inside.
//! 3. **An operation has happened, or it has failed with [`Cancelled`],** never both. Those that
//!    cannot promise this say so.
//!
//! # Features
//!
//! Tasks, scopes, generators, channels, time, threads, tests, dumps and metrics need none. The
//! default ones are those that the program above and the guide need.
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `net` | yes | [sockets](net), [any other descriptor](fd), [pipes](pipe), [`serve()`] |
//! | `signal` | yes | [signals](signal), and that Ctrl-C cancels [`run`] instead of ending the process |
//! | `fs` | | [files and directories][of-fs] |
//! | `process` | | [child processes][of-process], [pipes](pipe); includes `signal` |
//! | `stdio` | | [standard input and output][of-stdio] |
//! | `hyper` | | [servers for HTTP/1 and HTTP/2][of-hyper], and hyper's runtime traits; includes `net` |
//! | `inspect` | | [a page][of-page] that shows what a run is doing; includes `hyper` |
//! | `tls` | | [TLS][of-tls] with rustls, over any stream; includes `net` |
//! | `tokio` | | [libraries that need tokio's runtime][of-tokio]; runs [inside tokio's programs](guide::inside_tokio) |
//! | `tower` | | [services of the crate `tower`, such as axum's routers][of-tower], in place of a handler; includes `hyper` |
//! | `tokio-io` | | tokio's `AsyncRead` and `AsyncWrite` for [streams](net::SocketStream), their halves, TLS, [pipes](pipe), files and standard streams |
//! | `console` | | the tasks of a run and their times, in [`tokio-console`](guide::what_is_it_doing#tokio-console) |
//! | `anyhow` | | conversions between [`Error`] and `anyhow::Error` |
//!
//! # Limits
//!
//! A [`run`] uses one thread. [`run_on_cores()`] starts a run on each of several threads, and no
//! task moves from one to another. The network, signals, files, processes and standard streams need
//! Unix, and are tested on Linux. Pointers must be 64 bits wide. The crate is not at 1.0: names may
//! change.
//!
#![cfg_attr(all(unix, not(loom), feature = "fs"), doc = "[of-fs]: mod@crate::world::fs")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "fs")),
    doc = "[of-fs]: https://docs.rs/seedbed/latest/seedbed/fs/"
)]
#![cfg_attr(all(unix, not(loom), feature = "hyper"), doc = "[of-hyper]: mod@crate::serve::hyper")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "hyper")),
    doc = "[of-hyper]: https://docs.rs/seedbed/latest/seedbed/hyper/"
)]
#![cfg_attr(all(unix, not(loom), feature = "inspect"), doc = "[of-page]: crate::inspect::Server")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "inspect")),
    doc = "[of-page]: https://docs.rs/seedbed/latest/seedbed/inspect/struct.Server.html"
)]
#![cfg_attr(
    all(unix, not(loom), feature = "process"),
    doc = "[of-process]: mod@crate::world::process"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "process")),
    doc = "[of-process]: https://docs.rs/seedbed/latest/seedbed/process/"
)]
#![cfg_attr(all(unix, not(loom), feature = "stdio"), doc = "[of-stdio]: mod@crate::world::stdio")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "stdio")),
    doc = "[of-stdio]: https://docs.rs/seedbed/latest/seedbed/stdio/"
)]
#![cfg_attr(all(unix, not(loom), feature = "tls"), doc = "[of-tls]: mod@crate::world::tls")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "tls")),
    doc = "[of-tls]: https://docs.rs/seedbed/latest/seedbed/tls/"
)]
#![cfg_attr(
    all(unix, not(loom), feature = "tower"),
    doc = "[of-tower]: crate::serve::hyper::Server::serve_tower"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "tower")),
    doc = "[of-tower]: https://docs.rs/seedbed/latest/seedbed/hyper/struct.Server.html#method.serve_tower"
)]
#![cfg_attr(all(not(loom), feature = "tokio"), doc = "[of-tokio]: mod@crate::tokio")]
#![cfg_attr(
    not(all(not(loom), feature = "tokio")),
    doc = "[of-tokio]: https://docs.rs/seedbed/latest/seedbed/tokio/"
)]
// A lower floor offers what a feature's room needs, whether or not the room is there: this way a
// feature is a line in front of a `mod`, and not in front of every function that only it calls.
// Whatever nobody calls costs the program nothing, and with all features nothing is unused.
#![cfg_attr(
    not(all(
        unix,
        not(loom),
        feature = "console",
        feature = "fs",
        feature = "hyper",
        feature = "inspect",
        feature = "net",
        feature = "process",
        feature = "signal",
        feature = "stdio",
        feature = "tls",
        feature = "tokio",
        feature = "tower"
    )),
    allow(dead_code, unused_imports, unused_macros)
)]
// The documentation that is published has all features. Where the default ones are missing, a link
// may lead to nothing.
#![cfg_attr(
    not(all(unix, not(loom), feature = "net", feature = "signal")),
    allow(rustdoc::broken_intra_doc_links)
)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod guide;

mod error;
mod generator;
pub mod inspect;
mod nursery;
mod operation;
mod platform;
mod run;
mod schedule;
mod scope;
#[cfg(all(unix, not(loom), feature = "net"))]
mod serve;
mod snapshot;
pub mod testing;
mod threads;
#[cfg(all(not(loom), feature = "tokio"))]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod tokio;
mod world;

pub use error::{
    AlreadyRunning, AsendError, BodyPanicked, CallRefused, Cancelled, ContextManagerMisused,
    Deadlock, EmptyRace, Error, GeneratorExit, GeneratorMisused, Group, IgnoredGeneratorExit,
    Interrupted, NoValue, NotRun, NotRunning, NotSpawned, NotStarted, NurseryClosed, Reason,
    Refusal, Result, RetriesExhausted, ScopeReused, Stuck, TaskCancelled, TooSlow,
    YieldInCancelScope, YielderMisused,
};
pub use generator::{
    Aclose, Anext, Asend, AsyncgenHooks, Athrow, ContextManager, Feed, FinalizerHook, FirstIter,
    Generator, GeneratorState, Items, SyncGenerator, Unfinished, Yield, YieldAll, Yielder,
    aclosing, context_manager, flow, generator, get_asyncgen_hooks, iterate, safe_channel,
    set_asyncgen_hooks, sync_generator, with,
};
pub use nursery::{
    NamedTask, Nursery, NurseryHandle, Raced, Service, Started, Task, gather, nursery, race,
    race_ok,
};
pub use operation::checkpoint::{Checkpoint, checkpoint, yield_now};
pub use operation::sync;
pub use operation::sync::channel::{
    Closed, Receiver, Recv, SendError, SendPermit, Sender, Sending, TryRecvError, TrySendError,
    channel,
};
pub use operation::sync::event::{Event, EventWait};
pub use operation::sync::limiter::{Acquire, CapacityLimiter, Permit};
pub use operation::time::{
    Interval, MissedTicks, Sleep, interval, interval_at, now, sleep, sleep_forever, sleep_until,
};
pub use operation::{
    Cancellable, CancellableStream, cancellable, cancellable_stream, until_stopped,
};
#[cfg(not(loom))]
pub use run::run_on_cores;
pub use run::{Builder, run};
#[cfg(all(unix, not(loom)))]
pub use run::{Guest, Host};
pub use scope::frame::{PreventYields, prevent_yields};
pub use scope::local::Local;
pub use scope::{
    CancelHandle, CancelScope, cancel_scope, current_effective_deadline, fail_after, fail_at,
    finishing, idle, move_on_after, move_on_at,
};
#[cfg(all(unix, not(loom), feature = "hyper"))]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use serve::hyper;
#[cfg(all(unix, not(loom), feature = "net"))]
#[cfg_attr(docsrs, doc(cfg(feature = "net")))]
pub use serve::{HandlerPanicked, Listener, Server, serve};
pub use threads::{
    ThreadReceiver, ThreadSender, ThreadSink, ThreadStream, ToThread, Token,
    current_default_thread_limiter, thread_channel, to_thread,
};
#[cfg(all(unix, not(loom), feature = "fs"))]
#[cfg_attr(docsrs, doc(cfg(feature = "fs")))]
pub use world::fs;
#[cfg(all(unix, not(loom), any(feature = "net", feature = "process")))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "net", feature = "process"))))]
pub use world::pipe;
#[cfg(all(unix, not(loom), feature = "process"))]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use world::process;
#[cfg(all(unix, not(loom), feature = "signal"))]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use world::signal;
#[cfg(all(unix, not(loom), feature = "stdio"))]
#[cfg_attr(docsrs, doc(cfg(feature = "stdio")))]
pub use world::stdio;
#[cfg(all(unix, not(loom), feature = "tls"))]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use world::tls;
#[cfg(all(unix, not(loom), feature = "net"))]
#[cfg_attr(docsrs, doc(cfg(feature = "net")))]
pub use world::{fd, net};

/// The README's program compiles.
#[cfg(all(doctest, unix, feature = "net"))]
#[doc = include_str!("../README.md")]
struct Readme;
