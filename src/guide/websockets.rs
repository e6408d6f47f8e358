//! WebSockets: serving them, time limits, keeping them alive, closing them.
//!
//! This crate has no WebSockets of its own. [`async-tungstenite`] speaks the protocol over any
//! stream, and needs no runtime. What is left to do is what this chapter is about.
//!
//! [`async-tungstenite`]: https://docs.rs/async-tungstenite
//!
//! # A server
//!
#![cfg_attr(all(unix, not(loom), feature = "hyper", feature = "net"), doc = "```no_run")]
#![cfg_attr(not(all(unix, not(loom), feature = "hyper", feature = "net")), doc = "```ignore")]
//! use async_tungstenite::WebSocketStream;
//! use async_tungstenite::tungstenite::protocol::{Message, Role};
//! use futures::{SinkExt, StreamExt};
//! use seedbed::hyper::{self, Request, body::Incoming, upgrade};
//! use seedbed::{Result, cancellable_stream, move_on_after, net::TcpListener};
//! use std::time::Duration;
//!
//! /// Sends back what it receives, until nothing has come for a minute.
//! async fn echo(listener: TcpListener) -> Result<()> {
//!     hyper::serve(listener, async |request: Request<Incoming>| {
//!         Ok::<_, seedbed::Error>(upgrade(request, async |stream| {
//!             let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
//!             let mut socket = cancellable_stream(socket);
//!             let minute = Duration::from_secs(60);
//!             loop {
//!                 let next = async { socket.next().await.transpose() };
//!                 match move_on_after(minute, next).await? {
//!                     Some(Some(message @ (Message::Text(_) | Message::Binary(_)))) => {
//!                         socket.send(message).await?;
//!                     }
//!                     Some(Some(_)) => {} // the library has answered pings and goodbyes
//!                     Some(None) | None => return socket.close().await,
//!                 }
//!             }
//!         }))
//!     })
//!     .await
//! }
//! ```
//!
//! [`hyper::upgrade`][of-upgrade] answers the request and runs the closure with the stream, in a
//! task that belongs to the request and may borrow what the handler may. Over [TLS][of-tls] it is
//! the same. A client has `async_tungstenite::client_async` over a
//! [`TcpStream`](crate::net::TcpStream) or what [`tls::connect`][of-tls-connect] returns, in a
//! [`cancellable`](crate::cancellable) and under a limit: a handshake that is cut short is of no
//! further use.
//!
//! # Time limits
//!
//! The operations of this crate's streams are checkpoints, also for libraries: in a cancelled scope
//! a read fails with an [`io::Error`](std::io::Error) that has the
//! [`Cancelled`](crate::Cancelled) in it. To a state machine such as a WebSocket, an error of its
//! stream is the end. So after one limit around `next` there would be nothing more to come:
//!
//! | | when time is up |
//! |---|---|
//! | `move_on_after(limit, socket.next())` | the WebSocket has ended, and its next item is `None` |
//! | `move_on_after(limit, cancellable(socket.next()))` | it goes on, at the next call |
//! | the same as the first, after `let socket = cancellable_stream(socket)` | it goes on, at the next call |
//!
//! [`cancellable_stream`](crate::cancellable_stream) goes around the WebSocket once, and makes each
//! item a checkpoint like any other of this crate: taken, or [`Cancelled`](crate::Cancelled), never
//! both. It does the same for whatever else is a stream or a sink over bytes, such as `Framed`, and
//! for what runs on another runtime and knows nothing of scopes. [`cancellable`](crate::cancellable)
//! is for a single call: put it around methods that the wrapper does not have, such as
//! `socket.get_mut().close(frame)`.
//!
//! # Sending
//!
//! `send` is `feed`, which hands the message over, and `flush`, which waits until the stream has
//! taken all of it. A `feed` that is cancelled has sent nothing, and a `flush` can be called again.
//! Where it matters whether a message has been sent, call the two.
//!
//! A peer that does not read is noticed by a limit around `send` or `flush`. The library's
//! `max_write_buffer_size` bounds what is kept for it meanwhile.
//!
//! # Stopping
//!
//! A handler is [finishing](crate::finishing()) its work, so a graceful stop does not reach it where
//! it waits for a message, unless that is said: with [`until_stopped`](crate::until_stopped) the
//! loop ends, and there is time for a goodbye. Browsers show its code, 1001, to the page.
//!
#![cfg_attr(all(unix, not(loom), feature = "hyper", feature = "net"), doc = "```no_run")]
#![cfg_attr(not(all(unix, not(loom), feature = "hyper", feature = "net")), doc = "```ignore")]
//! # use async_tungstenite::WebSocketStream;
//! # use async_tungstenite::tungstenite::protocol::frame::{CloseFrame, coding::CloseCode};
//! # use async_tungstenite::tungstenite::protocol::Message;
//! # use futures::{SinkExt, StreamExt};
//! # use seedbed::{CancellableStream, Result, hyper::Upgraded, move_on_after, until_stopped};
//! # use std::time::Duration;
//! async fn talk(mut socket: CancellableStream<WebSocketStream<Upgraded>>) -> Result<()> {
//!     while let Some(next) = until_stopped(async { socket.next().await.transpose() }).await? {
//!         let Some(_message) = next else { return Ok(()) }; // the client has said goodbye
//!     }
//!     let goodbye = CloseFrame { code: CloseCode::Away, reason: "we are stopping".into() };
//!     socket.send(Message::Close(Some(goodbye))).await?;
//!     // The client answers, or has gone.
//!     let answer = async {
//!         while let Some(Ok(_)) = socket.next().await {}
//!         Ok(())
//!     };
//!     move_on_after(Duration::from_secs(2), answer).await.map(drop)
//! }
//! ```
//!
//! # Keeping it alive
//!
//! A client that has lost its network says nothing, and TCP does not notice for hours. So somebody
//! has to send pings while others use the connection: a task in the background, which is a child of
//! a nursery that is open for as long as the WebSocket is. That is a
//! [context manager](crate::context_manager()) with the nursery at its yield, the third example of
//! PEP 789. It is also why a generator of messages must not open the WebSocket itself: it would
//! yield inside that nursery, and is [told so](crate::guide::generators).
//!
//! The example [`chat`][example] does all this, and what else a public server has to think of: pages
//! of other sites (`Origin`), the size of messages, floods, clients that do not read, and clients
//! that never say who they are. Its file `socket.rs` has the context manager.
//!
//! [example]: https://docs.rs/crate/seedbed/latest/source/examples/chat/src/socket.rs
#![cfg_attr(all(unix, not(loom), feature = "hyper"), doc = "[of-upgrade]: crate::hyper::upgrade")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "hyper")),
    doc = "[of-upgrade]: https://docs.rs/seedbed/latest/seedbed/hyper/fn.upgrade.html"
)]
#![cfg_attr(
    all(unix, not(loom), feature = "tls"),
    doc = "[of-tls]: mod@crate::tls
[of-tls-connect]: crate::tls::connect"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "tls")),
    doc = "[of-tls]: https://docs.rs/seedbed/latest/seedbed/tls/
[of-tls-connect]: https://docs.rs/seedbed/latest/seedbed/tls/fn.connect.html"
)]
