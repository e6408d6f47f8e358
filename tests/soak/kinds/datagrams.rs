//! Datagrams of UDP and of the Unix domain, pipes, and descriptors that are passed on.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use seedbed::fd::AsyncFd;
use seedbed::net::{Truncated, UdpSocket, UnixDatagram, UnixStream};
use seedbed::{Result, move_on_after, nursery, pipe};

use super::{Kind, bytes};
use crate::world::{Life, Random, network};

/// The longest datagram of UDP over IPv4.
const LONGEST: usize = 65_507;

pub struct Datagrams {
    /// It makes up the contents and a name.
    seed: u64,
    pause: u8,
    what: What,
}

enum What {
    /// A server, which may leave half-way, and a client.
    Udp { rounds: u64, leaves: Option<u64> },
    /// As many as do not fit into the queue of the receiver, to which the sender is connected or not.
    Unix { count: u64, connected: bool },
    /// The ends of pipes, passed through a stream, and used by whoever receives them.
    Passed { count: u64 },
    /// A pipe, whose ends are in blocking mode or not.
    Pipe { length: usize, blocking: bool },
}

impl Kind for Datagrams {
    const NAME: &'static str = "datagrams";

    fn draw(random: &mut Random) -> Datagrams {
        let what = match random.below(8) {
            0..3 => {
                let rounds = 1 + random.below(16);
                let leaves = random.one_in(3).then(|| random.below(rounds));
                What::Udp { rounds, leaves }
            }
            3 | 4 => What::Unix { count: random.below(64), connected: random.one_in(2) },
            5 => What::Passed { count: 1 + random.below(3) },
            _ => {
                let length = random.of_magnitude(1 << 18) as usize;
                What::Pipe { length, blocking: random.one_in(2) }
            }
        };
        Datagrams { seed: random.next(), pause: random.next() as u8, what }
    }

    async fn run(&self, life: &Life) -> Result<()> {
        match self.what {
            What::Udp { rounds, leaves } => self.udp(life, rounds, leaves).await,
            What::Unix { count, connected } => self.unix(life, count, connected).await,
            What::Passed { count } => self.passed(life, count).await,
            What::Pipe { length, blocking } => self.pipe(life, length, blocking).await,
        }
    }

    /// The run has room for more sources than there ever are here.
    async fn make_room() -> Result<()> {
        Ok(())
    }

    /// Nothing goes on without its task.
    async fn settle() -> Result<()> {
        Ok(())
    }
}

