//! What to start, and how.

use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::os::unix::process::CommandExt;
use std::panic::Location;
use std::path::Path;
use std::process::{self, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::error::{Result, placed};
use crate::nursery::Nursery;
use crate::operation::checkpoint::checkpoint;
use crate::scope::CancelScope;
use crate::world::pipe::{Receiver, Sender};
use crate::world::process::child::Child;
use crate::world::process::exchange::{Pipes, Written, exchange, feed};
use crate::world::process::failure::{Failed, not_started};
use crate::world::process::running::{Owner, Reach};
use crate::world::process::stdin::ChildStdin;

/// How long a process that was asked to end may take, unless the program says otherwise. It is
/// Trio's default.
const GRACE: Duration = Duration::from_secs(5);

/// A program to be started, with its arguments and surroundings, in the shape of
/// [`std::process::Command`]. It can be started several times.
///
/// | to | call |
/// |---|---|
/// | run a program that has to succeed, and get what it writes | [`run`](Self::run) |
/// | the same, whether it succeeds or not | [`output`](Self::output) |
/// | run a program that uses this process's streams | [`status`](Self::status) |
/// | give it input | [`input`](Self::input), before one of these |
/// | talk with a program, or run it in the background | [`spawn`](Self::spawn) |
///
/// ```
/// use seedbed::process::Command;
///
/// seedbed::run(async {
///     let output = Command::new("tr").args(["a-z", "A-Z"]).input("hello").run().await?;
///     assert_eq!(output.stdout, b"HELLO");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Command {
    command: process::Command,
    grace: Duration,
    reach: Reach,
    input: Option<Vec<u8>>,
    /// Which of the standard streams the program has set: input, output, error.
    set: [Stream; 3],
}

/// Who says what a standard stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Default,
    Set,
}

/// What the standard streams are that the program has not set.
type Defaults = [fn() -> Stdio; 3];

type Setter = fn(&mut process::Command, Stdio) -> &mut process::Command;

const INHERITED: Defaults = [Stdio::inherit; 3];
const CAPTURED: Defaults = [Stdio::null, Stdio::piped, Stdio::piped];

