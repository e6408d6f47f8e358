//! One error type, and groups.
//!
//! # One type
//!
//! Every fallible function of this crate returns [`Result<T>`](crate::Result), whose error is
//! [`Error`](crate::Error). `?` makes one of anything that implements [`std::error::Error`], and
//! records where it did. It is two words wide. One concrete type is what lets the `Ok(())` at the
//! end of an async block infer, so blocks and closures need no annotations.
//!
//! An `Error` is one of three things:
//!
//! | | asked by | comes from |
//! |---|---|---|
//! | a cancellation on its way out | [`is_cancelled`](crate::Error::is_cancelled) | a checkpoint in a cancelled scope |
//! | the failures of a nursery | [`as_group`](crate::Error::as_group) | [`nursery`](crate::nursery()) |
//! | any other error | [`is::<E>()`](crate::Error::is), [`downcast_ref`](crate::Error::downcast_ref) | `?`, [`Error::msg`](crate::Error::msg) |
//!
//! # Handling
//!
//! [`find::<E>()`](crate::Error::find) looks for an error anywhere inside, in groups and causes
//! too. [`split`](crate::Error::split) separates the errors that can be dealt with from the rest,
//! both in the shape of the groups they were in. Whatever is handled, cancellations pass:
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
//! `{}` is one line, for logs. `{:?}`, which is what a `main` that returns
//! [`Result`](crate::Result) prints, is a tree: each failure with the place where its task was
//! spawned, where the error was raised, and what caused it.
//!
//! # Through other error types
//!
//! An `Error` converts into `Box<dyn std::error::Error + Send + Sync>`, [`std::io::Error`] and, with
//! the feature `anyhow`, `anyhow::Error`. Coming back with `?`,
//! [`from_boxed`](crate::Error::from_boxed) or `from_anyhow`, it is what it was. So a cancellation
//! passes through code that knows only of `io::Error`, as everything does that reads from an
//! `AsyncRead`, and is still recognised by its scope.
