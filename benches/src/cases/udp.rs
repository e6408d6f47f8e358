//! Datagrams between two UDP sockets of this machine that are connected to each other, both on one
//! thread, so that the figures are about system calls and tasks and not about who runs where.
//!
//! `udp/ping_pong`: two tasks; one sends 64 bytes and waits for them to come back, the other sends
//! back what it gets.
//!
//! `udp/flood`: two tasks; one sends 32 datagrams of 1,200 bytes in a row and then waits for a short
//! one, the other receives 32 and sends that one. So nothing is lost for want of room.
//!
//! By hand there are no tasks: just the system calls, in the order in which they have to come. Some
//! of them move many datagrams at once: `sendmmsg` and `recvmmsg`, and one `sendmsg` that the system
//! cuts into segments (GSO) with one `recvmsg` that gets them together (GRO).

use std::net::UdpSocket;
use std::time::Duration;

use super::Size;
use crate::row::Row;
use crate::runtimes;
use crate::subjects::*;
use crate::{clock, tally};

const SHORT: usize = 64;
const LONG: usize = 1200;
/// How many datagrams are sent in a row.
const BATCH: usize = 32;

pub fn rows(size: Size) -> Vec<Row> {
    let trips = size.of(50_000, 5_000);
    let batches = size.of(5_000, 500);
    let ping_pong = Row::nanoseconds_per("round trip", trips, "udp/ping_pong")
        .time(SEEDBED, move || seedbed(Work::PingPong, trips))
        .time(HAND_WRITTEN, move || by_hand::ping_pong(trips));
    let flood = Row::nanoseconds_per("datagram", batches * BATCH, "udp/flood")
        .time(SEEDBED, move || seedbed(Work::Flood, batches))
        .time(HAND_WRITTEN, move || by_hand::flood(batches));
    #[cfg(target_os = "linux")]
    let flood = flood
        .time(HAND_WRITTEN_MMSG, move || by_hand::many::flood(batches))
        .time(HAND_WRITTEN_GSO, move || by_hand::segments::flood(batches));
    #[cfg(feature = "peers")]
    let (ping_pong, flood) = (
        ping_pong
            .time(TOKIO, move || peers::tokio(Work::PingPong, trips))
            .time(SMOL, move || peers::smol(Work::PingPong, trips)),
        flood
            .time(TOKIO, move || peers::tokio(Work::Flood, batches))
            .time(SMOL, move || peers::smol(Work::Flood, batches)),
    );
    vec![ping_pong, flood]
}

#[derive(Clone, Copy)]
enum Work {
    PingPong,
    Flood,
}

fn pair() -> (UdpSocket, UdpSocket) {
    let socket = || UdpSocket::bind("127.0.0.1:0").expect("there are ports");
    let (one, other) = (socket(), socket());
    let address = |socket: &UdpSocket| socket.local_addr().expect("it is bound");
    one.connect(address(&other)).expect("it is on this machine");
    other.connect(address(&one)).expect("it is on this machine");
    for socket in [&one, &other] {
        socket.set_nonblocking(true).expect("sockets can be");
    }
    (one, other)
}

/// The task that begins.
async fn begin(
    work: Work,
    times: usize,
    send: impl AsyncFn(&[u8]),
    receive: impl AsyncFn(&mut [u8]) -> usize,
) {
    let datagram = [7; LONG];
    let mut buffer = [0; LONG];
    for _ in 0..times {
        match work {
            Work::PingPong => send(&datagram[..SHORT]).await,
            Work::Flood => {
                for _ in 0..BATCH {
                    send(&datagram).await;
                }
            }
        }
        assert_eq!(receive(&mut buffer).await, SHORT);
        tally::count();
    }
}

