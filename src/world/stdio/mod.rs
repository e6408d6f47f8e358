//! Standard input, output and error, and other descriptors that this process shares. This needs the
//! feature `stdio`.
//!
//! ```no_run
//! use seedbed::{Result, move_on_after, stdio};
//! use std::time::Duration;
//!
//! /// Asks a question, and takes the default if nobody answers in time.
//! async fn ask(question: &str, default: &str) -> Result<String> {
//!     stdio::stdout()?.write_all(format!("{question} [{default}] ").as_bytes()).await?;
//!     let mut input = stdio::stdin()?;
//!     let answer = move_on_after(Duration::from_secs(10), input.next_line()).await?;
//!     Ok(answer.flatten().filter(|line| !line.is_empty()).unwrap_or_else(|| default.into()))
//! }
//! # seedbed::run(async { ask("Colour?", "red").await.map(drop) })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Cancellation
//!
//! Everything that returns a future is a [checkpoint](crate::checkpoint()). A read that is cancelled
//! or dropped takes nothing away: the next one gets what comes. Ctrl-C is a cancellation, too, so it
//! ends a read that waits.
//!
//! # The descriptor's flags
//!
//! Whether a descriptor blocks is said by a flag that all processes share which have it open: the
//! shell, for example, whose terminal it is. That flag is left alone:
//!
//! | the descriptor leads to | it is read and written |
//! |---|---|
//! | a terminal, a pipe | through an open file of our own, where the system lets it be opened once more |
//! | a socket | by calls that do not block |
//! | a file, anything else | by a thread |
//!
//! Where a thread reads, it reads only when it is asked to. If that read is cancelled, what the thread
//! gets is kept for the next read of the same [`Input`].
//!
//! | file | concept |
//! |---|---|
//! | `way` | how a descriptor can be used without changing its flags |
//! | `input` | reading, and lines |
//! | `output` | writing |
//! | `reader_thread` | a thread that reads when it is asked to |
//! | `writer_thread` | writing by a thread |
//! | `foreign` | traits of other libraries |

mod foreign;
mod input;
mod output;
mod reader_thread;
mod way;
mod writer_thread;

pub use input::{Input, stdin};
pub use output::{Output, stderr, stdout};