impl Datagrams {
    /// The contents of one of them, which may be empty, or as long as there is any.
    fn contents(&self, nth: u64) -> Vec<u8> {
        let mut random = Random(self.seed ^ nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let length = match random.below(16) {
            0 => 0,
            1 => LONGEST,
            _ => random.of_magnitude(4096) as usize,
        };
        bytes(random.next(), length)
    }

    async fn udp(&self, life: &Life, rounds: u64, leaves: Option<u64>) -> Result<()> {
        let server = UdpSocket::bind("127.0.0.1:0").await?;
        let client = UdpSocket::bind("127.0.0.1:0").await?;
        client.connect(server.local_addr()?).await?;
        nursery(async |n| {
            n.spawn(async {
                let server = server; // it is closed when this ends
                let mut buffer = vec![0; LONGEST];
                for nth in 0..leaves.unwrap_or(rounds) {
                    let (length, from) = server.recv_from(&mut buffer).await?;
                    assert!(buffer[..length] == self.contents(nth), "datagram {nth} is another");
                    if nth % 4 == 0 {
                        life.rest(self.pause).await?;
                    }
                    server.send_to(&buffer[..length], from).await?;
                }
                Ok(())
            });
            let error = client.send(&[0; LONGEST + 1]).await.unwrap_err();
            if error.is_cancelled() {
                return Err(error);
            }
            let mut buffer = vec![0; LONGEST];
            for nth in 0..rounds {
                let contents = self.contents(nth);
                let room = if nth % 5 == 4 { contents.len() / 2 } else { LONGEST };
                let asks = async {
                    client.send(&contents).await?;
                    client.recv(&mut buffer[..room]).await
                };
                let answered = match leaves {
                    None => Some(network(asks.await)?),
                    // What was in its queue when it left has not been refused, and is not answered.
                    Some(_) => {
                        move_on_after(life.pause(255), async { network(asks.await) }).await?
                    }
                };
                match answered {
                    Some(Ok(length)) => {
                        assert!(buffer[..length] == contents, "the answer to {nth} is another");
                    }
                    Some(Err(error)) if is_truncated(&error, room, contents.len()) => {
                        assert!(buffer[..room] == contents[..room], "its beginning is another");
                    }
                    Some(Err(error)) => {
                        assert!(leaves.is_some(), "{error}");
                        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
                    }
                    None => {
                        n.cancel(); // the server may still be at it
                        break;
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// None is lost, and they come in order.
    async fn unix(&self, life: &Life, count: u64, connected: bool) -> Result<()> {
        let name = format!("\0seedbed-soak-{}-{}", std::process::id(), self.seed);
        let receiver = UnixDatagram::bind(&name).await?;
        let sender = UnixDatagram::unbound()?;
        if connected {
            sender.connect(&name).await?;
        }
        nursery(async |n| {
            n.spawn(async {
                for nth in 0..count {
                    let contents = self.contents(nth);
                    match connected {
                        true => sender.send(&contents).await?,
                        false => sender.send_to(&contents, &name).await?,
                    }
                }
                Ok(())
            });
            let mut buffer = vec![0; LONGEST];
            for nth in 0..count {
                if nth % 16 == 0 {
                    life.rest(self.pause).await?;
                }
                receiver.readable().await?;
                let length = receiver.recv(&mut buffer).await?;
                assert!(buffer[..length] == self.contents(nth), "datagram {nth} is another");
            }
            Ok(())
        })
        .await
    }

    async fn passed(&self, life: &Life, count: u64) -> Result<()> {
        let (one, other) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(async {
                let one = one;
                for nth in 0..count {
                    let (reads, mut writes) = io::pipe()?;
                    writes.write_all(&nth.to_ne_bytes())?;
                    one.send_with_descriptors(b"x", &[reads.as_fd()]).await?;
                    life.rest(self.pause).await?;
                }
                Ok(())
            });
            for nth in 0..count {
                let received = other.recv_with_descriptors(&mut [0; 1]).await?;
                let Ok(mut descriptors) = received.descriptors else {
                    return Err(io::Error::from(Errno::MFILE).into()); // there was no room
                };
                if received.bytes == 0 {
                    break; // the sender has failed
                }
                let receiver = pipe::Receiver::try_from(descriptors.remove(0))?;
                let mut text = Vec::new();
                receiver.read_to_end(&mut text).await?;
                assert_eq!(text, nth.to_ne_bytes(), "it is another");
            }
            Ok(())
        })
        .await
    }

    async fn pipe(&self, life: &Life, length: usize, blocking: bool) -> Result<()> {
        let all = bytes(self.seed, length);
        let (sender, receiver) = pipe::pipe()?;
        let mut received = Vec::new();
        if !blocking {
            nursery(async |n| {
                n.spawn(async {
                    let sender = sender;
                    life.rest(self.pause).await?;
                    sender.write_all(&all).await
                });
                receiver.read_to_end(&mut received).await?;
                Ok(())
            })
            .await?;
        } else {
            let writes: AsyncFd<OwnedFd> = AsyncFd::new(sender.into_blocking()?)?;
            let reads = AsyncFd::new(receiver.into_blocking()?)?;
            nursery(async |n| {
                n.spawn(async {
                    let writes = writes;
                    let mut rest = &all[..];
                    while !rest.is_empty() {
                        rest = &rest[writes.write(rest).await?..];
                    }
                    Ok(())
                });
                let mut buffer = [0; 5000];
                loop {
                    match reads.read(&mut buffer).await? {
                        0 => return Ok(()),
                        n => received.extend_from_slice(&buffer[..n]),
                    }
                }
            })
            .await?;
        }
        assert!(received == all, "other bytes have come out of the pipe");
        Ok(())
    }
}

fn is_truncated(error: &io::Error, room: usize, length: usize) -> bool {
    let truncated = error.get_ref().and_then(|inside| inside.downcast_ref::<Truncated>());
    truncated.is_some_and(|truncated| {
        assert_eq!((truncated.kept(), truncated.length()), (room, Some(length)));
        true
    })
}
