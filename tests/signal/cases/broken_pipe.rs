//! SIGPIPE: no way of writing to a peer that has gone raises it.

use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::AsyncWriteExt;
use seedbed::net::{Socket, SocketStream, TcpListener, TcpStream, UnixStream};
use seedbed::{Error, Result, run};

use super::Process;

/// A stream that cannot be written to any more: after its own end, and after its peer's.
async fn broken_tcp(by_peer: bool) -> Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let (peer, _) = listener.accept().await?;
    if by_peer {
        peer.set_linger(Some(Duration::ZERO))?;
        drop(peer);
        stream.readable().await?;
        stream.take_error()?; // the reset itself, which is told once
    } else {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(stream)
}

async fn broken_unix(by_peer: bool) -> Result<UnixStream> {
    let (stream, peer) = UnixStream::pair()?;
    if by_peer {
        drop(peer);
    } else {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(stream)
}

/// Writes the pieces in the way with this number, and says which way that is; `None` if there are
/// fewer.
async fn write<S: Socket>(
    door: usize,
    mut stream: SocketStream<S>,
    pieces: &[IoSlice<'_>],
) -> Option<(&'static str, Result<()>)> {
    let io = |outcome: io::Result<usize>| outcome.map(drop).map_err(Error::from);
    let ours = |outcome: Result<usize>| outcome.map(drop);
    let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
    Some(match door {
        0 => ("write", ours(stream.write(&whole).await)),
        1 => ("write_all", stream.write_all(&whole).await),
        2 => ("write_vectored", ours(stream.write_vectored(pieces).await)),
        3 => ("a half's write", ours(stream.split().1.write(&whole).await)),
        4 => ("a half's write_all", stream.split().1.write_all(&whole).await),
        5 => ("a half's write_vectored", ours(stream.split().1.write_vectored(pieces).await)),
        6 => {
            let (_reader, mut half) = stream.into_split();
            ("an owned half's write_vectored", ours(half.write_vectored(pieces).await))
        }
        7 => ("futures, write, of a &", io(AsyncWriteExt::write(&mut &stream, &whole).await)),
        8 => {
            let written = AsyncWriteExt::write_vectored(&mut &stream, pieces).await;
            ("futures, write_vectored, of a &", io(written))
        }
        9 => {
            let written = AsyncWriteExt::write_vectored(&mut stream, pieces).await;
            ("futures, write_vectored", io(written))
        }
        10 => {
            let mut half = stream.split().1;
            let written = AsyncWriteExt::write_vectored(&mut half, pieces).await;
            ("futures, write_vectored, of a half", io(written))
        }
        11 => {
            let (_reader, mut half) = stream.into_split();
            let written = AsyncWriteExt::write_vectored(&mut half, pieces).await;
            ("futures, write_vectored, of an owned half", io(written))
        }
        #[cfg(feature = "tokio-io")]
        12 => {
            let written = tokio::io::AsyncWriteExt::write(&mut &stream, &whole).await;
            ("tokio, write", io(written))
        }
        #[cfg(feature = "tokio-io")]
        13 => {
            let written = tokio::io::AsyncWriteExt::write_vectored(&mut stream, pieces).await;
            ("tokio, write_vectored", io(written))
        }
        #[cfg(feature = "tokio-io")]
        14 => {
            let (_reader, mut half) = stream.into_split();
            let written = tokio::io::AsyncWriteExt::write_vectored(&mut half, pieces).await;
            ("tokio, write_vectored, of an owned half", io(written))
        }
        #[cfg(all(feature = "hyper", feature = "tokio-io"))]
        15..=16 => {
            use hyper::rt::Write;
            use std::future::poll_fn;
            use std::pin::Pin;
            let mut to = seedbed::hyper::Io::new(stream);
            match door {
                15 => {
                    let write = poll_fn(|cx| Pin::new(&mut to).poll_write(cx, &whole));
                    ("hyper, write", io(write.await))
                }
                _ => {
                    let write = poll_fn(|cx| Pin::new(&mut to).poll_write_vectored(cx, pieces));
                    ("hyper, write_vectored", io(write.await))
                }
            }
        }
        _ => return None,
    })
}

/// This needs a process of its own, because by default the signal kills it. Here it is recorded.
pub mod r05_a_write_to_a_peer_that_has_gone_raises_no_signal {
    use super::*;

    pub fn test(process: Process) {
        process.ends_well();
    }

    pub fn process() {
        let raised = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(libc::SIGPIPE, raised.clone()).unwrap();
        let check = |what: String, outcome: Result<()>| {
            let error = outcome.expect_err(&what);
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            assert_eq!(kind, Some(ErrorKind::BrokenPipe), "{what}");
            assert!(!raised.load(Ordering::SeqCst), "{what}");
        };
        run(async {
            // Few and many bytes, in few and many pieces.
            for (piece, count) in [(100, 2), (400, 2), (1, 600), (100_000, 3), (1, 3000)] {
                let bytes = vec![0; piece];
                let pieces: Vec<_> = (0..count).map(|_| IoSlice::new(&bytes)).collect();
                for by_peer in [true, false] {
                    for door in 0.. {
                        let tcp = write(door, broken_tcp(by_peer).await?, &pieces).await;
                        let unix = write(door, broken_unix(by_peer).await?, &pieces).await;
                        let Some((door, outcome)) = tcp else { break };
                        check(format!("TCP, {door}, {count} times {piece}, {by_peer}"), outcome);
                        let outcome = unix.expect("as many").1;
                        check(format!("Unix, {door}, {count} times {piece}, {by_peer}"), outcome);
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    }
}
