//! The network: TCP and sockets of the Unix domain.
#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, StreamExt, future};
use seedbed::net::{
    Socket, SocketStream, TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream,
};
use seedbed::{
    Builder, CancelScope, Cancelled, Error, Event, Result, cancel_scope, checkpoint, fail_after,
    nursery, run, yield_now,
};

/// Two ends of a TCP connection.
async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

/// The same with buffers as small as the system allows.
async fn narrow_tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listening = TcpSocket::v4()?;
    listening.set_receive_buffer_size(1)?;
    listening.set_send_buffer_size(1)?;
    listening.bind("127.0.0.1:0")?;
    let listener = listening.listen(1)?;
    let socket = TcpSocket::v4()?;
    socket.set_receive_buffer_size(1)?;
    socket.set_send_buffer_size(1)?;
    let client = socket.connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn kind_of(error: &Error) -> Option<io::ErrorKind> {
    Some(error.downcast_ref::<io::Error>()?.kind())
}

fn is_cancelled<T: std::fmt::Debug>(result: Result<T>) -> bool {
    result.unwrap_err().is::<Cancelled>()
}

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

// What it does.

#[test]
fn the_program_of_the_readme() {
    run(async {
        let greeting = String::from("hello\n");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        nursery(async |n| {
            let clients = n.spawn(async move {
                for _ in 0..3 {
                    let stream = TcpStream::connect(address).await?;
                    let mut text = Vec::new();
                    stream.read_to_end(&mut text).await?;
                    assert_eq!(text, b"hello\n");
                }
                Ok(())
            });
            let greeting = &greeting;
            let server = async {
                loop {
                    let (stream, _) = listener.accept().await?;
                    drop(n.spawn(async move {
                        fail_after(Duration::from_secs(5), stream.write_all(greeting.as_bytes()))
                            .await
                    }));
                }
            };
            match future::select(Box::pin(server), clients).await {
                future::Either::Left((ended, _)) => ended,
                future::Either::Right((served, _)) => served,
            }
        })
        .await
    })
    .unwrap();
}

