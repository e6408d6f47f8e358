//! For readers who know tokio, async-std or smol.
//!
//! # What is different
//!
//! | there | here |
//! |---|---|
//! | a task has no owner, and is `'static` and usually `Send` | it is a child of a [nursery](crate::nursery()), may borrow, and needs to be neither |
//! | state in `Arc<Mutex<_>>` | a reference to a `Cell`, a `RefCell` or a plain value outside the nursery |
//! | an error in a task is a value, which somebody may look at | it cancels the siblings and comes out of the nursery |
//! | a panic in a task becomes a `JoinError`, which somebody may look at | it continues in the parent |
//! | cancelling is dropping a future, or `abort` | cancelling is failing: every operation in the scope returns [`Cancelled`](crate::Cancelled) |
//! | clean-up is what `Drop` can do | clean-up is code, and may await: see [cancellation](crate::guide::cancellation#clean-up) |
//! | “cancel safety”, function by function | an operation [has happened or was cancelled](crate::guide::cancellation#it-has-happened-or-it-was-cancelled), never both |
//! | a task that the others need, stopped by hand when they have gone | a [service](crate::Nursery::service) |
//! | a program is tokio's, from `main` on | [one function](crate::guide::inside_tokio) may be, in a program that stays tokio's |
//! | many threads that share tasks; a current-thread runtime and a `LocalSet` on each core | a run on each of several threads: [`run_on_cores`](crate::run_on_cores()) |
//!
//! # A loop around `select!`
//!
//! There, one task waits for orders, a timer and a token at once:
//!
//! ```text
//! loop {
//!     select! {
//!         order = orders.recv() => match order { Some(order) => sum += order, None => break },
//!         _ = ticks.tick() => println!("{sum} so far"),
//!         _ = token.cancelled() => break,
//!     }
//! }
//! ```
//!
//! Here, each is a loop of its own. They share the sum without a lock. The timer serves the other
//! loop, so it ends with it. Nobody asks for a token, because the scopes around the call are
//! cancelled:
//!
//! ```
//! use seedbed::{Receiver, Result, interval, nursery};
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! async fn add_up(orders: Receiver<u32>) -> Result<u32> {
//!     let sum = Cell::new(0);
//!     nursery(async |n| {
//!         n.service(async {
//!             let mut ticks = interval(Duration::from_secs(1));
//!             loop {
//!                 ticks.tick().await?;
//!                 println!("{} so far", sum.get());
//!             }
//!         });
//!         while let Some(order) = orders.recv().await? {
//!             sum.set(sum.get() + order);
//!         }
//!         Ok(())
//!     })
//!     .await?;
//!     Ok(sum.get())
//! }
//! # seedbed::run(async {
//! #     let (sender, orders) = seedbed::channel(2);
//! #     sender.try_send(1).unwrap();
//! #     sender.try_send(2).unwrap();
//! #     drop(sender);
//! #     assert_eq!(add_up(orders).await?, 3);
//! #     Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Tasks and macros
//!
//! | tokio | here |
//! |---|---|
//! | `spawn`, `JoinHandle` | [`n.spawn`](crate::Nursery::spawn), [`Task`](crate::Task); dropping the handle changes nothing in either |
//! | `JoinHandle::abort`, `AbortHandle` | [`Task::cancel`](crate::Task::cancel), after which the task cleans up; awaiting it is the error [`TaskCancelled`](crate::TaskCancelled) |
//! | `JoinError`: cancelled, or panicked | [`TaskCancelled`](crate::TaskCancelled), or the panic itself |
//! | `task::Id`, `task::Builder::name` | none; [`n.named(…)`](crate::Nursery::named), shown in errors as well |
//! | `JoinSet` | a nursery; [`buffer_unordered`](crate::flow::Flow::buffer_unordered) for values in the order in which tasks end |
//! | `JoinSet::abort_all`, `shutdown` | [`n.cancel()`](crate::Nursery::cancel); the nursery waits |
//! | `JoinSet::detach_all` | none: no task outlives its nursery, but a [handle](crate::NurseryHandle) leads to an outer one |
//! | `LocalSet`, `spawn_local`, `LocalRuntime` | every nursery: a run is on one thread |
//! | `spawn_blocking`, whose work goes on when the caller is cancelled | [`to_thread`](crate::to_thread()), which [waits for it](crate::guide::scheduling#blocking-work) |
//! | `block_in_place` | [`to_thread`](crate::to_thread()): whatever blocks here blocks the whole run |
//! | `yield_now`, `coop::consume_budget` | [`yield_now`](crate::yield_now()), [`checkpoint`](crate::checkpoint()) |
//! | `coop::cooperative`, `poll_proceed` | [`cancellable`](crate::cancellable) makes any future an operation of this crate, and [`tokio::call`](crate::guide::any_crate#calls) one that waits for tokio |
//! | `coop::unconstrained`, `has_budget_remaining` | not needed: whatever is ready counts, and only the budget of the whole task ends its poll |
//! | `task_local!`, which a spawned task does not inherit | [`Local`](crate::Local), which children inherit; so they do a `task_local!` [around their nursery](crate::guide::nurseries#what-is-set-around-a-nursery). Mostly a value outside the nursery will do, which the children borrow |
//! | `join!`, `try_join!` | a nursery; `join!` of `futures` works, with both in one task |
//! | `join_all`, `try_join_all` of `futures` | [`gather`](crate::gather()), or a [flow](crate::guide::flows) with a limit on how many run at once |
//! | `select!` over futures of one kind | [`race`](crate::race()), which waits for the losers and hands over what they still end with; [`race_ok`](crate::race_ok()) for the first that succeeds |
//! | `select!` with a branch for each | children in a nursery that the first to end [cancels](crate::guide::cancellation#dropping-futures) |
//! | `select!` in a loop, over sources | a loop for each, as above, or [`flow::merge`](crate::flow::merge()) |
//! | `biased` in `select!` | the order that is given: [`race`](crate::race()) begins its futures in it, and picks none at random |
//! | `if` and `else` in `select!` | `if` and `else` around the `spawn` |
//! | `pin!` | [`std::pin::pin!`] |
//!
//! # The runtime
//!
//! | tokio | here |
//! |---|---|
//! | the features `rt`, `sync`, `time` and `macros` | what is there without any |
//! | the features `net`, `signal`, `fs`, `process`, `io-std` | [`net`, `signal`, `fs`, `process`, `stdio`](crate#features); the first two are on by default |
//! | the feature `full` | none |
//! | `#[tokio::main]`, `Runtime::block_on` | [`run`](crate::run()) in an ordinary `main`; or a [guest](crate::guide::inside_tokio) in what is there |
//! | `#[tokio::test]` | [`run`](crate::run()) or [`explore`](crate::testing::explore()) in a `#[test]` |
//! | `Builder::new_current_thread`, `new_multi_thread` | [`Builder::run`](crate::Builder::run), [`Builder::run_on_cores`](crate::Builder::run_on_cores) |
//! | `enable_io`, `enable_time`, `enable_all` | always there |
//! | `start_paused`, `rng_seed` | [`Builder::clock`](crate::Builder::clock), [`Builder::seed`](crate::Builder::seed), which picks the order of tasks as well |
//! | `max_blocking_threads`, 512 for a process | [`current_default_thread_limiter`](crate::current_default_thread_limiter), 40 for a run, or a limiter of your own |
//! | `thread_name`, `thread_stack_size`, `on_thread_start` | none: a run is on the thread that calls it, which is yours to set up |
//! | `thread_keep_alive`; names of the threads that block | fixed |
//! | `event_interval`, `global_queue_interval`, `disable_lifo_slot` | [`Builder::budget`](crate::Builder::budget); the rest is [promised](crate::guide::scheduling#the-budget) |
//! | `unhandled_panic` | a panic always continues in the parent |
//! | `on_task_spawn`, `on_before_task_poll`, `on_thread_park` and the like | [`inspect::Instrument`](crate::inspect::Instrument) |
//! | `Handle::current`, `try_current`, `Runtime::enter` | for libraries that need them a [companion](crate::guide::any_crate); otherwise not needed: a nursery says where a task goes; [`Token::current`](crate::Token::current) for other threads |
//! | `Handle::spawn` and `Handle::block_on` on another thread | [`Token`](crate::Token): `run_sync_soon`, `run_sync`, `run` |
//! | `Runtime::shutdown_timeout` | a run ends when all in it has; [`cancel_gracefully`](crate::CancelScope::cancel_gracefully) bounds how long that takes |
//! | `Runtime::shutdown_background` | none: nothing goes on in the background |
//! | `runtime::Id`, `RuntimeFlavor`, `worker_index` | none |
//! | `Handle::metrics`, `tokio-metrics` | [`inspect::metrics`](crate::inspect::metrics()): what there is, and, from [`enable`](crate::inspect::enable) on, what is counted in the whole run; no histograms, and no numbers for single tasks |
//! | `Handle::dump`, `tokio-console`, to find the task that hangs | [dumps, a page in the browser, and `tokio-console`](crate::guide::what_is_it_doing); [a stuck task says so](crate::guide::scheduling#a-stuck-task-says-so) by itself |
//! | `loom` for tasks, `shuttle`, the seeds of `turmoil` | [`explore`](crate::testing::explore()) |
//! | `loom` for threads | [the same](crate::guide::testing#other-threads-loom), with runs inside its models |
//!
//! # Between tasks
//!
//! | `tokio::sync` | here |
//! |---|---|
//! | `Mutex`, `RwLock`, `Barrier`, `OnceCell`, `Notify` | [the same](crate::sync); first come, first served, and a lock is not poisoned |
//! | `lock_owned`, `read_owned`, `write_owned`, `notified_owned` | none: a child of a nursery can borrow the lock |
//! | `blocking_lock`, `blocking_read`, `blocking_write` | none: these locks are for one thread, and [`std::sync`] has those for several |
//! | `MappedMutexGuard`, `RwLockWriteGuard::downgrade` | [the same](crate::sync::MutexGuard::map); no `map` for those who write to an `RwLock`, no `try_map` |
//! | `RwLock::with_max_readers` | [`sync::Semaphore`](crate::sync::Semaphore) |
//! | `OnceCell::get_or_init`, `get_or_try_init` | [`get_or_init`](crate::sync::OnceCell::get_or_init), which may fail |
//! | `SetOnce` | [`sync::OnceCell`](crate::sync::OnceCell) beside an [`Event`](crate::Event), or [`watch`'s `wait_for`](crate::sync::watch::Receiver::wait_for) |
//! | `Notified::enable` | not needed: a `notified` that is made before waits already |
//! | `Notify::notify_last` | none: first come, first served |
//! | a `Mutex` and a `Notify`, to wait until something is so | [`sync::Condition`](crate::sync::Condition) |
//! | `Semaphore`, to limit how much happens at once | [`CapacityLimiter`](crate::CapacityLimiter) |
//! | `Semaphore`, for several permits at once, or for permits that are added and used up | [`sync::Semaphore`](crate::sync::Semaphore), owned permits included |
//! | `mpsc::channel`, whose capacity is at least 1 | [`channel`](fn@crate::channel), with any number of receivers as well; if the capacity is 0, a `send` ends when its message has been received |
//! | `mpsc::unbounded_channel` | [`sync::unbounded_channel`](crate::sync::unbounded_channel) |
//! | `send_timeout` | `move_on_after(limit, async { Ok(sender.send(message).await) })`, whose inner error has the message |
//! | `recv_many`, `reserve` | the same: [`recv_many`](crate::Receiver::recv_many), [`reserve`](crate::Sender::reserve); `None` comes only when nothing is reserved either |
//! | `reserve_many`, `reserve_owned` | none |
//! | `blocking_send`, `blocking_recv`, channels between threads | [`thread_channel`](crate::thread_channel) |
//! | `Sender::max_capacity` | [`capacity`](crate::Sender::capacity), from which [`len`](crate::Sender::len) is taken |
//! | `mpsc::Sender::closed`, `WeakSender`, `strong_count` | none: `send` says that all receivers have gone |
//! | `oneshot` | [`sync::oneshot`](mod@crate::sync::oneshot), whose error says whether the sender's task was cancelled |
//! | `watch`, whose `borrow` is a lock | [`sync::watch`](mod@crate::sync::watch), whose `borrow` is a snapshot |
//! | `watch::Sender::sender_count` | none |
//! | `broadcast`, where a slow receiver misses messages | [`sync::broadcast`](mod@crate::sync::broadcast), which can wait for it as well |
//! | `broadcast::WeakSender`, `strong_count` | none |
//!
//! # Time
//!
//! | `tokio::time` | here |
//! |---|---|
//! | `sleep`, `sleep_until` | [`sleep`](crate::sleep()), [`sleep_until`](crate::sleep_until()), [`sleep_forever`](crate::sleep_forever) |
//! | `Sleep::reset`, `deadline`, `is_elapsed` | a scope's deadline, which [can be moved](crate::CancelScope::set_deadline) and [read](crate::CancelScope::deadline) |
//! | `timeout(limit, f)`, which drops `f`; `timeout_at` | [`fail_after(limit, f)`](crate::fail_after), which cancels `f` and waits until it has ended; [`fail_at`](crate::fail_at) |
//! | a `timeout` whose `Elapsed` is no failure | [`move_on_after`](crate::move_on_after), [`move_on_at`](crate::move_on_at) |
//! | `error::Elapsed` | [`TooSlow`](crate::TooSlow), with the place and the limit |
//! | `interval`, `interval_at`, `MissedTickBehavior` | [`interval`](crate::interval()), [`interval_at`](crate::interval_at()), [`MissedTicks`](crate::MissedTicks), of which `Skip` is the default |
//! | `Interval::reset`, `reset_at`, `reset_after`, `reset_immediately` | [`reset`](crate::Interval::reset), [`reset_at`](crate::Interval::reset_at) |
//! | `Instant`, which can be paused | [`std::time::Instant`] and [`now`](crate::now()) |
//! | `pause`, `advance` | [`VirtualClock`](crate::testing::VirtualClock), which jumps by itself when nothing can run |
//! | `resume` | none: a run keeps its clock |
//!
//! # Input and output
//!
//! | `tokio::io` | here |
//! |---|---|
//! | `AsyncRead`, `AsyncWrite`, `AsyncSeek`, `AsyncBufRead` | those of [`futures_io`](https://docs.rs/futures-io), and methods on the streams; tokio's `AsyncRead` and `AsyncWrite` with the feature `tokio-io` |
//! | `AsyncReadExt`, `AsyncWriteExt`, `AsyncBufReadExt`, `AsyncSeekExt` | methods on the streams, and what `futures` has under these names |
//! | `read_u32` and the like | `read_exact` into an array, and [`u32::from_be_bytes`] |
//! | `ReadBuf`, `read_buf`, `write_buf` | slices of bytes |
//! | `BufReader`, `BufWriter`, `lines`, `split`, `take`, `chain` | those of `futures::io`, around a stream |
//! | `BufStream` | a `BufReader` and a `BufWriter` of `futures::io`, each around a half or a `&` of the stream |
//! | `empty`, `repeat`, `sink` | those of `futures::io` |
//! | `copy`, `copy_bidirectional`, `copy_buf` | [two children of a nursery](crate::net#how-a-connection-ends), one for each direction; `copy` of `futures::io` for one |
//! | `split`, `ReadHalf`, `WriteHalf` | the stream's own [halves](crate::net::ReadHalf), or two `&` of it |
//! | `join` | none |
//! | `duplex`, `SimplexStream` | [`UnixStream::pair`](crate::net::UnixStream::pair), [`pipe`](mod@crate::pipe) |
//! | `AsyncFd`, whose guard's readiness is cleared by hand | [`fd::AsyncFd`](crate::fd::AsyncFd), whose [`read_with`](crate::fd::AsyncFd::read_with) makes the call, and for which the descriptor may be in blocking mode |
//! | `Interest`, `Ready`, `ready` | `readable` and `writable`, in two tasks if both are wanted |
//! | `try_read`, `try_write` | none: an operation tries first, and ends at once if it can |
//! | `try_io`, `async_io` | [`readable`](crate::net::SocketStream::readable), and then your call; or a descriptor in an [`AsyncFd`](crate::fd::AsyncFd) |
//! | `stdin`, a thread that goes on reading after a `timeout`, and takes away the next line | [`stdio::stdin`][of-stdio-stdin], with the feature `stdio`: a read that is cancelled takes nothing, and nothing waits for somebody to press Enter |
//! | `stdin().lines()` of a `BufReader` | [`next_line`][of-stdio-next-line], which can be cancelled half-way |
//! | `stdout`, `stderr`, which have to be flushed before the end | [`stdio::stdout`][of-stdio-stdout], `stderr`: what is written has been given to the system |
//! | `io::bsd::Aio` | none |
//!
//! # Network
//!
//! | `tokio::net` | here |
//! |---|---|
//! | `TcpListener`, `TcpStream` | [the same](crate::net); [`serve`](crate::serve()) and [`Server`](crate::Server) are the loop around `accept` |
//! | `poll_accept`, `poll_recv` and other functions for `poll` | none: the futures are `Unpin`, or can be pinned |
//! | `TcpSocket` | [the same](crate::net::TcpSocket) |
//! | `set_tos`, `bind_device`, `set_quickack` and other rare options | [`SockRef`](crate::net#socket-options) of `socket2` |
//! | `set_zero_linger` | `set_linger(Some(Duration::ZERO))` |
//! | `into_split`, `OwnedReadHalf::reunite` | [the same](crate::net::OwnedReadHalf), or a `&` of the stream in each task |
//! | a stream that is dropped, whose last bytes may be cut off | [closed by the server](crate::net#how-a-connection-ends), so that they arrive |
//! | `lookup_host`, `ToSocketAddrs`, names in `connect` | [the same](crate::net::lookup_host), [`Address`](crate::net::Address), with Happy Eyeballs |
//! | resolvers of hyper-util and reqwest | [`Builder::resolver`](crate::Builder::resolver), for every connection of a run |
//! | `tokio-rustls`: a stream that two tasks share through a lock | [`tls`][of-tls], with the feature of that name: two tasks use a stream by `&` |
//! | `UdpSocket`, `UnixDatagram`, where the rest of a long datagram is lost silently | [`net::UdpSocket`](crate::net::UdpSocket), [`net::UnixDatagram`](crate::net::UnixDatagram), where it is an [error](crate::net::Truncated) |
//! | `UnixListener`, `UnixStream` | [the same](crate::net::unix) |
//! | `UnixSocket` | `bind` and `connect` of these; [`socket2`](https://docs.rs/socket2) and `from_std` for what they do not offer |
//! | `unix::SocketAddr` | [`std::os::unix::net::SocketAddr`] |
//! | `UnixStream::peer_cred`, `UCred` | [`peer_credentials`](crate::net::unix::Credentials) |
//! | `net::unix::pipe` | [`pipe`](mod@crate::pipe); reading a FIFO waits for its first writer |
//! | descriptors passed through a socket: none | [the same socket's](crate::net::unix) `send_with_descriptors` |
//! | `net::windows` | none: the network is for Unix |
//!
//! # Files, processes, signals
//!
//! | tokio | here |
//! |---|---|
//! | `tokio::fs` | [`fs`][of-fs], with the feature of that name: 64 operations at once in a run, under a [limiter][of-fs-limiter] of their own |
//! | `fs::File`, which writes behind, so that an error comes with the next call, or is lost without `flush` | [`fs::File`][of-fs-file]: a write that has returned has happened, and there is nothing to flush |
//! | `seek` and `read` of a file that is shared in a `Mutex` | `read_at` and `write_at`, which take a `&File` |
//! | `fs::read_dir`, `next_entry` | a [generator][of-fs-dir] of entries, with their types |
//! | `fs::try_exists` | `fs::exists` |
//! | `fs::DirBuilder`, `File::try_clone`, `set_times` | [`to_thread`](crate::to_thread()) and `std`, by way of `into_std` and `From` |
//! | `File::set_max_buf_size` | none: reads and writes are as long as their buffers |
//! | `fs::symlink_dir`, `symlink_file` | none: they are for Windows |
//! | `No such file or directory` | [which one][of-fs-failure], and what was being done |
//! | `process::Command` | [`process::Command`][of-command], with the feature `process`; [`run`][of-command-run] is input, outputs and status in one call |
//! | `Command::spawn`, a process without an owner | [`spawn(n)`][of-command-spawn]: it belongs to the nursery |
//! | `kill_on_drop`, which may leave a zombie | always: asked to end, killed after a [grace][of-command-grace], reaped |
//! | `uid`, `gid`, `arg0`, `pre_exec` | `as_std_mut` |
//! | `process_group` | `own_group`, which is signalled as a whole |
//! | `Child::start_kill`, `kill` | [`cancel`][of-child-cancel], or `signal` |
//! | `wait_with_output` | `Command::output` |
//! | `ChildStdin`, `ChildStdout`, `ChildStderr` | [`ChildStdin`][of-process] and [`pipe::Receiver`](crate::pipe::Receiver) |
//! | `signal::ctrl_c` | it cancels the main scope by itself |
//! | `signal::unix::signal(SignalKind::…)`, one listener for each | [`signal::Signals`](crate::signal::Signals), for any number |
//! | `signal::windows` | none |
//!
//! # `tokio-util`
//!
//! | there | here |
//! |---|---|
//! | `CancellationToken` as a parameter | the scope is around the code, not in its parameters; other threads use its [`CancelHandle`](crate::CancelHandle) |
//! | `CancellationToken::child_token` | a [scope](crate::cancel_scope) inside a scope |
//! | `DropGuard`, `AbortOnDropHandle` | a nursery: who leaves it leaves nothing behind |
//! | `run_until_cancelled`, `with_cancellation_token` | [`CancelScope::enter`](crate::CancelScope::enter), and [`cancellable`](crate::cancellable) for a future of another crate |
//! | `TaskTracker` | a nursery; [`until_stopped`](crate::until_stopped) and [`finishing`](crate::finishing()) for a graceful stop |
//! | `JoinMap`, `JoinQueue` | tasks in a map, each with its [`cancel`](crate::Task::cancel); [`buffered`](crate::flow::Flow::buffered) for values in order |
//! | `LocalPoolHandle`, `spawn_pinned` | [`run_on_cores`](crate::run_on_cores()), or a run on a thread of its own and its [`Token`](crate::Token) |
//! | `DelayQueue` | a child for each entry, which [sleeps](crate::sleep()) and can be [cancelled](crate::Task::cancel) |
//! | `FutureExt::timeout` | [`fail_after`](crate::fail_after) |
//! | `codec`: `Framed`, `Decoder`, `LinesCodec`, `LengthDelimitedCodec` | they work over streams with the feature `tokio-io`; or a [generator](crate::guide::generators) of frames |
//! | `UdpFramed` | none: a datagram is a frame |
//! | `io::ReaderStream`, `StreamReader`, `SinkWriter`, `InspectReader` | they work over streams with the feature `tokio-io`; `into_async_read` of `futures` |
//! | `io::SyncIoBridge` | `into_std` and [`to_thread`](crate::to_thread()) |
//! | `compat` | not needed: streams have the traits of `futures_io` |
//! | `tokio-tungstenite` | [`async-tungstenite`](crate::guide::websockets), which needs no runtime; either in a [`cancellable_stream`](crate::cancellable_stream) |
//! | `net::Listener` | [`Listener`](crate::Listener) |
//! | `PollSender` | a [`Sender`](crate::Sender) is a sink; a `ThreadSender` [becomes one](crate::ThreadSender::into_sink) |
//! | `PollSemaphore`, `ReusableBoxFuture` | none: a generator awaits where a `Stream` by hand has to poll |
//! | `Either` | that of `futures` |
//! | `context::TokioContext` | a runtime of tokio's that is [entered around `run`](#what-to-watch-for) |
//!
//! # `tokio-stream`
//!
//! | there | here |
//! |---|---|
//! | `stream!` and `try_stream!` of `async-stream` | a [generator](crate::guide::generators), which cleans up even if it is left half-way |
//! | `map`, `filter`, `then`, `merge`, `throttle`, `timeout`, `chunks_timeout` and the like | [the same](crate::flow::Flow) on a [flow](crate::guide::flows), whose work goes on while its consumer does something else |
//! | `buffered`, `FuturesUnordered` of `futures` | [`buffered`](crate::flow::Flow::buffered), [`buffer_unordered`](crate::flow::Flow::buffer_unordered) |
//! | `all`, `any`, `fuse`, `map_while`, `peekable` | those of `futures`: a generator, a receiver and the items of a flow are streams; or a loop |
//! | `timeout_repeating` | [`timeout`](crate::flow::Flow::timeout), which is an error of the flow |
//! | `StreamMap` | [`flow::merge`](crate::flow::merge()) |
//! | `StreamNotifyClose` | none: a child's loop ends, and the code after it runs |
//! | `iter`, `once`, `empty`, `pending` | [`flow::from_iter`](crate::flow::from_iter()); those of `futures` |
//! | `ReceiverStream`, `UnboundedReceiverStream` | a [`Receiver`](crate::Receiver) is a stream |
//! | `BroadcastStream`, with `Lagged` as an item | a [`broadcast::Receiver`](crate::sync::broadcast::Receiver) is a stream |
//! | `WatchStream::from_changes` | a [`watch::Receiver`](crate::sync::watch::Receiver) is a stream; after [`mark_changed`](crate::sync::watch::Receiver::mark_changed) it begins with the present value, as with `WatchStream::new` |
//! | `IntervalStream`, `SignalStream` | a loop around `tick` or `recv`, or a generator with that in it |
//! | `TcpListenerStream`, `LinesStream`, `ReadDirStream` | [`serve`](crate::serve()); `lines` of `futures::io` is a stream; [`fs::read_dir`][of-fs-dir] is a generator |
//!
//! # smol and async-std
//!
//! | there | here |
//! |---|---|
//! | `block_on` | [`run`](crate::run()) |
//! | `Executor`, `LocalExecutor`, `spawn` | a nursery |
//! | `Task::cancel().await`; a `Task` that is dropped | [`Task::cancel`](crate::Task::cancel), and awaiting the task; dropping it changes nothing |
//! | `Task::detach` | none: no task outlives its nursery |
//! | `Async<T>` of `async-io` | [`fd::AsyncFd`](crate::fd::AsyncFd) |
//! | `unblock`, `spawn_blocking` | [`to_thread`](crate::to_thread()) |
//! | `Timer` | [`sleep`](crate::sleep()), [`sleep_until`](crate::sleep_until()), [`interval`](crate::interval()) |
//! | `or`, `race` of `futures-lite` | [`race`](crate::race()) |
//! | `async-lock`, `async-channel` | [`sync`](crate::sync), [`channel`](fn@crate::channel) |
//! | `async-channel` and `flume` between threads, as a `Stream` or `Sink` | [`thread_channel`](crate::thread_channel), [`into_stream`](crate::ThreadReceiver::into_stream), [`into_sink`](crate::ThreadSender::into_sink) |
//! | `async-process`, `async-fs`, `async-signal` | [`process`][of-process], [`fs`][of-fs], [`signal`](crate::signal) |
//! | `future::timeout` | [`fail_after`](crate::fail_after) |
//!
//! # axum, and other services of tower
//!
//! With the feature `tower`, an axum router is served [in one call][of-tower], with the limits and
//! the graceful stop of a server of this crate. axum needs no runtime for that: it is used without
//! its default features. Its handlers have to be `Send`; a future that awaits this crate becomes so
//! by [`local`][of-tower-local], and so does the router's state:
//!
//! ```text
//! // axum = { version = "0.8", default-features = false, features = ["json"] }
//! let router = Router::new()
//!     .route("/orders", get(list))                               // awaits nothing of this crate
//!     .route("/orders/{id}", post(|app, id| local(pay(app, id)))) // awaits this crate
//!     .with_state(local(Rc::new(app)));
//! hyper::Server::new(listener).shutdown_on(signals.recv()).serve_tower(router).await
//! ```
//!
//! When the client has gone, `pay` sees a [`Cancelled`](crate::Cancelled) at its `await` and rolls
//! back, and so it does when a layer drops it half-way. What is not in `local` is dropped, as
//! there. `examples/axum_app` is a whole application. tonic's services are served in the same way,
//! as the tower service `Routes::new(service).prepare()`.
//!
//! | axum on tokio | here |
//! |---|---|
//! | `axum::serve(listener, router)` | [`hyper::serve_tower`][of-tower-serve], or [`Server::serve_tower`][of-tower] |
//! | `with_graceful_shutdown`, which waits for every connection | `shutdown_on`, with a grace; connections that have nothing under way are closed |
//! | `State(Arc<…>)`, with locks | `State(OnThread<Rc<…>>)`, made by [`local`][of-tower-local] |
//! | `ConnectInfo<SocketAddr>` | `Server::with_peers`, and the extractor `Extension<Peer<SocketAddr>>` |
//! | `tokio::spawn` in a handler | a [`NurseryHandle`](crate::NurseryHandle) in the state |
//! | `Sse::new(stream)` | the same, with a [generator](crate::generator()) in `local`, whose loop waits in [`until_stopped`](crate::until_stopped) to end when the server stops |
//! | `Sse::keep_alive` | [`move_on_after`](crate::move_on_after) around the wait for the next event, and a comment |
//! | `Body::from_stream` | the same, with the stream in `local`; or `hyper::Body::stream`, whose code is a task, in [`local_answer`][of-tower-answer] |
//! | `WebSocketUpgrade` | `hyper::upgrade` in [`local_answer`][of-tower-answer]: see [WebSockets](crate::guide::websockets). axum's own does not work, even with a companion: it talks in a task of tokio's, on another thread, where the stream panics, and the client waits in vain |
//! | layers that have a timer, such as `TimeoutLayer` | the same, with a [companion](crate::guide::any_crate); or `middleware::from_fn`, and [`fail_after`](crate::fail_after) around `cancellable(next.run(request))` |
//! | layers that spawn, such as `Buffer` | the same, with a companion, if nothing behind them is in `local`: they poll it on another thread, which panics |
//! | a client of HTTP/1 that closes its connection: the handler is dropped | it may have closed only its side: it is served on for `Limits::half_closed`. One that resets the connection, or goes away in HTTP/2, is noticed at once |
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
//! * **Libraries for tokio** that need only a waker run here: channels, `futures`, parsers. Those
//!   that need tokio's runtime run beside a companion, with the feature `tokio`: [any
//!   crate](crate::guide::any_crate) says how. hyper needs none with the feature `hyper`, whose
//!   `hyper::serve` is a server for HTTP/1 and HTTP/2 in one call.
//! * **`Send`.** The future given to [`run`](crate::run()) need not be `Send`, and nurseries are
//!   not. [`Error`](crate::Error) and wakers are.
//!
#![cfg_attr(
    all(unix, not(loom), feature = "fs"),
    doc = "[of-fs]: mod@crate::fs
[of-fs-dir]: crate::fs::read_dir
[of-fs-failure]: crate::fs::Failure
[of-fs-file]: crate::fs::File
[of-fs-limiter]: crate::fs::current_limiter"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "fs")),
    doc = "[of-fs]: https://docs.rs/seedbed/latest/seedbed/fs/
[of-fs-dir]: https://docs.rs/seedbed/latest/seedbed/fs/fn.read_dir.html
[of-fs-failure]: https://docs.rs/seedbed/latest/seedbed/fs/struct.Failure.html
[of-fs-file]: https://docs.rs/seedbed/latest/seedbed/fs/struct.File.html
[of-fs-limiter]: https://docs.rs/seedbed/latest/seedbed/fs/fn.current_limiter.html"
)]
#![cfg_attr(
    all(unix, not(loom), feature = "process"),
    doc = "[of-process]: mod@crate::process
