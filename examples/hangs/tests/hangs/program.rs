//! One of the programs, as a shell would start it.

use std::process::Stdio;

use futures::AsyncBufReadExt;
use futures::io::BufReader;
use seedbed::pipe::Receiver;
use seedbed::process::{Child, Command};
use seedbed::signal::Signal;
use seedbed::{Nursery, Result};
use std::time::Duration;

pub struct Program {
    process: Child,
    /// What it prints, and what it says on standard error.
    pub output: Lines,
    pub errors: Lines,
}

impl Program {
    /// Starts it with these arguments.
    pub fn start<'scope>(n: &'scope Nursery<'scope, '_>, arguments: &[&str]) -> Result<Program> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangs"));
        command.args(arguments).grace(Duration::ZERO); // it hangs
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn(n)?;
        let output = Lines::of(process.stdout.take().expect("it is a pipe"));
        let errors = Lines::of(process.stderr.take().expect("it is a pipe"));
        Ok(Program { process, output, errors })
    }

    pub fn send(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Has a dump written, and returns it.
    pub async fn dump(&mut self) -> Result<String> {
        let mut dump = self.first_line().await?;
        // Where it ends is seen where the next one begins.
        self.send(Signal::QUIT)?;
        loop {
            let line = self.errors.next().await?;
            if line.starts_with(BEGINS) || line.starts_with(REFUSED) {
                return Ok(dump);
            }
            if !line.contains(" WARN ") {
                dump += &line;
            }
        }
    }

    /// Has a dump written, again and again while the machine is too busy for the program to answer
    /// in time, and returns its first line.
    async fn first_line(&mut self) -> Result<String> {
        loop {
            self.send(Signal::QUIT)?;
            let line = self.errors.next_of(&[BEGINS, REFUSED]).await?;
            if line.starts_with(BEGINS) {
                return Ok(line);
            }
        }
    }
}

/// How a dump begins, and what is written in its place.
const BEGINS: &str = "the run at ";
const REFUSED: &str = "no dump: ";

pub struct Lines(BufReader<Receiver>);

impl Lines {
    fn of(pipe: Receiver) -> Lines {
        Lines(BufReader::new(pipe))
    }

    pub async fn next(&mut self) -> Result<String> {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).await? > 0, "it has ended");
        Ok(line)
    }

    /// The next line that contains this.
    pub async fn until(&mut self, part: &str) -> Result<String> {
        self.next_of(&[part]).await
    }

    /// The next line that contains one of these.
    pub async fn next_of(&mut self, parts: &[&str]) -> Result<String> {
        loop {
            let line = self.next().await?;
            if parts.iter().any(|part| line.contains(part)) {
                return Ok(line);
            }
        }
    }
}
