//! Errors that name the program.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output};

use crate::world::process::running::Process;

/// A program has ended without success: the error of [`Command::run`](super::Command::run).
///
/// Its text has the name of the program, the status, and the end of what the program wrote to its
/// standard error.
///
/// ```
/// use seedbed::process::{Command, Failed};
///
/// seedbed::run(async {
///     let error = Command::new("sh").args(["-c", "echo no paper >&2; exit 3"]).run().await;
///     let error = error.unwrap_err();
///     assert_eq!(error.to_string(), "`sh` failed with exit status: 3: no paper");
///     assert_eq!(error.find::<Failed>().unwrap().status().code(), Some(3));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Debug)]
pub struct Failed {
    program: String,
    output: Output,
}

impl Failed {
    pub(super) fn new(program: String, output: Output) -> Failed {
        Failed { program, output }
    }

    /// The program, as it was given to [`Command::new`](super::Command::new).
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// How the program has ended.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        self.output.status
    }

    /// Everything the program wrote, as far as it was captured.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.output
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// How many bytes of the standard error are told.
        const TOLD: usize = 1000;
        write!(f, "`{}` failed with {}", self.program, self.output.status)?;
        let stderr = &self.output.stderr;
        let end = String::from_utf8_lossy(&stderr[stderr.len().saturating_sub(TOLD)..]);
        match end.trim() {
            "" => Ok(()),
            end if stderr.len() > TOLD => write!(f, ": …{end}"),
            end => write!(f, ": {end}"),
        }
    }
}

impl StdError for Failed {}

/// How a program has ended that was stopped because its scope was cancelled.
///
/// It is inside the [`Cancelled`](crate::Cancelled), where [`Error::find`](crate::Error::find)
/// finds it.
///
/// ```
/// use seedbed::move_on_after;
/// use seedbed::process::{Command, Stopped};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     move_on_after(Duration::from_millis(10), async {
///         let outcome = Command::new("sleep").arg("1000").status().await;
///         if let Some(stopped) = outcome.as_ref().err().and_then(|error| error.find::<Stopped>()) {
///             println!("{} ended with {}", stopped.program(), stopped.status()); // SIGTERM
///         }
///         outcome
///     })
///     .await?;
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Debug)]
pub struct Stopped {
    program: String,
    id: u32,
    status: ExitStatus,
}

impl Stopped {
    pub(super) fn new(process: &Process, status: ExitStatus) -> Stopped {
        Stopped { program: process.program.clone(), id: process.number(), status }
    }

    /// The program, as it was given to [`Command::new`](super::Command::new).
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The number that the process had.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How it has ended: by `SIGTERM`, by `SIGKILL` if it did not end within the grace, or of its
    /// own accord.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        self.status
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stopped { program, id, status } = self;
        write!(f, "`{program}` (process {id}) was stopped, and ended with {status}")
    }
}

impl StdError for Stopped {}

/// Why it is not known how a process has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unknown {
    ReapedElsewhere,
    /// The future that waited for it was dropped.
    Abandoned,
}

impl Unknown {
    pub(super) fn of(self, program: &str) -> io::Error {
        io::Error::other(match self {
            Unknown::ReapedElsewhere => format!(
                "`{program}` has ended, and how is not known: this process ignores SIGCHLD, or \
                 something in it waits for every child, with `waitpid(-1, …)`"
            ),
            Unknown::Abandoned => {
                format!("`{program}` was killed, because the future that waited for it was dropped")
            }
        })
    }
}

/// The error for a program that could not be started.
#[cold]
pub(super) fn not_started(command: &std::process::Command, error: io::Error) -> io::Error {
    let program = command.get_program().display().to_string();
    let text = match command.get_current_dir() {
        // The system does not tell a missing program from a missing directory.
        Some(directory) if !Path::new(directory).is_dir() => {
            format!("starting `{program}` in `{}`, which is no directory", directory.display())
        }
        Some(directory) => format!("starting `{program}` in `{}`", directory.display()),
        None => format!("starting `{program}`"),
    };
    io::Error::new(error.kind(), NotStarted { program, text, error })
}

/// A program could not be started, and why.
///
/// It is inside the [`io::Error`], where [`Error::find`](crate::Error::find) finds it. The kinds of
/// `io::Error` do not tell all reasons apart, such as that there are too many open files.
///
/// ```
/// use seedbed::process::{Command, NotStarted};
///
/// seedbed::run(async {
///     let error = Command::new("no-such-program").status().await.unwrap_err();
///     let failure = error.find::<NotStarted>().unwrap();
///     assert_eq!(failure.program(), "no-such-program");
///     assert_eq!(failure.io_error().raw_os_error(), Some(2)); // ENOENT
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Debug)]
pub struct NotStarted {
    program: String,
    text: String,
    error: io::Error,
}

impl NotStarted {
    /// The program, as it was given to [`Command::new`](super::Command::new).
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The system's error.
    #[must_use]
    pub fn io_error(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.error)
    }
}

impl StdError for NotStarted {
    /// The cause of the system's error, because the text of that error is already part of this
    /// one's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}