/// The task that answers.
async fn answer(
    work: Work,
    times: usize,
    send: impl AsyncFn(&[u8]),
    receive: impl AsyncFn(&mut [u8]) -> usize,
) {
    let mut buffer = [0; LONG];
    for _ in 0..times {
        match work {
            Work::PingPong => assert_eq!(receive(&mut buffer).await, SHORT),
            Work::Flood => {
                for _ in 0..BATCH {
                    assert_eq!(receive(&mut buffer).await, LONG);
                }
            }
        }
        send(&buffer[..SHORT]).await;
    }
}

fn seedbed(work: Work, times: usize) -> Duration {
    runtimes::seedbed::run(async {
        let (one, other) = pair();
        let one = seedbed::net::UdpSocket::from_std(one)?;
        let other = seedbed::net::UdpSocket::from_std(other)?;
        let send = async |socket: &seedbed::net::UdpSocket, datagram: &[u8]| {
            socket.send(datagram).await.expect("it is sent");
        };
        let receive = async |socket: &seedbed::net::UdpSocket, buffer: &mut [u8]| {
            socket.recv(buffer).await.expect("it is received")
        };
        let elapsed = clock::timed(async {
            let outcome = seedbed::nursery(async |nursery| {
                nursery.spawn(async {
                    begin(
                        work,
                        times,
                        async |d| send(&one, d).await,
                        async |b| receive(&one, b).await,
                    )
                    .await;
                    Ok(())
                });
                nursery.spawn(async {
                    answer(
                        work,
                        times,
                        async |d| send(&other, d).await,
                        async |b| receive(&other, b).await,
                    )
                    .await;
                    Ok(())
                });
                Ok(())
            });
            outcome.await.expect("no child fails");
        });
        let elapsed = elapsed.await;
        tally::expect(times);
        Ok(elapsed)
    })
}

/// No runtime and no tasks.
mod by_hand {
    use super::*;

    fn timed(times: usize, mut work: impl FnMut()) -> Duration {
        let watch = clock::Stopwatch::start();
        for _ in 0..times {
            work();
        }
        watch.elapsed()
    }

    /// Sends a datagram from one socket to the other.
    fn across(from: &UdpSocket, to: &UdpSocket, length: usize, buffer: &mut [u8; LONG]) {
        assert_eq!(from.send(&buffer[..length]).expect("it is sent"), length);
        assert_eq!(to.recv(buffer).expect("it is there"), length);
    }

    pub fn ping_pong(times: usize) -> Duration {
        let (one, other) = pair();
        let mut buffer = [7; LONG];
        timed(times, || {
            across(&one, &other, SHORT, &mut buffer);
            across(&other, &one, SHORT, &mut buffer);
        })
    }

    pub fn flood(times: usize) -> Duration {
        let (one, other) = pair();
        let mut buffer = [7; LONG];
        timed(times, || {
            for _ in 0..BATCH {
                assert_eq!(one.send(&buffer).expect("it is sent"), LONG);
            }
            for _ in 0..BATCH {
                assert_eq!(other.recv(&mut buffer).expect("it is there"), LONG);
            }
            across(&other, &one, SHORT, &mut buffer);
        })
    }

    /// Many messages in one system call.
    #[cfg(target_os = "linux")]
    pub mod many {
        use std::mem;
        use std::os::fd::AsRawFd;
        use std::ptr;

        use super::*;

