//! Files and directories, in the shape of [`std::fs`]. This needs the feature `fs`.
//!
//! ```
//! use seedbed::{Result, fs};
//!
//! /// Replaces a file by one with a further line, as a whole: whoever reads it sees the old one or
//! /// the new one. It must not be called twice at the same time, as both would write the same file.
//! async fn add_line(path: &str, line: &str) -> Result<()> {
//!     let mut text = fs::read_to_string(path).await?;
//!     text.push_str(line);
//!     text.push('\n');
//!     let new = format!("{path}.new");
//!     let file = fs::File::create(&new).await?;
//!     file.write_all_at(text.as_bytes(), 0).await?;
//!     file.sync_all().await?;
//!     fs::rename(new, path).await
//! }
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("list").display().to_string();
//! # seedbed::run(async {
//! #     fs::write(&path, "one\n").await?;
//! #     add_line(&path, "two").await?;
//! #     assert_eq!(fs::read_to_string(&path).await?, "one\ntwo\n");
//! #     Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Where the work is done
//!
//! The system has no way to say that a file is ready, so the calls are made on [other
//! threads](crate::to_thread()). At most 64 are under way at once in each `run`; that is a
//! [limiter](current_limiter) of their own, so that a file system that hangs does not hold up other
//! blocking work.
//!
//! On Linux, a [`File`] does without a thread what the system can do in memory, so many small reads
//! cost little:
//!
//! * A read takes at once what the system has in memory, where the file system offers that
//!   (`preadv2` with `RWF_NOWAIT`), as ext4, XFS and Btrfs do.
//! * A file of a `tmpfs`, such as `/dev/shm`, or of `memfd_create` is nowhere but in memory. It is
//!   also written at once, unless it was opened to append.
//!
//! A run that is to be repeatable, on a [virtual clock](crate::testing::VirtualClock), with a seed
//! or in [`explore`](crate::testing::explore()), leaves this out, since what is in memory is chance.
//! Otherwise each call goes to a thread and back, which takes some ten microseconds: put a
//! `futures::io::BufReader` or `BufWriter` around a [`File`] that is read or written in small pieces.
//! Nothing here buffers by itself: a file is read no further than asked, and there is nothing to
//! flush.
//!
//! # Cancellation
//!
//! Everything that returns a future is a [checkpoint](crate::checkpoint()).
//!
//! * **One system call has happened, or has not begun.** A call that is cancelled before it begins
//!   fails with [`Cancelled`](crate::Cancelled), and nothing has happened. Once it has begun it is
//!   waited for and its outcome is returned; the next checkpoint fails. So a file system that hangs,
//!   such as NFS without its server, hangs its caller, and the end of the `run`, which says so
//!   [after five seconds](crate::to_thread()).
//! * **What consists of several system calls stops between two,** and the error says how far it
//!   came: see [`Failure::done`]. These are `read`, `read_to_string`, `write`, `copy`,
//!   `create_dir_all` and `remove_dir_all`, and of a file `read_exact`, `read_to_end`,
//!   `read_to_string` and `write_all`, with their positional forms.
//! * **If a future is dropped,** a call that has begun goes on, `run` waits for it before it
//!   returns, and what consists of several stops after it. See [`File`] for what that means for its
//!   cursor.
//!
//! # Errors
//!
//! An error of the system is an [`io::Error`](std::io::Error) of the same kind, with a [`Failure`]
//! in it that names the operation and the path. It is raised where the operation was
//! [called](crate::Error::place).
//!
//! ```
//! use seedbed::fs;
//! use std::io;
//!
//! seedbed::run(async {
//!     let error = fs::read("no/such/file").await.unwrap_err();
//!     assert!(error.to_string().starts_with("reading `no/such/file`: "));
//!     let kind = error.downcast_ref().map(io::Error::kind);
//!     assert_eq!(kind, Some(io::ErrorKind::NotFound));
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # What is not a file
//!
//! A pipe, a terminal or a socket that is opened by its path can be read as a whole ([`read`]) and
//! written to by [`write`](write()), and occupies a thread until its other end is done. A [`File`]
//! reads and writes at positions, which they do not have: it fails and says so.
//!
//! | file or folder | concept |
//! |---|---|
//! | `file/` | an open file: positional reads and writes, the cursor |
//! | `whole` | files read, written and copied as a whole |
//! | `paths` | what is done to a path in one system call |
//! | `directory` | reading and making directories |
//! | `tree` | removing a directory with everything in it |
//! | `call` | system calls on another thread, and their limiter |
//! | `failure` | errors that say what was being done, to which path, and how far it came |

pub(crate) mod call;
mod directory;
mod failure;
mod file;
mod paths;
mod tree;
mod whole;

pub use std::fs::{FileType, Metadata, Permissions};

pub use call::{Call, current_limiter};
pub use directory::{DirEntry, create_dir, create_dir_all, read_dir};
pub use failure::Failure;
pub use file::{File, OpenOptions, Opening};
pub use paths::{
    canonicalize, exists, hard_link, metadata, read_link, remove_dir, remove_file, rename,
    set_permissions, symlink, symlink_metadata,
};
pub use tree::remove_dir_all;
pub use whole::{copy, read, read_to_string, write};
