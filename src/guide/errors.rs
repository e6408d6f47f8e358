//! One error type, and groups.
//!
//! # One type
//!
//! Every fallible function of this crate returns [`Result<T>`](crate::Result), whose error is
//! [`Error`](crate::Error). `?` converts anything that implements [`std::error::Error`] into one,
//! and records where it did so. An `Error` is two words wide. Because there is one concrete type,
//! the `Ok(())` at the end of an async block infers, and blocks and closures need no annotations.
//!
//! An `Error` is one of three things:
//!
//! | what it is | how to ask | where it comes from |
//! |---|---|---|
//! | a cancellation on its way out | [`is_cancelled`](crate::Error::is_cancelled) | a checkpoint in a cancelled scope |
//! | the failures of a nursery | [`as_group`](crate::Error::as_group) | [`nursery`](crate::nursery()) |
//! | any other error | [`is::<E>()`](crate::Error::is), [`downcast_ref`](crate::Error::downcast_ref) | `?`, [`Error::msg`](crate::Error::msg) |
//!
//! # Handling
//!
//! [`find::<E>()`](crate::Error::find) looks for an error anywhere inside, including in groups and
//! causes. [`split`](crate::Error::split) separates the errors that you can deal with from the
//! rest, and leaves both in the shape of the groups they came in. Whatever you handle,
//! cancellations pass:
//!
//! ```
//! use seedbed::{Error, Result, nursery};
//! use std::io;
//!
//! fn not_found(error: &Error) -> bool {
//!     error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::NotFound)
//! }
//!
//! # seedbed::run(async {
//! let outcome = nursery(async |n| {
//!     n.spawn(async { Err::<(), _>(io::Error::from(io::ErrorKind::NotFound).into()) });
//!     n.spawn(async { Err::<(), _>(Error::msg("out of paper")) });
//!     Ok(())
//! })
//! .await;
//! let (_missing, rest) = outcome.unwrap_err().split(not_found);
//! let rest = rest.expect("the other failure, still in a group");
//! assert_eq!(rest.as_group().unwrap().len(), 1);
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Printing
//!
//! `{}` is one line, for logs. `{:?}` is a tree: each failure with the place where its task was
//! spawned, the place where the error was raised, and what caused it. A `main` that returns
//! [`Result`](crate::Result) prints the tree.
//!
//! # Through other error types
//!
//! An `Error` converts into `Box<dyn std::error::Error + Send + Sync>`, into [`std::io::Error`]
//! and, with the feature `anyhow`, into `anyhow::Error`. When it comes back through `?`,
//! [`from_boxed`](crate::Error::from_boxed) or `from_anyhow`, it is what it was before. So a
//! cancellation can pass through code that knows only `io::Error`, such as anything that reads from
//! an `AsyncRead`, and its scope still recognises it.
