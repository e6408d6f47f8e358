//! A process in the background.

use std::fmt;
use std::future::Future;
use std::io;
use std::process::ExitStatus;
use std::rc::Rc;

use rustix::process::Signal as SystemSignal;

use crate::error::{Result, placed};
use crate::scope::CancelScope;
use crate::world::pipe::Receiver;
use crate::world::process::exchange::Pipes;
use crate::world::process::running::Process;
use crate::world::process::stdin::ChildStdin;
use crate::world::signal::Signal;

/// A handle to a process in the background, which [`Command::spawn`](super::Command::spawn) has
/// started in a nursery.
///
/// The process belongs to the nursery, which does not end before it. Dropping the handle closes the
/// pipes that are still in it, and changes nothing else. This is `std`'s `Child`, and
/// `trio.Process`.
///
/// ```
/// use futures::{AsyncBufReadExt, TryStreamExt, io::BufReader};
/// use seedbed::nursery;
/// use seedbed::process::{Command, Stdio};
///
/// seedbed::run(async {
///     nursery(async |n| {
///         let mut cat = Command::new("cat");
///         let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(n)?;
///         let mut answers = BufReader::new(cat.stdout.take().unwrap()).lines();
///         for word in ["one", "two"] {
///             let question = format!("{word}\n");
///             cat.stdin.as_ref().unwrap().write_all(question.as_bytes()).await?;
///             assert_eq!(answers.try_next().await?.as_deref(), Some(word));
///         }
///         assert!(cat.wait().await?.success()); // closes its input first
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// The output of one process may be the input of another. It has to block then, as programs expect:
///
/// ```
/// use seedbed::nursery;
/// use seedbed::process::{Command, Stdio};
///
/// seedbed::run(async {
///     let sorted = nursery(async |n| {
///         let mut printf = Command::new("printf");
///         let mut printf = printf.arg("b\\na\\n").stdout(Stdio::piped()).spawn(n)?;
///         let words = printf.stdout.take().unwrap().into_blocking()?;
///         Command::new("sort").stdin(Stdio::from(words)).run().await
///     })
///     .await?;
///     assert_eq!(sorted.stdout, b"a\nb\n");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Child {
    /// Leads to the standard input, if that is [`Stdio::piped`](super::Stdio::piped).
    pub stdin: Option<ChildStdin>,
    /// Leads from the standard output, if that is [`Stdio::piped`](super::Stdio::piped).
    ///
    /// Its end comes when every process that has the other end has closed it or has ended. These may
    /// be more than the process itself: see [what outlives
    /// it](super#what-outlives-the-process).
    pub stdout: Option<Receiver>,
    /// Leads from the standard error, if that is [`Stdio::piped`](super::Stdio::piped).
    pub stderr: Option<Receiver>,
    process: Rc<Process>,
    /// In which somebody waits for the process.
    scope: CancelScope,
}

impl Child {
    pub(super) fn new(process: Rc<Process>, scope: CancelScope, pipes: Pipes) -> Child {
        let Pipes { stdin, stdout, stderr } = pipes;
        Child { stdin, stdout, stderr, process, scope }
    }

    /// The number of the process. Once the process has been reaped, it may mean another one.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.number()
    }

    /// Closes the pipe to the standard input, if it is still here, and waits until the process has
    /// ended. Returns how it has ended.
    ///
    /// It may be called again, and returns the same. It does not read what the process writes: a
    /// process that fills a pipe that nobody reads does not end.
    ///
    /// This is a [checkpoint](crate::checkpoint()). If it is cancelled, that alone does not end the
    /// process, but in most programs the nursery is cancelled then, too.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`] if it is not known how the process has
    /// ended, because somebody else has reaped it, or because the nursery's future was dropped.
    #[track_caller]
    pub fn wait(&mut self) -> impl Future<Output = Result<ExitStatus>> {
        self.stdin = None;
        placed(self.process.over())
    }

    /// How the process has ended, if it has and that is known already. It is not a checkpoint.
    ///
    /// # Errors
    ///
    /// An [`io::Error`], as for [`wait`](Self::wait).
    #[track_caller]
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.process.outcome().transpose()
    }

    /// Sends the process a signal, or its whole group if it has [one of its
    /// own](super::Command::own_group). If the process has ended and been reaped, nothing happens.
    /// It is not a checkpoint.
    ///
    /// # Errors
    ///
    /// An [`io::Error`]: of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) for a number
    /// that is not a signal with a name; that of the system call, if the process has the rights of
    /// another user.
    #[track_caller]
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let Some(signal) = SystemSignal::from_named_raw(signal.as_raw()) else {
            let text = format!("`{}` cannot be sent {signal}", self.process.program);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text).into());
        };
        Ok(self.process.signal(signal)?)
    }

    /// Has the process put to an end as a cancellation does it, and the nursery go on: `SIGTERM`,
    /// after the [grace](super::Command::grace) `SIGKILL`. [`wait`](Self::wait) tells when it has
    /// ended. It is not a checkpoint.
    #[track_caller]
    pub fn cancel(&self) {
        self.scope.cancel();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("program", &self.process.program)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
