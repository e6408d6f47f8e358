//! Signals, and above all Ctrl-C.
//!
//! What a signal does concerns the whole process, and only a process's main thread heeds Ctrl-C.
//! So each case is a process of its own, this program begun again with the name of the case as
//! its argument, and the test talks to it through signals and pipes: a line from it says that it
//! has come so far, what it is sent it has been sent when the call returns.

#[cfg(unix)]
mod cases;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    cases::main()
}
