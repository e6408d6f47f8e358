//! TLS: clients and servers of it over TCP, of which one side breaks off, leaves, is cancelled, says
//! nothing or does not speak it; and those that do it properly.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use rustls::{SupportedProtocolVersion, version};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::tls::{self, TlsStream};
use seedbed::{CancelScope, Result, nursery, yield_now};

use super::{Kind, bytes};
use crate::server::NARROW;
use crate::tls::{Configs, NAME};
use crate::world::{Life, Random, network};

/// A server's configuration, and that of its clients, for several connections.
pub struct Tls {
    version: &'static SupportedProtocolVersion,
    /// One after the other is resumed.
    order: Order,
    connections: Vec<Plan>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    OneByOne,
    AllAtOnce,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Client,
    Server,
}

/// Both sides send something at the same time, read what the other sends, and close.
#[derive(Debug)]
struct Plan {
    /// It makes up the contents.
    seed: u64,
    lengths: [usize; 2],
    pause: u8,
    /// There is little room for what has not been read.
    narrow: bool,
    fault: Fault,
    /// Which side it befalls.
    side: Side,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// The connection ends when so much has been written to it, also within the handshake.
    Cut {
        after: u64,
        resets: bool,
    },
    /// It is dropped when so much has been read.
    Leaves {
        after: usize,
    },
    /// After others have run that often.
    Cancelled {
        after: u64,
    },
    /// It says nothing, and the other side has a limit.
    Silent,
    PlainText,
}

impl Kind for Tls {
    const NAME: &'static str = "connections with TLS";

    fn draw(random: &mut Random) -> Tls {
        let version = if random.one_in(4) { &version::TLS12 } else { &version::TLS13 };
        let order = if random.one_in(2) { Order::OneByOne } else { Order::AllAtOnce };
        let count = 1 + random.below(4);
        Tls { version, order, connections: (0..count).map(|_| Plan::new(random)).collect() }
    }

