//! A program that says something when it is ready.

use futures::AsyncBufReadExt;
use futures::io::BufReader;
use seedbed::process::{Child, Command};
use seedbed::{Nursery, Result};
use std::process::Stdio;

/// A program that is tested.
pub struct Program {
    /// It ends with its nursery.
    pub process: Child,
}

impl Program {
    /// Returns with the first line of the program's output.
    pub async fn start<'scope>(
        n: &'scope Nursery<'scope, '_>,
        command: &mut Command,
    ) -> Result<(Program, String)> {
        let mut process = command.stdout(Stdio::piped()).spawn(n)?;
        let output = process.stdout.take().expect("it is a pipe");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        Ok((Program { process }, line.trim_end().to_owned()))
    }
}
