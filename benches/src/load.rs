//! The clients of a server: a number of connections, each with one request under way at any time.
//! They are the same for every subject, run on one thread, and make as few system calls as
//! possible: one `write` and one `read` for a request, and an `epoll_wait` for all that are ready.
//! They have a CPU of their own, but share the server's if there is only one connection (see
//! `cpus`).

use std::io::{ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::cpus::{self, Cpu};
use crate::process::Inside;

/// A request and its answer.
pub struct Exchange<'a> {
    pub request: &'a [u8],
    /// The length of an answer, the same for all.
    pub answer: usize,
    /// Checks the first answer of each connection.
    pub check: &'a dyn Fn(&[u8]) -> bool,
}

/// What a server did during the measurement.
pub struct Served {
    pub answers: u64,
    pub elapsed: Duration,
    /// How long the server's process was running.
    pub cpu: Duration,
}

struct Connection {
    stream: TcpStream,
    written: usize,
    read: usize,
}

/// Connects, and makes sure that each connection is served.
pub fn connect(address: SocketAddr, n: usize, exchange: &Exchange<'_>) -> Vec<net::TcpStream> {
    let mut answer = vec![0; exchange.answer];
    let connect = |_| {
        let mut stream = net::TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("it is a TCP connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("it is not zero");
        stream.write_all(exchange.request).expect("the server reads");
        stream.read_exact(&mut answer).expect("the server answers");
        assert!((exchange.check)(&answer), "this is not the answer");
        stream
    };
    (0..n).map(connect).collect()
}

/// Keeps a server busy with `n` connections, first for a while that does not count and then for
/// `time`.
pub fn load(
    server: &Inside,
    address: SocketAddr,
    n: usize,
    exchange: &Exchange<'_>,
    time: Duration,
) -> Served {
    // One connection and its server take turns.
    let _pinned = cpus::pin(if n == 1 { Cpu::First } else { Cpu::Second });
    let mut poll = Poll::new().expect("the kernel has epoll");
    let mut connections = Vec::with_capacity(n);
    for (index, stream) in connect(address, n, exchange).into_iter().enumerate() {
        stream.set_nonblocking(true).expect("sockets can be");
        let mut stream = TcpStream::from_std(stream);
        let interests = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(index), interests).expect("it is a socket");
        connections.push(Connection { stream, written: 0, read: 0 });
    }
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; exchange.answer.max(1 << 16)];
    let mut answers = 0;
    let warm_up = time / 4;
    let mut began = Instant::now();
    let mut counts = None; // the answers and the server's time when the measurement began
    loop {
        // Each connection is reported as writable once registered, which starts it.
        poll.poll(&mut events, Some(Duration::from_millis(100))).expect("epoll waits");
        for event in &events {
            let connection = &mut connections[event.token().0];
            answers += connection.go_on(exchange, &mut buffer);
        }
        match counts {
            None if began.elapsed() >= warm_up => {
                counts = Some((answers, server.cpu_time()));
                began = Instant::now();
            }
            Some((answers_before, cpu_before)) if began.elapsed() >= time => {
                let (elapsed, cpu) = (began.elapsed(), server.cpu_time() - cpu_before);
                let answers = answers - answers_before;
                assert!(answers > 0, "the server does not answer any more");
                return Served { answers, elapsed, cpu };
            }
            _ => {}
        }
    }
}

impl Connection {
    /// Writes and reads as much as possible. Returns the number of answers that were completed.
    fn go_on(&mut self, exchange: &Exchange<'_>, buffer: &mut [u8]) -> u64 {
        let mut answers = 0;
        loop {
            while self.written < exchange.request.len() {
                match self.stream.write(&exchange.request[self.written..]) {
                    Ok(n) => {
                        self.written += n;
                        if self.written == exchange.request.len() {
                            // The answer cannot have arrived yet: the kernel will say when it has.
                            return answers;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("a connection failed: {error}"),
                }
            }
            let rest = exchange.answer - self.read;
            match self.stream.read(&mut buffer[..rest]) {
                Ok(0) => panic!("the server has closed a connection"),
                Ok(n) => self.read += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return answers,
                Err(error) => panic!("a connection failed: {error}"),
            }
            if self.read == exchange.answer {
                answers += 1;
                (self.written, self.read) = (0, 0);
            }
        }
    }
}
