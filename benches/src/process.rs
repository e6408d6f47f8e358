//! Further processes running this program: one for each subject of a row, so that none inherits the
//! heap of another; servers, so that clients do not use their time; and whatever is measured by its
//! memory.
//!
//! Such a process ends when its standard input does, so none outlives the program.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use crate::clock;
use crate::cpus::{self, Cpu};
use crate::memory::Memory;

/// The first argument of such a process.
pub const INSIDE: &str = "--inside";

/// A process with a subject inside.
pub struct Inside {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Inside {
    /// Starts a process that runs `main` with [`INSIDE`] and these arguments.
    pub fn start(arguments: &[&str]) -> Inside {
        let program = env::current_exe().expect("this program is a file");
        let mut process = Command::new(program)
            .arg(INSIDE)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        Inside { process, output }
    }

    /// The next line that the process prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it can be read");
        assert!(!line.is_empty(), "the process has ended: {:?}", self.process.wait());
        line.trim_end().to_owned()
    }

    /// The numbers in the next line that the process prints.
    pub fn numbers(&mut self) -> Vec<f64> {
        self.line().split(' ').map(|number| number.parse().expect("a number")).collect()
    }

    /// How long the process has been running, all its threads together.
    pub fn cpu_time(&self) -> Duration {
        let mut id = 0;
        // SAFETY: it writes to `id` only.
        let outcome =
            unsafe { libc::clock_getcpuclockid(self.process.id() as libc::pid_t, &mut id) };
        assert_eq!(outcome, 0, "the process has ended");
        clock::now(id)
    }

    /// The numbers that the process prints when it is asked to do its work.
    pub fn ask(&mut self) -> Vec<f64> {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input).and_then(|()| input.flush()).expect("the process is there");
        self.numbers()
    }

    /// How much memory the process uses, if it runs [`serve`].
    pub fn memory(&mut self) -> Memory {
        let [heap, resident] = self.ask()[..] else { panic!("two numbers") };
        Memory { heap, resident }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The inside of a process that can be asked: answers with numbers each time.
pub fn answer(numbers: impl Fn() -> Vec<f64>) {
    for _ in io::stdin().lines() {
        let numbers: Vec<_> = numbers().iter().map(f64::to_string).collect();
        println!("{}", numbers.join(" "));
    }
}

/// Starts a server and says where it listens.
pub fn start_server(arguments: &[&str]) -> (Inside, SocketAddr) {
    let mut inside = Inside::start(arguments);
    let address = inside.line().parse().expect("an address");
    (inside, address)
}

/// The inside of a server's process: prints its address, serves until the process is killed, and
/// reports its memory for each line that it is sent.
pub fn serve(serve: impl FnOnce(TcpListener)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    thread::spawn(|| {
        answer(|| {
            let Memory { heap, resident } = Memory::now();
            vec![heap, resident]
        });
        std::process::exit(0);
    });
    let _pinned = cpus::pin(Cpu::First);
    serve(listener);
    unreachable!("a server goes on");
}

/// Raises the number of descriptors for this process, and for those it starts, to what is allowed.
pub fn raise_limits() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to `limit` only.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0 {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: it reads `limit` only. If it fails, a case with many connections says so.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
}