impl Command {
    /// A program with this name, which is looked for in the directories of `PATH`, or with this
    /// path. It has no arguments, and the environment and the directory of this process.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command {
            command: process::Command::new(program),
            grace: GRACE,
            reach: Reach::Itself,
            input: None,
            set: [Stream::Default; 3],
        }
    }

    /// Adds an argument. No shell sees it, so nothing in it needs to be quoted.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Command {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> &mut Command {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.command.env(name, value);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Command {
        self.command.envs(variables);
        self
    }

    /// Removes a variable from the environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.command.env_remove(name);
        self
    }

    /// Removes all variables from the environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.command.env_clear();
        self
    }

    /// Sets the directory that the program is started in.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.command.current_dir(directory);
        self
    }

    /// Sets the standard input. Otherwise it is empty for [`run`](Self::run) and
    /// [`output`](Self::output), and this process's own for the others.
    pub fn stdin(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.command.stdin(stream);
        self.set[0] = Stream::Set;
        self.input = None;
        self
    }

    /// Sets the standard output. Otherwise [`run`](Self::run) and [`output`](Self::output) capture
    /// it, and it is this process's own for the others.
    pub fn stdout(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.command.stdout(stream);
        self.set[1] = Stream::Set;
        self
    }

    /// Sets the standard error. Otherwise it is treated like the [output](Self::stdout).
    pub fn stderr(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.command.stderr(stream);
        self.set[2] = Stream::Set;
        self
    }

    /// Gives the program this input, in place of what [`stdin`](Self::stdin) says. A program that
    /// ends, or closes its input, before it has read everything has not failed for that.
    pub fn input(&mut self, input: impl Into<Vec<u8>>) -> &mut Command {
        self.input = Some(input.into());
        self
    }

    /// Sets how long a process may take to end when it was cancelled and has been sent `SIGTERM`.
    /// Then it is killed. It is 5 seconds unless this is called. With a grace of 0 the process is
    /// killed without being asked.
    pub fn grace(&mut self, grace: Duration) -> &mut Command {
        self.grace = grace;
        self
    }

    /// Starts the process as the leader of a process group of its own, to which all signals are
    /// sent: those of a cancellation, too.
    ///
    /// Use it for a shell, and for everything that starts processes itself: a signal that is sent
    /// to the shell alone leaves running what it has started.
    ///
    /// The group is not the one that the terminal sends Ctrl-C to, which then reaches it only
    /// because the `run` is cancelled. A process in it that reads from the terminal is stopped by
    /// the system. What a process puts into another group, as `setsid` does, is not reached.
    ///
    /// ```
    /// use seedbed::move_on_after;
    /// use seedbed::process::Command;
    /// use std::time::Duration;
    ///
    /// seedbed::run(async {
    ///     let mut shell = Command::new("sh");
    ///     shell.args(["-c", "sleep 1000 | sleep 1000; echo done"]).own_group();
    ///     // Nothing is left of it afterwards.
    ///     move_on_after(Duration::from_millis(10), shell.output()).await?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn own_group(&mut self) -> &mut Command {
        self.command.process_group(0);
        self.reach = Reach::Group;
        self
    }

    /// The command of the standard library, to look at.
    #[must_use]
    pub fn as_std(&self) -> &process::Command {
        &self.command
    }

    /// The command of the standard library, for settings that are not here, such as
    /// [`uid`](CommandExt::uid) and [`pre_exec`](CommandExt::pre_exec). The standard streams that
    /// are set there have no effect.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.command
    }

    /// Runs the program, and returns what it has written. Its failure is an error. This is
    /// `trio.run_process` with captured outputs, and `subprocess.run` with `check=True`.
    ///
    /// It is an [`output`](Self::output) whose status has been looked at.
    ///
    /// # Errors
    ///
    /// [`Failed`] if the program has not succeeded; otherwise those of [`status`](Self::status).
    #[track_caller]
    pub fn run(&mut self) -> impl Future<Output = Result<Output>> {
        let place = Location::caller();
        placed(async move {
            let output = self.capture(place).await?;
            if !output.status.success() {
                return Err(Failed::new(self.name(), output).into());
            }
            Ok(output)
        })
    }

    /// Runs the program, and returns what it has written and how it has ended.
    ///
    /// It writes to memory, unless [`stdout`](Self::stdout) and [`stderr`](Self::stderr) say
    /// something else. This waits until the process has ended and both outputs have, which
    /// [others](super#what-outlives-the-process) may still have open.
    ///
    /// Starting the process and waiting for it is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`status`](Self::status).
    #[track_caller]
    pub fn output(&mut self) -> impl Future<Output = Result<Output>> {
        placed(self.capture(Location::caller()))
    }

    /// Runs the program, and returns how it has ended. Its standard streams are those of this
    /// process, unless they are set.
    ///
    /// A pipe that is set ([`Stdio::piped`]) is read, and what comes is thrown away.
    ///
    /// This is a [checkpoint](crate::checkpoint()). In a scope that is cancelled already nothing is
    /// started.
    ///
    /// # Errors
    ///
    /// * [`Cancelled`](crate::Cancelled), once the process has been [put to an
    ///   end](super#cancellation) and reaped. [`Stopped`](super::Stopped) is inside.
    /// * An [`io::Error`](std::io::Error) that names the program, if it cannot be
    ///   [started](super::NotStarted); if it is
    ///   not known how it has ended, because this process ignores `SIGCHLD`; or that of another
    ///   system call.
    #[track_caller]
    pub fn status(&mut self) -> impl Future<Output = Result<ExitStatus>> {
        let place = Location::caller();
        placed(
            async move { Ok(self.complete(INHERITED, Written::ThrownAway, place).await?.status) },
        )
    }

    async fn capture(&mut self, place: &'static Location<'static>) -> Result<Output> {
        self.complete(CAPTURED, Written::Kept, place).await
    }

    /// Runs the program to its end.
    async fn complete(
        &mut self,
        defaults: Defaults,
        written: Written,
        place: &'static Location<'static>,
    ) -> Result<Output> {
        checkpoint().await?;
        let (process, pipes) = self.start(defaults, place)?;
        exchange(&process, pipes, self.input.as_deref().unwrap_or_default(), written).await
    }

    /// Starts the program in the background: the process is a child of this nursery, which does not
    /// end before the process, and puts it to an end if it is cancelled. Its standard streams are
    /// those of this process, unless they are set.
    ///
    /// How the process ends is no failure of the nursery: [`Child::wait`] tells.
    ///
    /// It is not a checkpoint.
    ///
    /// # Errors
    ///
    /// An [`io::Error`](std::io::Error) that names the program, if it cannot be
    /// [started](super::NotStarted).
    ///
    /// ```
    /// use seedbed::nursery;
    /// use seedbed::process::Command;
    ///
    /// seedbed::run(async {
    ///     nursery(async |n| {
    ///         let mut server = Command::new("sleep").arg("1000").spawn(n)?;
    ///         // …
    ///         server.cancel();
    ///         assert!(!server.wait().await?.success());
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<'scope>(&mut self, nursery: &'scope Nursery<'scope, '_>) -> Result<Child> {
        let place = Location::caller();
        let (process, mut pipes) = self.start(INHERITED, place).map_err(|error| error.at(place))?;
        if let Some(input) = self.input.clone() {
            let stdin = pipes.stdin.take();
            nursery.spawn_at(place, async move { feed(stdin, &input).await });
        }
        let scope = CancelScope::new();
        let child = Child::new(process.share(), scope.clone(), pipes);
        nursery.spawn_at(place, async move {
            scope.enter(async |_| process.see_to_its_end().await).await?;
            Ok(())
        });
        Ok(child)
    }

    /// Starts the process. This is done in place: the standard library waits until the program has
    /// replaced this one, which takes a millisecond at most where its file is in memory.
    fn start(
        &mut self,
        defaults: Defaults,
        place: &'static Location<'static>,
    ) -> Result<(Owner, Pipes)> {
        let mut defaults = defaults;
        if self.input.is_some() {
            defaults[0] = Stdio::piped;
            self.set[0] = Stream::Default;
        }
        let setters: [Setter; 3] =
            [process::Command::stdin, process::Command::stdout, process::Command::stderr];
        for ((default, set), setter) in defaults.iter().zip(self.set).zip(setters) {
            if set == Stream::Default {
                setter(&mut self.command, default());
            }
        }
        let started = self.command.spawn().and_then(|mut child| {
            let (stdin, stdout, stderr) =
                (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let owner = Owner::new(child, self.name(), self.reach, self.grace, place)?;
            let pipes = Pipes {
                stdin: stdin
                    .map(|end| Sender::of_pipe(end.into()))
                    .transpose()?
                    .map(ChildStdin::new),
                stdout: stdout.map(|end| Receiver::of_pipe(end.into())).transpose()?,
                stderr: stderr.map(|end| Receiver::of_pipe(end.into())).transpose()?,
            };
            Ok((owner, pipes))
        });
        Ok(started.map_err(|error| not_started(&self.command, error))?)
    }

    fn name(&self) -> String {
        self.command.get_program().display().to_string()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.command.fmt(f)
    }
}