        pub fn flood(times: usize) -> Duration {
            let (one, other) = pair();
            let mut buffers = vec![[7_u8; LONG]; BATCH];
            let mut parts: Vec<libc::iovec> = buffers
                .iter_mut()
                .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: LONG })
                .collect();
            let mut messages: Vec<libc::mmsghdr> = parts
                .iter_mut()
                .map(|part| {
                    // SAFETY: all zeros are a message without anything.
                    let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
                    message.msg_hdr.msg_iov = part;
                    message.msg_hdr.msg_iovlen = 1;
                    message
                })
                .collect();
            let (messages, count) = (messages.as_mut_ptr(), BATCH as libc::c_uint);
            let mut short = [7; LONG];
            timed(times, || {
                // SAFETY: the messages lead to the parts, and these to the buffers; all of them are
                // alive, and nothing else uses them.
                let sent = unsafe { libc::sendmmsg(one.as_raw_fd(), messages, count, 0) };
                assert_eq!(sent, BATCH as libc::c_int);
                // SAFETY: the same.
                let received = unsafe {
                    libc::recvmmsg(other.as_raw_fd(), messages, count, 0, ptr::null_mut())
                };
                assert_eq!(received, BATCH as libc::c_int);
                across(&other, &one, SHORT, &mut short);
            })
        }
    }

    /// One message that the system cuts into segments, and puts together again.
    #[cfg(target_os = "linux")]
    pub mod segments {
        use std::os::fd::AsRawFd;

        use super::*;

        fn set(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) {
            let length = size_of_val(&value) as libc::socklen_t;
            // SAFETY: the value is as long as it says.
            let outcome = unsafe {
                let value = (&raw const value).cast();
                libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, option, value, length)
            };
            assert_eq!(outcome, 0, "{}", std::io::Error::last_os_error());
        }

        pub fn flood(times: usize) -> Duration {
            let (one, other) = pair();
            set(&one, libc::UDP_SEGMENT, LONG as libc::c_int);
            set(&other, libc::UDP_GRO, 1);
            let mut all = vec![7; BATCH * LONG];
            let mut short = [7; LONG];
            timed(times, || {
                assert_eq!(one.send(&all).expect("it is sent"), BATCH * LONG);
                let mut received = 0;
                while received < BATCH * LONG {
                    received += other.recv(&mut all).expect("it is there");
                }
                across(&other, &one, SHORT, &mut short);
            })
        }
    }
}

#[cfg(feature = "peers")]
mod peers {
    use std::rc::Rc;

    use ::tokio::task::JoinSet;
    use async_io::Async;

    use super::*;
    use crate::tally::checked;

    pub fn tokio(work: Work, times: usize) -> Duration {
        runtimes::tokio::run(checked(times, async {
            let (one, other) = pair();
            let socket = |socket| {
                Rc::new(::tokio::net::UdpSocket::from_std(socket).expect("it can be registered"))
            };
            let (one, other) = (socket(one), socket(other));
            let mut tasks = JoinSet::new();
            tasks.spawn_local(async move {
                begin(
                    work,
                    times,
                    async |d| assert_eq!(one.send(d).await.expect("it is sent"), d.len()),
                    async |b| one.recv(b).await.expect("it is received"),
                )
                .await;
            });
            tasks.spawn_local(async move {
                answer(
                    work,
                    times,
                    async |d| assert_eq!(other.send(d).await.expect("it is sent"), d.len()),
                    async |b| other.recv(b).await.expect("it is received"),
                )
                .await;
            });
            while let Some(outcome) = tasks.join_next().await {
                outcome.expect("no task fails");
            }
        }))
    }

    pub fn smol(work: Work, times: usize) -> Duration {
        runtimes::smol::run(async |executor| {
            let work = async {
                let (one, other) = pair();
                let socket = |socket| Async::try_from(socket).expect("it can be registered");
                let (one, other): (Async<UdpSocket>, Async<UdpSocket>) =
                    (socket(one), socket(other));
                let first = executor.spawn(async move {
                    begin(
                        work,
                        times,
                        async |d| assert_eq!(one.send(d).await.expect("it is sent"), d.len()),
                        async |b| one.recv(b).await.expect("it is received"),
                    )
                    .await;
                });
                let second = executor.spawn(async move {
                    answer(
                        work,
                        times,
                        async |d| assert_eq!(other.send(d).await.expect("it is sent"), d.len()),
                        async |b| other.recv(b).await.expect("it is received"),
                    )
                    .await;
                });
                first.await;
                second.await;
            };
            checked(times, work).await
        })
    }
}
