//! W1 and W2: no descriptors left, a system that refuses, and signals that interrupt everything.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};

use futures::FutureExt;
use rustix::io::Errno;
use seedbed::fd::AsyncFd;
use seedbed::net::{UdpSocket, UnixDatagram, UnixStream};
use seedbed::testing::statistics;
use seedbed::{Error, Result, nursery, pipe, yield_now};

use crate::support::alone::{alone, descriptors, interrupted_all_the_time, with_descriptors};
use crate::support::forbidden::forbid;
use crate::support::{poll_once, run};
use crate::{blocking_pipe, kind_of, write};

/// What there is no descriptor for fails at once, says what it was to be, and leaves nothing behind.
#[test]
fn w02_without_descriptors_every_call_that_opens_says_so() {
    alone("bad_luck::w02_without_descriptors_every_call_that_opens_says_so", || {
        let folder = tempfile::tempdir().unwrap();
        let (fifo, socket) = (folder.path().join("fifo"), folder.path().join("socket"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        run(async {
            let fifo_text = fifo.to_str().unwrap();
            let socket_text = socket.to_str().unwrap();
            let refused = |what: &str, named: &str, outcome: Result<()>| {
                let text = outcome.expect_err(what).to_string();
                assert!(text.contains("Too many open files"), "{what}: {text}");
                assert!(text.contains(named), "{what}: {text}");
            };
            let before = (statistics()?, descriptors());
            macro_rules! is_refused {
                ($named:expr, $call:expr) => {
                    let outcome = with_descriptors(0, || $call);
                    refused(stringify!($call), $named, outcome.map(drop));
                };
            }
            let at_once = "it does not wait";
            for _ in 0..3 {
                is_refused!(
                    "127.0.0.1:0",
                    UdpSocket::bind("127.0.0.1:0").now_or_never().expect(at_once)
                );
                is_refused!("", UdpSocket::v4());
                is_refused!("", UdpSocket::v6());
                is_refused!(
                    socket_text,
                    UnixDatagram::bind(&socket).now_or_never().expect(at_once)
                );
                is_refused!("", UnixDatagram::unbound());
                is_refused!("", UnixDatagram::pair());
                is_refused!("", pipe::pipe());
                is_refused!(fifo_text, pipe::Receiver::open(&fifo).now_or_never().expect(at_once));
                is_refused!(fifo_text, pipe::Sender::open(&fifo).now_or_never().expect(at_once));
            }
            // There is room for one end only.
            let outcome = with_descriptors(1, UnixDatagram::pair);
            refused("the other end", "", outcome.map(drop));
            assert!(!socket.exists(), "nobody has the name");
            assert_eq!((statistics()?, descriptors()), before);

            // To wait takes no further descriptor, and what is open goes on.
            let (sender, receiver) = pipe::pipe()?;
            let (reads, writes) = blocking_pipe();
            let any = AsyncFd::new(reads)?;
            nursery(async |n| {
                n.spawn(async {
                    let mut buffer = [0; 8];
                    assert_eq!(receiver.read(&mut buffer).await?, 3);
                    assert_eq!(any.read(&mut buffer).await?, 4);
                    Ok(())
                });
                with_descriptors(0, || {
                    let mut waiting = Box::pin(yield_now());
                    assert!((&mut waiting).now_or_never().is_none());
                });
                yield_now().await?;
                sender.write_all(b"one").await?;
                write(&writes, b"four");
                Ok(())
            })
            .await
        })
        .unwrap();
    });
}

/// The bytes have arrived, and so have the first of the descriptors, for which there was room. Those
/// for which there was none are closed.
#[test]
fn w02_descriptors_that_arrive_where_there_is_no_room() {
    alone("bad_luck::w02_descriptors_that_arrive_where_there_is_no_room", || {
        run(async {
            let (one, other) = UnixStream::pair()?;
            let (sender, receiver) = UnixDatagram::pair()?;
            let (reads, writes) = blocking_pipe();
            let three: [BorrowedFd<'_>; 3] = [reads.as_fd(); 3];
            let before = (statistics()?, descriptors());
            for room in 0..5 {
                one.send_with_descriptors(b"abc", &three).await?;
                sender.send_with_descriptors(b"datagram", &three).await?;
                let (mut stream, mut datagram) = ([0; 8], [0; 8]);
                let received = with_descriptors(room, || {
                    other.recv_with_descriptors(&mut stream).now_or_never().expect("it is there")
                })?;
                assert_eq!((received.bytes, &stream[..3]), (3, &b"abc"[..]));
                let arrived =
                    |outcome: std::result::Result<Vec<_>, seedbed::net::unix::DescriptorsLost>| {
                        match outcome {
                            Ok(all) => {
                                assert_eq!(all.len(), 3);
                                all.len()
                            }
                            Err(lost) => {
                                let text = lost.to_string();
                                let count = lost.arrived.len();
                                assert!(text.contains(&format!("only {count} could")), "{text}");
                                count
                            }
                        }
                    };
                assert_eq!(arrived(received.descriptors), room.min(3));
                let received = with_descriptors(room, || {
                    receiver
                        .recv_with_descriptors(&mut datagram)
                        .now_or_never()
                        .expect("it is there")
                })?;
                assert_eq!((received.bytes, &datagram), (8, b"datagram"));
                assert_eq!(arrived(received.descriptors), room.min(3));
                assert_eq!((statistics()?, descriptors()), before);
            }
            // What was passed and is dropped on the way is closed: this is the last one that reads.
            drop(reads);
            let error = rustix::io::write(&writes, b"x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            Ok(())
        })
        .unwrap();
    });
}

/// The thread may register nothing more from some moment on.
#[test]
fn w01_a_registration_that_the_system_refuses_leaves_nothing_behind() {
    for (errno, parts) in [
        (Errno::NOSPC, &["max_user_watches"][..]),
        (Errno::PERM, &["to_thread"]),
        (Errno::NOMEM, &["Cannot allocate memory"]),
    ] {
        std::thread::spawn(move || {
            run(async {
                let (reads, writes) = blocking_pipe();
                let reader = AsyncFd::new(&reads)?;
                let (sender, receiver) = pipe::pipe()?;
                let udp = UdpSocket::bind("127.0.0.1:0").await?;
                let mut waiting = Box::pin(receiver.readable());
                assert!(poll_once(&mut waiting).await.is_none()); // registered in time
                let before = statistics()?;
                forbid(&[libc::SYS_epoll_ctl], errno.raw_os_error());
                let refused = |error: Error| {
                    let text = error.to_string();
                    let kind = std::io::Error::from(errno).kind();
                    assert_eq!(kind_of(&error), Some(kind), "{text}");
                    parts.iter().for_each(|part| assert!(text.contains(part), "{text}"));
                };
                let mut buffer = [0; 8];
                for _ in 0..3 {
                    refused(reader.readable().await.unwrap_err());
                    refused(reader.read(&mut buffer).await.unwrap_err());
                    refused(udp.recv(&mut buffer).await.unwrap_err());
                    refused(udp.readable().await.unwrap_err());
                    assert_eq!(statistics()?, before);
                }
                // What need not wait does not need it, and nothing has been taken.
                write(&writes, b"abc");
                assert_eq!(reader.read(&mut buffer).await?, 3);
                udp.send_to(b"to itself", udp.local_addr()?).await.unwrap();
                assert_eq!(udp.recv(&mut [0; 16]).await?, 9);
                sender.write_all(b"x").await?;
                waiting.await
            })
            .unwrap();
        })
        .join()
        .unwrap();
    }
}

/// Everything arrives, whole, once and in order.
#[test]
fn w02_system_calls_that_are_interrupted_go_on() {
    const MANY: u32 = 2000;
    alone("bad_luck::w02_system_calls_that_are_interrupted_go_on", || {
        let folder = tempfile::tempdir().unwrap();
        let (fifo, socket) = (folder.path().join("fifo"), folder.path().join("socket"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        let outcome = interrupted_all_the_time(|| {
            seedbed::run(async {
                let server = UdpSocket::bind("127.0.0.1:0").await?;
                let client = UdpSocket::bind("127.0.0.1:0").await?;
                client.connect(server.local_addr()?).await?;
                let named = UnixDatagram::bind(&socket).await?;
                let nameless = UnixDatagram::unbound()?;
                let (reads, writes) = blocking_pipe();
                let (reads, writes) = (AsyncFd::new(reads)?, AsyncFd::new(writes)?);
                nursery(async |n| {
                    n.spawn(async {
                        for i in 0..MANY {
                            let (length, from) = server.recv_from(&mut [0; 8]).await?;
                            assert_eq!(length, 4);
                            server.send_to(&i.to_ne_bytes(), from).await?;
                        }
                        Ok(())
                    });
                    n.spawn(async {
                        for i in 0..MANY {
                            client.send(&i.to_ne_bytes()).await?;
                            let mut buffer = [0; 4];
                            client.recv(&mut buffer).await?;
                            assert_eq!(u32::from_ne_bytes(buffer), i);
                        }
                        Ok(())
                    });
                    n.spawn(async {
                        for i in 0..MANY / 10 {
                            nameless.send_to(&i.to_ne_bytes(), &socket).await?;
                        }
                        Ok(())
                    });
                    n.spawn(async {
                        for i in 0..MANY / 10 {
                            let mut buffer = [0; 4];
                            named.recv(&mut buffer).await?;
                            assert_eq!(u32::from_ne_bytes(buffer), i);
                        }
                        Ok(())
                    });
                    n.spawn(async {
                        for i in 0..MANY {
                            writes.writable().await?;
                            writes.write(&[i as u8]).await?;
                        }
                        Ok(())
                    });
                    n.spawn(async {
                        for i in 0..MANY {
                            let mut buffer = [0];
                            assert_eq!(reads.read(&mut buffer).await?, 1);
                            assert_eq!(buffer, [i as u8]);
                        }
                        Ok(())
                    });
                    n.spawn(async {
                        let sender = pipe::Sender::open(&fifo).await?;
                        sender.write_all(&vec![7; 1 << 20]).await
                    });
                    let receiver = pipe::Receiver::open(&fifo).await?;
                    let mut all = Vec::new();
                    while all.is_empty() {
                        receiver.read_to_end(&mut all).await?;
                    }
                    assert_eq!(all.len(), 1 << 20);
                    Ok(())
                })
                .await
            })
        });
        outcome.unwrap();
    });
}
