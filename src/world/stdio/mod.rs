//! Standard input, output and error, and other descriptors that this process shares. This needs the
//! feature `stdio`.
//!
//! ```no_run
//! use seedbed::stdio::{self, Input};
//! use seedbed::{Result, move_on_after};
//! use std::time::Duration;
//!
//! /// Asks a question, and takes the default if nobody answers in time.
//! async fn ask(input: &mut Input, question: &str, default: &str) -> Result<String> {
//!     stdio::stdout()?.write_all(format!("{question} [{default}] ").as_bytes()).await?;
//!     let answer = move_on_after(Duration::from_secs(10), input.next_line()).await?;
//!     Ok(answer.flatten().filter(|line| !line.is_empty()).unwrap_or_else(|| default.into()))
//! }
//!
//! seedbed::run(async {
//!     let mut input = stdio::stdin()?; // one for all questions: it reads ahead
//!     let name = ask(&mut input, "Who are you?", "nobody").await?;
//!     let colour = ask(&mut input, "Which colour do you like?", "red").await?;
//!     println!("{name} likes {colour}.");
//!     Ok(())
//! })?;
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
//! Whether a descriptor blocks is said by a flag that is shared by all processes which have it open,
//! such as the shell whose terminal it is. That flag is left alone:
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
