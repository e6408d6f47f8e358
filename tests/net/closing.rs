//! S7: how connections end: politely, half-way, and by a reset.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::time::Duration;

use futures::AsyncWriteExt;
use seedbed::net::{Socket, SocketStream, TcpListener, TcpSocket, TcpStream, UnixStream};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, Cancelled, Error, Result, Server, cancel_scope, checkpoint, nursery, run, sleep,
    sleep_forever,
};

use super::tcp_pair;

/// The same as `tcp_pair`, but the client has little room for what it does not read at once.
async fn narrow_client() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let socket = TcpSocket::v4()?;
    socket.set_receive_buffer_size(4096)?;
    let client = socket.connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

fn kind_of(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().expect("an I/O error").kind()
}

// Closing.

/// A server that refuses a request half-way: it has not read all of it when it answers.
async fn refuse<S: Socket>(client: SocketStream<S>, server: SocketStream<S>) -> Result<()> {
    const ANSWER: usize = 256 * 1024;
    let mut answer = Vec::new();
    nursery(async |n| {
        client.write_all(&[0; 64 * 1024]).await?;
        n.spawn(async {
            server.read(&mut [0; 1024]).await?;
            server.write_all(&[1; ANSWER]).await?;
            server.close().await
        });
        client.read_to_end(&mut answer).await?;
        drop(client);
        Ok(())
    })
    .await?;
    assert_eq!(answer, [1; ANSWER]);
    Ok(())
}

#[test]
fn s07_close_does_not_cut_off_what_was_written() {
    run(async {
        let (client, server) = narrow_client().await?;
        refuse(client, server).await?;
        let (client, server) = UnixStream::pair()?;
        refuse(client, server).await
    })
    .unwrap();
}

/// More than all buffers between the two hold, so the peer could not end if nobody read.
async fn discard<S: Socket>(ours: SocketStream<S>, theirs: SocketStream<S>) -> Result<()> {
    nursery(async |n| {
        n.spawn(ours.close());
        theirs.write_all(&vec![0; 16 << 20]).await?;
        theirs.shutdown(Shutdown::Write)?;
        assert_eq!(theirs.read(&mut [0; 8]).await?, 0);
        Ok(())
    })
    .await
}

#[test]
fn s07_close_reads_and_discards_until_the_peer_has_ended() {
    run(async {
        let (ours, theirs) = tcp_pair().await?;
        discard(ours, theirs).await?;
        let (ours, theirs) = UnixStream::pair()?;
        discard(ours, theirs).await
    })
    .unwrap();
}

/// Closes our end beside a peer that does this, and never ends.
async fn close_beside<S: Socket>(
    (ours, theirs): (SocketStream<S>, SocketStream<S>),
    peer: impl AsyncFn(&SocketStream<S>) -> Result<()>,
) -> Result<()> {
    nursery(async |n| {
        n.spawn(async { peer(&theirs).await });
        ours.close().await?;
        n.cancel();
        Ok(())
    })
    .await
}

#[test]
fn s07_close_waits_for_two_seconds_at_the_most() {
    let clock = VirtualClock::new();
    let two_seconds = async |close: &dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>>>>| {
        let began = clock.elapsed();
        close().await?;
        assert_eq!(clock.elapsed() - began, Duration::from_secs(2));
        Ok(())
    };
    Builder::new()
        .clock(&clock)
        .run(async {
            two_seconds(&|| {
                Box::pin(async {
                    close_beside(tcp_pair().await?, async |_| sleep_forever().await).await
                })
            })
            .await?;
            two_seconds(&|| {
                Box::pin(async {
                    close_beside(UnixStream::pair()?, async |_| sleep_forever().await).await
                })
            })
            .await?;
            // It sends now and then. Neither its bytes nor the pauses restart the clock.
            two_seconds(&|| {
                Box::pin(async {
                    close_beside(tcp_pair().await?, async |theirs| {
                        loop {
                            sleep(Duration::from_millis(300)).await?;
                            theirs.write_all(b"and another thing").await?;
                        }
                    })
                    .await
                })
            })
            .await?;
            // It reads nothing of the many bytes that were written.
            two_seconds(&|| {
                Box::pin(async {
                    let (theirs, ours) = narrow_client().await?;
                    ours.set_send_buffer_size(1 << 20)?;
                    ours.write(&vec![0; 1 << 20]).await?;
                    close_beside((ours, theirs), async |_| sleep_forever().await).await
                })
            })
            .await
        })
        .unwrap();
}

