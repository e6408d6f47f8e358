//! The processes of a test: a NATS server, and workers.

use std::cell::RefCell;
use std::process::ExitStatus;
use std::rc::Rc;

use futures::io::{AsyncBufReadExt, BufReader};
use futures::stream::StreamExt;
use seedbed::pipe::Receiver;
use seedbed::process::{Child, Command, Stdio};
use seedbed::signal::Signal;
use seedbed::sync::Notify;
use seedbed::{Nursery, Result};
use tempfile::TempDir;

/// A program that is running, and what it has said in its standard error.
pub struct Program {
    child: Child,
    said: Rc<Said>,
}

#[derive(Default)]
struct Said {
    lines: RefCell<Vec<String>>,
    more: Notify,
}

impl Program {
    fn start<'scope>(n: &'scope Nursery<'scope, '_>, command: &mut Command) -> Result<Program> {
        let mut child = command.stderr(Stdio::piped()).spawn(n)?;
        let said = Rc::new(Said::default());
        let stderr = child.stderr.take().expect("it is a pipe");
        n.spawn(listen(stderr, said.clone()));
        Ok(Program { child, said })
    }

    /// Waits for a line with these words. Returns the line.
    pub async fn says(&self, words: &[&str]) -> Result<String> {
        loop {
            let is_it = |line: &&String| words.iter().all(|words| line.contains(words));
            if let Some(line) = self.said.lines.borrow().iter().find(is_it) {
                return Ok(line.clone());
            }
            self.said.more.notified().await?;
        }
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.child.signal(signal)
    }

    pub async fn end(&mut self) -> Result<ExitStatus> {
        self.child.wait().await
    }
}

async fn listen(stderr: Receiver, said: Rc<Said>) -> Result<()> {
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next().await.transpose()? {
        said.lines.borrow_mut().push(line);
        said.more.notify_waiters();
    }
    Ok(())
}

/// A NATS server with JetStream, in a folder of its own.
pub struct Server {
    pub url: String,
    program: Program,
    _folder: TempDir,
}

impl Server {
    pub async fn start<'scope>(n: &'scope Nursery<'scope, '_>) -> Result<Server> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new("nats-server");
        command.args(["-js", "-a", "127.0.0.1", "-p", "-1", "-sd"]).arg(folder.path());
        let program = Program::start(n, &mut command)?;
        let listens = program.says(&["Listening for client connections on"]).await?;
        let address = listens.rsplit(' ').next().expect("a line has a last word");
        program.says(&["Server is ready"]).await?;
        Ok(Server { url: format!("nats://{address}"), program, _folder: folder })
    }

    pub async fn stop(mut self) -> Result<()> {
        self.program.signal(Signal::TERM)?;
        self.program.end().await?;
        Ok(())
    }

    /// A worker.
    pub fn worker<'scope>(
        &self,
        n: &'scope Nursery<'scope, '_>,
        name: &str,
        options: &[&str],
    ) -> Result<Program> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workers"));
        command.args(["work", "--server", &self.url, "--name", name]).args(options);
        Program::start(n, &mut command)
    }

    /// Puts jobs into the queue, one a line.
    pub async fn submit(&self, jobs: String, options: &[&str]) -> Result<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workers"));
        command.args(["submit", "--server", &self.url]).args(options);
        command.input(jobs).run().await?;
        Ok(())
    }
}
