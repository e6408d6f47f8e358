//! A server that is measured: a process of its own, which says on its first line where it listens.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use seedbed::Result;

pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts this program again, to be this subject's server, and gives it this input.
    pub fn start(subject: &str, input: &str) -> Server {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--inside", subject])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Server { process, address: line.trim().parse().expect("an address") }
    }

    /// Counts something, and the server's running time meanwhile.
    pub fn count(&self, count: impl FnOnce() -> Result<u64>) -> (f64, Duration) {
        let before = self.cpu_time();
        let counted = count().expect("the server serves");
        (counted as f64, self.cpu_time() - before)
    }

    fn cpu_time(&self) -> Duration {
        let (mut id, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
        // SAFETY: these write to `id` and to `time` only.
        let outcome = unsafe {
            libc::clock_getcpuclockid(self.process.id() as libc::pid_t, &mut id)
                | libc::clock_gettime(id, &mut time)
        };
        assert_eq!(outcome, 0, "the process has ended");
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