#[test]
fn s07_a_close_that_is_cancelled_closes_then_and_there() {
    run(async {
        // Before it has begun, and while it waits.
        for before in [true, false] {
            let (ours, theirs) = tcp_pair().await?;
            let closed = cancel_scope(async |scope| {
                if before {
                    scope.cancel();
                }
                nursery(async |n| {
                    n.spawn(async {
                        theirs.readable().await?; // our direction has ended
                        scope.cancel();
                        Ok(())
                    });
                    let outcome = ours.close().await;
                    assert!(outcome.unwrap_err().is::<Cancelled>());
                    Ok(())
                })
                .await
            });
            closed.await?;
            assert_eq!(theirs.read(&mut [0; 8]).await?, 0);
            // The socket has gone: what comes is answered by a reset.
            let error = loop {
                if let Err(error) = theirs.write(b"anybody there?").await {
                    break error;
                }
            };
            assert_eq!(kind_of(&error), io::ErrorKind::BrokenPipe);
        }
        Ok(())
    })
    .unwrap();
}

/// The server would wait for the peer of a stream that its handler drops, but the handler has done
/// so already.
#[test]
fn s07_a_close_in_a_handler_is_all_that_a_server_waits_for() {
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let (stop, stopped) = seedbed::channel::<()>(1);
            let server = Server::new(listener)
                .grace(Duration::from_secs(60))
                .shutdown_on(async move { stopped.recv().await })
                .serve(async |stream, _| {
                    stop.send(()).await?;
                    stream.close().await
                });
            let _silent = TcpStream::connect(address).await?;
            server.await
        })
        .unwrap();
    assert_eq!(clock.elapsed(), Duration::from_secs(2));
}

/// Whatever becomes of the stream before that. For example, the half that goes last leaves it to
/// the server.
#[test]
fn s07_a_server_lingers_on_what_its_handlers_drop_in_whatever_way() {
    for way in 0..4 {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let (stop, stopped) = seedbed::channel::<()>(1);
            let server = Server::new(listener)
                .shutdown_on(async move { stopped.recv().await })
                .serve(async |stream, _| {
                    stream.read(&mut [0; 1024]).await?;
                    let answer = [1; 64 * 1024];
                    match way {
                        0 => {
                            let (_reader, mut writer) = stream.into_split();
                            writer.write_all(&answer).await
                        }
                        1 => {
                            let (reader, mut writer) = stream.into_split();
                            writer.write_all(&answer).await?;
                            drop(reader);
                            checkpoint().await
                        }
                        2 => {
                            let stream = TcpStream::from_std(stream.into_std())?;
                            stream.write_all(&answer).await
                        }
                        _ => {
                            nursery(async |n| {
                                n.spawn(async move { stream.write_all(&answer).await });
                                Ok(())
                            })
                            .await
                        }
                    }
                });
            nursery(async |n| {
                n.spawn(server);
                let client = TcpStream::connect(address).await?;
                client.write_all(&[0; 64 * 1024]).await?;
                let mut answer = Vec::new();
                client.read_to_end(&mut answer).await?;
                assert_eq!(answer.len(), 64 * 1024);
                drop(client);
                stop.send(()).await?;
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

// What was over already.

/// What has become of a connection before one of its directions is ended.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    PeerHasReset,
    PeerHasClosed,
    BothHaveEnded,
}

const BEFORE: [Before; 4] =
    [Before::Nothing, Before::PeerHasReset, Before::PeerHasClosed, Before::BothHaveEnded];

/// A stream to which this has happened, and its peer, if that is still there.
async fn tcp_after(before: Before) -> Result<(TcpStream, Option<TcpStream>)> {
    let (peer, ours) = tcp_pair().await?;
    match before {
        Before::Nothing => return Ok((ours, Some(peer))),
        Before::PeerHasReset => peer.set_linger(Some(Duration::ZERO))?,
        Before::PeerHasClosed => {}
        Before::BothHaveEnded => ours.shutdown(Shutdown::Both)?,
    }
    drop(peer);
    ours.readable().await?;
    Ok((ours, None))
}

async fn unix_after(before: Before) -> Result<(UnixStream, Option<UnixStream>)> {
    let (peer, ours) = UnixStream::pair()?;
    match before {
        Before::Nothing => return Ok((ours, Some(peer))),
        // What is unread makes a close a reset.
        Before::PeerHasReset => ours.write_all(b"unread").await?,
        Before::PeerHasClosed => {}
        Before::BothHaveEnded => ours.shutdown(Shutdown::Both)?,
    }
    drop(peer);
    Ok((ours, None))
}

/// Ends a direction of the stream in the way with this number, and says which way that is; `None`
/// if there are fewer ways.
async fn end<S: Socket>(
    way: usize,
    mut stream: SocketStream<S>,
) -> Option<(&'static str, Result<()>)> {
    let ours = |outcome: io::Result<()>| outcome.map_err(Error::from);
    Some(match way {
        0 => ("shutdown(Write)", stream.shutdown(Shutdown::Write)),
        1 => ("shutdown(Read)", stream.shutdown(Shutdown::Read)),
        2 => ("shutdown(Both)", stream.shutdown(Shutdown::Both)),
        3 => ("a half's shutdown", stream.split().1.shutdown()),
        4 => ("an owned half's shutdown", stream.into_split().1.shutdown()),
        5 => ("close by futures, of a &", ours(AsyncWriteExt::close(&mut &stream).await)),
        6 => ("close by futures", ours(AsyncWriteExt::close(&mut stream).await)),
        7 => {
            let mut half = stream.split().1;
            ("close by futures, of a half", ours(AsyncWriteExt::close(&mut half).await))
        }
        8 => {
            let (_reader, mut half) = stream.into_split();
            ("close by futures, of an owned half", ours(AsyncWriteExt::close(&mut half).await))
        }
        #[cfg(feature = "tokio-io")]
        9 => ("tokio, of a &", ours(tokio::io::AsyncWriteExt::shutdown(&mut &stream).await)),
        #[cfg(feature = "tokio-io")]
        10 => ("tokio", ours(tokio::io::AsyncWriteExt::shutdown(&mut stream).await)),
        #[cfg(feature = "tokio-io")]
        11 => {
            let mut half = stream.split().1;
            ("tokio, of a half", ours(tokio::io::AsyncWriteExt::shutdown(&mut half).await))
        }
        #[cfg(feature = "tokio-io")]
        12 => {
            let (_reader, mut half) = stream.into_split();
            ("tokio, of an owned half", ours(tokio::io::AsyncWriteExt::shutdown(&mut half).await))
        }
        #[cfg(all(feature = "hyper", feature = "tokio-io"))]
        13 => {
            use hyper::rt::Write;
            let mut io = seedbed::hyper::Io::new(stream);
            ("hyper", ours(std::future::poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await))
        }
        _ => return None,
    })
}

#[test]
fn s07_to_end_a_direction_that_is_over_is_no_error_whichever_way() {
    run(async {
        for before in BEFORE {
            for way in 0.. {
                let (stream, _peer) = tcp_after(before).await?;
                let Some((way, outcome)) = end(way, stream).await else { break };
                assert!(outcome.is_ok(), "TCP, {before:?}, {way}: {outcome:?}");
            }
            for way in 0.. {
                let (stream, _peer) = unix_after(before).await?;
                let Some((way, outcome)) = end(way, stream).await else { break };
                assert!(outcome.is_ok(), "Unix, {before:?}, {way}: {outcome:?}");
            }
            if !matches!(before, Before::Nothing) {
                tcp_after(before).await?.0.close().await?;
                unix_after(before).await?.0.close().await?;
            }
        }
        Ok(())
    })
    .unwrap();
}

// Proxies.

/// Passes on what comes in, and then how it ended.
async fn pass_on<S: Socket>(from: &TcpStream, to: &SocketStream<S>) -> Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown(Shutdown::Write),
            n => to.write_all(&buffer[..n]).await?,
        }
    }
}

