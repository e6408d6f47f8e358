//! Nurseries inside a tokio program: one function at a time.
//!
//! A program on tokio need not be rewritten to have nurseries. Any of its functions can make a
//! *guest*: a run that is a future, which a task of tokio's awaits, and in which everything of this
//! crate works. With the feature `tokio`:
//!
#![cfg_attr(all(unix, not(loom), feature = "tokio"), doc = "```")]
#![cfg_attr(not(all(unix, not(loom), feature = "tokio")), doc = "```ignore")]
//! use seedbed::{Builder, CapacityLimiter, Result, fail_after, nursery};
//! use std::time::Duration;
//!
//! /// A function of the program, for tokio.
//! async fn fetch(page: &str) -> std::io::Result<usize> {
//!     tokio::time::sleep(Duration::from_millis(1)).await;
//!     Ok(page.len())
//! }
//!
//! /// Three at a time, none for longer than a second, all of them or none.
//! async fn fetch_all(pages: &[String]) -> Result<usize> {
//!     let at_once = CapacityLimiter::new(3);
//!     let main = nursery(async |n| {
//!         let fetching: Vec<_> = pages
//!             .iter()
//!             .map(|page| {
//!                 let at_once = &at_once; // borrowed: no Arc, no 'static
//!                 n.spawn(async move {
//!                     let _permit = at_once.acquire().await?;
//!                     let fetched = seedbed::cancellable(fetch(page));
//!                     Ok(fail_after(Duration::from_secs(1), fetched).await??)
//!                 })
//!             })
//!             .collect();
//!         let mut sum = 0;
//!         for page in fetching {
//!             sum += page.await?;
//!         }
//!         Ok(sum)
//!     });
//!     Builder::new().guest(main).await
//! }
//!
//! // #[tokio::main(flavor = "current_thread")]
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let pages = ["one".to_owned(), "two".to_owned()];
//! assert_eq!(fetch_all(&pages).await?, 6);
//! # seedbed::Result::<()>::Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Where it can be awaited
//!
//! A guest stays on its thread, so it is not `Send`:
//!
//! | where | how |
//! |---|---|
//! | in `main`, in a test, in whatever `block_on` runs | await it |
//! | in a `LocalSet`, in a `LocalRuntime` | await it, or `spawn_local` it |
//! | in a handler that has to be `Send`, now and then | `tokio::task::spawn_blocking`, and in it a [`run`](crate::run()), or a current-thread runtime whose `block_on` awaits the guest |
//! | in many handlers that have to be `Send` | one guest that lives long, on a thread of its own, to which they send: the next section |
//!
//! # One that lives long
//!
//! Each guest has three descriptors, and takes tens of microseconds to set up. So one that lives
//! as long as the program is better than one for each request. It is reached through whatever is
//! at hand: a channel of tokio's, a [`thread_channel`](crate::thread_channel()), a
//! [`Token`](crate::Token) from any thread, and on its own thread a
//! [`NurseryHandle`](crate::NurseryHandle), which spawns into it:
//!
#![cfg_attr(all(unix, not(loom), feature = "tokio"), doc = "```")]
#![cfg_attr(not(all(unix, not(loom), feature = "tokio")), doc = "```ignore")]
//! use seedbed::{Builder, Result, cancellable, nursery};
//! use tokio::sync::{mpsc, oneshot};
//!
//! type Request = (u32, oneshot::Sender<u32>);
//!
//! /// Serves requests, each in a task of its own, until nobody sends any more.
//! async fn serve(mut requests: mpsc::Receiver<Request>) -> Result<()> {
//!     nursery(async |n| {
//!         while let Some((number, answer)) = cancellable(requests.recv()).await? {
//!             n.spawn(async move {
//!                 let _ = answer.send(number * number); // nobody may wait for it any more
//!                 Ok(())
//!             });
//!         }
//!         Ok(())
//!     })
//!     .await
//! }
//!
//! let (sender, requests) = mpsc::channel(16);
//! let serving = std::thread::spawn(move || {
//!     let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//!     runtime.block_on(Builder::new().guest(serve(requests)))
//! });
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let (answer, answered) = oneshot::channel();
//! sender.send((7, answer)).await.unwrap(); // from any task of the program
//! assert_eq!(answered.await, Ok(49));
//! # });
//! drop(sender);
//! serving.join().unwrap()?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # What is seen of it
//!
//! A guest is a run of its own: its tasks, scopes, limiters, hooks for generators, timers and
//! sockets are seen neither by the host nor by other guests, of which there may be several on a
//! thread. While the host's other tasks are polled, nothing runs on the thread, and operations fail
//! with [`NotRunning`](crate::NotRunning).
//!
//! What needs no waiting may be done from the host's tasks too, and wakes what waits inside: setting
//! an [`Event`](crate::Event), `try_send`, giving a permit back, cancelling a scope or a
//! [`Task`](crate::Task), spawning through a [`NurseryHandle`](crate::NurseryHandle). A socket or a
//! half-finished future of a guest may be dropped anywhere on the thread: it goes from its guest.
//!
//! What is set *around* a guest holds in it: a span of `tracing`, tokio's `task_local!`, a
//! [`Local`](crate::Local).
//!
//! # What tokio has, inside
//!
//! Libraries for tokio find the program's runtime, as they do elsewhere in it. What is said of [calls
//! of other libraries](crate::guide::other_runtimes#what-to-watch-for) holds here too: in
//! [`cancellable`](crate::cancellable) they are cancelled with their scope. Tasks that they spawn
//! belong to the runtime and not to the guest.
//!
//! tokio's cooperative budget, 128 operations for each poll of one of its tasks, is not in force in a
//! guest, because all its tasks would share that of one. They have [budgets of their
//! own](crate::guide::scheduling#the-budget).
//!
//! # Fairness
//!
//! When its tasks have done some hundred steps, or have had the thread for a millisecond, a guest
//! lets the host run, though it has more to do. So the host's timers and sockets go on beside a busy
//! guest, as long as none of its tasks computes for long without an await.
//!
//! # Stopping it
//!
//! **Cancel it, and await it.** Clean-up awaits, and nothing can be awaited when a future is
//! dropped. [`Guest::cancel_handle`][of-cancel] gives a handle that cancels it from any task and any
//! thread; the guest then ends with [`Cancelled`](crate::Cancelled), and leaves nothing behind.
//!
#![cfg_attr(all(unix, not(loom), feature = "tokio"), doc = "```")]
#![cfg_attr(not(all(unix, not(loom), feature = "tokio")), doc = "```ignore")]
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! use seedbed::{Builder, sleep_forever};
//! use std::time::Duration;
//!
//! let guest = Builder::new().guest(async { sleep_forever().await });
//! let handle = guest.cancel_handle();
//! tokio::spawn(async move {
//!     tokio::time::sleep(Duration::from_millis(1)).await; // or `ctrl_c()`
//!     handle.cancel();
//! });
//! assert!(guest.await.unwrap_err().is_cancelled());
//! # });
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! If tokio drops it instead, in a `select!`, a `timeout` or an `abort`, its tasks are dropped as
//! they are, as tokio's own would be. Its descriptors are closed, its child processes are killed and
//! reaped, functions that other threads have begun for it go on, and their values are dropped. One
//! warning says how many tasks there were. So put the limit inside: `guest(fail_after(…))` rather
//! than `timeout(…, guest)`.
//!
//! # What is different from `run`
//!
//! * Ctrl-C is the program's own: `tokio::signal::ctrl_c()`, and the cancel handle.
//! * A [virtual clock](crate::Builder::clock) and
//!   [`detect_deadlock`](crate::Builder::detect_deadlock) are refused, because they need to know all
//!   that goes on in the thread. Test the same future with [`run`](crate::run()), on a virtual clock,
//!   or with [`explore`](crate::testing::explore()). tokio's own paused clock does not move a guest's.
//! * [`run`](crate::run()) inside a guest, and a guest inside a run or a guest, are
//!   [errors](crate::AlreadyRunning): await the future itself.
//! * [`run`](crate::run()) inside a task of tokio's works, but until it returns it holds up the
//!   thread and all its other tasks. A warning says so, and names the line; in `spawn_blocking` it is
//!   fine.
//!
//! # Other executors
//!
//! A guest needs little of its host: to be woken when a descriptor is readable, and at a moment.
//! [`Builder::guest_on`][of-guest-on] takes anything that has these two functions; the documentation
//! of [`Host`][of-host] has the thirty lines for async-io, and so for smol.
//!
#![cfg_attr(
    all(unix, not(loom)),
    doc = "[of-cancel]: crate::Guest::cancel_handle
[of-guest-on]: crate::Builder::guest_on
[of-host]: crate::Host"
)]
#![cfg_attr(
    not(all(unix, not(loom))),
    doc = "[of-cancel]: https://docs.rs/seedbed
[of-guest-on]: https://docs.rs/seedbed
[of-host]: https://docs.rs/seedbed"
)]