[of-command]: crate::process::Command
[of-command-run]: crate::process::Command::run
[of-command-spawn]: crate::process::Command::spawn
[of-command-grace]: crate::process::Command::grace
[of-child-cancel]: crate::process::Child::cancel"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "process")),
    doc = "[of-process]: https://docs.rs/seedbed/latest/seedbed/process/
[of-command]: https://docs.rs/seedbed/latest/seedbed/process/struct.Command.html
[of-command-run]: https://docs.rs/seedbed/latest/seedbed/process/struct.Command.html#method.run
[of-command-spawn]: https://docs.rs/seedbed/latest/seedbed/process/struct.Command.html#method.spawn
[of-command-grace]: https://docs.rs/seedbed/latest/seedbed/process/struct.Command.html#method.grace
[of-child-cancel]: https://docs.rs/seedbed/latest/seedbed/process/struct.Child.html#method.cancel"
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
#![cfg_attr(all(unix, not(loom), feature = "tls"), doc = "[of-tls]: mod@crate::tls")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "tls")),
    doc = "[of-tls]: https://docs.rs/seedbed/latest/seedbed/tls/"
)]
#![cfg_attr(
    all(unix, not(loom), feature = "tower"),
    doc = "[of-tower]: crate::hyper::Server::serve_tower
[of-tower-answer]: crate::hyper::local_answer
[of-tower-local]: crate::hyper::local
[of-tower-serve]: crate::hyper::serve_tower"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "tower")),
    doc = "[of-tower]: https://docs.rs/seedbed/latest/seedbed/hyper/struct.Server.html#method.serve_tower
[of-tower-answer]: https://docs.rs/seedbed/latest/seedbed/hyper/fn.local_answer.html
[of-tower-local]: https://docs.rs/seedbed/latest/seedbed/hyper/fn.local.html
[of-tower-serve]: https://docs.rs/seedbed/latest/seedbed/hyper/fn.serve_tower.html"
)]