async fn echo<S: Socket>(stream: &SocketStream<S>, size: usize) -> Result<()> {
    let mut buffer = vec![0; size];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.shutdown(Shutdown::Write),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

/// Sends a lot through both ends at once, each borrowed by a task that reads and one that writes.
async fn both_ways<S: Socket>(one: &SocketStream<S>, other: &SocketStream<S>) -> Result<()> {
    async fn send<S: Socket>(stream: &SocketStream<S>, data: &[u8], step: usize) -> Result<()> {
        for part in data.chunks(step) {
            stream.write_all(part).await?;
        }
        stream.shutdown(Shutdown::Write)
    }
    async fn receive<S: Socket>(stream: &SocketStream<S>, data: &[u8], step: usize) -> Result<()> {
        let mut received = Vec::new();
        let mut buffer = vec![0; step];
        loop {
            match stream.read(&mut buffer).await? {
                0 => break,
                n => received.extend_from_slice(&buffer[..n]),
            }
        }
        assert!(received == data, "{} bytes received, {} sent", received.len(), data.len());
        Ok(())
    }
    let (up, down) = (pattern(300_000), pattern(200_001));
    nursery(async |n| {
        drop(n.spawn(send(one, &up, 4096)));
        drop(n.spawn(send(other, &down, 1000)));
        drop(n.spawn(receive(other, &up, 333)));
        drop(n.spawn(receive(one, &down, 70_000)));
        Ok(())
    })
    .await
}

#[test]
fn much_goes_both_ways_through_small_buffers() {
    run(async {
        let (one, other) = narrow_tcp_pair().await?;
        both_ways(&one, &other).await?;
        let (one, other) = UnixStream::pair()?;
        both_ways(&one, &other).await
    })
    .unwrap();
}

#[test]
fn much_goes_both_ways_in_any_order_of_tasks() {
    for seed in 0..8 {
        let builder = Builder::new().seed(seed).budget(1 + seed as u32 % 3);
        builder
            .run(async {
                let (one, other) = UnixStream::pair()?;
                both_ways(&one, &other).await
            })
            .unwrap();
    }
}

#[test]
fn one_direction_ends_and_the_other_goes_on() {
    run(async {
        let (client, server) = tcp_pair().await?;
        nursery(async |n| {
            drop(n.spawn(echo(&server, 7)));
            client.write_all(b"the end is near").await?;
            client.shutdown(Shutdown::Write)?;
            let mut answer = Vec::new();
            assert_eq!(client.read_to_end(&mut answer).await?, 15);
            assert_eq!(answer, b"the end is near");
            assert_eq!(client.read(&mut [0; 8]).await?, 0); // and stays there
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn exact_and_vectored_and_peeked() {
    run(async {
        let (client, server) = tcp_pair().await?;
        let parts = [IoSlice::new(b"one "), IoSlice::new(b"two "), IoSlice::new(b"three")];
        assert_eq!(client.write_vectored(&parts).await?, 13);
        let mut peeked = [0; 3];
        assert_eq!(server.peek(&mut peeked).await?, 3);
        let (mut a, mut b) = ([0; 4], [0; 4]);
        let mut room = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(server.read_vectored(&mut room).await?, 8);
        assert_eq!((&a, &b, &peeked), (b"one ", b"two ", b"one"));
        let mut rest = [0; 5];
        server.read_exact(&mut rest).await?;
        assert_eq!(&rest, b"three");
        drop(client);
        let error = server.read_exact(&mut rest).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(io::ErrorKind::UnexpectedEof));
        Ok(())
    })
    .unwrap();
}

#[test]
fn readable_and_writable_tell_the_truth() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        one.writable().await?;
        let mut readable = Box::pin(one.readable());
        assert!(poll_once(&mut readable).await.is_pending());
        other.write_all(b"x").await?;
        readable.await?;
        one.readable().await?; // still
        assert_eq!(one.read(&mut [0; 8]).await?, 1);

        // Full, and then not any more.
        let mut full = 0;
        while let Poll::Ready(n) = poll_once(&mut Box::pin(one.write(&[0; 4096]))).await {
            full += n?;
        }
        let mut writable = Box::pin(one.writable());
        assert!(poll_once(&mut writable).await.is_pending());
        let mut all = vec![0; full];
        other.read_exact(&mut all).await?;
        writable.await
    })
    .unwrap();
}

/// The kernel ends a read where urgent data was: a short one does not mean that there is no more.
#[test]
#[cfg(target_os = "linux")]
fn what_follows_urgent_data_is_read() {
    run(async {
        let (client, server) = tcp_pair().await?;
        client.write_all(b"before").await?;
        socket2::SockRef::from(&client).send_out_of_band(b"!")?;
        client.write_all(b"after").await?;
        // All of it has arrived before the server is told of any.
        let mut peeked = [0; 6];
        server.read_exact(&mut peeked).await?;
        assert_eq!(&peeked, b"before");
        let mut rest = [0; 64];
        assert_eq!(server.read(&mut rest).await?, 5);
        assert_eq!(&rest[..5], b"after");
        client.write_all(b"ab").await?;
        socket2::SockRef::from(&client).send_out_of_band(b"!")?;
        client.write_all(b"cd").await?;
        server.readable().await?;
        let (a, b) = (server.read(&mut rest).await?, server.read(&mut rest).await?);
        assert_eq!(a + b, 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let error = run(TcpStream::connect(address)).unwrap_err();
    assert_eq!(kind_of(&error), Some(io::ErrorKind::ConnectionRefused));
    let error = run(UnixStream::connect("/nowhere/at/all")).unwrap_err();
    assert_eq!(kind_of(&error), Some(io::ErrorKind::NotFound));
}

#[test]
fn a_reset_is_an_error() {
    run(async {
        let (client, server) = tcp_pair().await?;
        client.set_linger(Some(Duration::ZERO))?;
        drop(client);
        let error = server.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(io::ErrorKind::ConnectionReset));
        Ok(())
    })
    .unwrap();
}

#[test]
fn addresses() {
    run(async {
        let ip = Ipv4Addr::LOCALHOST;
        for listener in [
            TcpListener::bind("127.0.0.1:0").await?,
            TcpListener::bind(String::from("127.0.0.1:0")).await?,
            TcpListener::bind(&String::from("127.0.0.1:0")).await?,
            TcpListener::bind(SocketAddr::from((ip, 0))).await?,
            TcpListener::bind((ip, 0)).await?,
            TcpListener::bind((IpAddr::V4(ip), 0)).await?,
            TcpListener::bind(("127.0.0.1", 0)).await?,
        ] {
            assert_eq!(listener.local_addr()?.ip(), ip);
        }
        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let error = TcpListener::bind(taken.local_addr()?).await.unwrap_err();
        assert_eq!(kind_of(&error), Some(io::ErrorKind::AddrInUse));
        Ok(())
    })
    .unwrap();
}

#[test]
fn options() {
    run(async {
        let (client, _server) = tcp_pair().await?;
        client.set_nodelay(true)?;
        assert!(client.nodelay()?);
        assert_eq!(client.keepalive()?, None);
        client.set_keepalive(Some(Duration::from_secs(30)))?;
        assert_eq!(client.keepalive()?, Some(Duration::from_secs(30)));
        client.set_keepalive(None)?;
        assert_eq!(client.keepalive()?, None);
        client.set_linger(Some(Duration::ZERO))?;
        assert_eq!(client.linger()?, Some(Duration::ZERO));
        client.set_ttl(17)?;
        assert_eq!(client.ttl()?, 17);
        client.set_receive_buffer_size(8192)?;
        assert!(client.receive_buffer_size()? >= 8192);
        client.set_send_buffer_size(8192)?;
        assert!(client.send_buffer_size()? >= 8192);
        assert!(client.take_error()?.is_none());
        // And all others.
        socket2::SockRef::from(&client).set_tos_v4(0x10)?;
        assert_eq!(socket2::SockRef::from(&client).tos_v4()?, 0x10);
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_listen_at_one_port() {
    let listen = |address: &str| -> Result<TcpListener> {
        let socket = TcpSocket::v4()?;
        socket.set_reuse_port(true)?;
        socket.bind(address)?;
        socket.listen(8)
    };
    let one = listen("127.0.0.1:0").unwrap();
    listen(&one.local_addr().unwrap().to_string()).unwrap();
}

#[test]
fn halves() {
    run(async {
        let (mut stream, peer) = tcp_pair().await?;
        let (mut reader, mut writer) = TcpStream::split(&mut stream);
        nursery(async |n| {
            drop(n.spawn(async { writer.write_all(b"ping").await }));
            drop(n.spawn(echo(&peer, 64)));
            let mut answer = [0; 4];
            reader.read_exact(&mut answer).await?;
            assert_eq!(&answer, b"ping");
            reader.as_ref().shutdown(Shutdown::Write)
        })
        .await
    })
    .unwrap();
}

#[test]
fn owned_halves() {
    run(async {
        let (stream, peer) = tcp_pair().await?;
        let (reader, writer) = stream.into_split();
        let stream = writer.reunite(reader)?; // and nothing was shut down by it
        stream.write_all(b"a").await?;
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(b"b").await?;
        drop(writer);
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await?;
        assert_eq!(received, b"ab");
        peer.write_all(b"still heard").await?;
        let mut buffer = [0; 11];
        reader.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"still heard");

        // Of different streams.
        let (one, other) = UnixStream::pair()?;
        let (reader, _writer) = one.into_split();
        let (_reader, writer) = other.into_split();
        let error = reader.reunite(writer).unwrap_err();
        assert_eq!(error.to_string(), "the two halves are not of the same stream");
        let _ = (error.0, error.1);

        // Forgotten, not ended.
        let (one, other) = UnixStream::pair()?;
        let (_reader, writer) = one.into_split();
        writer.forget();
        assert!(poll_once(&mut Box::pin(other.read(&mut [0; 8]))).await.is_pending());
        Ok(())
    })
    .unwrap();
}

#[test]
fn unix_listener() {
    let folder = std::env::temp_dir().join(format!("seedbed-net-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    run(async {
        let listener = UnixListener::bind(&path).await?;
        assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path));
        nursery(async |n| {
            drop(n.spawn(async {
                let (server, _) = listener.accept().await?;
                echo(&server, 3).await
            }));
            let client = UnixStream::connect(&path).await?;
            assert_eq!(client.peer_addr()?.as_pathname(), Some(&*path));
            client.write_all(b"hello").await?;
            client.shutdown(Shutdown::Write)?;
            let mut text = Vec::new();
            client.read_to_end(&mut text).await?;
            assert_eq!(text, b"hello");
            Ok(())
        })
        .await
    })
    .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A read of the Unix domain ends short where descriptors are passed; here too there is more.
#[test]
fn several_writers_and_a_short_read() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let mut buffer = [0; 64];
        for round in 0..10 {
            one.write_all(&[round]).await?;
            assert_eq!(other.read(&mut buffer).await?, 1);
            assert_eq!(buffer[0], round);
        }
        Ok(())
    })
    .unwrap();
}

// Several runs.

#[test]
fn r01_a_stream_goes_from_one_run_to_the_next() {
    let (one, other) = run(async {
        let (one, other) = tcp_pair().await?;
        // Registered, and found not to be ready.
        assert!(poll_once(&mut Box::pin(one.read(&mut [0; 8]))).await.is_pending());
        Ok((one, other))
    })
    .unwrap();
    for round in 0..3 {
        run(async {
            nursery(async |n| {
                drop(n.spawn(async {
                    let mut buffer = [0; 8];
                    assert_eq!(one.read(&mut buffer).await?, 1); // waits
                    assert_eq!(buffer[0], round);
                    Ok(())
                }));
                yield_now().await?;
                other.write_all(&[round]).await
            })
            .await
        })
        .unwrap();
    }
    // What came between two runs is there in the next.
    let mut other = other.into_std();
    other.write_all(b"between").unwrap();
    let (one, two) = run(async {
        let mut buffer = [0; 8];
        assert_eq!(one.read(&mut buffer).await?, 7);
        tcp_pair().await.map(|(two, _)| (one, two))
    })
    .unwrap();
    drop(one); // outside of a run
    run(async {
        drop(two); // in a run in which it was not used
        checkpoint().await
    })
    .unwrap();
}

#[test]
fn r01_an_operation_goes_on_in_the_next_run() {
    let (one, other) = run(async { UnixStream::pair() }).unwrap();
    let mut buffer = [0; 8];
    let mut reading = Box::pin(one.read(&mut buffer));
    run(async {
        assert!(poll_once(&mut reading).await.is_pending());
        // And with a waker of another kind, which is watched for.
        let mut group: FuturesUnordered<_> = [&mut reading].into_iter().collect();
        assert!(poll_once(&mut group.next()).await.is_pending());
        Ok(())
    })
    .unwrap();
    run(async {
        nursery(async |n| {
            drop(n.spawn(async {
                assert_eq!((&mut reading).await?, 3);
                Ok(())
            }));
            yield_now().await?;
            other.write_all(b"abc").await
        })
        .await
    })
    .unwrap();
}

#[test]
fn r01_made_outside_of_a_run_and_used_outside_of_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let mut accept = Box::pin(listener.accept());
    let outcome = accept.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = outcome else { panic!("nothing runs") };
    assert!(error.is::<seedbed::NotRunning>());
    drop(accept);
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"x").unwrap();
    let stream = run(async { Ok(listener.accept().await?.0) }).unwrap();
    let fd = std::os::fd::OwnedFd::from(stream);
    let stream = TcpStream::try_from(fd).unwrap();
    assert_eq!(run(stream.read(&mut [0; 8])).unwrap(), 1);
}