/// Passes on both directions of two connections until both have ended. If one is broken, so is
/// the other afterwards.
async fn proxy(client: TcpStream, server: TcpStream) -> Result<()> {
    let both = nursery(async |n| {
        n.spawn(pass_on(&client, &server));
        n.spawn(pass_on(&server, &client));
        Ok(())
    });
    let outcome = both.await;
    if outcome.is_err() {
        client.set_linger(Some(Duration::ZERO))?;
        server.set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

#[test]
fn s07_a_proxy_passes_on_a_half_close() {
    run(async {
        let (client, near) = tcp_pair().await?;
        let (far, server) = tcp_pair().await?;
        nursery(async |n| {
            n.spawn(proxy(near, far));
            client.write_all(b"question").await?;
            client.shutdown(Shutdown::Write)?;
            let mut question = Vec::new();
            server.read_to_end(&mut question).await?;
            assert_eq!(question, b"question");
            // The other direction is still open.
            server.write_all(b"answer").await?;
            server.shutdown(Shutdown::Write)?;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await?;
            assert_eq!(answer, b"answer");
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn s07_a_proxy_passes_on_a_reset() {
    run(async {
        for client_resets in [true, false] {
            let (client, near) = tcp_pair().await?;
            let (far, server) = tcp_pair().await?;
            let (broken, other) = if client_resets { (client, server) } else { (server, client) };
            nursery(async |n| {
                n.spawn(proxy(near, far));
                broken.write_all(b"and then").await?;
                other.read_exact(&mut [0; 8]).await?;
                broken.set_linger(Some(Duration::ZERO))?;
                drop(broken);
                let error = other.read(&mut [0; 8]).await.unwrap_err();
                assert_eq!(kind_of(&error), io::ErrorKind::ConnectionReset);
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .unwrap();
}
