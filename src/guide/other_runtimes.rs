//! For those who come from tokio, async-std or smol.
//!
//! | there | here |
//! |---|---|
//! | `spawn`: a task without an owner, `'static` and mostly `Send` | [`n.spawn`](crate::Nursery::spawn): a child of a nursery; it may borrow; neither `'static` nor `Send` |
//! | state in `Arc<Mutex<_>>` | a reference to a `Cell`, `RefCell` or plain value outside of the nursery |
//! | `JoinSet`, `join!`, `try_join!` | a nursery |
//! | a panic in a task becomes a `JoinError` that somebody may look at | it goes on in the parent |
//! | an error in a task is a value that somebody may look at | it cancels the siblings, and comes out of the nursery |
//! | to cancel is to drop a future, or `abort` | to cancel is to fail: every operation in the scope returns [`Cancelled`](crate::Cancelled) |
//! | clean-up is what `Drop` can do | clean-up is code, and may await: see [cancellation](crate::guide::cancellation#clean-up) |
//! | “cancel safety”, function by function | an operation [has happened or was cancelled](crate::guide::cancellation#it-has-happened-or-it-was-cancelled), never both |
//! | `timeout(limit, f)` drops `f` | [`fail_after(limit, f)`](crate::fail_after) cancels `f` and waits until it has ended |
//! | `CancellationToken` as a parameter | the scope is around the code, not in its parameters; for other threads there is its [`CancelHandle`](crate::CancelHandle) |
//! | `select!` | children in a nursery, which the first to end [cancels](crate::guide::cancellation#dropping-futures) |
//! | `tokio::io::AsyncRead` | [`futures_io::AsyncRead`](https://docs.rs/futures-io), and methods on the streams |
//! | `spawn_blocking`, where the work goes on if the caller was cancelled | [`to_thread`](crate::to_thread()), which [waits for it](crate::guide::scheduling#blocking-work) |
//! | `max_blocking_threads`, 512 for a process | [`current_default_thread_limiter`](crate::current_default_thread_limiter), 40 for a run, or a limiter of your own |
//! | `Handle::spawn` and `Handle::block_on` on another thread | [`Token`](crate::Token): `run_sync_soon`, `run_sync`, `run` |
//! | `Semaphore` | [`CapacityLimiter`](crate::CapacityLimiter) |
//! | many threads that share tasks; a current-thread runtime and a `LocalSet` on each core | a run on each of several threads: [`run_on_cores`](crate::run_on_cores()) |
//! | `lookup_host`, names in `connect` | [the same](crate::net::lookup_host), and Happy Eyeballs |
//! | `tokio::time::pause` | [`VirtualClock`](crate::testing::VirtualClock) |
//! | `loom` for tasks, `shuttle`, the seeds of `turmoil` | [`explore`](crate::testing::explore()) |
//! | `loom` for threads | [the same](crate::guide::testing#other-threads-loom), with runs in its models |
//! | `tokio-console`, to find the task that hangs | [a stuck task says so](crate::guide::scheduling#a-stuck-task-says-so) |
//!
//! # What to watch for
//!
//! * **`fail_after` waits.** The future under it is not dropped when time is over; it is cancelled,
//!   and `fail_after` returns when it has ended. What ignores its cancellation, or holds a shield,
//!   makes it wait. For a future of another crate use [`cancellable`](crate::cancellable).
//! * **Errors are cancellations, too.** `let _ = sleep(…).await` or `.ok()` swallow a
//!   [`Cancelled`](crate::Cancelled). The next checkpoint raises it again, so nothing breaks, but
//!   code in between runs that should not.
//! * **Libraries for tokio** that need its reactor do not run here. Those that need nothing but a
//!   waker do: channels, `futures`, parsers. hyper does, with the feature `hyper`, whose `hyper::serve` is a
//!   server of HTTP/1 and HTTP/2 in one call.
//! * **`Send`.** The future given to [`run`](crate::run()) need not be `Send`, and nurseries are
//!   not. [`Error`](crate::Error) and wakers are.
