//! For readers who know tokio, async-std or smol.
//!
//! | there | here |
//! |---|---|
//! | `spawn`: a task without an owner, `'static` and usually `Send` | [`n.spawn`](crate::Nursery::spawn): a child of a nursery, which may borrow and needs to be neither `'static` nor `Send` |
//! | state in `Arc<Mutex<_>>` | a reference to a `Cell`, a `RefCell` or a plain value outside the nursery |
//! | `JoinSet`, `join!`, `try_join!`, `TaskTracker` | a nursery |
//! | `join_all`, `try_join_all` of `futures` | [`gather`](crate::gather()), or a [flow](crate::guide::flows) with a limit on how many run at once |
//! | `JoinHandle` | [`Task`](crate::Task); dropping it changes nothing in either |
//! | `JoinHandle::abort`, `AbortHandle` | [`Task::cancel`](crate::Task::cancel), after which the task cleans up; awaiting it is the error [`TaskCancelled`](crate::TaskCancelled) |
//! | `JoinError`: cancelled, or panicked | [`TaskCancelled`](crate::TaskCancelled), or the panic itself |
//! | `task::Builder::name` | [`n.named(…)`](crate::Nursery::named), shown in errors as well |
//! | `LocalSet`, `spawn_local` | every nursery: a run is on one thread |
//! | a task that the others need, stopped by hand when they have gone | a [service](crate::Nursery::service) |
//! | a panic in a task becomes a `JoinError`, which somebody may look at | it continues in the parent |
//! | an error in a task is a value, which somebody may look at | it cancels the siblings and comes out of the nursery |
//! | cancelling is dropping a future, or `abort` | cancelling is failing: every operation in the scope returns [`Cancelled`](crate::Cancelled) |
//! | clean-up is what `Drop` can do | clean-up is code, and may await: see [cancellation](crate::guide::cancellation#clean-up) |
//! | “cancel safety”, function by function | an operation [has happened or was cancelled](crate::guide::cancellation#it-has-happened-or-it-was-cancelled), never both |
//! | `timeout(limit, f)` drops `f` | [`fail_after(limit, f)`](crate::fail_after) cancels `f` and waits until it has ended |
//! | a `CancellationToken` as a parameter | the scope is around the code, not in its parameters; other threads use its [`CancelHandle`](crate::CancelHandle) |
//! | `select!` over futures of one kind | [`race`](crate::race()), which waits for the losers and hands over what they still end with; [`race_ok`](crate::race_ok()) for the first that succeeds |
//! | `select!` with a branch for each | children in a nursery that the first to end [cancels](crate::guide::cancellation#dropping-futures) |
//! | `select!` in a loop, over sources | [`flow::merge`](crate::flow::merge()) |
//! | `task::yield_now`, `coop::consume_budget` | [`yield_now`](crate::yield_now()), [`checkpoint`](crate::checkpoint()) |
//! | `coop::unconstrained` | not needed: whatever is ready counts, and only the budget of the whole task ends its poll |
//! | `task_local!` | a value outside the nursery, borrowed by the children |
//! | `time::interval`, `interval_at`, `MissedTickBehavior` | [`interval`](crate::interval()), [`interval_at`](crate::interval_at()), [`MissedTicks`](crate::MissedTicks), of which `Skip` is the default |
//! | `time::sleep`, `sleep_until`, `Sleep::reset` | [`sleep`](crate::sleep()), [`sleep_until`](crate::sleep_until()); a scope's deadline [can be moved](crate::CancelScope::set_deadline) |
//! | `time::Instant`, which can be paused | [`std::time::Instant`] and [`now`](crate::now()) |
//! | `stream!` and `try_stream!` of `async-stream` | a [generator](crate::guide::generators), which cleans up even if it is left half-way |
//! | `StreamExt`, `buffered`, `FuturesUnordered` | a [flow](crate::guide::flows), whose work goes on while its consumer does something else |
//! | `tokio::io::AsyncRead` | [`futures_io::AsyncRead`](https://docs.rs/futures-io), and methods on the streams |
//! | `spawn_blocking`, whose work goes on when the caller is cancelled | [`to_thread`](crate::to_thread()), which [waits for it](crate::guide::scheduling#blocking-work) |
//! | `max_blocking_threads`, 512 for a process | [`current_default_thread_limiter`](crate::current_default_thread_limiter), 40 for a run, or a limiter of your own |
//! | `Handle::spawn` and `Handle::block_on` on another thread | [`Token`](crate::Token): `run_sync_soon`, `run_sync`, `run` |
//! | `Semaphore`, to limit how much happens at once | [`CapacityLimiter`](crate::CapacityLimiter) |
//! | `Semaphore`, for several permits at once, or for permits that are added and used up | [`sync::Semaphore`](crate::sync::Semaphore) |
//! | `Mutex`, `RwLock`, `Barrier`, `OnceCell`, `Notify` | [the same](crate::sync); first come, first served, and a lock is not poisoned |
//! | `lock_owned`, for a task that is `'static` | a child of a nursery can borrow the lock |
//! | `oneshot` | [`sync::oneshot`](crate::sync::oneshot), whose error says whether the sender's task was cancelled |
//! | `watch`, whose `borrow` is a lock | [`sync::watch`](mod@crate::sync::watch), whose `borrow` is a snapshot |
//! | `broadcast`, where a slow receiver misses messages | [`sync::broadcast`](mod@crate::sync::broadcast), which can wait for it as well |
//! | `mpsc::unbounded_channel` | [`sync::unbounded_channel`](crate::sync::unbounded_channel) |
//! | `recv_many`, `reserve` | the same: [`recv_many`](crate::Receiver::recv_many), [`reserve`](crate::Sender::reserve); `None` comes only when nothing is reserved either |
//! | `PollSender`, `ReceiverStream` | [`Sender`](crate::Sender) is a sink, [`Receiver`](crate::Receiver) a stream |
//! | `blocking_send`, `blocking_recv`, channels between threads | [`thread_channel`](crate::thread_channel) |
//! | `mpsc::channel` | [`channel`](fn@crate::channel), with any number of receivers as well |
//! | `StreamMap`, `ReceiverStream`, wrappers for each source | [`flow::merge`](crate::flow::merge()); a [`Receiver`](crate::Receiver) is a stream |
//! | `io::copy`, `copy_bidirectional`, `split` | two children of a nursery, each with a half of the stream |
//! | `signal::ctrl_c` | it cancels the main scope by itself; `signal::Signals` for others |
//! | `runtime::Builder`, `#[tokio::main]` | [`Builder`](crate::Builder), [`run`](crate::run()) |
//! | `Runtime::shutdown_timeout` | a run ends when all in it has; [`cancel_gracefully`](crate::CancelScope::cancel_gracefully) bounds how long that takes |
//! | `runtime::Handle::metrics` | [`testing::statistics`](crate::testing::statistics()) |
//! | many threads that share tasks; a current-thread runtime and a `LocalSet` on each core | a run on each of several threads: [`run_on_cores`](crate::run_on_cores()) |
//! | `lookup_host`, names in `connect` | [the same](crate::net::lookup_host), with Happy Eyeballs |
//! | `AsyncFd`, whose guard's readiness is cleared by hand | [`fd::AsyncFd`](crate::fd::AsyncFd), whose [`read_with`](crate::fd::AsyncFd::read_with) makes the call, and for which the descriptor may be in blocking mode |
//! | `UdpSocket`, `UnixDatagram`, where the rest of a long datagram is lost silently | [`net::UdpSocket`](crate::net::UdpSocket), [`net::UnixDatagram`](crate::net::UnixDatagram), where it is an [error](crate::net::Truncated) |
//! | `net::unix::pipe` | [`pipe`](mod@crate::pipe); reading a FIFO waits for its first writer |
//! | `UnixStream::peer_cred` | `UnixStream::peer_credentials` |
//! | `tokio::fs` | [`fs`][of-fs], with the feature of that name: 64 operations at once in a run, under a [limiter][of-fs-limiter] of their own |
//! | `fs::File`, which writes behind, so that an error comes with the next call, or is lost without `flush` | [`fs::File`][of-fs-file]: a write that has returned has happened, and there is nothing to flush |
//! | `seek` and `read` of a file that is shared in a `Mutex` | `read_at` and `write_at`, which take a `&File` |
//! | `fs::read_dir`, `next_entry` | a [generator][of-fs-dir] of entries, with their types |
//! | `No such file or directory` | [which one](https://docs.rs/seedbed/latest/seedbed/fs/struct.Failure.html), and what was being done |
//! | `tokio::process` | [`process`][of-process], with the feature of that name: `run`, `output` and `status` as there |
//! | a `Child` that outlives whoever started it; `kill_on_drop`, which may leave a zombie | [`spawn`][of-process-spawn] takes a nursery: cancelled, the process is asked to end, killed after a grace, and reaped |
//! | `child.stdin.take()`, and a task each for input and outputs | [`input`][of-process-input], then `run` or `output` |
//! | `Stdin`, a thread that goes on reading after a `timeout`, and takes away the next line | [`stdio::stdin`][of-stdio-stdin], with the feature `stdio`: a read that is cancelled takes nothing, and nothing waits for somebody to press Enter |
//! | `stdin().lines()` of a `BufReader` | [`next_line`][of-stdio-next-line], which can be cancelled half-way |
//! | `Stdout`, which has to be flushed before the end | [`stdio::stdout`][of-stdio-stdout]: what is written has been given to the system |
//! | `tokio::time::pause` | [`VirtualClock`](crate::testing::VirtualClock) |
//! | `loom` for tasks, `shuttle`, the seeds of `turmoil` | [`explore`](crate::testing::explore()) |
//! | `loom` for threads | [the same](crate::guide::testing#other-threads-loom), with runs inside its models |
//! | `tokio-console`, to find the task that hangs | [a stuck task says so](crate::guide::scheduling#a-stuck-task-says-so) |
//!
//! # What to watch for
//!
//! * **`fail_after` waits.** The future inside it is not dropped when time is up. It is cancelled,
//!   and `fail_after` returns when it has ended. A future that ignores its cancellation, or is
//!   under a shield, makes it wait. Wrap a future of another crate in
//!   [`cancellable`](crate::cancellable).
//! * **Cancellations are errors too.** `let _ = sleep(…).await` and `.ok()` swallow a
//!   [`Cancelled`](crate::Cancelled). The next checkpoint raises it again, so nothing breaks, but
//!   the code in between runs when it should not.
//! * **Libraries for tokio** that need tokio's reactor do not run here. Those that need only a
//!   waker do: channels, `futures`, parsers. hyper works with the feature `hyper`, whose
//!   `hyper::serve` is a server for HTTP/1 and HTTP/2 in one call.
//! * **`Send`.** The future given to [`run`](crate::run()) need not be `Send`, and nurseries are
//!   not. [`Error`](crate::Error) and wakers are.
//!
#![cfg_attr(
    all(unix, not(loom), feature = "fs"),
    doc = "[of-fs]: mod@crate::fs
