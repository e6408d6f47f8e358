//! The server. It sends back what it gets, in the style that the request asks for.
//!
//! A request is a header of 8 bytes (style, pause, two unused bytes, length), followed by as many
//! bytes as the header says.

use std::net::{Shutdown, SocketAddr};
use std::ops::Deref;
use std::panic::panic_any;
use std::time::Duration;

use seedbed::net::{TcpListener, TcpStream};
use seedbed::{
    CancelScope, Listener, Result, Yielder, channel, fail_after, generator, idle, move_on_after,
    nursery, sleep_forever,
};

use crate::world::{CountDrop, Life, Planned, is_exhaustion};

pub const HEADER: usize = 8;
/// How many bytes may be under way where there is little room.
pub const NARROW: usize = 1 << 14;

/// How a request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Style {
    Plain,
    /// With pauses.
    Slow,
    /// One task reads, by way of a generator, another writes.
    Twofold,
    /// The server ends its own direction, and reads to the end of the other.
    Hushed,
    // From here on the answer may be short.
    Panics,
    PanicsInAChild,
    Fails,
    Leaves,
    Resets,
    Stalls,
    /// Under a timeout that is too short, most of the time.
    Hasty,
}

impl Style {
    pub const ALL: [Style; 11] = [
        Style::Plain,
        Style::Slow,
        Style::Twofold,
        Style::Hushed,
        Style::Panics,
        Style::PanicsInAChild,
        Style::Fails,
        Style::Leaves,
        Style::Resets,
        Style::Stalls,
        Style::Hasty,
    ];

    /// Whether all of the request comes back, as far as the server is concerned.
    pub fn is_whole(self) -> bool {
        matches!(self, Style::Plain | Style::Slow | Style::Twofold | Style::Hushed)
    }
}

/// A connection that is counted when it is closed.
pub struct Connection<'a> {
    stream: TcpStream,
    _closed: CountDrop<'a>,
}

impl Deref for Connection<'_> {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

/// Counts what it accepts.
pub struct Counted<'a>(pub TcpListener, pub &'a Life);

impl<'a> Counted<'a> {
    fn counted(
        &self,
        outcome: Result<(TcpStream, SocketAddr)>,
    ) -> Result<(Connection<'a>, SocketAddr)> {
        let life = self.1;
        if let Err(error) = &outcome
            && error.downcast_ref().is_some_and(is_exhaustion)
        {
            life.not_accepted.add();
        }
        let (stream, peer) = outcome?;
        life.accepted.add();
        Ok((Connection { stream, _closed: CountDrop(&life.closed) }, peer))
    }
}

impl<'a> Listener for Counted<'a> {
    type Stream = Connection<'a>;
    type Address = SocketAddr;

    async fn accept(&self) -> Result<(Connection<'a>, SocketAddr)> {
        self.counted(self.0.accept().await)
    }

    fn try_accept(&self) -> Result<Option<(Connection<'a>, SocketAddr)>> {
        self.0.try_accept().transpose().map(|outcome| self.counted(outcome)).transpose()
    }
}

pub async fn handle(life: &Life, stream: &Connection<'_>, peer: SocketAddr) -> Result<()> {
    life.handled.add();
    let _end = CountDrop(&life.handled_to_the_end);
    stream.set_send_buffer_size(NARROW)?;
    let scope = CancelScope::new();
    life.handlers.borrow_mut().push((peer, scope.clone()));
    let all = async |_: &CancelScope| {
        while one_request(life, stream).await? {}
        Ok(())
    };
    scope.enter(all).await?;
    Ok(())
}

/// Answers a request. False if the connection is not to be used any more.
async fn one_request(life: &Life, stream: &TcpStream) -> Result<bool> {
    let mut header = [0; HEADER];
    match idle(stream.read(&mut header)).await? {
        0 => return Ok(false),
        n => stream.read_exact(&mut header[n..]).await?,
    }
    let (style, pause) = (Style::ALL[usize::from(header[0])], header[1]);
    let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    match style {
        Style::Plain => echo(life, stream, length, 0).await?,
        Style::Slow => echo(life, stream, length, pause).await?,
        Style::Twofold => twofold(stream, length, pause).await?,
        Style::Hushed => {
            echo(life, stream, length, 0).await?;
            stream.shutdown(Shutdown::Write)?;
            while stream.read(&mut [0; 64]).await? > 0 {}
            return Ok(false);
        }
        Style::Panics => {
            echo(life, stream, length / 2, pause).await?;
            life.panics.add();
            panic_any(Planned);
        }
        Style::PanicsInAChild => {
            nursery(async |n| {
                n.spawn(sleep_forever());
                n.spawn(move_on_after(Duration::from_secs(60), sleep_forever()));
                echo(life, stream, length / 2, pause).await?;
                n.spawn::<_, ()>(async {
                    life.panics.add();
                    panic_any(Planned)
                });
                Ok(())
            })
            .await?;
        }
        Style::Fails => {
            echo(life, stream, length / 2, pause).await?;
            life.failures.add();
            return Err(Planned.into());
        }
        Style::Leaves => {
            echo(life, stream, length / 2, pause).await?;
            return Ok(false);
        }
        Style::Resets => {
            echo(life, stream, length / 2, pause).await?;
            stream.set_linger(Some(Duration::ZERO))?;
            return Ok(false);
        }
        Style::Stalls => {
            echo(life, stream, length / 2, 0).await?;
            move_on_after(life.pause(pause), sleep_forever()).await?;
            return Ok(false);
        }
        Style::Hasty => {
            fail_after(life.pause(pause), echo(life, stream, length, pause)).await?;
        }
    }
    Ok(true)
}

async fn echo(life: &Life, stream: &TcpStream, length: usize, pause: u8) -> Result<()> {
    let mut buffer = [0; 4096];
    let mut left = length;
    while left > 0 {
        let most = left.min(buffer.len());
        stream.read_exact(&mut buffer[..most]).await?;
        if pause > 0 {
            life.rest(pause).await?;
        }
        stream.write_all(&buffer[..most]).await?;
        left -= most;
    }
    Ok(())
}

async fn twofold(stream: &TcpStream, length: usize, pause: u8) -> Result<()> {
    let (sender, receiver) = channel(usize::from(pause % 4));
    nursery(async |n| {
        n.spawn(async move {
            while let Some(chunk) = receiver.recv().await? {
                let chunk: Vec<u8> = chunk;
                stream.write_all(&chunk).await?;
            }
            Ok(())
        });
        let mut chunks = n.generator(async |y: Yielder<Vec<u8>>| {
            let mut left = length;
            while left > 0 {
                let mut chunk = vec![0; left.min(2000)];
                stream.read_exact(&mut chunk).await?;
                left -= chunk.len();
                y.yield_(chunk).await?;
            }
            Ok(())
        });
        // One that the run closes, as it is dropped half-way.
        let mut numbers = generator(async |y: Yielder<u32>| {
            for number in 0.. {
                y.yield_(number).await?;
            }
            Ok(())
        });
        while let Some(chunk) = chunks.anext().await? {
            numbers.anext().await?;
            sender.send(chunk).await?;
        }
        sender.close();
        Ok(())
    })
    .await
}
