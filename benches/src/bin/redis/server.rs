//! A server as a process, and the time it has taken.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

/// The first argument of this program as a server.
pub const SERVE: &str = "--serve";

pub struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts this program as a server.
    pub fn inside(subject: &str, port: u16) -> Option<Server> {
        let program = env::current_exe().expect("this program is a file");
        Server::start(Command::new(program).args([SERVE, subject, &port.to_string()]), port)
    }

    /// Starts Redis, without persistence, if it is installed.
    pub fn redis(port: u16) -> Option<Server> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        Server::start(&mut command, port)
    }

    fn start(command: &mut Command, port: u16) -> Option<Server> {
        let process = command.stdout(Stdio::null()).spawn().ok()?;
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Server { process, port });
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{command:?} does not listen");
    }

    /// How long all its threads have been running, without waiting for a processor.
    pub fn time(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id()));
        let nanos = threads.expect("the server runs").map(|thread| {
            let path = thread.expect("a thread has a folder").path().join("schedstat");
            let text = fs::read_to_string(path).expect("the kernel keeps the time of threads");
            let first = text.split(' ').next().expect("there are three numbers");
            first.parse::<u64>().expect("it is a number")
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Stops it as a client would.
    pub fn stop(mut self) {
        let port = self.port.to_string();
        let asked = Command::new("redis-cli").args(["-p", &port, "shutdown", "nosave"]).status();
        assert!(asked.is_ok_and(|status| status.success()), "redis-cli cannot stop the server");
        assert!(self.process.wait().expect("it is a child").success(), "the server failed");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has been stopped, there is nothing to kill.
        drop(self.process.kill());
    }
}