// Checkpoints.

#[test]
fn c02_every_operation_looks_for_cancellation_first() {
    run(async {
        let (one, mut other) = tcp_pair().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let waiting = std::net::TcpStream::connect(address)?;
        let (u, _v) = UnixStream::pair()?;
        other.write_all(b"x").await?; // everything could be done at once
        cancel_scope(async |scope| {
            scope.cancel();
            let mut b = [0; 1];
            let mut v = Vec::new();
            assert!(is_cancelled(one.read(&mut b).await));
            assert!(is_cancelled(one.read(&mut []).await));
            assert!(is_cancelled(one.read_vectored(&mut [IoSliceMut::new(&mut b)]).await));
            assert!(is_cancelled(one.read_exact(&mut b).await));
            assert!(is_cancelled(one.read_exact(&mut []).await));
            assert!(is_cancelled(one.read_to_end(&mut v).await));
            assert!(is_cancelled(one.peek(&mut b).await));
            assert!(is_cancelled(one.readable().await));
            assert!(is_cancelled(one.write(b"y").await));
            assert!(is_cancelled(one.write(b"").await));
            assert!(is_cancelled(one.write_vectored(&[IoSlice::new(b"y")]).await));
            assert!(is_cancelled(one.write_all(b"y").await));
            assert!(is_cancelled(one.write_all(b"").await));
            assert!(is_cancelled(one.writable().await));
            assert!(is_cancelled(one.flush().await));
            assert!(is_cancelled(listener.accept().await));
            assert!(is_cancelled(TcpListener::bind("127.0.0.1:0").await));
            assert!(is_cancelled(TcpStream::connect(address).await));
            assert!(is_cancelled(u.read(&mut b).await));
            // Through foreign traits, inside an `io::Error`, and out of it again.
            assert!(is_cancelled(
                AsyncReadExt::read_to_end(&mut &one, &mut v).await.map_err(Error::from)
            ));
            assert!(is_cancelled(
                AsyncWriteExt::write_all(&mut other, b"y").await.map_err(Error::from)
            ));
            assert!(is_cancelled(AsyncWriteExt::flush(&mut &one).await.map_err(Error::from)));
            assert!(is_cancelled(AsyncWriteExt::close(&mut &one).await.map_err(Error::from)));
            one.shutdown(Shutdown::Write)?; // is none
            Ok(())
        })
        .await?;
        // Nothing of it has happened.
        let mut b = [0; 8];
        assert_eq!((one.read(&mut b).await?, b[0]), (1, b'x'));
        assert_eq!(other.read(&mut b).await?, 0);
        assert_eq!(listener.accept().await?.1, waiting.local_addr()?);
        Ok(())
    })
    .unwrap();
}

