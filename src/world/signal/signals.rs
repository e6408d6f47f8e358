//! Signals that a program waits for itself.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use libc::c_int;
use signal_hook::consts::{self, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP};
use signal_hook::low_level::signal_name;

use crate::error::Result;
use crate::world::reactor::readiness::Kind;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;
use crate::world::signal::listening::{Listener, Listening, was_heard};

/// A signal. The constants have the names of the system's manual, without the `SIG`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// A timer of the process has expired.
    pub const ALRM: Signal = Signal(consts::SIGALRM);
    /// A child process has stopped or ended.
    pub const CHLD: Signal = Signal(consts::SIGCHLD);
    /// The process continues after it was stopped.
    pub const CONT: Signal = Signal(consts::SIGCONT);
    /// The terminal was closed. To a service it means "read your configuration again".
    pub const HUP: Signal = Signal(consts::SIGHUP);
    /// Ctrl-C.
    pub const INT: Signal = Signal(consts::SIGINT);
    /// Ctrl-\.
    pub const QUIT: Signal = Signal(consts::SIGQUIT);
    /// A request to end, as sent by `kill` and service managers.
    pub const TERM: Signal = Signal(consts::SIGTERM);
    /// Ctrl-Z.
    pub const TSTP: Signal = Signal(consts::SIGTSTP);
    /// Has whatever meaning a program gives to it.
    pub const USR1: Signal = Signal(consts::SIGUSR1);
    /// Has whatever meaning a program gives to it.
    pub const USR2: Signal = Signal(consts::SIGUSR2);
    /// The size of the terminal has changed.
    pub const WINCH: Signal = Signal(consts::SIGWINCH);

    /// The signal with this number on this system.
    #[must_use]
    pub const fn from_raw(number: i32) -> Signal {
        Signal(number)
    }

    /// The signal's number on this system.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

/// The full name, such as `SIGTERM`.
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

/// Listens to signals from when it is made until it is dropped. This is Trio's
/// `open_signal_receiver`.
///
/// Meanwhile the signals have no other effect: [`TERM`](Signal::TERM) does not end the process, and
/// [`INT`](Signal::INT), Ctrl-C, does not cancel the main scope. A signal is delivered to every
/// listener in the process. Signals of one kind that come before the first of them is received
/// count as one, as they do for the system itself.
///
/// When the last listener to a signal is dropped, the signal has its former effect again. If it had
/// come and nobody had received it, it has that effect at once: no signal is lost. So keep the
/// listener for as long as the process is not to be ended by a signal: until the clean-up is over,
/// not until the first signal has come.
///
/// Other libraries' handling of a signal is left alone: a handler that was installed before is
/// called too. If another one was installed later, the default effect is not carried out when
/// nobody here is listening any longer.
///
/// A [server](crate::Server) that is shutting down listens too: a second signal ends its grace at
/// once, and a third ends the process.
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
    /// Where the next search begins, so that no signal keeps others from being received.
    next: Cell<usize>,
    pipe: Registration<UnixStream>,
}

impl Signals {
    /// Starts listening to these signals.
    ///
    /// The listener can be made and kept outside [`run`](crate::run).
    ///
    /// # Errors
    ///
    /// An [`io::Error`]: of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) for a number
    /// that is not a signal with a name, and for a signal that no handler can catch (`SIGKILL`,
    /// `SIGSTOP`) or return from (`SIGILL`, `SIGFPE`, `SIGSEGV`); otherwise that of a system call.
    #[track_caller]
    pub fn new(signals: impl IntoIterator<Item = Signal>) -> Result<Signals> {
        Signals::listen(signals, Listener::Program)
    }

    /// Starts listening to those of the signals `ends` that the program has ever listened to. `None`
    /// if there are none: in that case the program wants their default effect, or what Ctrl-C does to
    /// the main scope.
    ///
    /// The first of them is received; the one after it has its default effect.
    pub(crate) fn of_drain(ends: [Signal; 3]) -> Result<Option<Signals>> {
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
            check(signal)?;
            listening.push(Listening::new(signal, sender.try_clone()?, listener)?);
        }
        Ok(Signals {
            listening,
            next: Cell::new(0),
            pipe: Registration::of_kind(Kind::Listener, receiver),
        })
    }

    /// Waits for a signal, and returns which one came.
    ///
    /// Several tasks may wait; each signal is delivered to one of them. This is a
    /// [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and no signal has been received.
    #[track_caller]
    pub fn recv(&self) -> impl Future<Output = Result<Signal>> {
        self.pipe.operate(verb::RecvSignal, |pipe| {
            let mut pipe = pipe.source();
            loop {
                if let Some(signal) = self.take() {
                    return Ok(signal);
                }
                // A signal that comes after that look sets its flag before it writes. Then there is
                // something to read, and the flags are looked at again.
                if pipe.read(&mut [0; 64])? == 0 {
                    // Nothing can write, because this listens to no signals at all.
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
        })
    }

    fn take(&self) -> Option<Signal> {
        let (before, after) = self.listening.split_at(self.next.get());
        let mut signals = after.iter().chain(before).map(Listening::take).enumerate();
        let (found, signal) = signals.find_map(|(found, signal)| Some((found, signal?)))?;
        self.next.set((self.next.get() + found + 1) % self.listening.len());
        Some(Signal(signal))
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = self.listening.iter().map(|listening| Signal(listening.signal()));
        f.debug_set().entries(signals).finish()
    }
}

/// Fails for what is no signal with a name, and for signals that cannot be caught, or come again as
/// soon as the handler returns.
pub(super) fn check(signal: c_int) -> io::Result<()> {
    let forbidden = [SIGKILL, SIGSTOP, SIGILL, SIGFPE, SIGSEGV].contains(&signal);
    match signal_name(signal) {
        Some(_) if !forbidden => Ok(()),
        name => {
            let name = name.map_or_else(|| format!("signal {signal}"), str::to_owned);
            let text = format!("a program cannot listen to {name}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        }
    }
}
