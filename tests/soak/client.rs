//! A client. What it does is drawn before it begins, and the answer is checked byte by byte.

use std::cell::Cell;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use seedbed::net::{TcpSocket, TcpStream};
use seedbed::{CancelScope, Result, nursery};

use crate::server::{HEADER, NARROW, Style};
use crate::world::{Life, Random, is_exhaustion, network};

/// How a client leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    Drops,
    Resets,
    /// It says that it will send no more, and reads to the end.
    HalfCloses,
    /// It waits for the server to end, but sends nothing.
    Stays,
}

#[derive(Debug)]
struct Request {
    style: Style,
    length: usize,
    /// For the server.
    pause: u8,
    /// For the client.
    write_pause: u8,
    read_pause: u8,
    /// Where the client breaks the request off, and how.
    breaks: Option<(usize, Leave)>,
}

#[derive(Debug)]
pub struct Plan {
    seed: u64,
    /// It has little room for what it has not read yet, so that the server has to wait.
    narrow: bool,
    timeout: Option<u8>,
    requests: Vec<Request>,
    leaves: Leave,
}

impl Plan {
    pub fn new(random: &mut Random, may_stay: bool) -> Plan {
        let leave = |random: &mut Random| match random.below(8) {
            0..3 => Leave::Drops,
            3 | 4 => Leave::Resets,
            5 | 6 => Leave::HalfCloses,
            _ if may_stay => Leave::Stays,
            _ => Leave::Drops,
        };
        let count = random.below(4);
        let requests = (0..count).map(|_| {
            let style = match random.below(24) {
                n @ 0..11 => Style::ALL[n as usize],
                11..16 => Style::Slow,
                16..20 => Style::Twofold,
                _ => Style::Plain,
            };
            let most = if random.one_in(16) { 1 << 20 } else { 1 << 14 };
            let length = random.of_magnitude(most) as usize;
            let pause = random.next() as u8;
            let mut slow = || if random.one_in(4) { random.next() as u8 } else { 0 };
            let (write_pause, read_pause) = (slow(), slow());
            let breaks = random
                .one_in(6)
                .then(|| (random.below(length as u64 + HEADER as u64) as usize, leave(random)));
            Request { style, length, pause, write_pause, read_pause, breaks }
        });
        let requests = requests.collect();
        let timeout = random.one_in(6).then(|| random.next() as u8);
        let narrow = random.one_in(2);
        Plan { seed: random.next(), narrow, timeout, requests, leaves: leave(random) }
    }

    /// Whether it goes on for as long as the server does.
    pub fn stays(&self) -> bool {
        let breaks = |request: &Request| matches!(request.breaks, Some((_, Leave::Stays)));
        self.leaves == Leave::Stays || self.requests.iter().any(breaks)
    }