[of-fs-dir]: crate::fs::read_dir
[of-fs-file]: crate::fs::File
[of-fs-limiter]: crate::fs::current_limiter"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "fs")),
    doc = "[of-fs]: https://docs.rs/seedbed/latest/seedbed/fs/
[of-fs-dir]: https://docs.rs/seedbed/latest/seedbed/fs/fn.read_dir.html
[of-fs-file]: https://docs.rs/seedbed/latest/seedbed/fs/struct.File.html
[of-fs-limiter]: https://docs.rs/seedbed/latest/seedbed/fs/fn.current_limiter.html"
)]
#![cfg_attr(
    all(unix, not(loom), feature = "process"),
    doc = "[of-process]: mod@crate::process
[of-process-input]: crate::process::Command::input
[of-process-spawn]: crate::process::Command::spawn"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "process")),
    doc = "[of-process]: https://docs.rs/seedbed/latest/seedbed/process/
[of-process-input]: https://docs.rs/seedbed/latest/seedbed/process/struct.Command.html#method.input
[of-process-spawn]: https://docs.rs/seedbed/latest/seedbed/process/struct.Command.html#method.spawn"
)]
#![cfg_attr(
    all(unix, not(loom), feature = "stdio"),
    doc = "[of-stdio-next-line]: crate::stdio::Input::next_line
[of-stdio-stdin]: crate::stdio::stdin
[of-stdio-stdout]: crate::stdio::stdout"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "stdio")),
    doc = "[of-stdio-next-line]: https://docs.rs/seedbed/latest/seedbed/stdio/struct.Input.html#method.next_line
[of-stdio-stdin]: https://docs.rs/seedbed/latest/seedbed/stdio/fn.stdin.html
[of-stdio-stdout]: https://docs.rs/seedbed/latest/seedbed/stdio/fn.stdout.html"
)]
