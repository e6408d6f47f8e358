//! Signals that a program waits for itself.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use signal_hook::consts;
use signal_hook::low_level::signal_name;

use crate::Result;
use crate::world::reactor::registration::{Registration, Side};
use crate::world::signal::disposition::{Listener, Listening, was_heard};

/// A signal, named as in the system's manual, without the `SIG`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// A timer of the process has expired.
    pub const ALRM: Signal = Signal(consts::SIGALRM);
    /// A child process has stopped or ended.
    pub const CHLD: Signal = Signal(consts::SIGCHLD);
    /// The process goes on after it was stopped.
    pub const CONT: Signal = Signal(consts::SIGCONT);
    /// The terminal was closed; to a service it says "read your configuration again".
    pub const HUP: Signal = Signal(consts::SIGHUP);
    /// Ctrl-C.
    pub const INT: Signal = Signal(consts::SIGINT);
    /// Ctrl-\.
    pub const QUIT: Signal = Signal(consts::SIGQUIT);
    /// The process is to end: what `kill` and service managers send.
    pub const TERM: Signal = Signal(consts::SIGTERM);
    /// Ctrl-Z.
    pub const TSTP: Signal = Signal(consts::SIGTSTP);
    /// For programs to give a meaning to.
    pub const USR1: Signal = Signal(consts::SIGUSR1);
    /// For programs to give a meaning to.
    pub const USR2: Signal = Signal(consts::SIGUSR2);
    /// The terminal has another size.
    pub const WINCH: Signal = Signal(consts::SIGWINCH);

    /// The signal with this number on this system.
    #[must_use]
    pub const fn from_raw(number: i32) -> Signal {
        Signal(number)
    }

    /// Its number on this system.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

/// Its name in full, `SIGTERM`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match signal_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Listens to signals, from when it is made until it is dropped. Trio's `open_signal_receiver`.
///
/// Meanwhile they have no other effect: [`TERM`](Signal::TERM) does not end the process, and
/// [`INT`](Signal::INT), Ctrl-C, does not cancel the main scope. A signal comes to all who listen
/// to it in the process. Several of a kind that come before one is received are one, as the
/// system itself sees it.
///
/// When the last who listens to a signal is dropped, it has its former effect again. One that had
/// come and that nobody received has it at once: no signal is lost. So keep it for as long as you
/// want to be spared: until the clean-up is over, not until the first signal has come.
///
/// What other libraries do about a signal is left alone: a handler from before is called as well,
/// and where another one was installed later the default effect is not carried out when nobody here
/// listens any more.
///
/// A [server](crate::Server) that is shutting down listens as well: a second signal ends its grace
/// at once, and a third the process.
///
/// ```
/// use seedbed::signal::{Signal, Signals};
/// use seedbed::nursery;
/// # let kill_me = || signal_hook::low_level::raise(Signal::TERM.as_raw());
///
/// seedbed::run(async {
///     let signals = Signals::new([Signal::TERM, Signal::HUP])?;
///     nursery(async |n| {
///         n.spawn(async {
///             seedbed::sleep_forever().await // serves
///         });
///         # kill_me()?;
///         loop {
///             match signals.recv().await? {
///                 Signal::HUP => println!("reading the configuration again"),
///                 signal => {
///                     println!("ending on {signal}");
///                     n.cancel();
///                     return Ok(());
///                 }
///             }
///         }
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Signals {
    listening: Vec<Listening>,
    /// Where the search begins, so that no signal keeps others from being received.
    next: Cell<usize>,
    pipe: Registration<UnixStream>,
}

impl Signals {
    /// Begins to listen to these signals.
    ///
    /// It may be made and kept outside of [`run`](crate::run).
    ///
    /// # Errors
    ///
    /// An [`io::Error`]: of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) for what is no
    /// signal with a name, and for one that no handler can catch (`SIGKILL`, `SIGSTOP`) or return
    /// from (`SIGILL`, `SIGFPE`, `SIGSEGV`); that of the system calls.
    #[track_caller]
    pub fn new(signals: impl IntoIterator<Item = Signal>) -> Result<Signals> {
        Signals::listen(signals, Listener::Program)
    }

    /// Begins to listen to those signals which tell a process to end and which the program has
    /// listened to. `None` if there are none: their default effect, or what Ctrl-C does to the
    /// main scope, is what the program wants.
    ///
    /// The first of them is received; the one after it has its default effect.
    pub(crate) fn of_drain() -> Result<Option<Signals>> {
        let ends = [Signal::INT, Signal::TERM, Signal::QUIT];
        let heard: Vec<_> = ends.into_iter().filter(|signal| was_heard(signal.0)).collect();
        if heard.is_empty() {
            return Ok(None);
        }
        Signals::listen(heard, Listener::Drain).map(Some)
    }

    #[track_caller]
    fn listen(signals: impl IntoIterator<Item = Signal>, listener: Listener) -> Result<Signals> {
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        let mut listening = Vec::new();
        for Signal(signal) in signals {
            listening.push(Listening::new(signal, sender.try_clone()?, listener)?);
        }
        Ok(Signals { listening, next: Cell::new(0), pipe: Registration::of_listener(receiver) })
    }

    /// Waits for a signal, and tells which it is.
    ///
    /// Several tasks may wait; each signal comes to one of them.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and no signal has been received.
    #[track_caller]
    pub fn recv(&self) -> impl Future<Output = Result<Signal>> {
        self.pipe.operate(Side::Read, |mut pipe| {
            loop {
                if let Some(signal) = self.take() {
                    return Ok(signal);
                }
                // A signal that comes after the look sets its flag before it writes: then
                // there is something to read, and another look.
                if pipe.read(&mut [0; 64])? == 0 {
                    // Nothing writes: it listens to no signal at all.
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
        })
    }

    fn take(&self) -> Option<Signal> {
        let (before, after) = self.listening.split_at(self.next.get());
        let found = after.iter().chain(before).position(Listening::take)?;
        let found = (self.next.get() + found) % self.listening.len();
        self.next.set((found + 1) % self.listening.len());
        Some(Signal(self.listening[found].signal()))
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = self.listening.iter().map(|listening| Signal(listening.signal()));
        f.debug_set().entries(signals).finish()
    }
}