/// How often another task runs while `work` does.
async fn turns_of_others(work: impl Future<Output = Result<()>>) -> Result<usize> {
    let turns = Cell::new(0);
    let over = Cell::new(false);
    nursery(async |n| {
        drop(n.spawn(async {
            while !over.get() {
                turns.set(turns.get() + 1);
                yield_now().await?;
            }
            Ok(())
        }));
        yield_now().await?;
        turns.set(0);
        let outcome = work.await;
        over.set(true);
        outcome
    })
    .await?;
    Ok(turns.get())
}

#[test]
fn c02_operations_that_are_ready_let_others_run() {
    let operations = 64;
    for budget in [1, 4, 16] {
        let least = operations / budget as usize;
        let (read, written, failed, foreign) = Builder::new()
            .budget(budget)
            .run(async {
                let (one, other) = UnixStream::pair()?;
                let written = turns_of_others(async {
                    for _ in 0..operations {
                        assert_eq!(one.write(b"xy").await?, 2);
                    }
                    Ok(())
                })
                .await?;
                let read = turns_of_others(async {
                    for _ in 0..operations {
                        assert_eq!(other.read(&mut [0]).await?, 1);
                    }
                    Ok(())
                })
                .await?;
                let foreign = turns_of_others(async {
                    for _ in 0..operations {
                        assert_eq!((&mut &other).read(&mut [0]).await?, 1);
                    }
                    Ok(())
                })
                .await?;
                // A loop that does not heed it.
                let failed = turns_of_others(async {
                    cancel_scope(async |scope| {
                        scope.cancel();
                        for _ in 0..operations {
                            assert!(is_cancelled(other.read(&mut [0]).await));
                        }
                        Ok(())
                    })
                    .await?;
                    Ok(())
                })
                .await?;
                Ok((read, written, failed, foreign))
            })
            .unwrap();
        for turns in [read, written, failed, foreign] {
            assert!(turns >= least && turns <= least + 2, "{turns} with a budget of {budget}");
        }
    }
}

