//! Using libraries that need tokio: reqwest, sqlx, tonic, redis, quinn, and the many built on them.
//!
//! Most asynchronous libraries need only a waker: channels, parsers, combinators, `futures`. They run
//! here as anywhere. Others need tokio's runtime, since they open tokio's sockets, set its timers or
//! spawn its tasks. Without one they panic, with these words of tokio's:
//!
//! ```text
//! there is no reactor running, must be called from the context of a Tokio 1.x runtime
//! ```
//!
//! With the feature `tokio`, a run can have such a runtime for a *companion*, and each use of such a
//! library is a *call*:
//!
#![cfg_attr(all(not(loom), feature = "tokio"), doc = "```")]
#![cfg_attr(not(all(not(loom), feature = "tokio")), doc = "```ignore")]
//! use std::time::Duration;
//! use seedbed::tokio::{Companion, call};
//! use seedbed::{Builder, Result, fail_after, nursery};
//! use tokio::io::AsyncReadExt;
//! use tokio::net::{TcpListener, TcpStream};
//!
//! async fn greeting(address: std::net::SocketAddr) -> Result<String> {
//!     fail_after(Duration::from_secs(5), async {
//!         let mut stream = call(TcpStream::connect(address)).await?; // one `?` for all errors
//!         let mut text = String::new();
//!         call(stream.read_to_string(&mut text)).await?;
//!         Ok(text)
//!     })
//!     .await
//! }
//!
//! fn main() -> Result<()> {
//!     Builder::new().tokio(Companion::new()).run(async {
//!         let listener = call(TcpListener::bind("127.0.0.1:0")).await?;
//!         let address = listener.local_addr()?;
//!         nursery(async |n| {
//!             let text = n.spawn(greeting(address)); // borrows what it likes
//!             let (mut stream, _) = call(listener.accept()).await?;
//!             call(tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello")).await?;
//!             drop(stream);
//!             assert_eq!(text.await?, "hello");
//!             Ok(())
//!         })
//!         .await
//!     })
//! }
//! ```
//!
//! # The companion
//!
//! [`Builder::tokio`][of-builder] makes a runtime of one worker thread when the run begins, and ends
//! it after the run. What the program awaits is polled on the run's own thread. The worker waits for
//! sockets and timers, and runs what libraries spawn. This costs what tokio's own multi-thread
//! runtime costs: a wake from one thread to another for each event. So streams of
//! [this crate](crate::net) are the faster ones, where one has the choice.
//!
//! Its context is there wherever the run's code is: in all tasks, generators and destructors, in
//! functions of [`to_thread`](crate::to_thread()), and on each core of
//! [`run_on_cores`](crate::Builder::run_on_cores). Threads that the program starts by itself have
//! none; give them a `tokio::runtime::Handle`.
//!
//! For other settings, more workers for example, make a runtime and pass its handle:
//! `Builder::new().tokio(runtime.handle().clone())`. Such a runtime is only entered. It begins before
//! the run and ends after it, in the hands of whoever has made it.
//!
//! # Calls
//!
//! A [`call`][of-call] is a future of such a library as an operation of this crate:
//!
//! | | with `call` | without |
//! |---|---|---|
//! | its scope is cancelled, or a time limit passes | the future is dropped, and `Cancelled` raised | nobody notices until it has ended by itself; then [a warning](crate::guide::scheduling#a-stuck-task-says-so) says so |
//! | it is ready again and again: 50,000 messages in a channel | others run after each [budget](crate::guide::scheduling#the-budget) | all others starve: tokio's own budget is only in force in tokio's tasks |
//! | a [virtual clock](crate::testing::VirtualClock) | stands still while it is pending | jumps ahead of it |
//! | [`detect_deadlock`](crate::Builder::detect_deadlock) | knows that something is at work | takes it for a deadlock |
//! | [`explore`](crate::testing::explore()) | fails, and says why | explores something else each time |
//!
//! So put each await of such a library into a `call`, or a whole function that awaits several, with
//! one exception. **What comes from the run itself is no call**: if one task of the run receives from
//! a channel of tokio's and another one sends, nothing goes on outside. A virtual clock would stand
//! still for ever, and a deadlock would not be seen. [`cancellable`](crate::cancellable()) is for
//! that.
//!
//! A cancelled call drops the library's future, as dropping it elsewhere would, and it is the
//! library that says what that means. Most clients close the connection or put it aside. What the
//! *server* does about it is another matter: a database may go on with its query. That can be undone:
//!
#![cfg_attr(all(not(loom), feature = "tokio"), doc = "```no_run")]
#![cfg_attr(not(all(not(loom), feature = "tokio")), doc = "```ignore")]
//! # use std::io;
//! # struct Client;
//! # struct CancelToken;
//! # impl Client {
//! #     fn cancel_token(&self) -> CancelToken { CancelToken }
//! #     async fn batch_execute(&self, _: &str) -> io::Result<()> { Ok(()) }
//! # }
//! # impl CancelToken { async fn cancel_query(&self, _: NoTls) -> io::Result<()> { Ok(()) } }
//! # struct NoTls;
//! use seedbed::tokio::call;
//!
//! # async fn f(client: Client) -> seedbed::Result<()> {
//! // `client` is one of the crate tokio-postgres.
//! let query = client.cancel_token();
//! call(client.batch_execute("SELECT pg_sleep(60)"))
//!     .on_cancel(async || call(query.cancel_query(NoTls)).await)
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`on_cancel`][of-on-cancel] runs after the future has been dropped, under a shield, for at most 5
//! seconds. If it fails or is too slow, that is reported, and the task is cancelled nevertheless.
//!
//! An await that gives no `Result`, or whose error is to be looked at as the library's own type, goes
//! through [`output`][of-output]: `call(receiver.recv()).output().await?`.
//!
//! # What is left behind
//!
//! Libraries spawn tasks: for each connection, for a pool's upkeep, to give a connection back. They
//! are in no nursery. When the run has ended and has dropped everything, the companion waits for
//! them, for 5 seconds or for [as long as one says][of-grace], since most of them notice that what
//! they served has gone. Those that do not are cut off, and a warning says how many they were. The
//! same goes for a run that was cancelled, has failed, or panics, and for one that Ctrl-C has ended.
//!
//! A program's own tasks are children of a nursery, and not `tokio::spawn`ed: those neither borrow nor
//! are they cancelled with anybody, and whoever drops their handle never hears of their failure.
//!
//! # Mistakes
//!
//! | you see | what to do |
//! |---|---|
//! | a panic: *there is no reactor running* | the run has no companion: `Builder::new().tokio(Companion::new()).run(…)` |
//! | an error: *needs a tokio runtime, and this run has none* | the same |
//! | a warning: *the scope … is still open, though … what it awaits does not respond to that* | a future of a library without `call` |
//! | an error: `Deadlock`, though a server should answer | the same, on a virtual clock or with `detect_deadlock` |
//! | a virtual clock that stands still, so that a time limit around a call does not pass | that is what it does; in a test give the program a stand-in that answers, or the system's clock |
//! | *tasks in the tokio companion … were cut off* | await what spawned them, as in `client.close()`, or let them have a longer grace |
//! | a panic: *`EnterGuard` values dropped out of order* | two tasks hold guards of `Handle::enter` across awaits: use [`call(…).on(&handle)`][of-on], which enters at each poll |
//! | a panic: *`spawn_local` called from outside* | it needs a `LocalSet` of tokio's; spawn a child in a nursery |
//! | a panic: *Cannot start a runtime from within a runtime* | `block_on` in a task of tokio's; in a run, await it |
//! | a warning: *`seedbed::run` was called in a task of tokio's* | the program is tokio's: make the run a guest there, or call it in `spawn_blocking` |
//! | everything waits, though nothing is wrong | `Handle::block_on` in a task blocks the run: await, or use [`to_thread`](crate::to_thread()) |
//!
//! # Ctrl-C
//!
//! `tokio::signal::ctrl_c()` and this crate get along. On the main thread the first Ctrl-C cancels
//! the run *and* reaches tokio's listeners, unless [`Builder::ctrl_c`](crate::Builder::ctrl_c) is
//! off. As long as tokio listens, no Ctrl-C ends the process, during the run and after it.
//!
#![cfg_attr(
    all(not(loom), feature = "tokio"),
    doc = "[of-builder]: crate::Builder::tokio
[of-call]: crate::tokio::call
[of-grace]: crate::tokio::Companion::grace
[of-on]: crate::tokio::Call::on
[of-on-cancel]: crate::tokio::Call::on_cancel
[of-output]: crate::tokio::Call::output"
)]
#![cfg_attr(
    not(all(not(loom), feature = "tokio")),
    doc = "[of-builder]: https://docs.rs/seedbed/latest/seedbed/struct.Builder.html#method.tokio
[of-call]: https://docs.rs/seedbed/latest/seedbed/tokio/fn.call.html
[of-grace]: https://docs.rs/seedbed/latest/seedbed/tokio/struct.Companion.html#method.grace
[of-on]: https://docs.rs/seedbed/latest/seedbed/tokio/struct.Call.html#method.on
[of-on-cancel]: https://docs.rs/seedbed/latest/seedbed/tokio/struct.Call.html#method.on_cancel
[of-output]: https://docs.rs/seedbed/latest/seedbed/tokio/struct.Call.html#method.output"
)]
