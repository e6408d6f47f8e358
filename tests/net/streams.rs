//! What streams and listeners do.

use std::io;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use futures::future;
use seedbed::net::{Socket, SocketStream, TcpListener, TcpStream, UnixListener, UnixStream};
use seedbed::{Builder, Result, fail_after, nursery, run};

use super::{kind_of, narrow_tcp_pair, pattern, poll_once, tcp_pair};

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

        // Full, and then no longer.
        let mut full = 0;
        while let Ok(n) = rustix::io::write(&one, &[0; 4096]) {
            full += n;
        }
        let mut writable = Box::pin(one.writable());
        assert!(poll_once(&mut writable).await.is_pending());
        let mut all = vec![0; full];
        other.read_exact(&mut all).await?;
        writable.await
    })
    .unwrap();
}

/// The kernel ends a read where urgent data was, so a short read does not mean that there is no
/// more.
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
        assert_eq!(error.to_string(), "the two halves belong to different streams");
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

/// A read of a Unix socket ends early where descriptors are passed. Here, too, there is more.
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

/// It makes no difference what the standard library does at the other end.
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

/// However many there are, what one system call does not take is left for the next. It is no sign
/// that the socket is full or empty.
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