// Cancellation loses nothing.

#[test]
fn c10_an_accept_is_cancelled_in_the_instant_a_connection_arrives() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let scope = CancelScope::new();
        nursery(async |n| {
            let accepting = n.spawn(scope.enter(async |_| listener.accept().await));
            yield_now().await?; // it waits
            let client = std::net::TcpStream::connect(listener.local_addr()?)?;
            scope.cancel();
            assert!(accepting.await?.is_none());
            assert_eq!(listener.accept().await?.1, client.local_addr()?);
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// Both are told in the same round of the reactor, the task that accepts and the one that cancels
/// it, in whatever order.
#[test]
fn c10_an_accept_that_is_woken_and_cancelled() {
    for seed in 0..32 {
        Builder::new()
            .seed(seed)
            .run(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let (signal, mut other) = std::os::unix::net::UnixStream::pair()?;
                let signal = UnixStream::from_std(signal)?;
                let scope = CancelScope::new();
                nursery(async |n| {
                    let accepting = n.spawn(scope.enter(async |_| listener.accept().await));
                    drop(n.spawn(async {
                        signal.read(&mut [0; 8]).await?;
                        scope.cancel();
                        Ok(())
                    }));
                    yield_now().await?;
                    yield_now().await?; // both wait
                    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
                    other.write_all(b"x")?;
                    let accepted = accepting.await?;
                    let (_, address) = match accepted {
                        Some(accepted) => accepted,
                        None => listener.accept().await?,
                    };
                    assert_eq!(address, client.local_addr()?);
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

/// Which of the two came first is what counts, not which task runs first.
#[test]
fn c10_a_read_that_is_told_of_data_and_then_cancelled_happens() {
    for seed in 0..16 {
        Builder::new()
            .seed(seed)
            .run(async {
                let (one, other) = UnixStream::pair()?;
                let (signal, sender) = UnixStream::pair()?;
                let scope = CancelScope::new();
                nursery(async |n| {
                    let reading = n.spawn(scope.enter(async |_| one.read(&mut [0; 8]).await));
                    drop(n.spawn(async {
                        signal.read(&mut [0; 8]).await?;
                        scope.cancel();
                        Ok(())
                    }));
                    yield_now().await?;
                    yield_now().await?; // both wait
                    other.into_std().write_all(b"abc")?;
                    sender.into_std().write_all(b"x")?;
                    assert_eq!(reading.await?, Some(3));
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

#[test]
fn c10_a_read_is_cancelled_while_data_arrives() {
    run(async {
        let (one, other) = tcp_pair().await?;
        let mut other = other.into_std();
        let scope = CancelScope::new();
        nursery(async |n| {
            let reading = n.spawn(scope.enter(async |_| one.read(&mut [0; 8]).await));
            yield_now().await?;
            other.write_all(b"abc")?;
            scope.cancel();
            assert_eq!(reading.await?, None);
            let mut buffer = [0; 8];
            assert_eq!(one.read(&mut buffer).await?, 3);
            assert_eq!(&buffer[..3], b"abc");
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn c10_a_read_is_dropped_while_data_arrives() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let mut buffer = [0; 8];
        let mut reading = Box::pin(one.read(&mut buffer));
        assert!(poll_once(&mut reading).await.is_pending());
        other.write_all(b"abc").await?;
        yield_now().await?;
        drop(reading);
        assert_eq!(one.read(&mut buffer).await?, 3);
        Ok(())
    })
    .unwrap();
}

/// Cancels the scopes it is given, one after the other, whenever it runs.
struct Canceller {
    scope: RefCell<Option<CancelScope>>,
    over: Cell<bool>,
}

impl Canceller {
    async fn run(&self) -> Result<()> {
        while !self.over.get() {
            yield_now().await?;
            if let Some(scope) = self.scope.take() {
                scope.cancel();
            }
        }
        Ok(())
    }

    /// An operation that may be cancelled: then it is `None`.
    async fn may_cancel<T>(&self, work: impl AsyncFnOnce() -> Result<T>) -> Result<Option<T>> {
        let scope = CancelScope::new();
        scope
            .enter(async |scope| {
                self.scope.replace(Some(scope.clone()));
                work().await
            })
            .await
    }
}

/// Bytes go through a narrow stream in reads and writes of which many are cancelled, and those
/// are done again: had one happened all the same, bytes would come twice or be missing.
async fn transfer_with_cancellations<S: Socket>(
    one: &SocketStream<S>,
    other: &SocketStream<S>,
) -> Result<usize> {
    let sent = pattern(120_000);
    let received = RefCell::new(Vec::new());
    let cancelled = Cell::new(0);
    let new = || Canceller { scope: RefCell::new(None), over: Cell::new(false) };
    let (of_reads, of_writes) = (new(), new());
    nursery(async |n| {
        drop(n.spawn(of_reads.run()));
        drop(n.spawn(of_writes.run()));
        drop(n.spawn(async {
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let part = &rest[..rest.len().min(3000)];
                match of_writes.may_cancel(async || one.write(part).await).await? {
                    Some(n) => rest = &rest[n..],
                    None => cancelled.set(cancelled.get() + 1),
                }
            }
            of_writes.over.set(true);
            one.shutdown(Shutdown::Write)
        }));
        drop(n.spawn(async {
            let mut buffer = [0; 1000];
            loop {
                match of_reads.may_cancel(async || other.read(&mut buffer).await).await? {
                    Some(0) => break,
                    Some(n) => received.borrow_mut().extend_from_slice(&buffer[..n]),
                    None => cancelled.set(cancelled.get() + 1),
                }
            }
            of_reads.over.set(true);
            Ok(())
        }));
        Ok(())
    })
    .await?;
    assert!(received.take() == sent);
    Ok(cancelled.get())
}

#[test]
fn c10_no_byte_is_lost_or_sent_twice_by_cancellations() {
    let mut cancelled = 0;
    for seed in 0..6 {
        cancelled += Builder::new()
            .seed(seed)
            .budget(1 + seed as u32)
            .run(async {
                let (one, other) = UnixStream::pair()?;
                let cancelled = transfer_with_cancellations(&one, &other).await?;
                let (one, other) = narrow_tcp_pair().await?;
                Ok(cancelled + transfer_with_cancellations(&one, &other).await?)
            })
            .unwrap();
    }
    assert!(cancelled > 0);
}

#[test]
fn c10_what_was_read_to_the_end_so_far_is_kept() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let mut buffer = b"> ".to_vec();
        other.write_all(b"first, ").await?;
        let scope = CancelScope::new();
        nursery(async |n| {
            let reading = n.spawn(scope.enter(async |_| one.read_to_end(&mut buffer).await));
            yield_now().await?;
            yield_now().await?;
            scope.cancel();
            assert_eq!(reading.await?, None);
            Ok(())
        })
        .await?;
        other.write_all(b"second").await?;
        drop(other);
        assert_eq!(one.read_to_end(&mut buffer).await?, 6);
        assert_eq!(buffer, b"> first, second");
        Ok(())
    })
    .unwrap();
}

/// A waker that tells, by its count, who keeps it.
struct Idle;

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn c10_operations_that_were_dropped_leave_no_wakers() {
    run(async {
        let (one, _other) = UnixStream::pair()?;
        let idle = Arc::new(Idle);
        for _ in 0..1000 {
            let waker = Waker::from(Arc::new(Idle)); // never the same
            let mut buffer = [0; 8];
            let mut reading = Box::pin(one.read(&mut buffer));
            assert!(reading.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let waker = Waker::from(idle.clone());
            assert!(reading.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(Arc::strong_count(&idle), 1);
        // Through foreign traits nobody tells when an operation is dropped: some are kept.
        let wakers: Vec<_> = (0..1000).map(|_| Arc::new(Idle)).collect();
        for waker in &wakers {
            let waker = Waker::from(waker.clone());
            let mut buffer = [0; 8];
            let reading =
                Pin::new(&mut &one).poll_read(&mut Context::from_waker(&waker), &mut buffer);
            assert!(reading.is_pending());
        }
        assert!(wakers.iter().filter(|waker| Arc::strong_count(waker) > 1).count() <= 17);
        Ok(())
    })
    .unwrap();
}

// Within other libraries' combinators.

/// Runs something that waits, cancels it, and sees that it ends.
async fn is_reached(waits: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let scope = CancelScope::new();
    nursery(async |n| {
        let task = n.spawn(scope.enter(async |_| waits().await));
        for _ in 0..5 {
            yield_now().await?;
        }
        scope.cancel();
        assert_eq!(task.await?, None);
        Ok(())
    })
    .await
}

#[test]
fn c11_operations_within_combinators_are_reached() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut pairs = Vec::new();
        for _ in 0..4 {
            pairs.push(tcp_pair().await?);
        }
        let pairs = &pairs;
        // Full, so that writes wait as well.
        let (full, _peer) = UnixStream::pair()?;
        while poll_once(&mut Box::pin(full.write(&[0; 4096]))).await.is_ready() {}

        is_reached(async || {
            let reads = pairs.iter().map(async |(one, _)| one.read(&mut [0; 8]).await);
            let outcomes = future::join_all(reads).await;
            assert_eq!(outcomes.len(), 4);
            outcomes.into_iter().try_for_each(|read| read.map(drop))
        })
        .await?;
        is_reached(async || {
            let mut reads: FuturesUnordered<_> =
                pairs.iter().map(async |(one, _)| one.read(&mut [0; 8]).await).collect();
            let mut last = Ok(());
            while let Some(read) = reads.next().await {
                assert!(read.is_err());
                last = read.map(drop);
            }
            last
        })
        .await?;
        is_reached(async || {
            let accept = Box::pin(listener.accept());
            let write = Box::pin(full.write(b"x"));
            match future::select(accept, write).await {
                future::Either::Left((accepted, _)) => accepted.map(drop),
                future::Either::Right((written, _)) => written.map(drop),
            }
        })
        .await?;
        // Through foreign traits.
        is_reached(async || {
            let mut reads: FuturesUnordered<_> =
                pairs.iter().map(async |(one, _)| (&mut &*one).read(&mut [0; 8]).await).collect();
            let mut last = Ok(());
            while let Some(read) = reads.next().await {
                assert!(read.is_err());
                last = read.map(drop);
            }
            Ok(last?)
        })
        .await?;
        is_reached(async || {
            let mut stream = &full;
            let mut writes: FuturesUnordered<_> =
                [AsyncWriteExt::write(&mut stream, b"x")].into_iter().collect();
            writes.next().await.unwrap()?;
            Ok(())
        })
        .await
    })
    .unwrap();
}

// Foreign traits.

#[test]
fn foreign_traits() {
    for budget in [1, 2, 128] {
        Builder::new()
            .budget(budget)
            .run(async {
                let (client, server) = tcp_pair().await?;
                let data = pattern(200_000);
                let (mut reader, mut writer) = client.into_split();
                nursery(async |n| {
                    drop(n.spawn(async {
                        let copied = futures::io::copy(&server, &mut &server).await?;
                        assert_eq!(copied, 200_000);
                        AsyncWriteExt::close(&mut &server).await?;
                        Ok(())
                    }));
                    drop(n.spawn(async {
                        AsyncWriteExt::write_all(&mut writer, &data).await?;
                        AsyncWriteExt::close(&mut writer).await?;
                        Ok(())
                    }));
                    let mut received = Vec::new();
                    AsyncReadExt::read_to_end(&mut reader, &mut received).await?;
                    assert!(received == data);
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

#[test]
fn foreign_traits_wake_every_task_that_waits() {
    run(async {
        let (one, other) = UnixStream::pair()?;
        let got = Cell::new(0);
        let both = Event::new();
        nursery(async |n| {
            for _ in 0..2 {
                drop(n.spawn(async {
                    (&mut &one).read_exact(&mut [0]).await?;
                    got.set(got.get() + 1);
                    if got.get() == 2 {
                        both.set();
                    }
                    Ok(())
                }));
            }
            yield_now().await?;
            yield_now().await?; // both wait
            other.write_all(b"x").await?;
            while got.get() < 1 {
                yield_now().await?;
            }
            other.write_all(b"y").await?;
            both.wait().await
        })
        .await
    })
    .unwrap();
}

/// What the standard library does on the other side is all the same.
#[test]
fn a_thread_at_the_other_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stream.write_all(text.to_uppercase().as_bytes()).unwrap();
    });
    let text = run(async {
        let stream = TcpStream::connect(address).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown(Shutdown::Write)?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await?;
        Ok(text)
    })
    .unwrap();
    assert_eq!(text, b"HELLO");
    thread.join().unwrap();
}

/// As many as there are, what one system call does not take is left for the next, and is no sign that
/// the socket is full, or empty.
#[test]
fn more_pieces_than_one_system_call_takes() {
    const PIECES: usize = 5000;
    let sent = pattern(PIECES);
    run(async {
        let (client, server) = tcp_pair().await?;
        let both = async {
            let mut begin = 0;
            while begin < PIECES {
                let pieces: Vec<_> = sent[begin..].chunks(1).map(IoSlice::new).collect();
                begin += client.write_vectored(&pieces).await?;
            }
            let mut received = vec![0; PIECES];
            let mut begin = 0;
            while begin < PIECES {
                let mut pieces: Vec<_> =
                    received[begin..].chunks_mut(1).map(IoSliceMut::new).collect();
                begin += server.read_vectored(&mut pieces).await?;
            }
            assert_eq!(received, sent);
            Ok(())
        };
        fail_after(Duration::from_secs(60), both).await
    })
    .unwrap();
}
