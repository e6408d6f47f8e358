//! Signals, and above all Ctrl-C.
//!
//! A signal concerns the whole process, and Ctrl-C reaches only its main thread. So each case is a
//! process of its own: this program, started again with the name of the case as its argument. The
//! test talks to it through signals and pipes. A line from the process says how far it has come; a
//! signal has arrived when the call that sends it returns.

#[cfg(unix)]
mod cases;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    cases::main()
}