    /// What is sent, and is to come back, at this place of the stream.
    fn byte(&self, at: usize) -> u8 {
        (self.seed.wrapping_add(at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }
}

/// A client's end of a connection.
struct Client<'a> {
    life: &'a Life,
    plan: &'a Plan,
    scope: &'a CancelScope,
    stream: TcpStream,
    address: SocketAddr,
    /// How much of the present request has come back.
    answered: Cell<usize>,
}

/// Connects, with this socket if there is one, and does as planned.
pub async fn run(life: &Life, plan: &Plan, socket: Option<TcpSocket>) -> Result<()> {
    let mut scope = CancelScope::new();
    if let Some(timeout) = plan.timeout {
        scope = scope.with_timeout(life.pause(timeout));
    }
    life.clients.borrow_mut().push(scope.clone());
    let all = async |scope: &CancelScope| {
        life.attempts.add();
        let connect = async {
            let socket = socket.map_or_else(TcpSocket::v4, Ok)?;
            if plan.narrow {
                socket.set_receive_buffer_size(NARROW)?;
            }
            socket.connect(life.address).await
        };
        match network(connect.await)? {
            Ok(stream) => {
                life.connected.add();
                let address = stream.local_addr()?;
                let answered = Cell::new(0);
                Client { life, plan, scope, stream, address, answered }.converse().await
            }
            Err(error) if is_exhaustion(&error) => {
                life.not_connected.add();
                Ok(())
            }
            Err(error) => {
                assert!(life.ending.get(), "could not connect: {error}");
                Ok(())
            }
        }
    };
    scope.enter(all).await?;
    Ok(())
}

impl Client<'_> {
    async fn converse(self) -> Result<()> {
        for request in &self.plan.requests {
            self.ask(request).await?;
            if let Some((_, leave)) = request.breaks {
                return self.leave(leave, request.length).await;
            }
            let whole = self.answered.get() == request.length;
            if whole {
                self.life.whole_answers.add();
            } else {
                let planned = !request.style.is_whole();
                let excused = self.life.is_excused(self.address) || self.scope.cancel_called();
                let answered = self.answered.get();
                assert!(planned || excused, "{answered} bytes came back of {request:?}");
                self.life.short_answers.add();
            }
            match request.style {
                Style::Plain | Style::Slow | Style::Twofold | Style::Hasty if whole => {}
                Style::Hushed if whole => break,
                _ => return Ok(()),
            }
        }
        self.leave(self.plan.leaves, self.answered.get()).await
    }

    /// Sends a request, or a part of it, and reads the answer meanwhile.
    async fn ask(&self, request: &Request) -> Result<()> {
        self.answered.set(0);
        nursery(async |n| {
            n.spawn(async {
                // If it fails the answer ends, too.
                drop(network(self.send(request).await)?);
                if request.breaks.is_some() {
                    n.cancel();
                }
                Ok(())
            });
            while self.answered.get() < request.length {
                if request.read_pause > 0 {
                    self.life.rest(request.read_pause).await?;
                }
                if !self.read(request.length).await? {
                    break;
                }
            }
            if request.breaks.is_none() {
                n.cancel();
            }
            Ok(())
        })
        .await
    }

    async fn send(&self, request: &Request) -> Result<()> {
        let length = u32::try_from(request.length).expect("it is short").to_le_bytes();
        let mut bytes = vec![request.style as u8, request.pause, 0, 0];
        bytes.extend(length);
        bytes.extend((0..request.length).map(|at| self.plan.byte(at)));
        if let Some((at, _)) = request.breaks {
            bytes.truncate(at);
        }
        for chunk in bytes.chunks(5000) {
            if request.write_pause > 0 {
                self.life.rest(request.write_pause).await?;
            }
            self.stream.write_all(chunk).await?;
        }
        Ok(())
    }

    /// Reads some of an answer, which is never anything else, nor more, than what was sent. False
    /// if it has come to its end.
    async fn read(&self, length: usize) -> Result<bool> {
        let mut buffer = [0; 3000];
        let Ok(n) = network(self.stream.read(&mut buffer).await)? else { return Ok(false) };
        let at = self.answered.get();
        let right = buffer[..n].iter().zip(at..).all(|(byte, at)| *byte == self.plan.byte(at));
        assert!(right && at + n <= length, "after {at} of {length} bytes: {:?}", &buffer[..n]);
        self.answered.set(at + n);
        Ok(n > 0)
    }

    /// Leaves. Until then nothing comes but the rest of the answer, if there is one.
    async fn leave(&self, how: Leave, length: usize) -> Result<()> {
        match how {
            Leave::Drops => return Ok(()),
            Leave::Resets => return self.stream.set_linger(Some(Duration::ZERO)),
            Leave::HalfCloses => {
                // It fails if the server has reset the connection.
                drop(network(self.stream.shutdown(Shutdown::Write))?);
            }
            Leave::Stays => {}
        }
        while self.read(length).await? {}
        Ok(())
    }
}