    async fn run(&self, life: &Life) -> Result<()> {
        let configs = Configs::new(&[self.version]);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        nursery(async |n| {
            for plan in &self.connections {
                let near = TcpStream::connect(listener.local_addr()?).await?;
                let (far, _) = listener.accept().await?;
                if plan.narrow {
                    for stream in [&near, &far] {
                        stream.set_send_buffer_size(NARROW)?;
                    }
                }
                let connection =
                    Connection { life, configs: &configs, plan, ended: Default::default() };
                let work = Box::pin(connection.run(near, far));
                match self.order {
                    Order::OneByOne => work.await?,
                    Order::AllAtOnce => drop(n.spawn(work)),
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes what is made once: the certificate, and the buffer that connections share.
    async fn make_room() -> Result<()> {
        let configs = Configs::new(&[&version::TLS13]);
        let (near, far) = UnixStream::pair()?;
        configs.connect(near, far).await.map(drop)
    }

    /// Nothing goes on without its task.
    async fn settle() -> Result<()> {
        Ok(())
    }
}

impl Plan {
    fn new(random: &mut Random) -> Plan {
        // The handshake takes less than two kilobytes.
        let most = if random.one_in(2) { 1 << 11 } else { 1 << 16 };
        let fault = match random.below(12) {
            0..3 => Fault::Cut { after: random.below(most), resets: random.one_in(2) },
            3 | 4 => Fault::Leaves { after: random.of_magnitude(1 << 15) as usize },
            5 | 6 => Fault::Cancelled { after: random.of_magnitude(64) },
            7 if random.one_in(2) => Fault::Silent,
            7 => Fault::PlainText,
            _ => Fault::None,
        };
        Plan {
            seed: random.next(),
            lengths: [(); 2].map(|()| random.of_magnitude(1 << 16) as usize),
            pause: random.next() as u8,
            narrow: random.one_in(2),
            fault,
            side: if random.one_in(2) { Side::Client } else { Side::Server },
        }
    }

    fn fault_of(&self, side: Side) -> Fault {
        if side == self.side { self.fault } else { Fault::None }
    }

    fn sent_by(&self, side: Side) -> Vec<u8> {
        bytes(self.seed ^ side as u64, self.lengths[side as usize])
    }
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

struct Connection<'a> {
    life: &'a Life,
    configs: &'a Configs,
    plan: &'a Plan,
    /// Who has said, or begun to, that nothing more comes.
    ended: [Cell<bool>; 2],
}

impl Connection<'_> {
    async fn run(self, near: TcpStream, far: TcpStream) -> Result<()> {
        nursery(async |n| {
            n.spawn(Box::pin(self.side(Side::Client, near)));
            self.side(Side::Server, far).await
        })
        .await
    }

    /// One side, and what becomes of it.
    async fn side(&self, side: Side, stream: TcpStream) -> Result<()> {
        let (fault, scope) = (self.plan.fault_of(side), CancelScope::new());
        let work = scope.enter(async |_| self.work(side, fault, stream).await);
        let outcome = match fault {
            Fault::Cancelled { after } => {
                nursery(async |n| {
                    n.spawn(async {
                        for _ in 0..after {
                            yield_now().await?;
                        }
                        scope.cancel();
                        Ok(())
                    });
                    let outcome = network(Box::pin(work).await)?;
                    n.cancel();
                    Ok(outcome)
                })
                .await?
            }
            _ => network(work.await)?,
        };
        let plan = self.plan;
        match (outcome, plan.fault) {
            (Ok(Some(())), _) => {}
            (Ok(None), _) => assert!(scope.cancel_called(), "nobody else cancels it"),
            (Err(error), Fault::None) => panic!("{side:?} of {plan:?}: {error}"),
            (Err(error), Fault::Silent) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
            (Err(error), Fault::PlainText) => {
                assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
            }
            (Err(_), _) => {}
        }
        Ok(())
    }

    async fn work(&self, side: Side, fault: Fault, stream: TcpStream) -> Result<()> {
        if fault == Fault::PlainText {
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
        }
        if matches!(fault, Fault::PlainText | Fault::Silent) {
            // Until the other side has had enough.
            drop(network(stream.read_to_end(&mut Vec::new()).await)?);
            return Ok(());
        }
        let stream = match fault {
            Fault::Cut { after, resets } => Wire { stream, left: after, resets },
            _ => Wire { stream, left: u64::MAX, resets: false },
        };
        let limit = match self.plan.fault {
            Fault::Silent => self.life.pause(self.plan.pause),
            _ => Duration::MAX,
        };
        let stream = match side {
            Side::Client => tls::connect(&self.configs.client, NAME, stream).limit(limit).await?,
            Side::Server => tls::accept(&self.configs.server, stream).limit(limit).await?,
        };
        self.converse(side, fault, stream).await
    }

    async fn converse(&self, side: Side, fault: Fault, stream: TlsStream<Wire>) -> Result<()> {
        let expected = self.plan.sent_by(side.other());
        let enough = match fault {
            Fault::Leaves { after } => after.min(expected.len()),
            _ => expected.len(),
        };
        let outcome = nursery(async |n| {
            let sending = n.spawn(Box::pin(async { network(self.send(side, &stream).await) }));
            let received = network(self.receive(&stream, &expected, enough).await)?;
            if received.is_err() || enough < expected.len() {
                n.cancel();
                return Ok(received);
            }
            sending.await
        })
        .await?;
        outcome?;
        if enough < expected.len() {
            return Ok(());
        }
        self.ended[side as usize].set(true);
        stream.shutdown().await?;
        assert_eq!(stream.read(&mut [0]).await?, 0, "nothing more comes");
        assert!(self.ended[side.other() as usize].get(), "an end that nobody has told");
        stream.close().await
    }

    async fn send(&self, side: Side, stream: &TlsStream<Wire>) -> Result<()> {
        for chunk in self.plan.sent_by(side).chunks(5000) {
            self.life.rest(self.plan.pause).await?;
            stream.write_all(chunk).await?;
        }
        Ok(())
    }

    /// Reads so much of what the other side sends.
    async fn receive(
        &self,
        stream: &TlsStream<Wire>,
        expected: &[u8],
        enough: usize,
    ) -> Result<()> {
        let (mut at, mut buffer) = (0, vec![0; 3000]);
        while at < enough {
            let room = buffer.len().min(expected.len() - at);
            let n = stream.read(&mut buffer[..room]).await?;
            assert!(n > 0, "an end after {at} bytes, of {:?}", self.plan);
            assert!(buffer[..n] == expected[at..at + n], "something else has come");
            at += n;
        }
        Ok(())
    }
}

/// TCP that may break off.
struct Wire {
    stream: TcpStream,
    /// So many bytes can still be written.
    left: u64,
    /// Whether it is reset then, when it is dropped.
    resets: bool,
}

impl Wire {
    fn breaks(&self) -> Result<()> {
        if self.resets {
            self.stream.set_linger(Some(Duration::ZERO))
        } else {
            self.stream.shutdown(Shutdown::Both)
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            self.breaks()?;
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let polled = Pin::new(&mut &self.stream).poll_write(cx, &bytes[..length]);
        if let Poll::Ready(Ok(n)) = &polled {
            self.left -= *n as u64;
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.stream).poll_close(cx)
    }
}
