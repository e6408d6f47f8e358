//! HTTPS as a client.
//!
//! This crate has no HTTP client of its own. One that keeps connections, follows redirects and
//! stores cookies is a project by itself; what is needed to ask a service that is known is not much
//! code. hyper's `client::conn` speaks HTTP over any stream, and [`tls::connect`][of-tls-connect]
//! makes one that has agreed with the server on HTTP/1 or HTTP/2:
//!
#![cfg_attr(all(unix, not(loom), feature = "hyper", feature = "tls"), doc = "```no_run")]
#![cfg_attr(not(all(unix, not(loom), feature = "hyper", feature = "tls")), doc = "```ignore")]
#![doc = include_str!("../../examples/pagination/https.rs")]
#![doc = "```"]
//!
//! * **The connection is a task**, a child of the nursery in which the answer is awaited. Nothing of
//!   it is left when `get_once` returns, however that ends. Here there is a connection for each
//!   request. A program that asks often keeps its `sender`, and the connection in a nursery of its
//!   own; one of HTTP/2 takes many requests at once.
//! * **The limit** is around all of it: looking the name up, connecting, the handshake, the answer
//!   to its last byte. What hyper's own futures wait for is not a checkpoint, so they are
//!   [`cancellable`](crate::cancellable).
//! * **It is tried again** only because what it asks for changes nothing. A request that orders
//!   something must not be repeated by a loop that cannot know how far the first one came. Nor is it
//!   of any use after [an error of TLS][of-tls-failed] itself.
//! * **An answer that is cut off is an error.** If HTTP says how long the body is, hyper notices;
//!   if not, the connection has to end with TLS's own message.
//! * **An answer has an end.** `Limited` gives up on one that is too long.
//! * **An error says who has not answered.** Those of HTTP do not know it.
//! * **A redirect** is an answer like any other. Whoever follows it counts how often.
//!
//! The configuration says whom to trust: certificates of authorities from the system
//! (`rustls-native-certs`), from Mozilla (`webpki-roots`), or your own. For HTTP/2 its
//! `alpn_protocols` have to be `h2` and `http/1.1`.
//!
//! The example [`pagination`][example] is a program that uses this.
//!
//! [example]: https://docs.rs/crate/seedbed/latest/source/examples/pagination/main.rs
#![cfg_attr(
    all(unix, not(loom), feature = "tls"),
    doc = "[of-tls-connect]: crate::tls::connect
[of-tls-failed]: crate::tls::TlsFailed"
)]
#![cfg_attr(
    not(all(unix, not(loom), feature = "tls")),
    doc = "[of-tls-connect]: https://docs.rs/seedbed/latest/seedbed/tls/fn.connect.html
[of-tls-failed]: https://docs.rs/seedbed/latest/seedbed/tls/struct.TlsFailed.html"
)]
